"""Which runs a search for settings consists of: one file for each model and task, beside the runs.

It is written before the first run is submitted, and never again: what has been tried so far, and which trials go on, is
in the records alone. Without it nobody could tell a run that was given up early from one of a grid with few epochs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nacbench.code_digest import short_digest
from nacbench.errors import BrokenFileError
from nacbench.filesystem.files import write_text
from nacbench.formats.reading import read_json
from nacbench.recording.bounded import Count, Name, Part, Positive, RunId, Seed, Text, Time
from nacbench.recording.record import Cause
from nacbench.recording.row import Run

SEARCHES = ".searches"  # folder in a store; no report takes a folder whose name starts with a dot for one of runs


class Point(Part):
    """A trial: its settings by dotted name, and the ids of its runs by rung and then by seed."""

    settings: dict[Name, Any]
    runs: tuple[tuple[RunId, ...], ...]


class Search(Part):
    """Content of a file: the search for the settings of one model on one task.

    Attributes:
        sweep: name of the sweep.
        began: time before the first submission, UTC.
        method: random search or successive halving.
        task: the task that is tuned; its runs are of ``X-tuning``.
        model, size, scale: of the runs.
        seed: of the points.
        seeds: of the runs of each trial.
        space: values of each setting, as text.
        by: setting that is the budget of a trial.
        budgets: value of this setting on each rung; 0 if the task does not have it.
        sizes: number of trials on each rung.
        lose: causes of failure that count as the worst score.
        points: all trials, by their number.
    """

    sweep: Name
    began: Time
    method: Literal["random", "halving"]
    task: Name
    model: Name
    size: Name
    scale: Name
    seed: Seed
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    space: dict[Name, Text]
    by: Name
    budgets: Annotated[tuple[Count, ...], Field(min_length=1)]
    sizes: tuple[Positive, ...]
    lose: tuple[Cause, ...]
    points: Annotated[tuple[Point, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees(self) -> Search:
        rungs = len(self.budgets)
        if len(self.sizes) != rungs or any(len(point.runs) != rungs for point in self.points):
            raise ValueError("budgets, sizes and the runs of each point must have one entry for each rung")
        if any(len(ids) != len(self.seeds) for point in self.points for ids in point.runs):
            raise ValueError("each point must have one run for each seed")
        if self.sizes[0] != len(self.points) or list(self.sizes) != sorted(self.sizes, reverse=True):
            raise ValueError("the first rung must have all points, and no rung more than the one before")
        return self

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Task, model, size and scale."""
        return self.task, self.model, self.size, self.scale

    @property
    def plan(self) -> str:
        """What must be equal for models to have been searched equally, as text: all but the options of the models."""
        space = {name: values for name, values in self.space.items() if not name.startswith("model.")}
        return json.dumps((self.method, self.seed, self.seeds, self.by, self.budgets, self.sizes, self.lose, space))

    @property
    def budget(self) -> int:
        """Sum of budgets over all trials and seeds, such as epochs."""
        return len(self.seeds) * sum(a * b for a, b in zip(self.sizes, self.budgets, strict=True))

    @property
    def run_ids(self) -> frozenset[str]:
        """Ids of all runs that it may come to."""
        return frozenset(run_id for point in self.points for ids in point.runs for run_id in ids)

    @property
    def file_name(self) -> str:
        """Name of its file, a digest of all but who began it and when."""
        content = self.model_dump_json(exclude={"sweep", "began"})
        return f"{short_digest(content.encode())}.json"


def read_searches(store: Path) -> list[Search]:
    """Return the searches of a store, the one that began last at the end.

    Raises:
        UserError: if a file cannot be read or is broken: without it, nobody knows what was tried.
    """
    found = [read_search(path) for path in sorted((store / SEARCHES).glob("*.json"))]
    return sorted(found, key=lambda search: search.began)


def read_search(path: Path) -> Search:
    """Read one file.

    Raises:
        BrokenFileError: if it is no search, or not the one that its name is a digest of.
        UserError: if it cannot be read.
    """
    try:
        search = read_json(path, Search)
    except BrokenFileError as error:
        raise BrokenFileError(f"{error}; it says which runs a search consists of: submit its sweep again") from None
    if path.name != search.file_name:
        raise BrokenFileError(f"{path} has the content of {search.file_name}; remove the copy or its change")
    return search


def begin(store: Path, searches: Iterable[Search]) -> None:
    """Write down searches before their first run is submitted; what is there already is left, unless it is broken."""
    for search in searches:
        path = store / SEARCHES / search.file_name
        try:
            is_there = path.exists() and bool(read_search(path))
        except BrokenFileError:
            is_there = False
        if not is_there:
            write_text(path, json.dumps(search.model_dump(mode="json"), allow_nan=False) + "\n")


def searches_of(runs: Iterable[Run]) -> Iterator[Search]:
    """Yield the searches in the stores of some runs, each once, the one that began last at the end.

    Raises:
        UserError: if a file is broken.
    """
    # <store>/<task>/<model>/<id>: from the runs, as reports are also made of a part of a store, or of several at once
    stores = dict.fromkeys(run.folder.rsplit("/", 3)[0] for run in runs)
    found = {own.file_name: own for store in stores for own in read_searches(Path(store))}
    yield from sorted(found.values(), key=lambda search: search.began)
