"""Files that the mirror keeps as they are, under the paths that they have in the copy, or under others."""

from __future__ import annotations

from typing import Literal

from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.parquet import count_rows


class FilesAsTheyAre(Reader):
    """Takes files as they are. Those of a role that is called after a split with a known size are counted as examples.

    Attributes:
        into: folder of the mirror's copy that each role's files go into; by default they keep their path in the copy.
            A file's own path in that folder is its name, or what follows ``from_part``.
        from_part: how many parts of a file's path in the copy are left out before it goes into ``into``.
    """

    kind: Literal["files-as-they-are"] = "files-as-they-are"
    into: dict[str, str] = {}
    from_part: dict[str, int] = {}

    def roles(self) -> set[str]:
        return {*self.into, *self.from_part}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        files: dict[tuple[str, str], File] = {}  # a file can have two roles
        for role, members in copy.members.items():
            folder = self.into.get(role)
            for member in members:
                parts = member.name.split("/")[self.from_part.get(role, 0 if folder is None else -1) :]
                target = "/".join([*([folder] if folder else []), *parts])
                files[target, member.name] = File(member, target)
        counted = {role: members for role, members in copy.members.items() if members and role in table.full}
        counts = {role: sum(map(_examples, members)) for role, members in counted.items()}
        return Content(files=list(files.values()), counts=counts)


def _examples(member: Member) -> int:
    """Return how many examples a file has: the rows of a table, or one."""
    return count_rows(member.file, member.shown) if member.file.suffix == ".parquet" else 1
