"""Reproduce the paper's tables from runs, beside the published figures that they are comparable with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nacbench.contracts.metric import ACCURACY
from nacbench.recording.choice import EVERYTHING, Choice
from nacbench.recording.row import Run
from nacbench.reporting.floors import Floors, constant
from nacbench.reporting.paper.published import Figure, Published, differences, paper_table, read_published
from nacbench.reporting.series import Series, group
from nacbench.reporting.significance import RULE, best
from nacbench.reporting.tables.cost import cost_table
from nacbench.reporting.tables.priors import prior_table
from nacbench.reporting.tables.protocols import shift_table, shots_table
from nacbench.reporting.tables.pruning import pruning_table
from nacbench.reporting.tables.rows import INTERVAL, NAMED, SEEDS, identified, named, treatment_notes
from nacbench.reporting.tables.table import Column, Table
from nacbench.reporting.treatment import Choices

SPECIAL: Mapping[str, Callable[[Sequence[Series]], Table | None]] = {
    "cost": cost_table,
    "shifted": shift_table,
    "few-shots": shots_table,
    "priors": prior_table,
    "pruning": pruning_table,
}
COLUMNS = (
    *NAMED,
    Column("ours (%)", number=True),
    SEEDS,
    Column("published (%)", number=True),
    Column("source"),
    Column("comparable"),
)
OURS = len(NAMED)  # index of the column with our score
NO_FIGURE = "no figure of this model and these settings was read"
NO_RUN = "no run of ours is of this model and these settings"


@dataclass(frozen=True)
class Built:
    """A table of the paper, with the special tables that belong to it."""

    main: Table
    special: Sequence[Table]


@dataclass
class _Notes:
    """Numbered footnotes; the same text has one number."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """Return the mark of a footnote, such as ``[2]``."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"

    def lines(self) -> list[str]:
        """Return the footnotes in order."""
        return [f"[{number}] {text}." for number, text in enumerate(self.texts, 1)]


def build(
    name: str,
    runs: Sequence[Run],
    tasks: Sequence[str],
    scale: str,
    tuned: Choices | None = None,
    choice: Choice = EVERYTHING,
) -> Built:
    """Build one of the paper's tables: a row for each series, and for each published figure that stands beside none.

    A figure stands beside our score only if `nacbench.reporting.paper.published.differences` finds nothing between its
    conditions and the run's settings. The last column says which rows are comparable, and footnotes why others are not.

    Args:
        name: of the table.
        runs: finished runs; those of other tasks and scales are left out.
        tasks: of the table, in order.
        scale: of the runs.
        tuned: what is known of tuning.
        choice: how the runs were chosen, for a note.
    """
    import pandas as pd

    published = read_published()
    series = group([run for run in runs if run.task in tasks and run.scale == scale], tuned)
    winners, floors = {id(item) for item in best(series)}, Floors(series)
    rows: list[tuple[str, ...]] = []
    numbers: list[dict[str, Any]] = []
    bold: set[tuple[int, int]] = set()
    notes = _Notes()
    for task in tasks:
        mine = [item for item in series if item.first.task == task]
        figures = [own for own in published.figures if own.task == task and not published.conditions_of(own).withheld]
        alone = {id(figure): NO_RUN for figure in figures}
        for item in mine:
            figure, why = _compared(published, item.first, figures)
            if figure and not why:
                alone.pop(id(figure), None)
            elif figure and id(figure) in alone:
                alone[id(figure)] = why
            beside = None if why else figure
            if id(item) in winners:
                bold.add((len(rows), OURS))
            comparable = f"no {notes.mark(why)}" if why else "yes"
            cells = _cells(published, beside, notes)
            rows.append((*named(item), floors.marked(item) + constant(item), str(len(item.runs)), *cells, comparable))
            ours = {"mean": item.score.value, "half_width_95": item.score.half_width}
            numbers.append({**identified(item), **ours, **_numbers(published, beside), "not_comparable": why})
        for figure in (own for own in figures if id(own) in alone):
            why = "; ".join(published.conditions_of(figure).differs) or alone[id(figure)]
            cells = _cells(published, figure, notes)
            rows.append((task, "paper", figure.label, "—", "0", *cells, f"no {notes.mark(why)}"))
            numbers.append({**_identified(figure), **_numbers(published, figure), "not_comparable": why})
    about = choice.notes()
    about += [f"Ours: scale {scale}, {INTERVAL}. Comparable: the run has every condition of the published figure."]
    about += [*notes.lines(), *_withheld(published, tasks)]
    about += [*floors.notes(series), *treatment_notes(series), *([RULE] if bold else [])]
    special = [SPECIAL[own](series) for own in paper_table(name).special]
    main = Table(name, paper_table(name).title, COLUMNS, rows, about, pd.DataFrame(numbers), frozenset(bold))
    return Built(main, [table for table in special if table is not None])


def _compared(published: Published, run: Run, figures: Sequence[Figure]) -> tuple[Figure | None, str]:
    """Return the figure of a run's model and variant, if there is one, and why they are not comparable or empty."""
    figure = next((own for own in figures if own.is_of(run)), None)
    if figure is None:
        return None, NO_FIGURE
    return figure, "; ".join(differences(run, published.conditions_of(figure)))


def _cells(published: Published, figure: Figure | None, notes: _Notes) -> tuple[str, str]:
    """Return the cells of a published figure: its value, and its source with a footnote on its conditions."""
    if figure is None:
        return "—", ""
    source = published.sources[figure.source]
    quality = "" if source.quality == "primary" else f" ({source.quality} source)"
    note = f"{source.says}{quality}. {published.conditions_of(figure).sentence()}"
    return ACCURACY.number(figure.value), f"{figure.source} {notes.mark(note)}"


def _numbers(published: Published, figure: Figure | None) -> dict[str, Any]:
    if figure is None:
        return {}
    source = published.sources[figure.source]
    conditions = published.conditions_of(figure).sentence()
    return {"published": figure.value, "source": figure.source, "quality": source.quality, "conditions": conditions}


def _identified(figure: Figure) -> dict[str, Any]:
    """Return the first columns of a CSV file for a published figure without a run of ours."""
    return {"task": figure.task, "scale": "paper", "model": figure.model, "variant": figure.variant, "seeds": 0}


def _withheld(published: Published, tasks: Sequence[str]) -> list[str]:
    """Return a line for each publication with figures of these tasks that are not shown, and why."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for figure in published.figures:
        why = published.conditions_of(figure).withheld
        if figure.task in tasks and why:
            found.setdefault((figure.task, figure.source, why), []).append(figure.model)
    return [
        f"Not shown: {len(models)} figures on {task} of the {published.sources[source].says}: {why}."
        for (task, source, why), models in found.items()
    ]
