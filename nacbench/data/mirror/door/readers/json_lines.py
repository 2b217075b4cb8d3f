"""Files with a JSON object in each line, whose members are text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nacbench.data.mirror.door.damage import whole_text
from nacbench.data.mirror.door.found import Member
from nacbench.errors import BrokenFileError, shown
from nacbench.formats.reading import parse_json

LARGEST = 2**30  # bytes; NLVR2's training file has 70 MB


def text_objects(member: Member, keys: Sequence[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield place and object of each line that is not blank.

    Args:
        member: the file.
        keys: that every object must have, with text.

    Raises:
        BrokenFileError: if a line is no such object, or the file is damaged.
    """
    for number, line in enumerate(whole_text(member.file, member.shown, LARGEST).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{member.shown}, line {number}"
        found = parse_json(line, where, unicode_only=True)
        lacking = [key for key in keys if not isinstance(found, dict) or not isinstance(found.get(key), str)]
        if lacking:
            raise BrokenFileError(f"{where}: {shown(found)} has no text under {lacking[0]!r}; get the file again")
        yield where, found
