"""Errors that are the user's to mend: one line that names the thing, the value and the way out; exit code 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in what the user asked for. The command line prints its message, no traceback, and exits with 2."""


class RunSkippedError(UserError):
    """This model cannot do this task; the message is the reason that tables show."""


class BrokenFileError(UserError):
    """A file is not what its name says: cut off, damaged, or somebody else's."""


def shown(value: object) -> str:
    """A value as an error shows it: as Python would write it, cut off after some 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones, with the nearest of them.

    Args:
        kind: what the name should name, say ``task``.
        name: as given.
        known: the names there are.
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
    return UserError(f"unknown {kind} {name!r}; {hint}")
