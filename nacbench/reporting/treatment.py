"""Whether models were treated equally: which settings other than a model's own differ between rows of a task.

A comparison says something about models only if everything else is the same: data, recipe and budget, augmentation,
precision, selection of the checkpoint, and the code of task and engine. All of it is in a run's identity, so that every
setting counts that is not the model's own.

A setting that tuning chose may differ if as much was tried for each model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_jsonable_python

from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import AnyTask
from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, flatten
from nacbench.recording.row import Run
from nacbench.registry import TASKS

SAME_RESULT = ("training.accumulate",)  # settings that change no score but by rounding
# Parts of settings that are no treatment: the model's code; and the rule that every run says itself, also one that
# scores another run's network
LEFT_OUT = (("code", "model"), ("training", "selection"), ("training", "accumulate"))
PREFIXES = ("", "trained_on.")  # of settings of the run itself, and of the run that trained its network
MEANINGLESS = ("scale", "data")  # if these differ, nothing is left to compare
UNKNOWN = "—"


class Tuned(NamedTuple):
    """Settings that tuning chose.

    Attributes:
        settings: values by name, as for ``--set``.
        trials: all that was tried, as text; equal for two models if as much was tried for both.
        at_the_edge: settings whose value is the smallest or largest of those tried.
    """

    settings: Mapping[str, Any]
    trials: str
    at_the_edge: Sequence[str] = ()


# By the names of task and model, the model's size, and the scale
Choices = Mapping[tuple[str, str, str, str], Tuned]


def differences(runs: Sequence[Run], tuned: Choices) -> list[dict[str, str]]:
    """Return for each run the settings of its treatment, by name, in which it differs from any other of these runs.

    Args:
        runs: of one task and scale.
        tuned: what is known of tuning.
    """
    whole = [_treatment(run) for run in runs]
    distinct = [own for own in whole[1:] if own != whole[0]]  # mostly none: then nothing needs to be named
    names = list(_differing([whole[0], *distinct])) if distinct else []
    found = [_told(own, run, tuned, names) for own, run in zip(whole, runs, strict=True)]
    kept = [name for name in names if len({own[name] for own in found}) > 1]
    return [{name: own[name] for name in kept} for own in found]


def in_words(some: Sequence[Mapping[str, str]]) -> str:
    """Return what differs between treatments, as ``training.epochs (30, 3)``; empty if nothing does.

    Args:
        some: as from `differences`.
    """
    names = some[0] if some else {}
    return "; ".join(f"{name} ({', '.join(own[name] for own in some)})" for name in names)


def at_the_edge(run: Run, tuned: Choices) -> list[str]:
    """Return the settings of a run, or of the one that trained its network, that tuning chose at an edge."""
    own = _settings(run.settings)
    return [
        f"{prefix}{name}"
        for prefix, choice in _choices(own, run, tuned)
        for name in choice.at_the_edge
        if _is(own, f"{prefix}{name}", choice.settings.get(name))
    ]


def edges_in_words(runs: Sequence[Run], tuned: Choices) -> str:
    """Return ``at the edge of the values tried: training.lr of nac``; nothing if no run has such a value."""
    found = [f"{name} of {run.model}" for run in runs for name in at_the_edge(run, tuned)]
    return f"at the edge of the values tried: {', '.join(found)}" if found else ""


def _treatment(run: Run) -> Mapping[str, Any]:
    return {
        **_settings(run.settings),
        "metric": run.score_meaning,
        "precision": run.precision,
        "selection": run.selection,
        "part of the data": run.partial or "none",
        "training examples": UNKNOWN if math.isnan(run.trained) else int(run.trained),
        "test examples": run.scored,
    }


@lru_cache(1024)
def _settings(settings: str) -> Mapping[str, Any]:
    """Return a run's settings but those of the model, and those that change nothing or that the run says itself."""
    content: dict[str, Any] = json.loads(settings)
    for part, name in LEFT_OUT:
        for section in (content, content.get("trained_on")):
            if isinstance(section, dict) and isinstance(section.get(part), dict):
                section[part].pop(name, None)
    content.pop("model", None)
    return content


