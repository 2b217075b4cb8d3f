"""Unpack untrusted archives (zip, tar) safely: no path traversal, links, devices or decompression bombs."""

from __future__ import annotations

import re
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nacbench.data.mirror.manifest import progress
from nacbench.errors import UserError

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo
    from zipfile import ZipInfo

MOST_EXPANSION = 200  # largest ratio of unpacked to packed size; data sets stay far below, decompression bombs do not
SLACK = 2**20  # bytes that any archive may unpack to: small repetitive files can have a larger ratio


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or a tar, compressed or not, into an existing folder.

    Raises:
        UserError: if it is neither, is damaged, or has an unsafe member: a link, a device, a path outside the folder,
            or one with which the total exceeds ``MOST_EXPANSION``. Members unpacked before that stay in the folder.
    """
    import lzma
    import tarfile
    import zipfile
    import zlib

    damaged = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
    try:
        if tarfile.is_tarfile(archive):  # first, as a tar with a zip inside can look like a zip
            _unpack_tar(archive, folder)
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        else:
            raise UserError(f"{archive} is neither a zip nor a tar archive")
    except (*damaged, OSError, RuntimeError) as error:  # RuntimeError: encrypted, or an unsupported compression
        raise UserError(f"{archive} cannot be unpacked: {error}") from error


def _unpack_tar(archive: Path, folder: Path) -> None:
    import tarfile

    guard = _Guard(archive)
    with tarfile.open(archive) as tar, progress(f"unpacking {archive.name}", None) as done:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # new in Python 3.11.4
        for member in tar:
            guard.admit(member.name, _special_in_tar(member), member.size)
            tar.extract(member, folder)
            done(member.size)
        if not _has_end(tar):
            raise UserError(f"{archive} is truncated: the two empty blocks at its end are missing; get it again")


def _has_end(tar: TarFile) -> bool:
    """Return whether two empty blocks follow the last member.

    Without them the archive is truncated; `tarfile` does not notice if that happened between two members.
    """
    from tarfile import BLOCKSIZE

    assert tar.fileobj is not None
    tar.fileobj.seek(_end_of_members(tar))
    rest = tar.fileobj.read(2 * BLOCKSIZE)
    return len(rest) == 2 * BLOCKSIZE and not any(rest)


def _end_of_members(tar: TarFile) -> int:
    from tarfile import BLOCKSIZE

    members = tar.getmembers()
    if not members:
        return 0
    last = members[-1]
    size = last.size if last.isreg() else 0
    return last.offset_data + -(-size // BLOCKSIZE) * BLOCKSIZE


def _unpack_zip(archive: Path, folder: Path) -> None:
    import zipfile

    guard = _Guard(archive)
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        for member in members:
            guard.admit(member.filename, _special_in_zip(member), member.file_size)
        with progress(f"unpacking {archive.name}", sum(member.file_size for member in members)) as done:
            for member in members:
                opened.extract(member, folder)
                done(member.file_size)


class _Guard:
    """Checks the members of an archive one after another, and refuses unsafe ones."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._left = MOST_EXPANSION * archive.stat().st_size + SLACK

    def admit(self, name: str, special: str | None, size: int) -> None:
        """Raise a UserError unless the member is safe."""
        path = PurePosixPath(name.replace("\\", "/"))
        self._left -= size
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
            self._refuse(f"its member {name!r} would lie outside the folder")
        if special:
            self._refuse(f"its member {name!r} is {special}")
        if self._left < 0:
            self._refuse(f"with its member {name!r} it unpacks to more than {MOST_EXPANSION} times its own size")

    def _refuse(self, reason: str) -> None:
        raise UserError(f"{self._archive} is not safe to unpack: {reason}")


def _special_in_tar(member: TarInfo) -> str | None:
    if member.isfile() or member.isdir():
        return None
    return "a link" if member.issym() or member.islnk() else "a device or a pipe"


def _special_in_zip(member: ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind in (0, stat.S_IFREG, stat.S_IFDIR):  # 0: written by a system without file types
        return None
    return "a link" if kind == stat.S_IFLNK else "a device or a pipe"
