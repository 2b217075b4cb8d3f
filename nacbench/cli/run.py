"""``nacbench run``: train a model on a task, evaluate it, and write its record."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nacbench.cli.shared.completion import (
    complete_model,
    complete_scale,
    complete_setting,
    complete_task,
    complete_tracker,
    one_of,
)
from nacbench.cli.shared.interruption import interruption_explained
from nacbench.cli.shared.options import DataRoot, Plugins
from nacbench.cli.shared.remarks import remarks
from nacbench.cli.shared.warnings import slow_precision, warn
from nacbench.formats.terminal import say, say_text
from nacbench.machine.cores import MOST_THREADS

if TYPE_CHECKING:
    from nacbench.formats.extending import Layer
    from nacbench.running.config_files import RunFiles
    from nacbench.running.outcome import Outcome

WHAT = "What to compute (part of the run's identity)"
ABOUT = "What to say about it"
HOW = "How to compute it"


class Command(TyperCommand):
    """A command whose option ``--compile`` may stand alone, for ``--compile on``, which typer cannot declare."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line after adding what is meant."""
        words = []
        for word, following in zip(args, [*args[1:], "-"], strict=True):
            words += [word, "on"] if word == "--compile" and following.startswith("-") else [word]
        return super().parse_args(ctx, words)


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
            autocompletion=complete_scale,
            help="Seconds, minutes on a CPU, or the longest schedule.  [dim]\\[default: mini][/dim]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of weights, batches and noise.  [dim]\\[default: 0][/dim]", rich_help_panel=WHAT
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|fp32|bf16",
            autocompletion=one_of("auto", "fp32", "bf16"),
            help="auto uses bf16 if the hardware has it.  [dim]\\[default: auto][/dim]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable",
            help="Leave out examples whose files cannot be read; the record counts them, tables say (part).",
            rich_help_panel=WHAT,
        ),
    ] = False,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Begin training with these weights: a hub folder, a .safetensors file, or a run's folder or id.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    init_head: Annotated[
        str | None,
        typer.Option(
            metavar="keep|new",
            autocompletion=one_of("keep", "new"),
            help="Take the last layer of these weights, too, or draw it anew.  [dim]\\[default: keep][/dim]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            autocompletion=complete_setting,
            help="Any other setting, such as training.lr=3e-4 or model.depth=2; can be given again.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="YAML file of settings; can be given again: later files override earlier ones, and options all.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            help="Only print all settings and where each was given, as YAML for --config.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    plugin: Plugins = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A word to find the run by, as in --where tag=NAME; not part of its id; can be given again.",
            rich_help_panel=ABOUT,
        ),
    ] = None,
    note: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="A note on the run; not part of its id; can be given again.", rich_help_panel=ABOUT
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.", rich_help_panel=HOW)] = Path(
        "runs"
    ),
    data_root: DataRoot = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", autocompletion=one_of("auto", "cpu", "cuda"), rich_help_panel=HOW)
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that prepare batches.  [dim]\\[default: 0 on a CPU, up to 8 with a GPU][/dim]",
            rich_help_panel=HOW,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_THREADS,
            help="Threads to compute with; another number changes last digits.  "
            "[dim]\\[default: OMP_NUM_THREADS, or the cores that are granted][/dim]",
            rich_help_panel=HOW,
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, max=1e9, help="Seconds between checkpoints.", rich_help_panel=HOW)
    ] = 60.0,
    cuda_graphs: Annotated[
        bool,
        typer.Option(
            "--cuda-graphs/--no-cuda-graphs",
            help="Run steps as CUDA graphs, on one GPU, if the model allows it.",
            rich_help_panel=HOW,
        ),
    ] = True,
    compile_: Annotated[
        str,
        typer.Option(
            "--compile",
            metavar="auto|on|off",
            autocompletion=one_of("auto", "on", "off"),
            help="Use torch.compile: slow start, faster steps; auto: where it pays. Alone it means on.",
            rich_help_panel=HOW,
        ),
    ] = "off",
    kernels: Annotated[
        str,
        typer.Option(
            metavar="auto|native|torch",
            autocompletion=one_of("auto", "native", "torch"),
            help="Compute with nacbench's own kernels where they can be had, always, or with PyTorch's.",
            rich_help_panel=HOW,
        ),
    ] = "auto",
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_tracker,
            help="Also log to tensorboard, trackio, wandb or mlflow, offline, into the run's folder; can be given "
            "again.",
            rich_help_panel=HOW,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Compute a finished run again; the old one moves to .replaced.", rich_help_panel=HOW
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, only the result.", rich_help_panel=HOW)
    ] = False,
) -> None:
    """Train a model on a task and evaluate it. A finished run is printed, not computed again.

    The same command resumes an interrupted run (Ctrl-C, SIGTERM, crash) from its last checkpoint.
    """
    from nacbench.contracts.compiling import compile_choice
    from nacbench.contracts.kernels import kernel_setting
    from nacbench.formats.extending import Layer
    from nacbench.machine.hardware import check_device_name
    from nacbench.recording.tags import given as given_tags
    from nacbench.running.config_files import RunFiles, read_run_files
    from nacbench.running.initial import given_weights
    from nacbench.running.layers import run_layers
    from nacbench.running.resolve import parse_setting, refuse_given_twice

    named = {"task": task, "model": model, "scale": scale, "seed": seed, "precision": precision}
    own = [Layer(f"--{key}", {key: value}) for key, value in named.items() if value is not None]
    own += [Layer("--skip-unreadable", {"skip_unreadable": True})] if skip_unreadable else []
    if weights := given_weights(init_from, init_head):
        own.append(Layer("--init-from" if init_from else "--init-head", {"init_from": weights}))
    own += [Layer(f"--set {text}", parse_setting(text)) for text in settings or []]
    refuse_given_twice(layer.settings for layer in own)
    found = read_run_files(config or [])
    files = RunFiles(
        found.layers, found.tags.also(given_tags(tag or [], note or [])), [*found.plugins, *(plugin or [])]
    )
    whether, whose = compile_choice(compile_), kernel_setting(kernels)
    check_device_name(device)
    if print_config:
        _print_config(files, own, out)
        return
    given = [layer.settings["precision"] for layer in (*files.layers, *own) if "precision" in layer.settings]
    warn(slow_precision(given[-1] if given else None, device))
    with interruption_explained():
        outcome = run_layers(
            [*files.layers, *own],
            files.plugins,
            tags=files.tags,
            out=out,
            data_root=data_root,
            device=device,
            workers=workers,
            threads=threads,
            checkpoint_seconds=checkpoint_seconds,
            cuda_graphs=cuda_graphs,
            compile=whether,
            kernels=whose,
            force=force,
            quiet=quiet,
            log=log or (),
        )
    for line in _summary(outcome):
        say(line)
    if log and outcome.was_finished:
        say(f"  nothing was computed, so nothing was logged; use nacbench export {outcome.folder} --to {log[0]}")


