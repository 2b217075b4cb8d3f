"""The door through which copies of users come into the mirror: recognise, unpack, read, check, and put in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.data.mirror.door.class_folders import write_images
from nacbench.data.mirror.door.damage import check_file
from nacbench.data.mirror.door.distribution import ALL, Distribution
from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member
from nacbench.data.mirror.door.given import Given
from nacbench.data.mirror.door.looking import Wish, forms_in
from nacbench.data.mirror.door.parts import LeftOut, Parts
from nacbench.data.mirror.door.readers.base import Table
from nacbench.data.mirror.door.recognise import Match
from nacbench.data.mirror.door.refusals import ThereAlreadyError
from nacbench.data.mirror.door.written import Checker, write_split
from nacbench.data.mirror.progress import progress
from nacbench.errors import BrokenFileError
from nacbench.filesystem.files import digest_of


def take(wish: Wish, scratch: Path, made: Path, parts: Parts) -> list[str]:
    """Take a copy of a data set into a folder, in the form that the mirror has.

    Args:
        wish: what to take.
        scratch: an existing folder for what is unpacked.
        made: an existing folder, in which the files are made.
        parts: of the data set; those that the mirror has are left out.

    Returns:
        Titles of the distributions that were taken.

    Raises:
        UnknownCopyError: if the paths hold no known distribution.
        ThereAlreadyError: if the mirror has all that they hold.
        UserError: if something in them is damaged.
    """
    with Given(wish.paths, scratch) as given:
        matches, nearest = forms_in(given, wish, parts)
        new = [match for match in matches if not _all_there(match, parts)]
        for match in matches:
            what = "recognised" if match in new else "there already, and not taken again"
            wish.say(f"{what}: {match.distribution.title} ({given.shown(match.base)})")
        for path in given.unused(path for match in matches for own in match.roles.values() for path in own):
            wish.say(f"nothing was taken from {path}")
        if nearest:
            base = given.shown(nearest.base)
            wish.say(f"not taken: {nearest.distribution.title} ({base}); it {nearest.fault}")
        ready = _ready(given, new, wish.known.table)
        before: dict[str, Distribution] = {}  # by part, what gives it
        for match, (copy, content) in zip(new, ready, strict=True):
            others = {part for part, own in before.items() if own is not match.distribution}
            left_out = LeftOut(parts, others)
            _taken(copy, content, wish, made, left_out)
            for line in left_out.told(copy.shown):
                wish.say(line)
            before |= dict.fromkeys(match.gives - others, match.distribution)
    if next(made.iterdir(), None) is None:
        raise ThereAlreadyError(f"{parts.place} has data in it already; remove it first")
    return [match.distribution.title for match in new]


def _all_there(match: Match, parts: Parts) -> bool:
    """Return whether the mirror has all that a copy gives, so that it need not be read."""
    gives = parts.names if ALL in match.gives else match.gives
    return bool(gives) and gives <= parts.there


def _ready(given: Given, matches: Sequence[Match], table: Table) -> list[tuple[FoundCopy, Content]]:
    """Return each copy and its content; those with lists come first, so that nothing is unpacked before they are known.

    Nothing is written before all of them are ready: what a reader refuses at once must not cost hours.
    """
    ready: dict[int, tuple[FoundCopy, Content]] = {}
    for number in sorted(range(len(matches)), key=lambda number: not matches[number].distribution.beside):
        copy = _materialised(given, matches[number])
        ready[number] = copy, matches[number].distribution.reader.content(copy, table)
    return [ready[number] for number in range(len(matches))]


def _materialised(given: Given, match: Match) -> FoundCopy:
    """Return a copy with its real files; what is in archives is unpacked."""
    paths = [path for own in match.roles.values() for path in own]
    real = dict(zip(paths, given.files(paths), strict=True))
    prefix = f"{match.base}/" if match.base else ""
    members = {
        role: [
            Member(path.removeprefix(prefix), real[path], given.shown(path), given.is_unpacked(real[path]))
            for path in own
        ]
        for role, own in match.roles.items()
    }
    members |= {role: _distinct(members[role]) for role in match.distribution.beside}
    return FoundCopy(members, given.shown(match.base))


def _distinct(members: Sequence[Member]) -> list[Member]:
    """Return files without those that have the content of one before, such as a list beside the archive it came in."""
    if len(members) < 2:
        return list(members)
    found: dict[str, Member] = {}
    for member in members:
        found.setdefault(digest_of(member.file), member)
    return list(found.values())


def _taken(copy: FoundCopy, content: Content, wish: Wish, made: Path, left_out: LeftOut) -> None:
    table = wish.known.table
    files = [file for file in content.files if not left_out(file.target)]
    _check_classes(content.classes or (), table, copy)
    if content.rows:
        counts, more = _rows_taken(copy, content, table, made, left_out)
        files += more
    else:
        _written(copy, content, made, left_out)
        counts = _counts_of(copy, content, table)
        _check_files(files)
    if counts.examples:
        wish.say(_counted(counts, table))
    _copied(files, made, wish.link)


def _check_classes(classes: Collection[str], table: Table, copy: FoundCopy) -> None:
    found = len(classes)
    most = table.classes if isinstance(table.classes, int) else len(table.classes or ())
    if most and found > most:
        raise BrokenFileError(f"{copy.shown} has {found:,} classes, and the data set has {most:,}; remove the others")


@dataclass(frozen=True)
class Counts:
    """Classes that occur, and examples by split."""

    classes: int
    examples: Mapping[str, int]


def _counts_of(copy: FoundCopy, content: Content, table: Table) -> Counts:
    """Return what a reader has counted; raise a BrokenFileError if it is more than the data set has."""
    for split, count in content.counts.items():
        if count > table.full.get(split, count):
            raise BrokenFileError(
                f"{copy.shown} has {count:,} examples of split {split}, and the data set has {table.full[split]:,}; "
                "remove what does not belong to it"
            )
    return Counts(len(content.classes or ()), content.counts)


def _written(copy: FoundCopy, content: Content, made: Path, left_out: LeftOut) -> None:
    """Write the files that a reader makes."""
    with progress(f"reading {copy.shown}", None) as done:
        for target, own in content.made:
            done(len(own))
            if left_out(target):
                continue
            (made / target).parent.mkdir(parents=True, exist_ok=True)
            (made / target).write_bytes(own)


def _rows_taken(
    copy: FoundCopy, content: Content, table: Table, made: Path, left_out: LeftOut
) -> tuple[Counts, list[File]]:
    """Check all rows, and write them unless the files that they are in are taken as they are.

    Returns:
        Counts, and files to take that hold one image each.
    """
    classes = table.class_names or content.classes
    checker = Checker(table, classes if classes or not table.folders else None)
    counts = {}
    files: list[File] = []
    total = sum(member.file.stat().st_size for members in copy.members.values() for member in members)
    with progress(f"reading {copy.shown}", total) as done:
        for split, rows in content.rows.items():
            target = table.target(split)
            checked = checker.checked(rows, split, done)
            if content.files or left_out(target, f"{target}/class/image" if table.folders and target else ""):
                counts[split] = sum(1 for _ in checked)
            elif table.folders:
                counts[split], more = write_images(checked, target, table, made)
                files += more
            else:
                counts[split] = write_split(made / target, checked, table, classes or ())
            if not counts[split]:
                raise BrokenFileError(f"{copy.shown} has no examples of split {split}")
    _check_classes(checker.seen, table, copy)
    return Counts(len(checker.seen), counts), files


def _counted(counts: Counts, table: Table) -> str:
    """Return one line on what was read, and whether it is all of the data set."""
    *first, last = (f"{count:,} {split}" for split, count in counts.examples.items())
    splits = f"{', '.join(first)} and {last}" if first else last
    classes = f"{counts.classes:,} classes, " if counts.classes else ""
    found = {split: (counts.examples[split], full) for split, full in table.full.items() if split in counts.examples}
    lacks = [f"{some:,} of {full:,} {split}" for split, (some, full) in found.items() if some < full]
    return f"read: {classes}{splits} examples" + (f" (part: {', '.join(lacks)})" if lacks else "")


def _check_files(files: Sequence[File]) -> None:
    """Look at what every file is, and read the header of every image."""
    with progress("checking", sum(file.member.file.stat().st_size for file in files)) as done:
        for file in files:
            done(check_file(file.member.file, file.member.shown))


def _copied(files: Sequence[File], made: Path, link: str) -> None:
    with progress("copying", sum(file.member.file.stat().st_size for file in files)) as done:
        for file in files:
            target = made / file.target
            if target.exists():
                raise BrokenFileError(f"{file.member.shown} and another file would both be {file.target}; remove one")
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(file.member.file, target, link, made)
            done(target.stat().st_size)


def _put(source: Path, target: Path, link: str, made: Path) -> None:
    """Copy a file or link to it; one that was unpacked for this import is moved."""
    if source.is_relative_to(made.parent) and not source.is_symlink():
        source.rename(target)
        return
    if link != "copy":
        real = source.resolve()
        try:
            os.link(real, target)
        except OSError:  # another file system, one without hard links, or a file of another user
            if link == "soft":
                target.symlink_to(real)
                return
        else:
            return
    shutil.copyfile(source, target)
