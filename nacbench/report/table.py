"""The main table: one row for each series of runs that differ in nothing but their seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.identity import flatten
from nacbench.results.record import Failure, RunRecord
from nacbench.results.statistics import Mean, t_interval

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = ("seed", "task.name", "model.name", "model.size", "scale")  # shown elsewhere, or averaged over


@dataclass(frozen=True)
class Series:
    """Runs that differ in nothing but their seed.

    Attributes:
        records: one a seed, sorted by seed.
        variant: how this series differs from the others of the same task, model, size and scale; mostly empty.
    """

    records: Sequence[RunRecord]
    variant: str

    @property
    def first(self) -> RunRecord:
        """Any of them, for what they share."""
        return self.records[0]

    @property
    def label(self) -> str:
        """The model's name with its size, and the variant if there is one."""
        name = f"{self.first.model} ({self.first.size})"
        return f"{name}, {self.variant}" if self.variant else name

    @property
    def score(self) -> Mean:
        """The main metric on the test split, over seeds."""
        return t_interval([record.score for record in self.records])


def group(records: Iterable[RunRecord]) -> list[Series]:
    """Records as series, sorted by task, scale and model, the best of a task first."""
    by_cell: dict[tuple[str, ...], dict[str, dict[int, RunRecord]]] = {}
    for record in records:
        cell = by_cell.setdefault((record.task, record.scale, record.model, record.size), {})
        cell.setdefault(_series_key(record), {})[record.seed] = record
    series = []
    for cell in by_cell.values():
        settings = {key: _settings(next(iter(seeds.values()))) for key, seeds in cell.items()}
        for key, seeds in cell.items():
            ordered = [seeds[seed] for seed in sorted(seeds)]
            series.append(Series(ordered, _variant(settings[key], settings.values())))
    return sorted(series, key=lambda s: (s.first.task, s.first.scale, -s.score.value, s.label))


def _settings(record: RunRecord) -> dict[str, str]:
    """All that the number depends on but the seed, flat."""
    flat = flatten(dict(record.identity))
    named = {key.removeprefix("config."): value for key, value in flat.items()}
    return {key: value for key, value in named.items() if key not in UNNAMED}


def _series_key(record: RunRecord) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(_settings(record).items()))


def _variant(settings: Mapping[str, str], others: Iterable[Mapping[str, str]]) -> str:
    """The settings that tell a series from the others in its cell."""
    others = list(others)
    differing = [key for key in settings if len({other.get(key) for other in others}) > 1]
    return ", ".join(f"{key}={settings[key]}" for key in differing)


def frame(series: Sequence[Series], failures: Sequence[Failure]) -> pd.DataFrame:
    """All numbers of the table, unformatted: fractions, counts, seconds. Skipped models keep a row and a reason."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for item in series:
        first, score = item.first, item.score
        rows.append(
            {
                "task": first.task,
                "part": "; ".join(first.data.partial),
                "scale": first.scale,
                "model": first.model,
                "size": first.size,
                "variant": item.variant,
                "metric": first.metric,
                "mean": score.value,
                "half_width_95": score.half_width,
                "seeds": score.count,
                "test_examples": first.scored_examples,
                "train_examples": first.data.splits.get("train"),
                "selection": first.selection.rule,
                "precision": first.precision,
                "parameters": first.cost.parameters,
                "forward_flops": first.cost.forward_flops,
                "train_seconds": t_interval([record.cost.train_seconds for record in item.records]).value,
                "peak_memory_bytes": max(record.cost.peak_memory_bytes for record in item.records),
                "note": "; ".join(first.data.notes),
            }
        )
    for failure in _skipped(failures):
        rows.append(
            {
                "task": failure.task,
                "scale": failure.scale,
                "model": failure.model,
                "size": failure.size,
                "variant": "",
                "seeds": 0,
                "note": failure.reason,
            }
        )
    return pd.DataFrame(rows)


def _skipped(failures: Iterable[Failure]) -> list[Failure]:
    """One for each task, scale and model that cannot be combined."""
    cells = {(f.task, f.scale, f.model, f.size): f for f in failures if f.status == "skipped"}
    return [cells[key] for key in sorted(cells)]


HEAD = ("task", "scale", "model", "test score (%)", "seeds", "parameters", "GFLOPs", "training")
RIGHT = (3, 4, 5, 6, 7)


def cells(series: Sequence[Series], failures: Sequence[Failure]) -> list[tuple[str, ...]]:
    """The table's text, row by row, under `HEAD`."""
    from nacbench.training.progress import duration

    rows = []
    for item in series:
        first = item.first
        seconds = t_interval([record.cost.train_seconds for record in item.records]).value
        rows.append(
            (
                first.task_label,
                first.scale,
                item.label,
                percent(item.score),
                str(len(item.records)),
                f"{first.cost.parameters:,}",
                f"{first.cost.forward_flops / 1e9:.3f}",
                duration(seconds) if first.source is None else "—",
            )
        )
    for failure in _skipped(failures):
        rows.append(
            (failure.task, failure.scale, f"{failure.model} ({failure.size})", failure.reason, "0", "—", "—", "—")
        )
    return sorted(rows, key=lambda row: row[:2])


