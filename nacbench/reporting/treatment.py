"""Whether models were treated equally: which settings other than a model's own differ between rows of a task.

A comparison says something about models only if everything else is the same: data, recipe and budget, augmentation,
precision, selection of the checkpoint, and the code of task and engine. All of it is in a run's identity, so that every
setting counts that is not the model's own.

A setting that tuning chose may differ if as much was tried for each model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_jsonable_python

from nacbench.contracts.recipe import Settings
from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, flatten
from nacbench.recording.row import Run
from nacbench.registry import TASKS

SAME_RESULT = ("training.accumulate",)  # settings that change no score but by rounding
OF_THE_MODEL = ("model", "code.model")  # its own business
SAID_BY_THE_RUN = ("precision", "training.selection")  # of all runs, also of those that score another run's network
PREFIXES = ("", "trained_on.")  # of settings of the run itself, and of the run that trained its network
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
    plain = [(_without_the_model(run.settings), _facts(run)) for run in runs]
    if all(own == plain[0] for own in plain[1:]):  # mostly so: then nothing needs to be named
        return [{} for _ in runs]
    whole = [{**_named(settings), **facts} for settings, facts in plain]
    names = _differing(whole, runs)
    chosen = [_with_trials(own, run, tuned, names) for own, run in zip(whole, runs, strict=True)]
    names = _differing(chosen, runs)
    return [{name: _value(own, name, run) for name in names} for own, run in zip(chosen, runs, strict=True)]


def in_words(some: Sequence[Mapping[str, str]]) -> str:
    """Return what differs between treatments, as ``training.epochs (30, 3)``; empty if nothing does.

    Args:
        some: as from `differences`.
    """
    names = some[0] if some else {}
    return "; ".join(f"{name} ({', '.join(own[name] for own in some)})" for name in names)


def at_the_edge(run: Run, tuned: Choices) -> Sequence[str]:
    """Return the settings that tuning chose for a run at the edge of those tried."""
    choice = tuned.get((run.task, run.model, run.model_size, run.scale))
    if choice is None or not choice.at_the_edge:
        return ()
    own = flatten(json.loads(run.settings))
    return [name for name in choice.at_the_edge if own.get(name) == as_text(choice.settings.get(name))]


@lru_cache(1024)
def _without_the_model(settings: str) -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(settings)
    content.pop("model", None)
    content["code"] = {part: code for part, code in content.get("code", {}).items() if part != "model"}
    return content


def _facts(run: Run) -> Mapping[str, str]:
    return {
        "precision": run.precision,
        "selection": run.selection,
        "part of the data": run.partial or "none",
        "training examples": UNKNOWN if math.isnan(run.trained) else f"{run.trained:,.0f}",
        "test examples": f"{run.scored:,}",
    }


def _named(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings by name, but those that change nothing, and those that the run says itself."""
    left_out = {f"{prefix}{name}" for prefix in PREFIXES for name in (*SAME_RESULT, *SAID_BY_THE_RUN)}
    return {name: value for name, value in flatten(settings).items() if name not in left_out}


def _with_trials(own: dict[str, str], run: Run, tuned: Choices, differing: Sequence[str]) -> dict[str, str]:
    """Return a treatment with the trials in place of differing settings that tuning chose among these."""
    found = dict(own)
    for prefix in PREFIXES:
        choice = tuned.get((own.get(f"{prefix}task.name", ""), run.model, run.model_size, run.scale))
        if choice is None:
            continue
        values = {f"{prefix}{name}": as_text(value) for name, value in choice.settings.items()}
        names = [name for name in values if name in differing]
        if all(own.get(name) == values[name] for name in names):
            found |= dict.fromkeys(names, choice.trials)
    return found


def _differing(some: Sequence[Mapping[str, str]], runs: Sequence[Run]) -> list[str]:
    names = dict.fromkeys(name for own in some for name in own)
    return [name for name in names if len({_value(own, name, run) for own, run in zip(some, runs, strict=True)}) > 1]


def _value(own: Mapping[str, str], name: str, run: Run) -> str:
    """Return the value of a setting; of one that an older record does not name, what it does if it is not set."""
    if name in own:
        return own[name]
    prefix = next(prefix for prefix in reversed(PREFIXES) if name.startswith(prefix))
    return _defaults(own.get(f"{prefix}task.name", ""), run.scale).get(name.removeprefix(prefix), UNKNOWN)


@cache
def _defaults(task: str, scale: str) -> Mapping[str, str]:
    """Return the values of a task's options and of its recipe's settings where nothing sets them, by name."""
    try:
        cls = TASKS.get(task)
    except UserError:  # a plug-in is not loaded, or has another name by now
        return {}
    recipes: Mapping[str, Settings] = {**cls.recipes}
    settings = type(recipes[scale]).model_fields if scale in recipes else {}
    unset = {name: field.get_default(call_default_factory=True) for name, field in settings.items()}
    training = {name: value for name, value in unset.items() if not settings[name].is_required()}
    return flatten({"task": cls().options(), "training": to_jsonable_python(training)})