def _print_config(files: "RunFiles", options: "Sequence[Layer]", store: Path) -> None:
    from nacbench.plugin_files import load_plugin_files
    from nacbench.running.config_files import resolved, with_origins

    load_plugin_files(files.plugins)
    config = resolved((*files.layers, *options), store)
    say_text(with_origins(config, files, options))


def _summary(outcome: "Outcome") -> list[str]:
    from nacbench.formats.text import duration

    record = outcome.record
    done = "already done, not computed again" if outcome.was_finished else "done"
    added = "added" if outcome.was_finished else "given"
    cost = record.cost
    machine = f"{record.precision} on {record.environment.hardware.processor}"
    took = (
        f"scored in {duration(cost.evaluate_seconds)}, {machine}; its network was trained by {record.trained_on.task} "
        f"run {record.trained_on.run_id}"
        if record.trained_on
        else f"trained in {duration(cost.train_seconds)} at {cost.examples_per_second:,.0f} examples/s, {machine}"
    )
    return [
        f"{record.task} · {record.model} ({record.size}, {cost.parameters:,} parameters) · {record.scale} · "
        f"seed {record.seed}: {done}",
        f"  {outcome.config.task_plugin.score_line(record.metrics, record.data.splits)}",
        *(f"  {text}" for text in remarks(record)),
        f"  {took}",
        *([f"  {outcome.tagged}: {added}"] if outcome.tagged else []),
        f"  {outcome.folder / 'record.json'}",
    ]
