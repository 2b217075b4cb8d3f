"""Archives that are used as they come: they stay packed in the mirror, and their content is unpacked into the cache."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nacbench.data.mirror.manifest import sum_of
from nacbench.data.mirror.places import cache_folder
from nacbench.data.mirror.source import Archive
from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError
from nacbench.files import fill_folder


@dataclass(frozen=True, kw_only=True)
class PackedArchive(Archive):
    """An archive whose packed file may lie in the mirror instead of what is in it.

    Attributes:
        packed: the file's name there.
    """

    packed: str

    def missing(self, data_root: Path) -> str | None:
        return None if self._file(data_root).is_file() else super().missing(data_root)

    def verify(self, data_root: Path) -> str:
        if super().missing(data_root) is None or not self._file(data_root).is_file():
            return super().verify(data_root)
        found = sum_of(self._file(data_root)).sha256
        if self.sha256 and found != self.sha256:
            raise self._wrong(data_root, f"has the SHA-256 {found}, not {self.sha256}")
        self.content(data_root)
        compared = "as its makers publish it" if self.sha256 else "its makers publish none to compare with"
        return f"{self.name}: {self.packed} unpacks, SHA-256 {found[:12]}… ({compared})"

    def content(self, data_root: Path) -> Path:
        """The folder with what is needed; unpacked once, whole or not at all.

        Raises:
            UserError: if the archive is broken, unsafe, or lacks what is needed.
        """
        file = self._file(data_root)
        if super().missing(data_root) is None or not file.is_file():
            return self.place(data_root)
        stamp = f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}"
        folder = cache_folder() / "unpacked" / f"{self.name}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
        if not folder.is_dir():
            found = sum_of(file).sha256 if self.sha256 else None
            if found != self.sha256:
                raise self._wrong(data_root, f"has the SHA-256 {found}, not {self.sha256}")
            fill_folder(folder, lambda aside: unpack(file, aside))
        unmet = [pattern for pattern in self.needs if not any((folder / self.inside).glob(pattern))]
        if unmet:
            raise self._wrong(data_root, f"has nothing that matches {self.inside}/{unmet[0]}")
        return folder / self.inside

    def _wrong(self, data_root: Path, reason: str) -> UserError:
        return UserError(
            f"{self._file(data_root)} {reason}; delete {self.place(data_root)} and fetch it again with "
            "'nacbench data fetch TASK'"
        )

    def _file(self, data_root: Path) -> Path:
        return self.place(data_root) / self.packed
