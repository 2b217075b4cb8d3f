"""A search in a sweep's file: equal numbers of trials at random points, or successive halving, for every model.

Random search: Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13 (2012). Successive halving:
Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016: all trials
start with a small budget, and the best part of them goes on with a larger one. Rungs end for all trials of a model and
task before the next one begins: promoting whoever is first would make the outcome depend on the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from nacbench.contracts.numbers import Seed
from nacbench.errors import UserError, shown
from nacbench.formats.dotted import leaves, merge, nested
from nacbench.recording.record import Cause
from nacbench.running.resolve import resolve
from nacbench.sweep.part import Part, Values
from nacbench.sweep.space import Dimension, Space, points

ENDING = "-tuning"  # of tasks that are scored on validation examples
EPOCHS = "training.epochs"
WARM_UP = "training.warmup_epochs"  # part of the schedule: a rung with half the epochs has half of it
SECTIONS = ("training.", "model.")  # of settings that a search may choose
FIXED = {"model.name": "models", "model.size": "set"}  # settings of these sections that it may not, and their place
MOST_TRIALS = 10_000
MOST_RUNGS = 12

Factor = Annotated[int, Field(ge=2, le=100, strict=True)]


class Halving(Part):
    """Rungs of successive halving. The last one has the whole budget, each one before it the ``factor``-th part."""

    factor: Factor = Field(3, description="of each rung's trials one in so many goes on, with so many times the budget")
    rungs: Annotated[int, Field(ge=2, le=MOST_RUNGS, strict=True)] = Field(3, description="number of rungs")
    by: str = Field(EPOCHS, description="setting that is the budget: a whole number, which the last rung has in full")

    def budgets(self, whole: Any) -> list[int]:
        """Return the budget of each rung.

        Args:
            whole: value of the setting ``by`` without a search.

        Raises:
            UserError: if it is no positive integer, or too small for so many rungs.
        """
        if not isinstance(whole, int) or isinstance(whole, bool) or whole < 1:
            raise UserError(f"search: halving.by = {self.by!r} is {shown(whole)} here; name a positive whole number")
        found = [max(1, round(whole / self.factor**left)) for left in reversed(range(self.rungs))]
        if len(set(found)) < self.rungs:
            least = self.factor ** (self.rungs - 1)
            raise UserError(
                f"search: {self.by} = {whole} is too little for {self.rungs} rungs, each with {self.factor} times the "
                f"budget of the one before; set it to {least} or more, or give fewer rungs"
            )
        return found

    def sizes(self, trials: int) -> list[int]:
        """Return the number of trials of each rung."""
        return [trials // self.factor**rung for rung in range(self.rungs)]


class Search(Part):
    """A search for each model and task of its block, with the same number of trials, points and budgets for all."""

    method: Literal["random", "halving"] = Field("random", description="random search, or successive halving")
    trials: Annotated[int, Field(ge=2, le=MOST_TRIALS, strict=True)] = Field(
        description="points for each model and task, the same number for all"
    )
    seed: Seed = Field(0, description="of the points; another one gives other points")
    space: Space = Field({}, description="settings to choose, each with its values")
    spaces: dict[str, Annotated[Space, Field(min_length=1)]] = Field(
        {}, description="by model, options that this model has besides those in `space`, or in their place"
    )
    halving: Halving | None = Field(None, description="rungs, for method halving")
    lose: tuple[Cause, ...] = Field(
        ("diverged",), description="causes of failure that count as the worst score; after any other a search stops"
    )

    @field_validator("space", "spaces", mode="before")
    @classmethod
    def _settings_only(cls, given: Any, info: ValidationInfo) -> Any:
        """Refuse names that are no settings, and those of settings that a search may not choose."""
        parts = given if info.field_name == "spaces" else {"": given}
        spaces = [own for own in parts.values() if isinstance(own, Mapping)] if isinstance(parts, Mapping) else []
        for name in (str(name) for own in spaces for name in own):
            if "." not in name:
                raise ValueError(f"{name}: a search chooses settings of training and model; write one as training.lr")
            if name in FIXED:
                raise ValueError(f"{name} does not belong here; give it under {FIXED[name]!r}, one search for each")
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for place, space in (("space", self.space), *((f"spaces.{model}", own) for model, own in self.spaces.items())):
            for name in space:
                _check_name(name, place, self.halving or Halving())
                if place != "space" and not name.startswith("model."):
                    raise ValueError(f"{place}.{name}: only options of a model differ; give it for all, under 'space'")
        if not self.space and not self.spaces:
            raise ValueError("give a space: settings with their values, such as training.lr: {log: [1e-4, 1e-2]}")
        if self.method == "random" and self.halving is not None:
            raise ValueError("halving is given for method 'random'; write method: halving, or remove it")
        if self.method == "halving" and self._rungs.sizes(self.trials)[-1] < 1:
            least = self._rungs.factor ** (self._rungs.rungs - 1)
            raise ValueError(
                f"trials = {self.trials} are too few for {self._rungs.rungs} rungs of which each keeps one in "
                f"{self._rungs.factor}; give {least} or more"
            )
        return self

    _points: dict[tuple[str, str], list[Values]] = PrivateAttr(default_factory=dict)

    @property
    def _rungs(self) -> Halving:
        return self.halving or Halving()

    @property
    def by(self) -> str:
        """Name of the setting that is the budget of a trial."""
        return self._rungs.by

    @property
    def sizes(self) -> list[int]:
        """Number of trials of each rung; a random search has one rung."""
        return self._rungs.sizes(self.trials) if self.method == "halving" else [self.trials]

    def space_of(self, model: str) -> dict[str, Dimension]:
        """Return the space of a model."""
        return {**self.space, **self.spaces.get(model, {})}

    def points(self, task: str, model: str) -> list[Values]:
        """Return the settings of each trial; models with the same space have the same ones.

        Raises:
            UserError: if the space has fewer points than there are trials, or optuna is not installed.
        """
        key = (task, model if model in self.spaces else "")
        if key not in self._points:
            space = self.space_of(model)
            if (most := math.prod(dimension.points for dimension in space.values())) < self.trials:
                raise UserError(
                    f"search: the space of {model} has {most:,.0f} points, fewer than trials: {self.trials}; give "
                    "fewer trials or a larger space, or try all points with 'axes'"
                )
            self._points[key] = points(space, self.trials, seed=self.seed, task=task)
        return self._points[key]

    def rungs(self, values: Values) -> list[int]:
        """Return the budget of each rung for runs with these settings; 0 if their task does not count in ``by``.

        Raises:
            UserError: if the settings are not valid, or no budget for so many rungs.
        """
        whole = leaves(resolve(values).as_dict()).get(self.by)
        if self.method == "halving":
            return self._rungs.budgets(whole)
        return [whole if isinstance(whole, int) else 0]

    def warm_up(self, values: Values) -> float:
        """Return the epochs of warm-up of a run with these settings and the whole budget."""
        found: float = leaves(resolve(values).as_dict()).get(WARM_UP, 0)
        return found

    def on_rung(self, values: Values, budgets: Sequence[int], rung: int, warm_up: float) -> Values:
        """Return the settings of a run on a rung: with its budget, and the same part of the warm-up.

        Args:
            values: of the run with the whole budget.
            budgets: of all rungs.
            rung: from 0.
            warm_up: epochs of a run with the whole budget, unless the settings have others.
        """
        if self.method == "random":
            return values
        changed = merge(values, nested(self.by, budgets[rung]))
        whole = leaves(values).get(WARM_UP, warm_up)
        if self.by != EPOCHS or not isinstance(whole, int | float):  # what is no number is refused with the run
            return changed
        return merge(changed, nested(WARM_UP, whole * budgets[rung] / budgets[-1]))


def _check_name(name: str, place: str, halving: Halving) -> None:
    if not name.startswith(SECTIONS):
        raise ValueError(f"{place}.{name}: a search chooses settings of training and model; give {name} outside of it")
    if name in (EPOCHS, halving.by):
        raise ValueError(f"{place}.{name}: this is the budget, which all trials share; set it under 'set'")


def tuned_name(task: str) -> str:
    """Return the name of the task that is scored on validation examples: a search reads no others."""
    return task if task.endswith(ENDING) else f"{task}{ENDING}"
