"""A block of a sweep: the grid of tasks, models, seeds and settings, and the bound on how many runs it may have."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nacbench.contracts.numbers import Seed
from nacbench.errors import UserError, shown
from nacbench.formats.dotted import leaves, merge, nested
from nacbench.sweep.part import Part, Values
from nacbench.sweep.search import ENDING, Search, tuned_name

SPAN = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})")

MAX_RUNS = 10_000  # more may be a typing mistake: they are planned only if the user says so
MOST_RUNS = 1_000_000  # a plan of a million needs 10 GB of memory
SECONDS_TO_PLAN = 0.0003  # one run, as benchmarks/sweep_scale.py measures it; for the message that asks


Axes = dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]]


class Block(Part):
    """A grid of runs: every task with every model, seed, combination of the axes, and position of each ``zip``."""

    tasks: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    scale: str = "mini"
    precision: str = "auto"
    axes: Axes = Field({}, description="settings as for --set, each with its values")
    zip: tuple[Annotated[Axes, Field(min_length=1)], ...] = Field(
        (), description="groups of axes whose values are taken together, by position"
    )
    set: Values = Field({}, description="settings as for --set, the same for all runs")
    search: Search | None = Field(None, description="points to try instead of axes, for each model and task")

    @field_validator("tasks", "models", "seeds", mode="before")
    @classmethod
    def _listed(cls, value: Any, info: ValidationInfo) -> Any:
        """Turn one value into a list, and a range of seeds such as ``0..4`` into all its numbers."""
        if isinstance(value, str) and (span := SPAN.fullmatch(value)):
            return _span(int(span[1]), int(span[2]), (info.context or {}).get("max_runs", MAX_RUNS))
        if isinstance(value, str) and info.field_name == "seeds":
            raise ValueError("write a range of seeds as 0..4, and some of them as a list")
        return [value] if isinstance(value, str | int | float) else value

    @field_validator("tasks", "models", "seeds", "axes")
    @classmethod
    def _each_once(cls, value: Any) -> Any:
        """Refuse a value that is given twice, as there would be one run of it, and probably another one is meant."""
        for name, values in value.items() if isinstance(value, Mapping) else [("", value)]:
            if (number := _repeated(values)) is not None:
                raise ValueError(f"{name + ': ' if name else ''}{values[number]!r} is given twice")
        return value

    @field_validator("axes", mode="before")
    @classmethod
    def _with_lists(cls, axes: Any) -> Any:
        if not isinstance(axes, Mapping):
            return axes
        return {key: value if isinstance(value, list) else [value] for key, value in axes.items()}

    @field_validator("zip", mode="before")
    @classmethod
    def _with_groups(cls, groups: Any) -> Any:
        groups = [groups] if isinstance(groups, Mapping) else groups
        return [cls._with_lists(group) for group in groups] if isinstance(groups, list) else groups

    @field_validator("zip")
    @classmethod
    def _of_one_length(cls, groups: tuple[Axes, ...], info: ValidationInfo) -> tuple[Axes, ...]:
        """Refuse axes of a group with different numbers of values, a row given twice, and an axis given twice."""
        for group in groups:
            (first, values), *others = group.items()
            for name, own in others:
                if len(own) != len(values):
                    raise ValueError(
                        f"{first} has {len(values)} values and {name} has {len(own)}; "
                        "axes of one group have the same number of values"
                    )
            rows = _rows(group)
            if (number := _repeated(rows)) is not None:
                raise ValueError(f"{shown(rows[number])} is given twice")
        names = [_plain(name) for group in (info.data.get("axes", {}), *groups) for name in group]
        if (number := _repeated(names)) is not None:
            raise ValueError(f"axis {shown(names[number])} is given twice, in axes or in zip; keep one of them")
        return groups

    @field_validator("set")
    @classmethod
    def _without_own_keys(cls, settings: Values) -> Values:
        """Refuse settings that have keys of their own here, which would win without a word."""
        for key in ("task", "model", "scale", "seed", "precision"):
            value = nested_settings(settings).get(key, {})
            if not isinstance(value, Mapping) or "name" in value:
                raise ValueError(f"{key} does not belong here; a sweep has a key of its own for it")
        return settings

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        """Check that a search and the other keys do not both give settings."""
        if self.search is None:
            return self
        if varied := [*self.axes, *(name for group in self.zip for name in group)]:
            raise ValueError(
                f"search and {'axes' if self.axes else 'zip'} are both given ({', '.join(varied)}); write an axis as "
                "a choice in the search's space, or make a block for each"
            )
        if others := [model for model in self.search.spaces if model not in self.models]:
            raise ValueError(f"search.spaces.{others[0]}: this block has no such model, but {', '.join(self.models)}")
        given = leaves(nested_settings(self.set))
        for name in (name for model in self.models for name in self.search.space_of(model)):
            if name in given:
                raise ValueError(f"search.space.{name}: 'set' gives this setting, too; remove one of them")
        tasks = [tuned_name(task) for task in self.tasks]
        if twice := next((task for task in tasks if tasks.count(task) > 1), None):
            raise ValueError(f"tasks: {twice} is given twice, as a search of X is of the task X{ENDING}")
        return self

    def count(self) -> int:
        """Return the number of runs without making them, so that a grid that is too large is refused at once."""
        each = sum(self.search.sizes) if self.search is not None else 1
        return each * math.prod(map(len, (self.tasks, self.models, self.seeds, *self._groups())))

    def runs(self) -> Iterator[Values]:
        """Yield the settings of each run for `nacbench.running.resolve.resolve`, in a fixed order.

        Of a search these are all runs that it may come to, those of later rungs for every trial.
        """
        if self.search is not None:
            yield from (values for trial in self.trials() for values in trial.runs)
            return
        for task, model, seed in itertools.product(self.tasks, self.models, self.seeds):
            own = self._own(task, model, seed)
            for varied in self._varied():
                yield merge(own, nested_settings(varied))

    def _varied(self) -> Iterator[Values]:
        """Yield the settings of each combination of the axes and groups."""
        for rows in itertools.product(*self._groups()):
            yield {name: value for row in rows for name, value in row.items()}

    def _groups(self) -> list[list[Values]]:
        """Return what is combined: the values of each axis and the rows of each group of ``zip``, as settings."""
        return [_rows({name: values}) for name, values in self.axes.items()] + [_rows(group) for group in self.zip]

    def trials(self) -> Iterator[Trial]:
        """Yield the trials of the search on each rung, by task and model; none without a search."""
        search = self.search
        for task, model in itertools.product(self.tasks, self.models) if search is not None else ():
            assert search is not None
            name = tuned_name(task)
            first = self._own(name, model, self.seeds[0])
            budgets, warm_up = search.rungs(first), search.warm_up(first)
            for number, point in enumerate(search.points(name, model)):
                for rung, budget in enumerate(budgets):
                    given = [merge(self._own(name, model, seed), nested_settings(point)) for seed in self.seeds]
                    runs = tuple(search.on_rung(values, budgets, rung, warm_up) for values in given)
                    yield Trial(name, model, number, point, rung, budget, runs)

    def _own(self, task: str, model: str, seed: int) -> Values:
        own = {
            "task": {"name": task},
            "model": {"name": model},
            "scale": self.scale,
            "seed": seed,
            "precision": self.precision,
        }
        return merge(nested_settings(self.set), own)


@dataclass(frozen=True)
class Trial:
    """A point of a search, tried on a rung.

    Attributes:
        task, model: names; the task is scored on validation examples.
        number: of the point, from 0.
        point: settings that were drawn, by dotted name.
        rung: from 0.
        budget: of the rung; 0 if it is not counted.
        runs: settings of the run of each seed.
    """

    task: str
    model: str
    number: int
    point: Values
    rung: int
    budget: int
    runs: tuple[Values, ...]


def _rows(group: Axes) -> list[Values]:
    """Return the settings of a group of axes by position."""
    return [dict(zip(group, row, strict=True)) for row in zip(*group.values(), strict=True)]


def _repeated(values: Sequence[Any]) -> int | None:
    """Return the place of the first value that was there before; 1, 1.0 and true are different values."""
    seen: set[str] = set()
    for number, value in enumerate(values):
        text = json.dumps(value, sort_keys=True, default=repr)
        if text in seen:
            return number
        seen.add(text)
    return None


def _plain(key: str) -> str:
    return ".".join(part.strip() for part in key.split("."))


def nested_settings(settings: Mapping[str, Any]) -> Values:
    """Turn ``{"training.lr": 1e-3}`` into ``{"training": {"lr": 1e-3}}``.

    Raises:
        UserError: if a key is not a setting's name, or two keys give one setting: it is unclear which one counts.
    """
    trees = [nested(key, value) for key, value in settings.items()]
    names = [name for tree in trees for name in leaves(tree)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"setting {twice!r} is given twice; remove one")
    return functools.reduce(merge, trees, {})


def seeds_in(text: str, most: int) -> list[int]:
    """Return seeds that are written as ``0..4``, ``3`` or ``0,2,5``.

    Args:
        text: of an option.
        most: number of seeds that is still taken for meant.

    Raises:
        UserError: if it is none of these, or they are too many.
    """
    try:
        if span := SPAN.fullmatch(text):
            return _span(int(span[1]), int(span[2]), most)
        if re.fullmatch(r"[0-9]{1,18}(,[0-9]{1,18})*", text):
            return list(dict.fromkeys(map(int, text.split(","))))
    except ValueError as error:
        raise UserError(f"--seeds {text}: {error}") from None
    raise UserError(f"--seeds {text}: write a seed, a range such as 0..19, or some seeds separated by commas")


def _span(first: int, last: int, most: int) -> list[int]:
    """Return all numbers from first to last, both included; the size is checked before the list is made."""
    if last < first:
        raise ValueError(f"the range {first}..{last} is empty; write the smaller number first")
    if last - first >= most:
        raise ValueError(too_many(last - first + 1, "seeds"))
    return list(range(first, last + 1))


def too_many(count: int, what: str) -> str:
    """Return the question whether so many runs are meant, with what they would cost."""
    if count > MOST_RUNS:
        return f"{count:,} {what}, but a sweep has {MOST_RUNS:,} runs at most; make several sweeps"
    return (
        f"{count:,} {what} would take about {count * SECONDS_TO_PLAN:,.0f} s to plan, and, at a minute and 1 MB each, "
        f"{count / 60:,.0f} core-hours and {count / 1000:,.0f} GB; if so many are meant, pass --max-runs {count} "
        f"(or write max_runs: {count} in the file)"
    )
