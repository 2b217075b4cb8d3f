"""Spaces of a search, and the points in them: drawn by optuna, each from the search's seed, task and number alone."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from nacbench.errors import UserError, shown
from nacbench.formats.dotted import as_text
from nacbench.seeds import seed_for
from nacbench.sweep.part import Part

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

SEEDS = 2**32  # numpy's generator, which optuna uses, takes no larger seed
LARGEST = 1e300  # of a range: its width must be a number, too
Bound = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]  # optuna computes with floats


class Dimension(Part):
    """Values of one setting: ``{log: [least, most]}``, ``{float: …}``, ``{int: …}`` or ``{choice: [one, other]}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log: tuple[Bound, ...] | None = Field(None, description="real numbers, uniform in their logarithm")
    uniform: tuple[Bound, ...] | None = Field(None, alias="float", description="real numbers, uniform")
    whole: tuple[Whole, ...] | None = Field(None, alias="int", description="whole numbers, both ends included")
    choice: tuple[Any, ...] | None = Field(None, description="these values, each as likely")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = {name: values for name, values in self._kinds().items() if values is not None}
        if len(given) != 1:
            both = " and ".join(given) or "none of them"
            raise ValueError(f"give one of log, float, int and choice, not {both}")
        ((kind, values),) = given.items()
        if kind == "choice":
            _check_choice(values)
        else:
            _check_range(kind, values)
        return self

    def _kinds(self) -> dict[str, tuple[Any, ...] | None]:
        return {"log": self.log, "float": self.uniform, "int": self.whole, "choice": self.choice}

    @property
    def points(self) -> float:
        """Number of different values; infinite for real numbers."""
        if self.choice is not None:
            return len(self.choice)
        return self.whole[1] - self.whole[0] + 1 if self.whole is not None else math.inf

    @property
    def text(self) -> str:
        """As in a file: ``log 0.0001 to 0.01``."""
        ((kind, values),) = ((kind, values) for kind, values in self._kinds().items() if values is not None)
        return f"{kind} {' to '.join(map(as_text, values))}" if kind != "choice" else ", ".join(map(as_text, values))

    def distribution(self) -> BaseDistribution:
        """Return it as one of optuna's. Of a choice it is the position, as optuna takes only scalars."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choice is not None:
            return CategoricalDistribution(range(len(self.choice)))
        if self.whole is not None:
            return IntDistribution(self.whole[0], self.whole[1])
        least, most = self.log or self.uniform or ()
        return FloatDistribution(least, most, log=self.log is not None)

    def value(self, drawn: Any) -> Any:
        """Return the setting's value for what was drawn from its distribution."""
        return self.choice[drawn] if self.choice is not None else drawn


Space = dict[str, Dimension]


def _check_range(kind: str, values: Sequence[float]) -> None:
    if len(values) != 2:
        raise ValueError(f"{kind} has {len(values)} values; give the least and the most, as in [{kind_example(kind)}]")
    least, most = values
    if least == most:
        raise ValueError(f"{kind} has one value, {least:g}; a setting that is not chosen belongs under 'set'")
    if least > most:
        raise ValueError(f"the range {least:g} to {most:g} is reversed; write the smaller number first")
    if kind == "log" and least <= 0:
        raise ValueError(
            f"log begins at {least:g}, and a logarithm needs positive numbers; begin above 0, or use float"
        )


def kind_example(kind: str) -> str:
    """Return a range of this kind, for messages."""
    return {"log": "1.0e-4, 1.0e-2", "float": "0.0, 0.5", "int": "2, 6"}[kind]


def _check_choice(values: Sequence[Any]) -> None:
    if len(values) < 2:
        raise ValueError(f"choice has {len(values)} values; a setting that is not chosen belongs under 'set'")
    for number, one in enumerate(values):
        if isinstance(one, Mapping):
            raise ValueError(f"choice has the section {shown(one)}; choose between values of a setting")
        if any(one == other and isinstance(one, bool) == isinstance(other, bool) for other in values[:number]):
            raise ValueError(f"{one!r} is given twice")


def points(space: Mapping[str, Dimension], trials: int, *, seed: int, task: str) -> list[dict[str, Any]]:
    """Return different points of a space, the same whenever and wherever they are drawn.

    Each value is drawn by a sampler of its own, whose seed follows from the search's seed, the task, and the trial's
    and the setting's name. One sampler for all would repeat its first points in every process and after every restart,
    and give models whose spaces differ in one setting other values of all of them. A point that an earlier trial has is
    drawn again, as two equal runs would be one.

    Args:
        space: settings with their values.
        trials: number of points, at most as many as the space has.
        seed: of the search.
        task: name of the task.

    Raises:
        UserError: if optuna is not installed.
    """
    sampled = _sampler()
    distributions = {name: dimension.distribution() for name, dimension in sorted(space.items())}
    found: dict[str, dict[str, Any]] = {}
    for trial in range(trials):
        for attempt in itertools.count():
            factors = ("search", seed, task, trial, attempt)
            drawn = {name: sampled(seed_for(*factors, name), name, own) for name, own in distributions.items()}
            point = {name: space[name].value(value) for name, value in drawn.items()}
            if found.setdefault(json.dumps(point), point) is point:
                break
    return list(found.values())


def _sampler() -> Callable[[int, str, BaseDistribution], Any]:
    """Return a function that draws one value from a distribution by optuna, with a seed."""
    try:
        import optuna
    except ImportError:
        raise UserError("a search needs optuna, which is not installed: pip install 'nacbench[search]'") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would print a line about the study
    study = optuna.create_study()  # in memory, and never told of anything: the state of a search is in the records
    optuna.logging.set_verbosity(before)
    blank = optuna.trial.create_trial(value=0.0)

    def sampled(seed: int, name: str, distribution: BaseDistribution) -> Any:
        sampler = optuna.samplers.RandomSampler(seed % SEEDS)
        return sampler.sample_independent(study, blank, name, distribution)

    return sampled
