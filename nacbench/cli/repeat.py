"""``nacbench repeat``: reproduce recorded runs and compare every number."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.completion import complete_run
from nacbench.cli.shared.interruption import GO_ON, interruption_explained
from nacbench.cli.shared.options import DataRoot, Json, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.recording.record import RunRecord
    from nacbench.running.repeat import Recorded, Repetition
    from nacbench.training.execution import Execution

MOST_NAMES = 3
MOST_LINES = 12  # of one run's differing numbers in the printed table; a run on 75 corruptions has hundreds


def repeat(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…",
            autocompletion=complete_run,
            help="Folders or ids of runs (ids are looked up in runs/), or folders of runs.",
        ),
    ],
    count: Annotated[
        int | None, typer.Option("--runs", metavar="N", help="Repeat only N of them, drawn at random.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw of --runs.  [dim]\\[default: 0][/dim]")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep the new runs there.  [dim]\\[default: remove them][/dim]"),
    ] = None,
    data_root: DataRoot = None,
    device: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda", help="[dim]\\[default: as recorded][/dim]")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: Json = False,
    plugin: Plugins = None,
) -> None:
    """Compute recorded runs again, on this machine with the current code, and compare all numbers digit for digit.

    Each run uses as many threads as it was recorded with. A run that scored another run's network computes that run
    first. The exit code is 1 if a number differs, recorded predictions are damaged, or a run could not be computed.
    """
    load_plugins(plugin)
    from nacbench.running.repeat import repeat_runs

    drawn_with = _seed(count, seed)
    chosen, of = _chosen(runs, count, drawn_with)
    root, done = data_root_of(data_root), []
    if count is not None and not as_json:
        say(f"{len(chosen)} of {of} runs, drawn with seed {drawn_with}")
    with (
        _folder(out, chosen, runs) as place,
        interruption_explained(GO_ON if out else "with --out, finished runs are kept"),
    ):
        again = repeat_runs(
            chosen, out=place, data_root=root, execution=lambda record: _execution(record, device, quiet)
        )
        for number, one in enumerate(again, 1):
            done.append(one)
            if not quiet:
                say(f"[{number}/{len(chosen)}] {one.recorded.title}: {_verdict(one)}", err=True)
    _refuse_if_nothing_was_done(done)
    if as_json:
        drawing = {"seed": drawn_with if count is not None else None, "of": of}
        content = {"same": all(one.same for one in done), **drawing, "runs": [_plain(one) for one in done]}
        say_json(content)
    else:
        _print(done)
    if not all(one.same for one in done):
        raise typer.Exit(1)


# -- choose and compute ------------------------------------------------------------------------------------------------


def _seed(count: int | None, seed: int | None) -> int:
    """Return the seed of the draw.

    Raises:
        UserError: if there is a seed, but nothing to draw.
    """
    from nacbench.errors import UserError

    if seed is not None and count is None:
        raise UserError(f"--seed {seed} is for the draw of --runs N; add it, or leave the seed out to repeat all runs")
    return seed or 0


def _chosen(names: list[str], count: int | None, seed: int) -> "tuple[list[Recorded], int]":
    """Return the runs to repeat, and the number of runs they were drawn from."""
    from nacbench.errors import UserError
    from nacbench.running.repeat import Recorded, draw, find_runs

    if count is not None and count < 1:
        raise UserError(f"--runs {count}: give a number of at least 1")
    found, broken = find_runs(names, Path("runs"))
    warn(broken)
    chosen = found if count is None else draw(found, count, seed)
    return [Recorded(Path(run.folder), run.record()) for run in chosen], len(found)


@contextmanager
def _folder(out: Path | None, chosen: "list[Recorded]", names: list[str]) -> Iterator[Path]:
    """Yield the folder of the new runs: the one that the user named, or a temporary one."""
    from tempfile import gettempdir

    from nacbench.errors import UserError
    from nacbench.filesystem.scratch import scratch_folder
    from nacbench.running.repeat import refuse_inside

    if out is None:
        with scratch_folder(Path(gettempdir()) / "nacbench-repeat") as scratch:
            yield scratch
        return
    refuse_inside(out, chosen, names)  # a run in its own store would be found finished, and not computed
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None
    yield out


def _execution(record: "RunRecord", device: str | None, quiet: bool) -> "Execution":
    from nacbench.kernels.path import setting_of
    from nacbench.machine.hardware import check_device
    from nacbench.training.execution import Execution, default_workers

    where = check_device(device or record.environment.hardware.device)
    return Execution(
        device=where,
        workers=default_workers(where),
        compile="on" if record.environment.compiled else "off",
        kernels=setting_of(record.environment.kernels),
        show_progress=not quiet,
    )


def _refuse_if_nothing_was_done(done: "Sequence[Repetition]") -> None:
    """Raise the first `UserError` if no run could be computed and all errors are the user's, such as missing data."""
    from nacbench.errors import UserError

    if all(isinstance(one.error, UserError) for one in done):
        more = f" (and {len(done) - 1} more like it)" if len(done) > 1 else ""
        raise UserError(f"{done[0].recorded.folder} could not be computed again: {done[0].reason}{more}")


# -- print -------------------------------------------------------------------------------------------------------------


