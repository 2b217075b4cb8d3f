"""Unpack untrusted archives (zip, tar) safely: everything is bounded and checked before anything is written."""

from __future__ import annotations

import re
import stat
import struct
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nacbench.data.mirror.manifest import progress
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    from zipfile import ZipInfo

MOST_EXPANSION = 200  # largest ratio of unpacked to packed size; data sets stay far below, decompression bombs do not
SLACK = 2**20  # bytes that any archive may unpack to: small repetitive files can have a larger ratio
LEAST_PER_MEMBER = 64  # bytes of an archive for each of its members; a name and a header alone take more
MEMBERS_OF_ANY = 1000  # that an archive of any size may have
LONGEST_NAME = 1024  # characters
LARGEST_HEADER = 2**16  # bytes of a long name, or of a header of other fields, in a tar
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)

Check = Callable[[Path, Sequence[str]], None]


def accept_any(archive: Path, names: Sequence[str]) -> None:
    """Accept an archive whatever its members are called."""


def unpack(archive: Path, folder: Path, check: Check = accept_any) -> None:
    """Unpack a zip or a tar, compressed or not, into an existing folder.

    All headers are read first: a compressed tar is decompressed twice, the first time without writing anything.

    Args:
        archive: the archive, which is not trusted.
        folder: where its members are written.
        check: called with the archive and the names of its members before anything is written; it raises a UserError to
            refuse them.

    Raises:
        UserError: if it is neither zip nor tar, is damaged, has an unsafe member (a link, a device, a path outside the
            folder), or more bytes or members than its own size allows (``MOST_EXPANSION``, ``LEAST_PER_MEMBER``).
    """
    import lzma
    import zipfile
    import zlib

    damaged = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, ValueError)
    try:
        tar = _opened_tar(archive)  # first, as a tar with a zip inside can look like a zip
        if tar:
            with tar:
                _unpack_tar(tar, archive, folder, check)
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder, check)
        else:
            raise UserError(f"{archive} {_what_is_wrong(archive)}")
    except UserError:
        raise
    except EOFError as error:
        raise UserError(f"{archive} is truncated: {error}; get it again") from error
    except (*damaged, OSError, RuntimeError) as error:  # RuntimeError: encrypted, unknown, or nested without end
        raise UserError(f"{archive} cannot be unpacked: {error}") from error


def _what_is_wrong(archive: Path) -> str:
    """Return what a file is that cannot be opened as an archive."""
    with archive.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK\3\4"):
        return "is a truncated zip archive: the list of members at its end is missing; get it again"
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")):
        return "is compressed, but has no tar archive inside, or is truncated"
    return "is neither a zip nor a tar archive"


class _Member(tarfile.TarInfo):
    """A member whose further headers are bounded before they are read into memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:  # the method that `tarfile` lets subclasses define
        if self.type in EXTENDED and not 0 <= self.size <= LARGEST_HEADER:
            raise UserError(
                f"{tar.name!s} is not safe to unpack: a header in it has {self.size:,} bytes, not 0 to "
                f"{LARGEST_HEADER:,}"
            )
        member: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        return member


def _opened_tar(archive: Path) -> tarfile.TarFile | None:
    try:
        return tarfile.open(archive, tarinfo=_Member)
    except tarfile.ReadError:
        return None


def _unpack_tar(tar: tarfile.TarFile, archive: Path, folder: Path, check: Check) -> None:
    tar.extraction_filter = getattr(tarfile, "data_filter", None)  # new in Python 3.11.4
    guard = _Guard(archive)
    with progress(f"reading {archive.name}", None) as done:
        for member in tar:
            guard.admit(member.name, _special_in_tar(member), member.size, member.offset_data)
            member.pax_headers = {}  # not used any more; of millions of members they would fill the memory
            done(member.size)
    if not _has_end(tar):
        raise UserError(f"{archive} is truncated: the two empty blocks at its end are missing; get it again")
    members = tar.getmembers()
    check(archive, [member.name for member in members])
    with progress(f"unpacking {archive.name}", sum(member.size for member in members)) as done:
        for member in members:
            tar.extract(member, folder)
            done(member.size)


def _has_end(tar: tarfile.TarFile) -> bool:
    """Return whether two empty blocks follow the last member.

    Without them the archive is truncated; `tarfile` does not notice if that happened between two members.
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(_end_of_members(tar))
    rest = tar.fileobj.read(2 * tarfile.BLOCKSIZE)
    return len(rest) == 2 * tarfile.BLOCKSIZE and not any(rest)


def _end_of_members(tar: tarfile.TarFile) -> int:
    members = tar.getmembers()
    if not members:
        return 0
    last = members[-1]
    size = last.size if last.isreg() else 0
    return last.offset_data + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _unpack_zip(archive: Path, folder: Path, check: Check) -> None:
    import zipfile

    guard = _Guard(archive)
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        for member in members:
            guard.admit(member.filename, _special_in_zip(member), member.file_size)
        check(archive, [member.filename for member in members])
        with progress(f"unpacking {archive.name}", sum(member.file_size for member in members)) as done:
            for member in members:
                opened.extract(member, folder)
                done(member.file_size)


class _Guard:
    """Checks the members of an archive one after another, and refuses unsafe ones."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        size = archive.stat().st_size
        self._most_bytes = MOST_EXPANSION * size + SLACK
        self._most_members = size // LEAST_PER_MEMBER + MEMBERS_OF_ANY
        self._bytes = self._members = 0

    def admit(self, name: str, special: str | None, size: int, start: int = 0) -> None:
        """Raise a UserError unless the member is safe.

        Args:
            name: of the member.
            special: what it is, if it is neither a file nor a folder.
            size: of its content in bytes, as it is declared.
            start: of its content in the decompressed archive, which counts headers, too.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        self._bytes += size
        self._members += 1
        if len(name) > LONGEST_NAME:
            self._refuse(f"the name of a member, {shown(name)}, has {len(name):,} characters")
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
            self._refuse(f"its member {shown(name)} would lie outside the folder")
        if size < 0:
            self._refuse(f"its member {shown(name)} has {size:,} bytes")
        if special:
            self._refuse(f"its member {shown(name)} is {special}")
        if max(self._bytes, start + size) > self._most_bytes:
            self._refuse(
                f"with its member {shown(name)} it unpacks to more than {MOST_EXPANSION} times its own size "
                f"({self._most_bytes:,} bytes)"
            )
        if self._members > self._most_members:
            self._refuse(f"it has more than {self._most_members:,} members, too many for its size")

    def _refuse(self, reason: str) -> None:
        raise UserError(f"{self._archive} is not safe to unpack: {reason}")


def _special_in_tar(member: tarfile.TarInfo) -> str | None:
    if member.issparse():
        return "a sparse file"
    if member.isfile() or member.isdir():
        return None
    return "a link" if member.issym() or member.islnk() else "a device or a pipe"


def _special_in_zip(member: ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind in (0, stat.S_IFREG, stat.S_IFDIR):  # 0: written by a system without file types
        return None
    return "a link" if kind == stat.S_IFLNK else "a device or a pipe"
