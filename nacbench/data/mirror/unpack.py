"""Unpack untrusted archives (zip, tar) safely: everything is bounded and checked before anything is written."""

from __future__ import annotations

import stat
import struct
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.data.mirror.door.damage import damage_at_start
from nacbench.data.mirror.guard import Guard
from nacbench.data.mirror.progress import progress
from nacbench.errors import UserError
from nacbench.formats.reading import open_regular

if TYPE_CHECKING:
    from zipfile import ZipInfo

LARGEST_HEADER = 2**16  # bytes of a long name, or of a header of other fields, in a tar
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)

SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".gz")
NOT_READ = {"7z": b"7z\xbc\xaf", "rar": b"Rar!", "zstd": b"\x28\xb5\x2f\xfd"}  # first bytes of other archives
STARTS = (b"PK\3\4", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")  # of zip, gzip, bzip2 and xz


class Archive(ABC):
    """A zip or a tar, compressed or not, which is not trusted.

    When it is opened all headers are read and checked, and nothing is written: a compressed tar is decompressed once
    for that, and once more to unpack it.

    Args:
        path: the file.
        outer: the archive that it came in; None if it came in none.

    Attributes:
        names: paths of its members.
        guard: has admitted them.
    """

    names: list[str]
    guard: Guard

    def __init__(self, path: Path, outer: Archive | None) -> None:
        self.path = path
        self.guard = Guard(path, outer.guard if outer else None)

    def unpack(self, folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> None:
        """Unpack the members whose names are wanted, by default all, into an existing folder.

        Raises:
            UserError: if a member is damaged, or the folder cannot be written.
        """
        with _told(self.path):
            self._unpack(folder, wanted)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of every file in it, in their order; nothing is written.

        Raises:
            UserError: if a member is damaged.
        """
        with _told(self.path):
            yield from self._contents()

    @abstractmethod
    def _contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of every file; raise whatever the library raises."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    @abstractmethod
    def _unpack(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        """Unpack members; raise whatever the library raises."""


def open_archive(path: Path, outer: Archive | None = None) -> Archive:
    """Open an archive.

    Args:
        path: the file.
        outer: the archive that it came in; None if it came in none.

    Raises:
        UserError: if it is neither zip nor tar, is damaged, has an unsafe member (a link, a device, a path outside the
            folder), or more bytes or members than its own size allows (`nacbench.data.mirror.guard`) or, with all
            archives inside, that of the outer one.
    """
    import zipfile

    with _told(path):
        tar = _opened_tar(path)  # first, as a tar with a zip inside can look like a zip
        if tar:
            return _Tar(path, outer, tar)
        if zipfile.is_zipfile(path):
            return _Zip(path, outer)
        raise UserError(f"{path} {what_is_wrong(path)}")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into an existing folder.

    Raises:
        UserError: as `open_archive` and `Archive.unpack`.
    """
    opened = open_archive(archive)
    try:
        opened.unpack(folder)
    finally:
        opened.close()


def looks_packed(path: Path) -> bool:
    """Return whether a file looks like an archive, by its name or its first bytes."""
    if path.name.lower().endswith(SUFFIXES):
        return not is_packed_file(path)
    with open_regular(path) as stream:
        start = stream.read(512)
    return start.startswith(STARTS) or start[257:262] == b"ustar"


def is_packed_file(path: Path) -> bool:
    """Return whether a file with the suffix ``.gz`` alone has no archive in it, but one file, such as ``log.txt.gz``.

    One that is damaged may have had an archive in it.
    """
    import gzip
    import zlib

    name = path.name.lower()
    if not name.endswith(".gz") or name.endswith(".tar.gz"):
        return False
    try:
        with gzip.open(path) as stream:
            whole = stream.read(tarfile.BLOCKSIZE)
    except (OSError, EOFError, zlib.error):
        return False
    with _told(path):
        tar = _opened_tar(path) if len(whole) == tarfile.BLOCKSIZE else None
    if tar:
        tar.close()
    return tar is None


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Turn what the libraries raise for a damaged archive into one line."""
    import lzma
    import zipfile
    import zlib

    try:
        yield
    except UserError:
        raise
    except EOFError as error:
        raise UserError(f"{archive} is truncated: {error}; get it again") from error
    except tarfile.ReadError as error:
        raise UserError(f"{archive} is truncated or damaged: {error}; get it again") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        ValueError,
        OSError,
        RuntimeError,  # encrypted, unknown, or nested without end
    ) as error:
        raise UserError(f"{archive} cannot be unpacked: {error}") from error


def what_is_wrong(archive: Path) -> str:
    """Return what a file is that cannot be opened as an archive."""
    damage = damage_at_start(archive)
    if damage:
        return damage
    if not archive.stat().st_size:
        return "is empty; get it again"
    with archive.open("rb") as stream:
        start = stream.read(8)
    for kind, mark in NOT_READ.items():
        if start.startswith(mark):
            return f"is a {kind} archive, which is not read here; unpack it, and name its folder"
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


class _Tar(Archive):
    def __init__(self, path: Path, outer: Archive | None, tar: tarfile.TarFile) -> None:
        super().__init__(path, outer)
        self._tar = tar
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # new in Python 3.11.4
        try:
            self._check()
        except BaseException:
            tar.close()
            raise

    def _check(self) -> None:
        with progress(f"reading {self.path.name}", None) as done:
            for member in self._tar:
                self.guard.admit(_name_in_tar(member), _special_in_tar(member), member.size, member.offset_data)
                member.pax_headers = {}  # not used any more; of millions of members they would fill the memory
                done(member.size)
        if not _has_end(self._tar):
            raise UserError(f"{self.path} is truncated: the two empty blocks at its end are missing; get it again")
        self.names = [_name_in_tar(member) for member in self._tar.getmembers()]

    def _unpack(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        members = [member for member in self._tar.getmembers() if wanted(member.name)]
        with progress(f"unpacking {self.path.name}", sum(member.size for member in members)) as done:
            for member in members:
                self._tar.extract(member, folder)
                done(member.size)

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        for member in self._tar.getmembers():
            content = self._tar.extractfile(member)
            if content is not None:
                yield member.name, content.read()

    def close(self) -> None:
        self._tar.close()


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


class _Zip(Archive):
    def __init__(self, path: Path, outer: Archive | None) -> None:
        import zipfile

        super().__init__(path, outer)
        self._zip = zipfile.ZipFile(path)
        try:
            for member in self._zip.infolist():
                self.guard.admit(member.filename, _special_in_zip(member), member.file_size)
                member.filename = member.filename.replace("\\", "/")  # as some programs of Windows write it
        except BaseException:
            self._zip.close()
            raise
        self.names = [member.filename for member in self._zip.infolist()]

    def _unpack(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        members = [member for member in self._zip.infolist() if wanted(member.filename)]
        with progress(f"unpacking {self.path.name}", sum(member.file_size for member in members)) as done:
            for member in members:
                self._zip.extract(member, folder)
                done(member.file_size)

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        for member in self._zip.infolist():
            if not member.is_dir():
                yield member.filename, self._zip.read(member)

    def close(self) -> None:
        self._zip.close()


def _name_in_tar(member: tarfile.TarInfo) -> str:
    return f"{member.name}/" if member.isdir() else member.name


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
