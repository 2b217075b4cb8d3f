"""``nacbench prune``: remove modules of a finished run's network, and measure accuracy and speed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.completion import complete_run, one_of
from nacbench.cli.shared.options import DataRoot, Plugins, data_root_of, load_plugins
from nacbench.formats.terminal import say, say_text

if TYPE_CHECKING:
    from nacbench.recording.record import RunRecord
    from nacbench.running.config import RunConfig

AGAIN = "compute it again with: nacbench prune RUN, in another folder"


def prune(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", autocompletion=complete_run, help="The folder or id of a run that trained a network."
        ),
    ],
    order: Annotated[
        str,
        typer.Option(
            metavar="degree|importance|random",
            autocompletion=one_of("degree", "importance", "random"),
            help="Which modules are removed first: those of lowest degree, lowest importance, or random ones.",
        ),
    ] = "degree",
    shares: Annotated[
        str | None, typer.Option(metavar="LIST", help="Shares of modules to keep, as in 0.5,0.25.")
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(metavar="SHARE", min=0, max=1, help="Also save the network with this share of its modules."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where table, figure and network are written.")] = Path(
        "pruned"
    ),
    data_root: DataRoot = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", autocompletion=one_of("auto", "cpu", "cuda"))
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    plugin: Plugins = None,
) -> None:
    """Remove modules of a trained network; report accuracy, measured speed, operations and memory at each share kept.

    The result is a run of its own, of task X-pruned for a run of task X, with a table and a figure.
    """
    load_plugins(plugin)
    from nacbench.errors import UserError
    from nacbench.inspection.trained import load_run
    from nacbench.machine.hardware import check_device
    from nacbench.recording.locate import locate
    from nacbench.running import runner
    from nacbench.training.execution import Execution

    where, folder = check_device(device), locate(run, out)
    trained = load_run(folder)
    config = pruning_config(trained.config, order, shares)
    if keep is not None and not keep > 0.0005:  # written so that NaN is refused, too
        raise UserError(f"--keep {keep:g}: give a share of at least 0.001")
    store = _store_of(folder, trained.record)
    outcome = runner.run(
        config,
        store=store,
        data_root=data_root_of(data_root),
        execution=lambda: Execution(device=where, show_progress=not quiet),
    )
    trained_on = outcome.record.trained_on
    # with other code, the runner has trained the network again under another id, and pruned that one
    if trained_on and trained_on.run_id != trained.record.run_id:
        raise UserError(
            f"the code has changed since run {trained.record.run_id} was computed (see: nacbench why {run}); "
            f"its network was trained again as run {trained_on.run_id}, and that one was pruned"
        )
    _report(outcome.record, outcome.folder, to)
    if keep is not None:
        _save(trained, outcome.record, keep, to)


def _store_of(folder: Path, record: "RunRecord") -> Path:
    """Return the folder of runs that a run is in, where the pruned network will be another.

    Raises:
        UserError: if it lies somewhere else, as an export or a single copy does: its network would be trained again.
    """
    from nacbench.errors import UserError
    from nacbench.filesystem.files import absolute

    place = Path(absolute(folder))
    if place.parts[-3:] != (record.task, record.model, record.run_id):
        raise UserError(
            f"{folder} lies in no folder of runs, in which its pruned network would be a run, too; name the run where "
            f"it lies as {record.task}/{record.model}/{record.run_id}"
        )
    return place.parents[2]


def pruning_config(trained: "RunConfig", order: str, shares: str | None) -> "RunConfig":
    """Return the configuration of the run that prunes another run's network.

    Raises:
        UserError: if `shares` is not a list of numbers.
    """
    from nacbench.errors import UserError
    from nacbench.running.resolve import SHARED, resolve

    options: dict[str, Any] = {"order": order}
    if shares is not None:
        try:
            options["shares"] = tuple(float(share) for share in shares.split(","))
        except ValueError:
            raise UserError(
                f"--shares {shares}: give numbers between 0 and 1, separated by commas, as in 0.5,0.25"
            ) from None
    content = trained.as_dict()
    shared = {key: content[key] for key in SHARED if key in content}
    trained_on = {key: content[key] for key in ("task", "training", "init_from") if key in content}
    return resolve({**shared, "task": {"name": f"{trained.task.name}-pruned", **options}, "trained_on": trained_on})


def _report(record: "RunRecord", folder: Path, to: Path) -> None:
    from nacbench.errors import UserError
    from nacbench.filesystem.files import write_text
    from nacbench.formats.escape import csv_of
    from nacbench.recording.row import row_of
    from nacbench.reporting.figures.pruning import draw_pruning
    from nacbench.reporting.figures.saving import save_figure
    from nacbench.reporting.series import group
    from nacbench.reporting.tables.pruning import pruning_table

    series = group([row_of(record, str(folder), 0, 0)])
    table, figures = pruning_table(series), draw_pruning(series)
    if table is None or not figures:
        raise UserError(f"{folder / 'record.json'} has no scores or no times by share of modules kept; {AGAIN}")
    to.mkdir(parents=True, exist_ok=True)
    write_text(to / "pruning.md", table.markdown())
    write_text(to / "pruning.csv", csv_of(table.frame))
    files = [folder / "record.json", to / "pruning.md", to / "pruning.csv", *save_figure(figures[0], to / "pruning")]
    say_text(table.text())
    for file in files:
        say(str(file))


def _save(trained: Any, record: "RunRecord", keep: float, to: Path) -> None:
    from nacbench.errors import UserError
    from nacbench.inspection.trained import SMALLER, save_smaller
    from nacbench.protocols.pruning import kept_modules

    ranking = record.details.get("test", {}).get("ranking")
    if not isinstance(ranking, list) or sorted(ranking, key=str) != sorted(range(len(ranking)), key=str):
        raise UserError(f"the record of run {record.run_id} has no ranking of the modules; {AGAIN}")
    modules = kept_modules(ranking, keep)
    save_smaller(trained, modules, to)
    say(f"{to / SMALLER}: {len(modules)} of {len(ranking)} modules; load it with nacbench.load_smaller({str(to)!r})")
