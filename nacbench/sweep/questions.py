"""What ``nacbench sweep decide`` decides: two models on a task, or a claim, with the series of runs that answer it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError, unknown
from nacbench.formats.dotted import flatten
from nacbench.recording.decisions import Asked, Member
from nacbench.recording.row import Run
from nacbench.reporting import decided
from nacbench.reporting.names import has_usual_size, is_usual, labels
from nacbench.reporting.paper.claims import Claim, Side
from nacbench.reporting.paper.verdicts import SCALES
from nacbench.reporting.series import Series
from nacbench.sweep.plan import Plan, PlannedRun

NAC = "nac"  # the model that all others are compared with, unless two are named


@dataclass(frozen=True)
class Entrant:
    """A series of a plan: runs that differ only in their seed.

    Attributes:
        runs: by seed.
        label: name of the model or variant, as in tables.
    """

    runs: Mapping[int, PlannedRun]
    label: str = ""

    @property
    def first(self) -> PlannedRun:
        """One of the runs, for what all of them share."""
        return next(iter(self.runs.values()))

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.first.config.task.name

    @property
    def scale(self) -> str:
        """The scale."""
        return self.first.config.scale

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.first.config.model.name

    @property
    def model_size(self) -> str:
        """Size of the model."""
        return self.first.config.model.size

    @property
    def settings(self) -> str:
        """What the runs have in common, as their records will have it."""
        return self.first.settings

    @cached_property
    def series(self) -> str:
        """What its records have as their series."""
        return self.first.series

    @cached_property
    def setting(self) -> str:
        """Task with its options, and scale: only what is equal in it can be compared."""
        config = self.first.config
        tasks = [config.task.model_dump(mode="json")]
        tasks += [config.trained_on.task.model_dump(mode="json")] if config.trained_on else []
        return json.dumps([config.scale, tasks], sort_keys=True)

    @cached_property
    def training(self) -> str:
        """The recipes by which its networks are trained, its own and that of another run."""
        config = self.first.config
        recipes = [own.training for own in (config, config.trained_on) if own is not None]
        return json.dumps([recipe.model_dump(mode="json") for recipe in recipes], sort_keys=True)

    def fits(self, wanted: Mapping[str, str]) -> bool:
        """Return whether it has these values for those of these settings that it has at all."""
        settings = flatten(json.loads(self.settings))
        return all(settings.get(key, value) == value for key, value in wanted.items())


@dataclass(frozen=True)
class Question:
    """A comparison of two series, the first less the second, or a claim about one or two.

    Attributes:
        name: for readers.
        entrants: the series.
        claim: the claim; None for a comparison.
    """

    name: str
    entrants: tuple[Entrant, ...]
    claim: Claim | None = None

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.entrants[0].task

    @property
    def scale(self) -> str:
        """The scale."""
        return self.entrants[0].scale

    @property
    def metric(self) -> Metric:
        """The task's main metric."""
        return self.entrants[0].first.config.task_plugin.main_metric()

    def decided_by(self, records: Mapping[str, Mapping[int, Run]], margin: float) -> decided.Case:
        """Return the numbers that decide it.

        Args:
            records: finished runs by series and seed.
            margin: of practical equivalence, for a comparison, as differences are shown, such as in points.
        """
        within = 0.0 if self.claim is not None else decided.in_units(margin, self.metric)
        return decided.Case(self._sides(records), within, self.claim)

    def _sides(self, records: Mapping[str, Mapping[int, Run]]) -> list[Side]:
        series = [Series([own[seed] for seed in sorted(own)], {}, {}) for own in self._records(records)]
        if not all(item.runs for item in series):
            return []
        if self.claim is not None:
            return decided.claimed(self.claim, series)
        return decided.compared(*series)

    def firsts(self, records: Mapping[str, Mapping[int, Run]]) -> tuple[Run, ...]:
        """Return a finished run of each series, for what all its runs share; none if one of them has none."""
        some = list(self._records(records))
        return tuple(own[min(own)] for own in some) if all(some) else ()

    def _records(self, records: Mapping[str, Mapping[int, Run]]) -> Iterator[Mapping[int, Run]]:
        for one in self.entrants:
            yield {seed: run for seed, run in records.get(one.series, {}).items() if seed in one.runs}

    def asked(self) -> Asked:
        """Return it as it is written down."""
        bars = self._bars() if self.claim is not None else (0.0,)
        members = tuple(Member(label=one.label, series=one.series) for one in self.entrants)
        return Asked(name=self.name, task=self.task, scale=self.scale, members=members, bars=bars)

    def _bars(self) -> tuple[float, ...]:
        assert self.claim is not None
        if self.claim.kind == "trade":
            return self.claim.gain.at_least, -self.claim.loss.at_most
        return (self.claim.bar,)


