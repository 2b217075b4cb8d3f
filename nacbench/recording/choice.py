"""Choose among finished runs: by task, by model, and by conditions such as ``training.lr<=0.001`` and ``tag=good``."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from nacbench.errors import UserError, shown, unknown
from nacbench.formats.dotted import as_text, leaves
from nacbench.recording.index import Runs
from nacbench.recording.row import Run

MOST_SHOWN = 8  # values or names in an error
MOST_NEAR = 3  # suggested keys
PATTERN = re.compile(r"\s*([^=!<>~\s]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Settings = Mapping[str, Any]  # a run's settings by dotted key; those with several values at once are tuples
# What is not among the settings of a series, as its runs differ in it
OF_RUN: Mapping[str, Callable[[Run], Any]] = {
    "seed": lambda run: run.seed,
    "tag": lambda run: run.own_tags().tags,
    "note": lambda run: run.own_tags().notes,
}


@dataclass(frozen=True)
class Condition:
    """A condition on a setting.

    A run that does not have the setting at all meets every condition: baselines stay beside the variants of a model
    that are chosen by an option of its own. Every run has tags and notes, if only none: one of them must meet it.

    Attributes:
        text: as the user wrote it.
        key: dotted name of the setting.
        sign: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, or ``~``: contains, whether in capitals or not.
        values: what it is compared with, as text; of several, one must be equal, or for ``!=`` none.
    """

    text: str
    key: str
    sign: str
    values: Sequence[str]

    def holds(self, settings: Settings) -> bool:
        """Return whether a run with these settings meets it."""
        if self.key not in settings:
            return True
        every = _values(settings[self.key])
        if self.sign == "!=":
            return not any(_equal(own, value) for own in every for value in self.values)
        return any(self._is_met_by(own) for own in every)

    def _is_met_by(self, own: Any) -> bool:
        if self.sign in ORDERS:
            return _is_number(own) and ORDERS[self.sign](own, float(self.values[0]))
        if self.sign == "~":
            return self.values[0].casefold() in as_text(own).casefold()
        return any(_equal(own, value) for value in self.values)

    def check(self, everything: Iterable[Settings]) -> None:
        """Check that a run has the setting, and that its values can be compared with the given ones.

        Raises:
            UserError: if no run has it, or a value is of another kind than all that the runs have.
        """
        known = dict.fromkeys(key for settings in everything for key in settings)
        if self.key not in known:
            raise unknown("setting in --where", self.key, [*known, *OF_RUN], MOST_NEAR)
        found = _found(everything, self.key)
        if not found:
            raise UserError(f"--where {self.text}: none of the runs has a {self.key}; nacbench tag gives them")
        for value in self.values:
            if not any(_comparable(own, value, self.sign) for own in found):
                raise UserError(
                    f"--where {self.text}: {shown(value)} is no value of {self.key}, which is {_some(found)}"
                )


def condition(text: str) -> Condition:
    """Return a condition that was given as ``KEY=VALUE``, or with another sign; a comma separates several values.

    Raises:
        UserError: if it has another form.
    """
    match = PATTERN.fullmatch(text)
    if match is None or not match[3]:
        raise UserError(f"--where {shown(text)}: write KEY=VALUE, as in training.lr=0.001, or with != < <= > >= or ~")
    key, sign, value = match.groups()
    whole = sign in ORDERS or sign == "~" or value[0] in '[{"'  # JSON and sentences have commas of their own
    values = [value] if whole else [own.strip() for own in value.split(",")]
    if sign in ORDERS and _number(value) is None:
        raise UserError(f"--where {shown(text)}: {sign} compares with one number, as in training.lr{sign}0.001")
    return Condition(text.strip(), key, sign, values)


@dataclass(frozen=True)
class Choice:
    """Which of the finished runs count.

    Attributes:
        tasks, models: names or patterns such as ``digits*``, of which one must match; all, if there are none.
        where: conditions on settings, which all must hold; see `condition`.
    """

    tasks: Sequence[str] = ()
    models: Sequence[str] = ()
    where: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.tasks or self.models or self.where)

    def __str__(self) -> str:
        """Return the choice as the options of the command line."""
        given = (("--task", self.tasks), ("--model", self.models), ("--where", self.where))
        return " ".join(f"{option} {value}" for option, values in given for value in values)

    def notes(self) -> list[str]:
        """Return a line for what is made of a part of the runs, as nobody could see it otherwise."""
        return [f"Only runs chosen by {self}."] if self else []

    def of(self, found: Runs) -> Runs:
        """Return the runs that are chosen; of failures, whose settings are not known, none if there are conditions.

        Raises:
            UserError: if a name, pattern or condition matches no run, or a condition is not valid.
        """
        if not self or not found.runs:
            return found
        runs, failures = list(found.runs), list(found.failures)
        for option, patterns in (("task", self.tasks), ("model", self.models)):
            if patterns:
                runs = _named(runs, option, patterns)
                failures = [one for one in failures if _matches(getattr(one, option), patterns)]
        for text in self.where:
            runs = _meeting(runs, condition(text))
        return Runs(runs, [] if self.where else failures, found.broken, found.misplaced)


EVERYTHING = Choice()


def every_setting(runs: Sequence[Run]) -> dict[str, set[str]]:
    """Return all that conditions can be about: the keys, each with the values that these runs have, as text."""
    found: dict[str, set[str]] = {}
    of_series = {run.series: run.settings for run in runs}
    owns = [leaves(json.loads(text)) for text in of_series.values()]
    owns += [{key: value(run) for key, value in OF_RUN.items()} for run in runs]
    for own in owns:
        for key, value in own.items():
            found.setdefault(key, set()).update(map(as_text, _values(value)))
    return found


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def fitting(names: Iterable[str], kind: str, patterns: Sequence[str]) -> set[str]:
    """Return the names that fit any of some patterns, such as ``digits*``.

    Args:
        names: all names.
        kind: what the names are, for the error.
        patterns: names, or patterns as of a shell; upper and lower case differ.

    Raises:
        UserError: if a pattern fits no name.
    """
    known = dict.fromkeys(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise unknown(kind, pattern, known)
    return {name for name in known if _matches(name, patterns)}


def _named(runs: Sequence[Run], option: str, patterns: Sequence[str]) -> list[Run]:
    wanted = fitting((getattr(run, option) for run in runs), f"{option} among these {len(runs)} runs", patterns)
    return [run for run in runs if getattr(run, option) in wanted]


def _meeting(runs: Sequence[Run], wanted: Condition) -> list[Run]:
    if wanted.key in OF_RUN:
        kinds = [OF_RUN[wanted.key](run) for run in runs]
        by_kind: dict[Any, Settings] = {kind: {wanted.key: kind} for kind in kinds}
    else:  # the runs of a series have equal settings
        kinds = [run.series for run in runs]
        texts = dict(zip(kinds, (run.settings for run in runs), strict=True))
        by_kind = {series: leaves(json.loads(text)) for series, text in texts.items()}
    wanted.check(by_kind.values())
    held = {kind for kind, settings in by_kind.items() if wanted.holds(settings)}
    left = [run for run, kind in zip(runs, kinds, strict=True) if kind in held]
    if not left:
        found = _found(by_kind.values(), wanted.key)
        raise UserError(f"--where {wanted.text} leaves none of {len(runs)} runs; {wanted.key} is {_some(found)}")
    return left


def _found(everything: Iterable[Settings], key: str) -> list[Any]:
    """Return all values that a setting has in some runs."""
    return [value for settings in everything if key in settings for value in _values(settings[key])]


def _values(own: Any) -> tuple[Any, ...]:
    return own if isinstance(own, tuple) else (own,)


def _some(values: Iterable[Any]) -> str:
    """Return some values as text, the smallest first."""
    numbers = sorted({value for value in values if _is_number(value)})
    texts = [as_text(value) for value in numbers]
    texts += sorted({as_text(value) for value in values if not _is_number(value)})
    return " or ".join(texts[:MOST_SHOWN]) + (f" or {len(texts) - MOST_SHOWN} others" if texts[MOST_SHOWN:] else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _equal(own: Any, text: str) -> bool:
    """Return whether a recorded value is what the user wrote: numbers by value (1e-3 is 0.001), others by text."""
    if _is_number(own):
        return own == _number(text)
    if isinstance(own, str):
        return text in (own, json.dumps(own))
    try:
        return bool(own == json.loads(text))
    except ValueError:
        return False


def _comparable(own: Any, text: str, sign: str) -> bool:
    """Return whether a text could be such a value; a text is no number, whatever it is compared with."""
    if _is_number(own):
        return _number(text) is not None
    if sign in ORDERS:
        return False
    if isinstance(own, bool):
        return text in ("true", "false")
    return True