def _differing(trees: Sequence[Mapping[str, Any]], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of the leaves in which nested mappings differ."""
    for key in dict.fromkeys(key for tree in trees for key in tree):
        values = [tree.get(key, UNKNOWN) for tree in trees]
        if all(value == values[0] for value in values[1:]):
            continue
        inner = [value for value in values if isinstance(value, Mapping)]
        if inner:
            some = [value if isinstance(value, Mapping) else {} for value in values]
            yield from _differing(some, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _told(own: Mapping[str, Any], run: Run, tuned: Choices, names: Sequence[str]) -> dict[str, str]:
    """Return the values of these settings as text; the trials in place of those that tuning chose among these."""
    found = {name: _value(own, name, run) for name in names}
    for prefix, choice in _choices(own, run, tuned) if names else ():
        chosen = {f"{prefix}{name}": value for name, value in choice.settings.items() if f"{prefix}{name}" in found}
        if all(_is(own, name, value) for name, value in chosen.items()):
            found |= dict.fromkeys(chosen, choice.trials)
    return found


def _choices(own: Mapping[str, Any], run: Run, tuned: Choices) -> Iterator[tuple[str, Tuned]]:
    """Yield what tuning chose for a run, and for the run that trained its network, each with the settings' prefix."""
    for prefix in PREFIXES if tuned else ():
        choice = tuned.get((str(_at(own, f"{prefix}task.name")), run.model, run.model_size, run.scale))
        if choice is not None:
            yield prefix, choice


def _at(own: Mapping[str, Any], name: str) -> Any:
    """Return the value of a setting by its dotted name; `UNKNOWN` if there is none."""
    value: Any = own
    for part in name.split("."):
        value = value.get(part, UNKNOWN) if isinstance(value, Mapping) else UNKNOWN
    return value


def _is(own: Mapping[str, Any], name: str, value: Any) -> bool:
    return as_text(_at(own, name)) == as_text(value)


def _value(own: Mapping[str, Any], name: str, run: Run) -> str:
    """Return the value of a setting; of one that an older record does not name, what it does if it is not set."""
    value = _at(own, name)
    if value != UNKNOWN:
        return as_text(value)
    prefix = next(prefix for prefix in reversed(PREFIXES) if name.startswith(prefix))
    task = str(_at(own, f"{prefix}task.name"))
    return _defaults(task, run.scale).get(name.removeprefix(prefix), UNKNOWN)


def recipe_of(task: type[AnyTask], scale: str) -> Settings | None:
    """Return a task's recipe of a scale; None if it has none."""
    return next((recipe for own, recipe in task.recipes.items() if own == scale), None)


@cache
def names_of_settings(task: str, scale: str) -> frozenset[str]:
    """Return the names of all settings of a run but its model's: of the task, and of the one that trains its network.

    Raises:
        UserError: if there is no such task.
    """
    names = {"precision", "scale"}
    for prefix, name in zip(PREFIXES, (task, getattr(TASKS.get(task), "trained_on", "")), strict=True):
        if name:
            cls = TASKS.get(name)
            recipe = recipe_of(cls, scale)
            training = recipe.model_dump(mode="json") if recipe else {}
            names |= set(flatten({"task": cls().options(), "training": training}, prefix))
    return frozenset(names)


@cache
def _defaults(task: str, scale: str) -> Mapping[str, str]:
    """Return the values of a task's options and of its recipe's settings where nothing sets them, by name."""
    try:
        cls = TASKS.get(task)
    except UserError:  # a plug-in is not loaded, or has another name by now
        return {}
    recipe = recipe_of(cls, scale)
    settings = type(recipe).model_fields if recipe else {}
    unset = {name: field.get_default(call_default_factory=True) for name, field in settings.items()}
    training = {name: value for name, value in unset.items() if not settings[name].is_required()}
    return flatten({"task": cls().options(), "training": to_jsonable_python(training)})
