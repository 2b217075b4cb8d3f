"""Names of variants of a model, as short as they are unique: what labels tell of the settings that differ."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Protocol

from nacbench.contracts.task import SCALES
from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, leaves
from nacbench.registry import MODELS, TASKS, usual_size

# Sections of settings, the most telling first: of settings that always change together, the name has the first
TELLING = ("model", "task", "training", "init_from", "trained_on", "precision", "scale")
UNNAMED = ("task.name", "model.name", "model.size", "scale")  # not part of a variant: rows have them in other places
WHOLE = ("code.", "init_from.")  # "weights" alone would not say that a run began with those
LONG_NUMBER = re.compile(r"(?=.{9})-?[0-9]+\.[0-9]+(e-?[0-9]+)?")
DIGEST = re.compile(r"[0-9a-f]{64}")
CHOSEN = ("model.name", "model.size", "task.name")  # not options, but whose options
Settings = Mapping[str, Any]  # by dotted key
UNSET = object()  # the value of a setting that a run does not have


class Described(Protocol):
    """What names are made of: a run, finished or planned; ``settings`` as in `nacbench.recording.row.Run`."""

    @property
    def task(self) -> str: ...
    @property
    def scale(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def model_size(self) -> str: ...
    @property
    def settings(self) -> str: ...


def has_usual_size(run: Described) -> bool:
    """Return whether a run's model has the usual size of its task and scale; false for plug-ins that are not loaded."""
    return run.model_size == _usual_size(run.task, run.scale, run.model)


def sized(model: str, size: str, task: str, scale: str) -> str:
    """Return a model's name, with its size unless it is the usual one of the task and scale."""
    return model if size == _usual_size(task, scale, model) else f"{model} ({size})"


@cache
def _usual_size(task: str, scale: str, model: str) -> str | None:
    known = next((own for own in SCALES if own == scale), None)  # a record of another version may have others
    try:
        return known and usual_size(TASKS.get(task), known, MODELS.get(model))
    except UserError:  # a plug-in is not loaded, or has another name by now
        return None


def defaults_of(run: Described) -> Settings:
    """Return the default settings of a run's model, task and training, by dotted key, as far as they are known."""
    config = json.loads(run.settings)
    trained = config.get("trained_on") if isinstance(config.get("trained_on"), dict) else {}
    source = trained.get("task", {}).get("name")
    before = _of_task(source, run.scale) if source else {}
    own = {**_of_model(run.model, run.model_size), **_of_task(run.task, run.scale)}
    return {**own, **{f"trained_on.{key}": value for key, value in before.items()}}


def is_usual(run: Described, section: str) -> bool:
    """Return whether all of a run's options of its model or task have their defaults; false if these are not known.

    An older record does not name options that came later; what it names must be the defaults.

    Args:
        run: the run.
        section: ``model`` or ``task``.
    """
    usual = _of_model(run.model, run.model_size) if section == "model" else _of_task(run.task, run.scale)
    own = settings_of(run.settings)
    names = [name for name in own if name.startswith(f"{section}.") and name not in CHOSEN]
    return bool(usual) and all(name in usual and own[name] == usual[name] for name in names)


def scored_on(notes: str) -> str:
    """Return which examples a score is of, by the notes on its data.

    That is ``test``, or for trials of tuning ``validation`` or ``training``: see `nacbench.protocols.tuning`.
    """
    _, for_tuning, examples = notes.partition("for tuning: scored on ")
    if not for_tuning:
        return "test"
    return "training" if examples.startswith("the training") else "validation"


@lru_cache(20_000)  # a report asks several times, and parsing ten thousand of them takes a second
def settings_of(text: str) -> Settings:
    """Return a run's settings, which are JSON, by dotted key."""
    return leaves(json.loads(text))


@cache
def _of_model(name: str, size: str) -> Settings:
    try:
        return _plain({"model": MODELS.get(name).configured("model", size, {}).options()})
    except UserError:  # a plug-in is not loaded, or its options have changed since
        return {}


@cache
def _of_task(name: str, scale: str) -> Settings:
    try:
        task = TASKS.get(name).configured("task", scale, {})
    except UserError:
        return {}
    recipe = task.recipes.get(scale)  # type: ignore[call-overload]  # the scale of a record may be any text
    return _plain({"task": task.options(), "training": recipe.model_dump(mode="json") if recipe else {}})


def _plain(settings: Settings) -> Settings:
    """Return settings as a record has them: JSON has no tuples."""
    return leaves(json.loads(json.dumps(settings)))


def differing(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of settings in which series differ, in the order of the first that has them."""
    first, *others = settings
    names = dict.fromkeys(first)
    found = set()
    for own in others:
        if own != first:
            names |= dict.fromkeys(own)
            found |= {name for name in own.keys() | first.keys() if own.get(name, names) != first.get(name, names)}
    return [name for name in names if name in found and name not in UNNAMED]


def labels(some: Sequence[Described]) -> list[str]:
    """Return the labels of series of one task, scale, model and size, given by one run each, as tables have them."""
    settings = [leaves(json.loads(one.settings)) for one in some]
    told = told_apart(settings, differing(settings), defaults_of(some[0]))
    names = [sized(one.model, one.model_size, one.task, one.scale) for one in some]
    return [", ".join([name, *own.values()]) for name, own in zip(names, told, strict=True)]


def told_apart(variants: Sequence[Settings], names: Sequence[str], usual: Settings) -> list[dict[str, str]]:
    """Return what the label of each variant tells of its settings, in short, by name of the setting.

    Nothing is told of the plain variant, which has the default of every setting in question. Of another one, defaults
    are left out, and settings without which all labels are still unique.

    Args:
        variants: settings of each variant.
        names: of the settings in which they differ.
        usual: default settings.
    """
    short = _short(names)
    texts = {name: _brief({shown(own, name) for own in variants}) for name in names}
    full = [
        {
            name: f"{short[name]}={texts[name][shown(own, name)]}"
            for name in names
            if own.get(name, UNSET) != usual.get(name, UNSET)
        }
        for own in variants
    ]
    told = full
    for name in sorted(names, key=_telling, reverse=True):
        fewer = [{key: text for key, text in own.items() if key != name} for own in told]
        is_plain = [not before or bool(after) for before, after in zip(full, fewer, strict=True)]
        if all(is_plain) and len({tuple(own.items()) for own in fewer}) == len(fewer):
            told = fewer
    return told


def shown(settings: Settings, name: str) -> str:
    """Return a setting as text."""
    return as_text(settings[name]) if name in settings else "—"


def _brief(texts: Collection[str]) -> dict[str, str]:
    """Return numbers and digests with as few digits as tell them apart: drawn rates have seventeen, digests sixty."""
    brief = {text: text for text in texts}
    for digits in reversed(range(4, 17)):
        fewer = {text: _rounded(text, digits) for text in texts}
        if len(set(fewer.values())) == len(fewer):
            brief = fewer
    return brief


def _rounded(text: str, digits: int) -> str:
    if DIGEST.fullmatch(text):
        return text[: 2 * digits]
    return f"{float(text):.{digits}g}" if LONG_NUMBER.fullmatch(text) else text


def _short(names: Sequence[str]) -> dict[str, str]:
    """Return names by their last part, where it is the only one of these and says what it is of."""
    last = {name: name.rpartition(".")[2] for name in names}
    counts = Counter(last.values())
    return {name: name if counts[last[name]] > 1 or name.startswith(WHOLE) else last[name] for name in names}


def _telling(name: str) -> int:
    section = name.partition(".")[0]
    return TELLING.index(section) if section in TELLING else len(TELLING)