def entrants_of(plan: Plan) -> list[Entrant]:
    """Return the series that a plan asks for, in its order; those that cannot be computed are left out."""
    groups: dict[str, dict[int, PlannedRun]] = {}
    for run in plan.doable:
        if run.is_wanted:
            groups.setdefault(run.settings, {})[run.config.seed] = run
    found = [Entrant(runs) for runs in groups.values()]
    cells: dict[tuple[str, ...], list[int]] = {}
    for number, one in enumerate(found):
        cells.setdefault((one.task, one.scale, one.model, one.model_size), []).append(number)
    for numbers in cells.values():
        for number, label in zip(numbers, labels([found[number] for number in numbers]), strict=True):
            found[number] = replace(found[number], label=label)
    return found


def comparisons(entrants: Sequence[Entrant], pairs: Sequence[tuple[str, str]]) -> list[Question]:
    """Return the comparisons of named pairs on every task that has both; without any pair, of NAC with every model.

    Args:
        entrants: all series.
        pairs: names of models, or labels of series.

    Raises:
        UserError: if a name is of none of them, or there is nothing to compare.
    """
    names = sorted({name for one in entrants for name in (one.model, one.label)})
    for name in (name for pair in pairs for name in pair):
        if name not in names:
            raise unknown("model of this sweep", name, names)
    every: Sequence[tuple[str, str | None]] = pairs or [(NAC, None)]
    found: dict[Any, Question] = {}
    for a, b in every:
        others = [one for one in entrants if one.model != a] if b is None else _named(entrants, b)
        own = [
            Question(f"{one.label} - {other.label}", (one, other))
            for one in _named(entrants, a)
            for other in _trained_alike(one, [other for other in others if other.setting == one.setting], b)
            if one is not other
        ]
        if not own:
            raise UserError(_nothing_to_compare(a, b))
        found |= {question.asked().key: question for question in own if question.asked().key not in found}
    return list(found.values())


def _named(entrants: Sequence[Entrant], name: str) -> list[Entrant]:
    """Return what a name means on each task: the variant with this label, or all variants of the model."""
    exact = [one for one in entrants if one.label == name]
    settings = {one.setting for one in exact}
    return exact + [one for one in entrants if one.model == name and one.setting not in settings]


def _trained_alike(one: Entrant, others: Sequence[Entrant], name: str | None) -> list[Entrant]:
    """Return of each model the variants with the same training recipe as ``one``; if it has none, all its variants.

    In a sweep over learning rates, models are compared at the same rate.

    Args:
        one: the series to compare with.
        others: all series on its task.
        name: label of a variant that the user named, which is compared whatever its recipe is; None if there is none.
    """
    same = [other for other in others if other.training == one.training or other.label == name]
    found = {other.model for other in same}
    return same + [other for other in others if other.model not in found]


def _nothing_to_compare(a: str, b: str | None) -> str:
    if b is None:
        return f"no task of this sweep has {a} and another model; name two models or labels: --compare A B"
    if a == b:
        return f"no task of this sweep has two variants of {a}; name two models or labels: --compare A B"
    return f"no task of this sweep has both {a} and {b} with the same options of the task"


def claim_questions(
    entrants: Sequence[Entrant], claims: Iterable[Claim], leave: Callable[[str], None]
) -> list[Question]:
    """Return the claims that the runs of a sweep can decide.

    Args:
        entrants: all series.
        claims: all claims.
        leave: called with a line for each claim that is left out.

    Raises:
        UserError: if they can decide none.
    """
    found = []
    for claim in claims:
        sides = _sides_of(entrants, claim)
        if isinstance(sides, str):
            leave(f"claim {claim.name} is left out: {sides}")
        else:
            found.append(Question(claim.name, sides, claim))
    if not found:
        raise UserError("the runs of this sweep decide none of the claims; leave --claims out, or name another sweep")
    return found


def _sides_of(entrants: Sequence[Entrant], claim: Claim) -> tuple[Entrant, ...] | str:
    """Return a series for each of a claim's models, on its own task or the first stand-in that has both; or why not."""
    for task, scale in product((claim.task, *claim.stand_ins), SCALES):
        here = [one for one in entrants if (one.task, one.scale) == (task, scale)]
        sides = [_preferred([one for one in here if one.model == model], claim) for model in claim.models]
        if not all(sides):
            continue
        if several := next((own for own in sides if len(own) > 1), None):
            return f"it does not tell which is meant of {'; '.join(one.label for one in several)}"
        return tuple(own[0] for own in sides)
    return f"this sweep does not have {' and '.join(claim.models)} on {' or '.join((claim.task, *claim.stand_ins))}"


def _preferred(some: Sequence[Entrant], claim: Claim) -> list[Entrant]:
    fitting = [one for one in some if one.fits(claim.settings)]
    if len(fitting) > 1:
        fitting = [one for one in fitting if one.fits(claim.prefer)] or fitting
    if len(fitting) > 1:
        fitting = [one for one in fitting if has_usual_size(one)] or fitting
    if len(fitting) > 1:
        fitting = [one for one in fitting if is_usual(one, "model")] or fitting
    return fitting