def _print(done: "Sequence[Repetition]") -> None:
    from nacbench.cli.shared.tables import print_table

    head = ["task", "model", "scale", "seed", "run", "metrics", "predictions", "identity", "machine and versions"]
    print_table(head, [_row(one) for one in done])
    for one in done:
        _print_differences(one)
    same = sum(one.same for one in done)
    say(f"{same} of {len(done)} runs gave the same numbers, digit for digit.")


def _row(one: "Repetition") -> list[str]:
    record = one.recorded.record
    named = [record.task, record.model, record.scale, str(record.seed), record.run_id]
    if one.again is None:
        return [*named, "not computed", "", "", ""]
    return [*named, _metrics(one), _predictions(one), _named(one.identity), _surroundings(one)]


def _surroundings(one: "Repetition") -> str:
    unsaid = not (one.surroundings or one.same or one.knows_surroundings)
    return "same, as far as recorded" if unsaid else _named(one.surroundings)


def _named(differences: Sequence[tuple[str, str, str]]) -> str:
    """Return the first few names of differing fields; the lines below the table have all of them."""
    names = [name for name, *_ in differences]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}" if names else "same"


def _metrics(one: "Repetition") -> str:
    if not one.numbers:
        return f"same ({one.compared})"
    most = max((abs(by), name) for name, by in {**dict.fromkeys(one.numbers, 0.0), **_changes(one)}.items())
    by = f", by {most[0]:.2g} at most ({most[1]})" if most[0] else ""
    return f"{len(one.numbers)} of {one.compared} differ{by}"


def _changes(one: "Repetition") -> dict[str, float]:
    """Return new minus recorded for each differing number that both records have."""
    return {
        name: float(new) - float(old)
        for name, (old, new) in one.numbers.items()
        if all(isinstance(value, int | float) for value in (old, new))
    }


def _predictions(one: "Repetition") -> str:
    found = one.predictions
    if found.state == "differ":
        return f"differ in rows of: {', '.join(f'{name} ({count:,})' for name, count in found.rows.items())}"
    if found.state == "damaged":  # details are printed below the table
        return "damaged"
    return found.note if found.state == "absent" else f"same{f' ({found.note})' if found.note else ''}"


def _verdict(one: "Repetition") -> str:
    if one.again is None:
        return f"not computed: {one.reason}"
    if one.predictions.state == "damaged":
        return f"{'other' if one.numbers else 'the same'} metrics, but the recorded predictions are damaged"
    return "the same numbers" if one.same else "other numbers"


def _print_differences(one: "Repetition") -> None:
    """Print each difference of one run on a line; nothing if the runs are the same."""
    from nacbench.cli.shared.tables import print_table
    from nacbench.formats.dotted import as_text

    if one.again is None:
        say(f"{one.recorded.title} was not computed: {one.reason}", "")
        return
    changes = _changes(one)
    rows = [
        [name, as_text(old), as_text(new), f"{changes[name]:+.2g}" if name in changes else ""]
        for name, (old, new) in list(one.numbers.items())[:MOST_LINES]
    ]
    if len(one.numbers) > MOST_LINES:
        rows.append([f"… and {len(one.numbers) - MOST_LINES} more numbers (--json has them all)", "", "", ""])
    rows += [[name, old, new, ""] for name, old, new in (*one.identity, *one.surroundings)]
    if one.again.run_id != one.recorded.record.run_id:
        rows.insert(0, ["run", one.recorded.record.run_id, one.again.run_id, ""])
    if rows:
        print_table([one.recorded.title, "recorded", "now", "difference"], rows)
    for note in _notes(one):
        say(f"  {note}")


def _notes(one: "Repetition") -> list[str]:
    """Return known reasons for differences in the last digits, and what was not compared."""
    differing = {name for name, *_ in one.surroundings}
    notes = {
        # floating-point addition is not associative
        "threads": "another number of threads splits sums differently: their last digits differ",
        "processes": "another number of processes splits sums differently: their last digits differ",
    }
    found = [text for name, text in notes.items() if name in differing]
    if not (one.same or one.knows_surroundings):
        found.append(
            "the record does not name the processor's instructions: one of the same name with others rounds differently"
        )
    if one.predictions.state == "damaged":
        found.append(f"predictions were not compared: {one.predictions.note}")
    if one.earlier and one.again is not None:
        found.append(f"not computed again: it was in --out already, finished at {one.again.finished}")
    return found


def _plain(one: "Repetition") -> dict[str, Any]:
    """Return everything about one repetition as JSON-compatible data."""
    changes, found = _changes(one), one.predictions
    return {
        **{key: getattr(one.recorded.record, key) for key in ("run_id", "task", "model", "scale", "seed")},
        "folder": str(one.recorded.folder),
        "same": one.same,
        "error": one.reason or None,
        "new_run_id": one.again.run_id if one.again else None,
        "finished": one.again.finished if one.again else None,
        "earlier": one.earlier,
        "compared": one.compared,
        "differences": [
            {"name": name, "recorded": old, "now": new, "by": changes.get(name)}
            for name, (old, new) in one.numbers.items()
        ],
        "predictions": {"state": found.state, "rows": dict(found.rows), "note": found.note},
        **{
            key: [dict(zip(("name", "recorded", "now"), row, strict=True)) for row in getattr(one, key)]
            for key in ("identity", "surroundings")
        },
    }
