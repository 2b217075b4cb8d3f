"""Look for the forms of a data set in what was given, also in archives inside; say why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nacbench.data.mirror.door.distribution import ALL, DataSet
from nacbench.data.mirror.door.given import Given
from nacbench.data.mirror.door.parts import Parts
from nacbench.data.mirror.door.recognise import Match, Near, recognised
from nacbench.data.mirror.door.refusals import UnknownCopyError
from nacbench.data.mirror.door.tree import MOST_BASES, at, is_searched
from nacbench.data.mirror.unpack import what_is_wrong
from nacbench.errors import BrokenFileError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What an import should do.

    Attributes:
        known: the data set.
        paths: what the user gave.
        link: how files are taken: ``copy`` them, make ``hard`` links where the file system allows it, or ``soft`` links
            where it does not allow hard ones.
        say: called with each line that tells the user what is going on.
    """

    known: DataSet
    paths: Sequence[Path]
    link: str = "copy"
    say: Say = field(default=lambda line: None)


def forms_in(given: Given, wish: Wish, parts: Parts) -> tuple[list[Match], Near | None]:
    """Return the distributions in what was given, and one of a part that is there, but not whole.

    Archives inside are opened only for parts that nothing else has.

    Raises:
        UnknownCopyError: if there is none.
        BrokenFileError: if an archive could not be opened that may have the rest.
    """
    taken: set[str] = set()
    matches, nearest = recognised(given.tree, wish.known, taken)
    while not wish.known.is_whole(taken) and given.look_deeper():
        more, near = recognised(given.tree, wish.known, taken)
        matches += more
        nearest = near.nearer(nearest) if near else nearest
    whole = bool(matches) and wish.known.is_whole(taken | parts.there)
    if not whole and not is_searched(given.tree):
        wish.say(
            f"looked into the {MOST_BASES:,} folders nearest to the top only; if something is not found, name its own"
        )
    if given.unreadable and not whole:
        raise BrokenFileError(_unread(given, wish, matches, nearest))
    for reason in given.unreadable:
        wish.say(f"not opened: {reason}")
    if not matches:
        raise UnknownCopyError(_why_not(given, wish, nearest), nearest.share if nearest else 0)
    is_half = nearest and nearest.met and not taken & {ALL, *nearest.distribution.gives}
    return matches, nearest if is_half else None


def _unread(given: Given, wish: Wish, matches: Sequence[Match], nearest: Near | None) -> str:
    """Return one line on the archives that could not be opened, where they may have what is missing."""
    reason = "; ".join(given.unreadable)
    if matches:
        rest = f"the rest of {wish.known.title} may be in there"
        return f"{reason}; nothing was taken, as {rest}; to do without, move it away"
    return f"{_why_not(given, wish, nearest)}; {reason}" if nearest and nearest.met else reason


def _why_not(given: Given, wish: Wish, nearest: Near | None) -> str:
    """Return one line on what a copy lacks that was not recognised."""
    files = [path for path in wish.paths if path.is_file() and at(given.tree, path.name) is None]
    if files and not (nearest and nearest.met):
        return f"{files[0]} {what_is_wrong(files[0])}"
    where = given.shown("")
    if nearest is None:
        return f"no copy of {wish.known.title} can be imported"
    forms = len(wish.known.distributions)
    near = nearest.met or nearest.foreign
    if forms > 1 and not near:
        known = f"of the {forms} forms of {wish.known.title} that are taken"
        return f"{where} has no file of any {known}; 'nacbench data where TASK' lists them"
    base = given.shown(nearest.base)
    inside = f", in its folder {base.removeprefix(f'{where}/')}," if near and base != where else ""
    form = f"; the nearest form of {wish.known.title} is: {nearest.distribution.title}" if forms > 1 else ""
    what = f"is not {wish.known.title}" if nearest.foreign else "is not complete"
    return f"{where}{inside} {what}; it {nearest.fault}{form}"
