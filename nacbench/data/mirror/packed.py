"""Archives that may stay packed in the mirror; their content is then unpacked into the cache."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.code_digest import short_digest
from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.data.mirror.cache import UNPACKED
from nacbench.data.mirror.manifest import is_intact, make_manifest, sum_of, write_manifest
from nacbench.data.mirror.places import cache_folder
from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError
from nacbench.filesystem.files import fill_folder, remove_broken

if TYPE_CHECKING:
    from nacbench.data.mirror.door.parts import Parts


@dataclass(frozen=True, kw_only=True)
class PackedFiles(ArchiveFiles):
    """An archive of which the mirror may have the packed file instead of its content.

    Attributes:
        packed: name of that file in its folder.
    """

    packed: str

    def missing(self, data_root: Path) -> str | None:
        return None if self._file(data_root).is_file() else super().missing(data_root)

    def parts(self, place: Path) -> "Parts":
        found = super().parts(place)
        if (place / self.packed).is_file():
            found.there |= found.names
        return found

    def verify(self, data_root: Path) -> str:
        if not self._is_packed(data_root):
            return super().verify(data_root)
        found = sum_of(self._file(data_root)).sha256
        if self.sha256 and found != self.sha256:
            raise self._wrong(data_root, f"has the SHA-256 {found}, not {self.sha256}")
        self.require(data_root)
        compared = "as its makers publish it" if self.sha256 else "its makers publish none"
        return f"{self.name}: {self.packed} unpacks, SHA-256 {found[:12]}… ({compared})"

    def require(self, data_root: Path) -> Path:
        """Return the folder with the needed files; a packed file is unpacked once, all or nothing.

        Raises:
            UserError: if neither content nor archive is there, or the archive is broken, unsafe, or not complete.
        """
        if not self._is_packed(data_root):
            return super().require(data_root)
        file = self._file(data_root)
        found = sum_of(file).sha256
        if self.sha256 and found != self.sha256:
            raise self._wrong(data_root, f"has the SHA-256 {found}, not {self.sha256}")
        folder = cache_folder() / UNPACKED / f"{self.name}-{short_digest(found.encode())}"
        remove_broken(folder, is_intact)
        if not folder.exists():
            fill_folder(folder, lambda aside: self._unpack_all(file, aside))
        unmet = self.lacking(folder / self.inside)
        if unmet:
            raise self._wrong(data_root, f"has nothing that matches {self.inside}/{unmet}")
        return folder / self.inside

    def _unpack_all(self, file: Path, aside: Path) -> None:
        unpack(file, aside)
        basis = "taken when the archive was unpacked"
        write_manifest(aside, make_manifest(aside, url=self.url, sha256=self.sha256, basis=basis))

    def _is_packed(self, data_root: Path) -> bool:
        """Return whether only the packed file is there."""
        return super().missing(data_root) is not None and self._file(data_root).is_file()

    def _wrong(self, data_root: Path, reason: str) -> UserError:
        return UserError(f"{self._file(data_root)} {reason}; delete {self.place(data_root)} and {self.again}")

    def _file(self, data_root: Path) -> Path:
        return self.place(data_root) / self.packed
