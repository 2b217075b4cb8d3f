"""Which members of an archive that is not trusted are safe, and how much it may unpack to."""

from __future__ import annotations

import re
from pathlib import Path

from nacbench.errors import UserError, shown

MOST_EXPANSION = 200  # largest ratio of unpacked to packed size; data sets stay far below, decompression bombs do not
SLACK = 2**20  # bytes that any archive may unpack to: small repetitive files can have a larger ratio
LEAST_PER_MEMBER = 64  # bytes of an archive for each of its members; a name and a header alone take more
MEMBERS_OF_ANY = 1000  # that an archive of any size may have
LONGEST_NAME = 1024  # characters
DRIVE = re.compile(r"[A-Za-z]:")  # of Windows


class Guard:
    """Checks the members of an archive one after another, and refuses unsafe ones.

    What is in an archive inside another one counts in both: otherwise each level could multiply the size again.
    """

    def __init__(self, archive: Path, outer: Guard | None = None) -> None:
        self._archive = archive
        self._outer = outer
        size = archive.stat().st_size
        self._most_bytes = MOST_EXPANSION * size + SLACK
        self._most_members = size // LEAST_PER_MEMBER + MEMBERS_OF_ANY
        self._bytes = self._members = 0
        self._names: set[str] = set()

    def admit(self, name: str, special: str | None, size: int, start: int = 0) -> None:
        """Raise a UserError unless the member is safe.

        Args:
            name: of the member; that of a folder ends with ``/``.
            special: what it is, if it is neither a file nor a folder.
            size: of its content in bytes, as it is declared.
            start: of its content in the decompressed archive, which counts headers, too.
        """
        path = name.replace("\\", "/")
        if len(name) > LONGEST_NAME:
            self._refuse(f"the name of a member, {shown(name)}, has {len(name):,} characters")
        if path.startswith("/") or ".." in path.split("/") or DRIVE.match(name):
            self._refuse(f"its member {shown(name)} would lie outside the folder")
        plain = "/".join(part for part in path.split("/") if part not in ("", "."))
        if plain in self._names:  # the last one would replace the others without a word
            self._refuse(f"it has two members {shown(plain)}; unpack it yourself, and look which one is right")
        if not path.endswith("/"):
            self._names.add(plain)
        if size < 0:
            self._refuse(f"its member {shown(name)} has {size:,} bytes")
        if special:
            self._refuse(f"its member {shown(name)} is {special}")
        self._count(name, size, start)

    def _count(self, name: str, size: int, start: int) -> None:
        self._bytes += size
        self._members += 1
        if max(self._bytes, start + size) > self._most_bytes:
            self._refuse(
                f"with its member {shown(name)} it unpacks to more than {MOST_EXPANSION} times its own size "
                f"({self._most_bytes:,} bytes)"
            )
        if self._members > self._most_members:
            self._refuse(f"it has more than {self._most_members:,} members, too many for its size")
        if self._outer:
            self._outer._count(name, size, 0)

    def _refuse(self, reason: str) -> None:
        raise UserError(f"{self._archive} is not safe to unpack: {reason}")
