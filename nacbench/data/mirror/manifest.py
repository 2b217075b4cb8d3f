"""Manifest of a data set's folder (``.nacbench.json``): URL, date, and size and SHA-256 of each file."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from nacbench.data.mirror.door.damage import check_file
from nacbench.data.mirror.door.tree import is_junk
from nacbench.data.mirror.progress import progress
from nacbench.errors import UserError
from nacbench.filesystem.files import utc_now, write_json
from nacbench.formats.reading import read_json

MANIFEST = ".nacbench.json"
LARGEST_MANIFEST = 2**30  # bytes; that of ImageNet's 1.3 million files has about 250 MB
CHUNK = 2**20


def _inside(name: str) -> str:
    """Refuse a name that is no path of a file in the folder: manifests may come with data from elsewhere."""
    if PurePosixPath(name).is_absolute() or ".." in name.split("/") or "\0" in name or not name:
        raise ValueError("not a path inside the folder")
    return name


SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Inside = Annotated[str, AfterValidator(_inside)]


class Sum(BaseModel):
    """A file's size in bytes and its SHA-256."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    size: Annotated[int, Field(ge=0, lt=2**63)]
    sha256: SHA256


class Manifest(BaseModel):
    """Content of ``.nacbench.json``.

    Attributes:
        url: where the files come from.
        sha256: of the archive that they were in; None if they were in none.
        basis: how the checksums are known, for readers, such as "as published on the hub".
        date: when the files were put there, in UTC.
        files: size and checksum by path inside the folder.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    url: str
    sha256: SHA256 | None
    basis: str
    date: str
    files: dict[Inside, Sum]

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(file.size for file in self.files.values())


def make_manifest(
    folder: Path, files: Iterable[Path] | None = None, *, url: str, sha256: str | None, basis: str
) -> Manifest:
    """Compute the manifest of some files in a folder, by default of all."""
    paths = sorted(files_in(folder) if files is None else files)
    with progress("computing checksums", sum(path.stat().st_size for path in paths)) as done:
        sums = {str(path.relative_to(folder)): sum_of(path, done) for path in paths}
    return Manifest(url=url, sha256=sha256, basis=basis, date=utc_now(), files=sums)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into its folder."""
    write_json(folder / MANIFEST, manifest.model_dump())


def read_manifest(folder: Path) -> Manifest | None:
    """Read the folder's manifest; return None if it has none.

    Raises:
        UserError: if it cannot be read, or is not as `write_manifest` writes it.
    """
    file = folder / MANIFEST
    if not os.path.lexists(file):
        return None
    try:
        return read_json(file, Manifest, largest=LARGEST_MANIFEST)
    except UserError as error:
        raise UserError(f"{error}; delete {folder} and fetch it again") from error


def check_files(folder: Path, name: str, again: str) -> str:
    """Compare a folder with its manifest; return one line on what was compared.

    Args:
        folder: of the data set, with all needed files.
        name: of the data set, for the progress bar.
        again: how to get the data again, for the message.

    Raises:
        UserError: if a file is missing, damaged or changed; the message names the first one.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        found = _without_junk(folder, files_in(folder))
        _check_each(found, name)
        return f"{_counted(len(found))}, no checksums known: put there by hand; no needed file is missing or damaged"
    with progress(f"checking {name}", manifest.size) as done:
        for path, expected in manifest.files.items():
            wrong = _wrong(folder / path, expected, done)
            if wrong:
                raise UserError(f"{folder / path} {wrong}; delete {folder} and {again}")
    others = (path for path in files_in(folder) if str(path.relative_to(folder)) not in manifest.files)
    unknown = _without_junk(folder, others)
    _check_each(unknown, name)
    besides = f"; not in the manifest: {_counted(len(unknown))}, such as {unknown[0]}" if unknown else ""
    return f"{_counted(len(manifest.files))} checked: checksums match ({manifest.basis}){besides}"


def _without_junk(folder: Path, files: Iterable[Path]) -> list[Path]:
    """Return files, sorted, without those of operating systems and hidden ones, which no reader reads."""
    return sorted(path for path in files if not any(map(is_junk, path.relative_to(folder).parts)))


def _check_each(files: Sequence[Path], name: str) -> None:
    """Raise a UserError for the first file that is not what its name says."""
    try:
        with progress(f"checking {name}", sum(path.stat().st_size for path in files)) as done:
            for path in files:
                done(check_file(path, str(path)))
    except OSError as error:  # a link to a file that is lost
        raise UserError(f"cannot read {error.filename}: {error.strerror}; copy it again") from None


def is_intact(folder: Path) -> bool:
    """Return whether a folder has exactly the files of its manifest, unchanged."""
    try:
        manifest = read_manifest(folder)
    except UserError:
        return False
    if manifest is None or {str(path.relative_to(folder)) for path in files_in(folder)} != set(manifest.files):
        return False
    return not any(_wrong(folder / name, own, lambda _: None) for name, own in manifest.files.items())


def files_in(folder: Path) -> Iterator[Path]:
    """Yield every file in a folder at any depth except its manifest; links are followed."""
    for place, _, names in os.walk(folder, followlinks=True):
        yield from (Path(place, name) for name in names if name != MANIFEST or Path(place) != folder)


def sum_of(path: Path, done: Callable[[int], None] = lambda _: None) -> Sum:
    """Return size and SHA-256 of a file; ``done`` is called with the number of bytes of each chunk that was read."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            done(len(chunk))
    return Sum(size=size, sha256=digest.hexdigest())


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files:,} files"


def _wrong(path: Path, expected: Sum, done: Callable[[int], None]) -> str | None:
    try:
        size = path.stat().st_size
        if size != expected.size:
            return f"has {size:,} bytes, not {expected.size:,}"
        found = sum_of(path, done)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found == expected else f"is damaged or changed: its SHA-256 is {found.sha256}, not {expected.sha256}"
