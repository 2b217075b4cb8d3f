"""``nacbench run``: train and score one model on one task."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.interruption import interruption_explained
from nacbench.cli.shared.options import DataRoot, Plugins, complete_model, complete_task, data_root_of, load_plugins

if TYPE_CHECKING:
    from nacbench.contracts.task import AnyTask
    from nacbench.running.runner import Outcome
    from nacbench.training.execution import Execution

WHAT = "What to compute (part of the run's identity)"
HOW = "How to compute it"


def run(
    task: Annotated[
        str | None,
        typer.Option(metavar="NAME", autocompletion=complete_task, help="See: nacbench tasks.", rich_help_panel=WHAT),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", autocompletion=complete_model, help="See: nacbench models.", rich_help_panel=WHAT),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="smoke|mini|paper",
            help="Seconds, minutes on a CPU, or as published.  [dim]\\[default: mini][/dim]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of weights, batches and noise.  [dim]\\[default: 0][/dim]", rich_help_panel=WHAT),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|fp32|bf16",
            help="auto takes bf16 where the hardware has it.  [dim]\\[default: auto][/dim]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting, such as training.lr=3e-4 or model.depth=2; can be given again.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML with any of these settings; the command line wins.", rich_help_panel=WHAT
        ),
    ] = None,
    plugin: Plugins = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.", rich_help_panel=HOW)] = Path(
        "runs"
    ),
    data_root: DataRoot = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", rich_help_panel=HOW)] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that prepare batches.  [dim]\\[default: 0 on a CPU, up to 8 with a GPU][/dim]",
            rich_help_panel=HOW,
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Time between checkpoints.", rich_help_panel=HOW)
    ] = 60.0,
    cuda_graphs: Annotated[
        bool,
        typer.Option(
            "--cuda-graphs/--no-cuda-graphs",
            help="Launch steps as graphs, on one GPU, where the model allows it.",
            rich_help_panel=HOW,
        ),
    ] = True,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Use torch.compile: slow to start, then faster.", rich_help_panel=HOW)
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Compute a finished run again; the old one is kept aside.", rich_help_panel=HOW),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, only the result.", rich_help_panel=HOW)
    ] = False,
) -> None:
    """Train a model on a task and score it, once for each identity: what is finished is not computed again.

    Interrupted runs (Ctrl-C, SIGTERM, a crash) go on from their last checkpoint when the same command is given again.
    """
    from nacbench.machine.hardware import check_device
    from nacbench.running.config import parse_setting, read_yaml, resolve

    load_plugins(plugin)
    given = {
        **_named("task", task),
        **_named("model", model),
        **{k: v for k, v in (("scale", scale), ("seed", seed), ("precision", precision)) if v is not None},
    }
    layers = [read_yaml(config)] if config else []
    resolved = resolve(*layers, given, *(parse_setting(text) for text in settings or []))
    where = check_device(device)

    def execution() -> "Execution":
        from nacbench.training.execution import Execution, default_workers

        return Execution(
            device=where,
            workers=workers if workers is not None else default_workers(where),
            checkpoint_seconds=checkpoint_seconds,
            cuda_graphs=cuda_graphs,
            compile=compile_,
            show_progress=not quiet,
        )

    from nacbench.running import runner

    with interruption_explained():
        outcome = runner.run(resolved, store=out, data_root=data_root_of(data_root), execution=execution, force=force)
    for line in _summary(outcome, resolved.task_plugin):
        typer.echo(line)


def _named(section: str, name: str | None) -> dict[str, Any]:
    return {section: {"name": name}} if name is not None else {}


def _summary(outcome: "Outcome", task: "AnyTask") -> list[str]:
    from nacbench.text import duration

    record = outcome.record
    done = "already done, not computed again" if outcome.was_finished else "done"
    cost = record.cost
    machine = f"{record.precision} on {record.environment.hardware['gpu'] or record.environment.hardware['cpu']}"
    took = (
        f"scored in {duration(cost.evaluate_seconds)}, {machine}; its network is that of {record.trained_on.task} run "
        f"{record.trained_on.run_id}"
        if record.trained_on
        else f"trained in {duration(cost.train_seconds)} at {cost.examples_per_second:,.0f} examples/s, {machine}"
    )
    return [
        f"{record.task} · {record.model} ({record.size}, {cost.parameters:,} parameters) · {record.scale} · "
        f"seed {record.seed}: {done}",
        f"  {task.score_line(record.metrics, record.data.splits)}",
        *(f"  not the whole data set: {text}" for text in record.data.partial),
        f"  {took}",
        f"  {outcome.folder / 'record.json'}",
    ]
