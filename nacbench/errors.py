"""Exceptions for user errors: one line that names the setting or file, the value and the way out; exit code 2."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeGuard

from nacbench.suggestions import hint

if TYPE_CHECKING:
    from pydantic import ValidationError


LONGEST, END = 2000, 600  # characters of a message, and of its end, which is kept if its middle is cut
MOST_TOLD = 1000  # characters of an exception's text: a plug-in's can have a whole array in it


class UserError(ValueError):
    """An error that the user can fix. The command line prints its message without traceback and exits with 2.

    The message is always one line of bounded length: a library's reason that is part of it can have several lines, and
    what a damaged file calls a thing can have thousands of characters. Its beginning, with the place, and its end, with
    the way out, are kept.
    """

    def __init__(self, message: str = "") -> None:
        line = " ".join(line.strip() for line in str(message).splitlines())
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST - END]}…{line[1 - END :]}")


class RunSkippedError(UserError):
    """The model does not support the task; the message is the reason that tables show."""


class DivergedError(UserError):
    """A loss, a weight or a score of a network has become infinite or NaN."""


class RunFailedError(UserError):
    """The code of a run, most likely that of a plug-in, has raised something; failure.json has its traceback."""


class BrokenFileError(UserError):
    """A file is truncated, damaged, or of another format or run than expected."""


def shown(value: object) -> str:
    """Return a value's ``repr`` for an error message, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def told(error: BaseException) -> str:
    """Return an exception as ``KeyError: 'a'``: one line of bounded length, whatever its ``__str__`` does."""
    try:
        # pydantic's own text has many lines, and a link
        text = first_problem(error, error.title) if _is_of_pydantic(error) else " ".join(str(error).split())
    except Exception as other:  # of a plug-in's own class
        text = f"its text cannot be made ({type(other).__name__})"
    text = text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 1]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_of_pydantic(error: BaseException) -> TypeGuard[ValidationError]:
    return type(error).__module__.startswith("pydantic") and type(error).__name__ == "ValidationError"


def unknown(kind: str, name: str, known: Iterable[str], most: int = 1) -> UserError:
    """Return the error for an unknown name or dotted key, with those most like it or, if none is similar, all of them.

    Args:
        kind: what the name refers to, for example ``task``.
        name: the unknown name.
        known: all valid names.
        most: number of names to suggest, if as many are similar.
    """
    return UserError(f"unknown {kind} {shown(name)}; {hint(name, known, most)}")


def first_problem(error: ValidationError, prefix: str) -> str:
    """Return pydantic's first error as one line: the key, the value, and what is allowed."""
    problem = error.errors(include_url=False)[0]
    key = ".".join([prefix, *(str(part) for part in problem["loc"])]).strip(".")
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message if message.startswith(prefix) else f"{prefix}: {message}"
    message = f"{message[0].lower()}{message[1:]}"
    for pythons, ours in (("tuple", "list"), ("dictionary", "mapping")):
        message = message.replace(f"a valid {pythons}", f"a {ours}")
    message = re.sub(r" or instance of \w+", "", message)  # a class of ours, which nobody can write into a file
    if problem["type"] == "missing":  # here "input" is the whole section that lacks the key, not a value
        return f"{key}: {message}"
    if problem["type"] == "too_short":
        message = f"has {problem['ctx']['actual_length'] or 'no'} values; give at least {problem['ctx']['min_length']}"
    if problem["type"] == "too_long":
        message = f"has {problem['ctx']['actual_length']} values; give at most {problem['ctx']['max_length']}"
    return f"{key} = {shown(problem['input'])}: {message}"