def percent(mean: Mean) -> str:
    """A fraction as per cent with its interval: ``61.20 ± 0.45``, or without one for a single seed."""
    value = f"{100 * mean.value:.2f}"
    return value if math.isnan(mean.half_width) else f"{value} ± {100 * mean.half_width:.2f}"


def footnotes(series: Sequence[Series]) -> list[str]:
    """What a reader must know to read the table."""
    lines = [
        "Mean over seeds ± half width of the 95 % Student t interval; a single seed has none. "
        "GFLOPs: one example's forward pass, a multiply-add counted as two operations. "
        "Training: time in training steps, mean over seeds."
    ]
    for task in dict.fromkeys(item.first.task_label for item in series):
        mine = [item for item in series if item.first.task_label == task]
        metrics = sorted({item.first.metric for item in mine})
        examples = sorted({item.first.scored_examples for item in mine})
        rules = sorted({item.first.selection.rule for item in mine})
        counts = " or ".join(f"{count:,}" for count in examples)
        lines.append(f"{task}: {', '.join(metrics)} on {counts} test examples; selection: {', '.join(rules)}.")
        data = [item.first.data for item in mine]
        lines += [f"{task}: {note}" for note in sorted({note for own in data for note in (*own.partial, *own.notes)})]
    machines = {
        f"{record.precision} on {record.environment.hardware['gpu'] or record.environment.hardware['cpu']}"
        f" ({record.environment.hardware['threads']} threads), torch {record.environment.versions['torch']}"
        for item in series
        for record in item.records
    }
    return [*lines, "Computed in " + "; ".join(sorted(machines)) + "."] if machines else lines


def as_markdown(rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table whose columns line up as text too."""
    body = [[_markdown(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [HEAD, *body]) for i in range(len(HEAD))]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if i in RIGHT else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [f"{'-' * (width - 1)}:" if i in RIGHT else "-" * width for i, width in enumerate(widths)]
    table = [line(HEAD), line(rule), *(line(row) for row in body)]
    return "\n".join([*table, "", *(f"{_markdown(note)}  " for note in notes)]).rstrip() + "\n"


def _markdown(text: str) -> str:
    """Text that a table cell shows as it is."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def as_latex(rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A booktabs table with its notes below; needs ``\\usepackage{booktabs}``."""
    columns = "".join("r" if i in RIGHT else "l" for i in range(len(HEAD)))
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        " & ".join(_latex(cell) for cell in HEAD) + r" \\",
        "\\midrule",
        *(" & ".join(_latex(cell) for cell in row) + r" \\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        "",
        *(f"% {_latex(note)}" for note in notes),
    ]
    return "\n".join(lines) + "\n"


LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "—": "---",
    "·": r"$\cdot$",
    "\n": " ",
}


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
