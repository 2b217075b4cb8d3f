"""Public archives (zip, tar): download, check the SHA-256, and unpack into the mirror."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nacbench.code_digest import short_digest
from nacbench.data.mirror.data_files import FolderFiles
from nacbench.data.mirror.manifest import CHUNK, SHA256, sum_of
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.filesystem.files import resolved, utc_now, write_json
from nacbench.filesystem.scratch import scratch_folder
from nacbench.formats.reading import read_json
from nacbench.formats.terminal import say

PUBLISHED = "from an archive with the SHA-256 that its makers publish"


class FirstUse(BaseModel):
    """Content of ``.NAME.sha256.json``: the archive that was trusted on first use."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    url: str
    sha256: SHA256
    date: str


@dataclass(frozen=True, kw_only=True)
class ArchiveFiles(FolderFiles):
    """A zip or tar archive that may be downloaded without registration.

    If its makers publish no checksum, it is trusted on first use: the checksum of the first archive with the right data
    is kept beside the folder (``.NAME.sha256.json``) and required from then on, even after the folder was deleted.

    Attributes:
        sha256: of the archive, as its makers publish it; None if they do not.
        inside: the folder in the archive that becomes the folder in the mirror; empty for its top.
        size: of the download, as text for messages.
    """

    sha256: str | None
    size: str
    inside: str = ""

    def __str__(self) -> str:
        return self.url

    def _way(self, data_root: Path) -> str:
        terms = f", {self.terms}" if self.terms else ""
        return (
            f"fetch it ({self.size}{terms}) with 'nacbench data fetch TASK' where there is a network, import "
            f"{self.url} with 'nacbench data import TASK FILE'"
        )

    def _basis(self, paths: Sequence[Path]) -> str:
        if self.sha256 and len(paths) == 1 and paths[0].is_file():
            if sum_of(paths[0]).sha256 == self.sha256:
                return PUBLISHED
            return f"{super()._basis(paths)}, which is not the archive that their makers publish"
        return super()._basis(paths)

    def _download(self, data_root: Path) -> None:
        """Download and unpack the archive; a complete download that was not unpacked yet is used again."""
        place = self.place(data_root)
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise UserError(f"{place} has data in it already; remove it first")
        folder = cache_folder() / ".downloads" / f"{self.name}-{short_digest(str(place).encode())}"
        file = self._retrieve(data_root, folder)
        try:
            self._unpack(data_root, file)
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)  # otherwise the next fetch would use the same broken file
            raise
        shutil.rmtree(folder, ignore_errors=True)

    def _retrieve(self, data_root: Path, folder: Path) -> Path:
        """Download the archive, and check its checksum if one is known."""
        import pooch

        pooch.get_logger().setLevel("WARNING")
        known = self.sha256 or self._trusted(data_root)
        say(f"downloading {self.name} ({self.size}) from {self.url} to {self.place(data_root)}", err=True)
        try:
            downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=CHUNK)
            file = pooch.retrieve(self.url, known, fname="archive", path=folder, downloader=downloader)
        except ValueError as error:
            # pooch has no error class of its own: only its message tells a wrong checksum from other errors
            found = str(error).partition(" but got ")[2].partition(".")[0]
            if not (known and found):
                raise
            raise self._unexpected(data_root, self.url, found, known) from error
        except OSError as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            reason = error.strerror or (f"HTTP status {status}" if status else type(error).__name__)
            way = "download it where you can and use 'nacbench data import TASK FILE'"
            raise self._unreachable(data_root, self.url, reason, way) from error
        return Path(file)

    def _unpack(self, data_root: Path, file: Path) -> None:
        """Check an archive and take its content into the mirror, all or nothing."""
        from nacbench.data.mirror.door.looking import Wish
        from nacbench.data.mirror.door.taking import take

        found = sum_of(file).sha256
        expected = self.sha256 or self._trusted(data_root)
        if expected and expected != found:
            raise self._unexpected(data_root, file, found, expected)
        basis = (
            PUBLISHED
            if self.sha256
            else "trusted on first use: the makers publish no checksum, the archive's was taken at the first download"
        )
        place = resolved(self.place(data_root))
        with scratch_folder(place) as aside:
            scratch, made = aside / "unpacked", aside / "made"
            scratch.mkdir()
            made.mkdir()
            take(Wish(self.data_set(), [file]), scratch, made, self.parts(place))
            if expected is None:  # after the content was found to be complete: a wrong file must not be trusted
                first = FirstUse(url=self.url, sha256=found, date=utc_now())
                write_json(self._trust_file(data_root), first.model_dump())
            self._put(place, made, basis, sha256=found)

    def _trust_file(self, data_root: Path) -> Path:
        place = self.place(data_root)
        return place.with_name(f".{place.name}.sha256.json")

    def _trusted(self, data_root: Path) -> str | None:
        """Return the checksum of the first archive from this URL, or None.

        Raises:
            UserError: if the file with it cannot be read.
        """
        file = self._trust_file(data_root)
        if not os.path.lexists(file):
            return None
        try:
            first = read_json(file, FirstUse)
        except UserError as error:
            raise UserError(f"{error}; delete it to trust the next download") from error
        return first.sha256 if first.url == self.url else None

    def _unexpected(self, data_root: Path, archive: str | Path, found: str, expected: str) -> UserError:
        if self.sha256:
            return UserError(
                f"{archive} has the SHA-256 {found}, but its makers publish {expected}; get it again from {self.url}"
            )
        return UserError(
            f"{archive} has the SHA-256 {found}, but the first download had {expected}; if its makers have changed it "
            f"and you trust them, delete {self._trust_file(data_root)}"
        )
