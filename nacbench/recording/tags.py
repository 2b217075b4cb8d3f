"""Tags and notes of runs: words of the user's, kept beside the record in a file of their own, and not part of the id.

They may be given before a run is computed or long after. Wherever two sets of them meet (a later ``--tag``, a merge of
stores), both are kept; only ``nacbench tag`` takes one away.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from nacbench.errors import UserError, first_problem, shown
from nacbench.filesystem.files import write_json
from nacbench.filesystem.locking import try_lock
from nacbench.formats.reading import read_json
from nacbench.recording.bounded import Part

TAGS = "tags.json"
LONGEST_TAG, LONGEST_NOTE, MOST = 64, 2000, 1000  # characters; tags of a run, and notes
FORM = re.compile(r"[^\W_][\w.:@+-]*")
NOT_SHOWN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
PATIENCE_SECONDS = 10.0  # a change takes milliseconds


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('write it as text; in YAML in quotes, as in "2024"')
    return value


def _tag(text: str) -> str:
    if len(text) > LONGEST_TAG or not FORM.fullmatch(text):
        raise ValueError(
            f"a tag has letters, digits and . _ : @ + - only, the first is a letter or a digit, and there are "
            f"{LONGEST_TAG} at most"
        )
    return text


def _note(text: str) -> str:
    """Return a note as one line, as tables and filters take it."""
    if wrong := NOT_SHOWN.search(text):
        raise ValueError(f"the character U+{ord(wrong[0]):04X} is not allowed")
    line = " ".join(text.split())
    if not 0 < len(line) <= LONGEST_NOTE:
        raise ValueError(f"a note has 1 to {LONGEST_NOTE:,} characters, and this one has {len(line):,}")
    return line


def _listed(value: Any) -> Any:
    return [value] if not isinstance(value, list | tuple) else value


Tag = Annotated[str, BeforeValidator(_text), AfterValidator(_tag)]
Note = Annotated[str, BeforeValidator(_text), AfterValidator(_note)]
TagList = Annotated[
    tuple[Tag, ...],
    BeforeValidator(_listed),
    Field(max_length=MOST),
    AfterValidator(lambda found: tuple(sorted(set(found)))),
]
NoteList = Annotated[
    tuple[Note, ...],
    BeforeValidator(_listed),
    Field(max_length=MOST),
    AfterValidator(lambda found: tuple(dict.fromkeys(found))),
]


class Tags(Part):
    """Content of a run's ``tags.json``.

    Attributes:
        tags: in alphabetical order.
        notes: one line each, in the order in which they were given.
    """

    tags: TagList = ()
    notes: NoteList = ()

    def __bool__(self) -> bool:
        return bool(self.tags or self.notes)

    def __str__(self) -> str:
        """Return them for a line of output."""
        words = [f"tag {tag}" for tag in self.tags] + [f"note {shown(note)}" for note in self.notes]
        return ", ".join(words) or "no tags and no notes"

    def also(self, other: Tags) -> Tags:
        """Return these and others.

        Raises:
            UserError: if a run would have more than ``MOST``.
        """
        return given(tags=[*self.tags, *other.tags], notes=[*self.notes, *other.notes])

    def without(self, other: Tags) -> Tags:
        """Return those of these that the others do not have."""
        tags = tuple(tag for tag in self.tags if tag not in other.tags)
        return Tags(tags=tags, notes=tuple(note for note in self.notes if note not in other.notes))


NOTHING = Tags()


def given(tags: Any = (), notes: Any = (), place: str = "") -> Tags:
    """Return tags and notes that a user gave, each as one text or a list.

    Args:
        tags, notes: of options or a file.
        place: where they come from, for messages; empty for options.

    Raises:
        UserError: if one is not text, too long, or has characters that are not allowed.
    """
    try:
        return Tags(tags=tags, notes=notes)
    except ValidationError as error:
        where = f"{place}: " if place else ""
        raise UserError(f"{where}{first_problem(error, '')}") from None


def read_tags(folder: Path | str) -> Tags:
    """Return the tags and notes of the run in a folder; none if it has no file of them.

    Raises:
        UserError: if the file cannot be read or is broken.
    """
    path = f"{os.fspath(folder)}/{TAGS}"
    return read_json(path, Tags) if os.path.lexists(path) else NOTHING


def change_tags(folder: Path, change: Callable[[Tags], Tags]) -> Tags:
    """Change the tags and notes of the run in a folder, one process after another.

    Args:
        folder: of the run.
        change: returns the new ones for those that are there.

    Returns:
        Those that are there now.

    Raises:
        UserError: if the file is broken, there are too many, or other processes do not stop changing it.
    """
    with _alone(folder):
        before = read_tags(folder)
        after = change(before)
        if after != before:
            write_json(folder / TAGS, after.model_dump(mode="json"))
        return after


def add_tags(folder: Path, added: Tags) -> Tags:
    """Give a run's folder further tags and notes; return those that it did not have.

    Raises:
        UserError: as `change_tags`.
    """
    if not added.without(before := read_tags(folder)):
        return NOTHING
    change_tags(folder, lambda now: now.also(added))
    return added.without(before)


def united(some: Iterable[Tags]) -> Tags:
    """Return all of some tags and notes."""
    found = NOTHING
    for one in some:
        found = found.also(one)
    return found


def stamp_of(folder: str) -> str:
    """Return what changes whenever the file of a folder's tags is replaced; empty if there is none."""
    path = f"{folder}/{TAGS}"  # with 100,000 runs, Path objects would dominate the time
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:  # a link that leads nowhere, or to itself, is there all the same: whoever reads it says so
        return "unreadable" if os.path.lexists(path) else ""
    # a file that is replaced within one tick of the clock has another number
    return f"{found.st_size}-{found.st_ctime_ns}-{found.st_ino}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock a folder while its tags are changed, if its file system has locks; nothing is left in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while try_lock(descriptor) is False:
            if time.monotonic() > until:
                raise UserError(f"another process keeps changing the tags in {folder}; try again when it has ended")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
