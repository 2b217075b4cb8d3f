"""Reproduce the paper's tables from runs, beside published figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nacbench.errors import unknown
from nacbench.formats.dotted import flatten
from nacbench.formats.yaml_text import parse_yaml
from nacbench.recording.row import Run
from nacbench.reporting.series import Series, group
from nacbench.reporting.significance import RULE, best
from nacbench.reporting.tables.cost import cost_table
from nacbench.reporting.tables.priors import prior_table
from nacbench.reporting.tables.protocols import shift_table, shots_table
from nacbench.reporting.tables.pruning import pruning_table
from nacbench.reporting.tables.rows import INTERVAL, NAMED, SEEDS, identified, named
from nacbench.reporting.tables.table import Column, Table, percent

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
)
OURS = len(NAMED)  # index of the column with our score


class Figure(BaseModel):
    """A published score (a fraction); ``source`` is a key of the publications in `Published.sources`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    model: str
    settings: dict[str, str] = {}
    value: float = Field(ge=0, le=1)
    source: str


class PaperTable(BaseModel):
    """One of the paper's tables: the suite of its runs, and the special tables that belong to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    title: str
    special: list[str] = Field(alias="with")


class Published(BaseModel):
    """Content of published.yaml; ``sources`` are the publications by key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[str, str]
    figures: list[Figure]
    tables: dict[str, PaperTable]


@dataclass(frozen=True)
class Built:
    """A table of the paper, with the special tables that belong to it."""

    main: Table
    special: Sequence[Table]


@cache
def read_published() -> Published:
    """Read published.yaml."""
    text = files("nacbench.reporting.paper").joinpath("published.yaml").read_text("utf-8")
    return Published.model_validate(parse_yaml(text, "published.yaml"))


def paper_table(name: str) -> PaperTable:
    """Return one of the paper's tables.

    Raises:
        UserError: if no table has this name.
    """
    tables = read_published().tables
    if name not in tables:
        raise unknown("table of the paper", name, tables)
    return tables[name]


def build(name: str, runs: Sequence[Run], tasks: Sequence[str], scale: str) -> Built:
    """Build one of the paper's tables: a row for each series, and for each published figure without a series.

    Args:
        name: of the table.
        runs: finished runs; those of other tasks and scales are left out.
        tasks: of the table, in order.
        scale: of the runs; published figures appear beside runs of scale ``paper`` only.
    """
    import pandas as pd

    published = read_published()
    series = group(run for run in runs if run.task in tasks and run.scale == scale)
    winners = {id(item) for item in best(series)}
    rows: list[tuple[str, ...]] = []
    numbers: list[dict[str, Any]] = []
    bold: set[tuple[int, int]] = set()
    for task in tasks:
        mine = [item for item in series if item.first.task == task]
        figures = [figure for figure in published.figures if figure.task == task]
        for item in mine:
            figure = next((own for own in figures if scale == "paper" and _is_of(item.first, own)), None)
            if figure:
                figures.remove(figure)
            if id(item) in winners:
                bold.add((len(rows), OURS))
            rows.append((*named(item), percent(item.score), str(len(item.runs)), *_beside(figure)))
            ours = {"mean": item.score.value, "half_width_95": item.score.half_width}
            numbers.append({**identified(item), **ours, **_published(figure)})
        rows += [(task, "paper", _label(figure), "—", "0", *_beside(figure)) for figure in figures]
        numbers += [{**_identified(figure), **_published(figure)} for figure in figures]
    notes = [f"Ours: scale {scale}, {INTERVAL}. Empty cells under published: no publication with this figure was read."]
    if scale != "paper":
        notes.append(f"Scale {scale} is not the paper's setting: these numbers cannot be compared with published ones.")
    notes += [f"{key}: {text}." for key, text in published.sources.items() if any(row[-1] == key for row in rows)]
    notes += [RULE] if bold else []
    special = [SPECIAL[own](series) for own in paper_table(name).special]
    main = Table(name, paper_table(name).title, COLUMNS, rows, notes, pd.DataFrame(numbers), frozenset(bold))
    return Built(main, [table for table in special if table is not None])


def _is_of(run: Run, figure: Figure) -> bool:
    """Return whether a published figure is of this model with these settings."""
    if run.model != figure.model:
        return False
    settings = flatten(json.loads(run.settings)) if figure.settings else {}
    return all(settings.get(key) == value for key, value in figure.settings.items())


def _beside(figure: Figure | None) -> tuple[str, str]:
    return (f"{100 * figure.value:.2f}", figure.source) if figure else ("—", "")


def _published(figure: Figure | None) -> dict[str, Any]:
    return {"published": figure.value, "source": figure.source} if figure else {}


def _identified(figure: Figure) -> dict[str, Any]:
    """Return the first columns of a CSV file for a published figure without a run of ours."""
    return {"task": figure.task, "scale": "paper", "model": figure.model, "variant": _variant(figure), "seeds": 0}


def _label(figure: Figure) -> str:
    return ", ".join(filter(None, (figure.model, _variant(figure))))


def _variant(figure: Figure) -> str:
    return ", ".join(f"{key}={value}" for key, value in figure.settings.items())
