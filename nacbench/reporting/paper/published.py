"""Published figures, the conditions they were obtained under, and whether a run is comparable with one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nacbench.contracts.recipe import BEST_TEST
from nacbench.contracts.task import AnyTask
from nacbench.errors import UserError, unknown
from nacbench.formats.dotted import flatten
from nacbench.formats.yaml_text import parse_yaml
from nacbench.recording.row import Run
from nacbench.registry import TASKS
from nacbench.reporting.treatment import SAME_RESULT, recipe_of

RATE = "training.lr"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(_Strict):
    """A publication that was read; a page that only quotes the publication is of quality ``secondary``."""

    says: str
    quality: Literal["primary", "secondary"]


class Conditions(_Strict):
    """What a figure was obtained under, in words, and what a run must have to be comparable with it.

    Attributes:
        length: of an input.
        epochs: of training.
        size: of the model.
        selection: which checkpoint is scored.
        pretraining: what the model was trained on before.
        protocol: what is trained and what is scored.
        settings: values that a run of ours must have.
        differs: what no setting of ours can make equal.
        withheld: why the figure is not shown at all; empty: it is shown.
    """

    length: str = Field(min_length=1)
    epochs: str = Field(min_length=1)
    size: str = Field(min_length=1)
    selection: str = Field(min_length=1)
    pretraining: str = Field(min_length=1)
    protocol: str = Field(min_length=1)
    settings: dict[str, str] = {}
    differs: list[str] = []
    withheld: str = ""

    def sentence(self) -> str:
        """Return the conditions for a footnote."""
        said = [
            f"input: {self.length}",
            f"epochs: {self.epochs}",
            f"size: {self.size}",
            f"selection: {self.selection}",
            f"pre-training: {self.pretraining}",
            f"protocol: {self.protocol}",
        ]
        return "; ".join(said)


class Figure(_Strict):
    """A published score.

    Attributes:
        task: of ours, on whose data it was obtained.
        model: the name of ours if it is the same model; any other name otherwise.
        settings: which of the model's variants it is.
        value: a fraction.
        source: key of `Published.sources`.
        conditions: key of `Published.conditions`.
    """

    task: str
    model: str
    settings: dict[str, str] = {}
    value: float = Field(ge=0, le=1)
    source: str
    conditions: str

    def is_of(self, run: Run) -> bool:
        """Return whether a run is of this task and model, in this variant."""
        if (run.task, run.model) != (self.task, self.model):
            return False
        settings = settings_of(run)
        return all(settings.get(key) == value for key, value in self.settings.items())

    @property
    def label(self) -> str:
        """The model with its variant, in short as in our rows."""
        return ", ".join([self.model, *(f"{key.rpartition('.')[2]}={value}" for key, value in self.settings.items())])

    @property
    def variant(self) -> str:
        """The settings as text."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items())


class PaperTable(_Strict):
    """One of the paper's tables: the suite of its runs, and the special tables that belong to it."""

    suite: str
    title: str
    special: list[str] = Field(alias="with")


class Published(_Strict):
    """Content of published.yaml."""

    sources: dict[str, Source]
    conditions: dict[str, Conditions]
    figures: list[Figure]
    tables: dict[str, PaperTable]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for figure in self.figures:
            for kind, key, known in (
                ("source", figure.source, self.sources),
                ("conditions", figure.conditions, self.conditions),
            ):
                if key not in known:
                    raise ValueError(f"the figure of {figure.model} on {figure.task} has no {kind} {key!r}")
        return self

    def conditions_of(self, figure: Figure) -> Conditions:
        """Return what a figure was obtained under."""
        return self.conditions[figure.conditions]


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


def differences(run: Run, conditions: Conditions) -> Sequence[str]:
    """Return why a run is not comparable with a figure obtained under these conditions; empty: it is."""
    settings = settings_of(run)
    found = list(conditions.differs)
    found += [f"scale {run.scale} is not paper"] if run.scale != "paper" else []
    found += ["a part of the data"] if run.partial else []
    for key, wanted in conditions.settings.items():
        own = settings.get(key, "not set")
        if own != wanted:
            found.append(f"{key} is {own}, published: {wanted}")
    if run.scale == "paper" and not conditions.differs:
        found += [text for key, text in _changed(settings).items() if key not in conditions.settings]
    return found


def _changed(settings: Mapping[str, str]) -> dict[str, str]:
    """Return how the settings of the training differ from those of scale ``paper``, where these are as published."""
    prefix = "trained_on." if "trained_on.task.name" in settings else ""
    task = _configured(settings.get(f"{prefix}task.name", ""), "paper")
    if task is None or task.origin.whose == "ours":
        return {}
    usual = _usual(task, "paper", prefix)
    return {
        key: f"{key} is {settings[key]}, published: {value}"
        for key, value in usual.items()
        if settings.get(key, value) != value and key.removeprefix(prefix) not in SAME_RESULT
    }


def departures(run: Run) -> dict[str, str]:
    """Return how a run's settings of task and training differ from those of its scale, by key; empty: they do not.

    A learning rate of our own recipes may be chosen for a model, and the epoch on test, as the authors did.
    """
    settings, found = settings_of(run), {}
    for prefix in ("", "trained_on."):
        task = _configured(settings.get(f"{prefix}task.name", ""), run.scale)
        if task is None:
            continue
        free = SAME_RESULT if task.origin.whose == "published" and run.scale == "paper" else (*SAME_RESULT, RATE)
        for key, value in _usual(task, run.scale, prefix).items():
            own = settings.get(key, value)
            if own not in (value, BEST_TEST) and key.removeprefix(prefix) not in free:
                found[key] = f"{key} is {own}, usually {value}"
    return found


@cache
def _configured(name: str, scale: str) -> AnyTask | None:
    """Return a task with its options of a scale; None if its plug-in is not loaded, or has another name by now."""
    try:
        return TASKS.get(name).configured("task", scale, {})
    except UserError:
        return None


def _usual(task: AnyTask, scale: str, prefix: str) -> dict[str, str]:
    recipe = recipe_of(type(task), scale)
    training = recipe.model_dump(mode="json") if recipe else {}
    return flatten({"task": task.options(), "training": training}, prefix)


def settings_of(run: Run) -> Mapping[str, str]:
    """Return a run's settings by dotted key, as text."""
    return flatten(json.loads(run.settings))
