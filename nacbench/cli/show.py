"""``nacbench show``: everything about one run, finished or not."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.completion import complete_run
from nacbench.cli.shared.options import Json, Plugins, load_plugins
from nacbench.cli.shared.remarks import remarks
from nacbench.cli.shared.settings_tables import print_facts
from nacbench.cli.shared.tables import print_table, size_text
from nacbench.cli.shared.warnings import warn
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.recording.record import Cost, RunRecord
    from nacbench.reporting.record_numbers import Number
    from nacbench.sweep.listing import Listed

BARS = "▁▂▃▄▅▆▇█"
LONGEST = 60  # points of a curve that are drawn
FILES = (
    *("record.json", "failure.json", "config.yaml", "curve.jsonl", "predictions.parquet"),
    *("checkpoint/model.safetensors", "log.txt"),
)


def show(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", autocompletion=complete_run, help="A run's folder, its id, or the beginning of its id."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where ids are looked up.")] = Path("runs"),
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Print everything about one run: settings, numbers, cost, files, and how to go on.

    For example: nacbench show 27b514b3

    With --json, numbers are not scaled: 0.95 is 95 %.
    """
    from nacbench.recording.read_record import read_record
    from nacbench.reporting.names import defaults_of, settings_of, shown
    from nacbench.reporting.record_numbers import numbers_of
    from nacbench.sweep.listing import one_run

    load_plugins(plugin)
    own, broken = one_run(run, out)
    settings, usual = settings_of(own.settings), defaults_of(own)
    changed = [key for key in settings if key in usual and settings[key] != usual[key]]
    record = read_record(Path(own.folder) / "record.json", own.run_id) if own.metric else None
    numbers, cost = (list(numbers_of(record)), record.cost) if record else ([], None)
    beside = remarks(record) if record else []
    curve = _curve(own, record, broken)
    warn(broken)
    files = [name for name in FILES if (Path(own.folder) / name).exists()]
    if as_json:
        facts = {name: getattr(own, name) for name in ("run_id", "folder", "task", "model", "scale", "seed", "state")}
        rows = [_number_row(one) for one in numbers]
        told = {
            "settings": dict(settings),
            "changed": changed,
            "numbers": rows,
            "remarks": beside,
            "curve": curve,
            "files": files,
        }
        said = {"tags": list(own.tags.tags), "notes": list(own.tags.notes)}
        spent = cost.model_dump(mode="json") if cost else None
        say_json({**facts, "size": own.model_size, "detail": own.detail, **said, **told, "cost": spent})
        return
    print_facts(
        [
            ("run", own.run_id),
            ("state", " · ".join(filter(None, (own.state, own.detail.splitlines()[0] if own.detail else "")))),
        ]
    )
    print_facts([("what", f"{own.task} · {own.label} · {own.scale} · seed {own.seed}"), ("folder", own.folder)])
    print_facts([("tags", " ".join(own.tags.tags))] if own.tags.tags else [])
    print_facts([("note", note) for note in own.tags.notes])
    print_facts([("files", " ".join(files)), *(_cost(cost) if cost else [])])
    print_facts([(one.told, f"{one.name} {_number_text(one)}") for one in numbers if one.told])
    print_facts([("remark", remark) for remark in beside])
    if curve:
        print_facts([("curve", f"{_line(curve)}  training loss, last {curve[-1]:.4g}")])
    lines = [[key, shown(settings, key), shown(usual, key) if key in changed else ""] for key in settings]
    if lines:
        print_table(["setting", "value", "default, where it differs"], lines)
    say(*_ways_on(own, record, plugin or []))


def _number_row(one: "Number") -> dict[str, Any]:
    """Return a number as JSON has it: as recorded, and as text."""
    text = _number_text(one)
    return {"split": one.split, "metric": one.name, "value": one.value, "interval": one.interval, "text": text}


def _number_text(one: "Number") -> str:
    """Return a number with its unit and its interval over examples."""
    if one.metric is None:
        return f"{one.value:.4g}"
    ends = " to ".join(map(one.metric.number, one.interval or ()))
    over = f" (95 % interval over {one.examples:,} examples {ends})" if ends else ""
    return f"{one.metric.value_text(one.value)}{over}"


def _cost(cost: "Cost") -> list[tuple[str, str]]:
    """Return what a run cost, as facts to print."""
    from nacbench.formats.text import duration

    speed = f", {cost.examples_per_second:,.0f} examples/s" if cost.examples_per_second else ""
    return [
        ("parameters", f"{cost.parameters:,}, of which the model {cost.core_parameters:,}"),
        ("operations", f"{cost.forward_flops:,} FLOPs for an example in a batch of {cost.flops_batch}, forwards"),
        ("memory", f"{size_text(cost.peak_memory_bytes)} at the peak"),
        ("training", f"{duration(cost.train_seconds)}{speed}"),
        ("evaluation", duration(cost.evaluate_seconds)),
    ]


def _curve(own: "Listed", record: "RunRecord | None", broken: list[str]) -> list[float]:
    """Return the training losses of a run's curve, in nats; none if it has no curve.

    Args:
        own: the run.
        record: if it is finished.
        broken: a line is added for a curve that is not the one that the run wrote.
    """
    from nacbench.recording.curve import kept_curve, points_so_far

    folder = Path(own.folder)
    try:
        points = kept_curve(folder, record.files) if record else points_so_far(folder / "curve.jsonl")
    except UserError as error:
        broken.append(f"its curve is not shown: {error}")
        return []
    return [point.loss for point in points if point.loss is not None]


def _line(values: list[float]) -> str:
    """Return values as bars, the largest as the highest; of many, evenly chosen ones."""
    some = (
        [values[round(i * (len(values) - 1) / (LONGEST - 1))] for i in range(LONGEST)]
        if len(values) > LONGEST
        else values
    )
    low, high = min(some), max(some)
    return "".join(BARS[round((len(BARS) - 1) * (value - low) / ((high - low) or 1))] for value in some)


def out_option(store: Path) -> str:
    """Return the option by which commands look into a folder of runs, quoted for a shell, after a space; empty for the
    folder that they look into without it.
    """
    from shlex import quote

    from nacbench.filesystem.files import absolute

    return "" if absolute(store) == absolute("runs") else f" --out {quote(str(store))}"


def _ways_on(own: "Listed", record: "RunRecord | None", plugins: Sequence[Path]) -> list[str]:
    """Return what can be done with a run in its state, a command a line, as it can be typed in this folder.

    Args:
        own: the run.
        record: if it is finished.
        plugins: files that were loaded to show it.
    """
    from shlex import quote

    from nacbench.recording.store import CONFIG, LOG, WEIGHTS
    from nacbench.sweep.state import LIVE

    folder, place = Path(own.folder), quote(own.folder)
    loading = "".join(f" --plugin {quote(str(file))}" for file in plugins)
    if record:
        ways = [f"compute it again and compare: nacbench repeat {place}", f"every metric: nacbench metrics {place}"]
        if own.model == "nac" and record.trained_on is None and (folder / WEIGHTS).exists():
            ways.append(f"its circuit: nacbench circuit {place}")
        return [f"{way}{loading}" for way in ways]
    if own.state in LIVE or own.state in ("skipped", "unknown", "unreadable"):
        return []
    config = f"nacbench run --config {quote(str(folder / CONFIG))}{out_option(own.store)}{loading}"
    resume = config if (folder / CONFIG).exists() else "the command that started it"
    log = f"; its log: {quote(str(folder / LOG))}" if (folder / LOG).exists() else ""
    return [f"start or resume it: {resume}{log}"]
