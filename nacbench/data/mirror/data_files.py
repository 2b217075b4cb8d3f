"""Data files of a task in a mirror of data sets: shared code of all kinds, and files that users download themselves.

Every kind implements `nacbench.contracts.task.DataFiles`. The other kinds are
`nacbench.data.mirror.hub.HubFiles`, `nacbench.data.mirror.archive.ArchiveFiles` and
`nacbench.data.mirror.packed.PackedFiles`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nacbench.data.mirror.intake import copy_files, located, opened, sole_filler, visible_files
from nacbench.data.mirror.manifest import check_files, make_manifest, write_manifest
from nacbench.errors import UserError
from nacbench.filesystem.files import fill_folder

ANOTHER_MIRROR = "name a mirror with --data-root or NACBENCH_DATA"


@dataclass(frozen=True, kw_only=True)
class MirrorFiles(ABC):
    """Files in one folder of a mirror: base of all kinds.

    Attributes:
        name: path of the folder in the mirror.
        needs: paths and glob patterns, each of which must match something in that folder.
        again: how to get damaged files again, for messages.
    """

    name: str
    needs: tuple[str, ...]

    again: ClassVar[str] = "fetch it again with 'nacbench data fetch TASK'"

    def place(self, data_root: Path) -> Path:
        """Return the folder of the files in the mirror."""
        return data_root / self.name

    def missing(self, data_root: Path) -> str | None:
        """Return None if all needed files are there, otherwise one line: what is missing, and how to get it."""
        place = self.place(data_root)
        pattern = self.lacking(place)
        if pattern is None:
            return None
        found = sum(1 for _ in place.glob(pattern))
        way = self._way(data_root)
        return f"{self.name} is not in {data_root} ({found} files match {pattern}); {way}, or {ANOTHER_MIRROR}"

    def require(self, data_root: Path) -> Path:
        """Return the folder with the files.

        Raises:
            UserError: if something is missing; the message says what, and how to get it.
        """
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        return self.place(data_root)

    def verify(self, data_root: Path) -> str:
        """Compare every file with the manifest, if there is one; return one line on what was compared.

        Raises:
            UserError: if something is missing, or a file is damaged or changed; the message names the first one.
        """
        return check_files(self.require(data_root), self.name, self.again)

    def fetch(self, data_root: Path) -> None:
        """Download the files, unless another process has done so meanwhile.

        Raises:
            UserError: if they cannot be downloaded, or their checksum is not the published one.
        """
        with sole_filler(self.place(data_root)):
            if self.missing(data_root) is not None:  # checked again, now with the lock
                self._download(data_root)

    def bring(self, data_root: Path, path: Path) -> None:
        """Import the files of a user's folder or archive into the mirror; the user's files are not changed.

        Raises:
            UserError: if something is missing in it, it is not the right archive, or the mirror has data there already.
        """
        place = self.place(data_root)
        with sole_filler(place):
            self._refuse_occupied(place)
            self._import(data_root, path)

    def lacking(self, folder: Path) -> str | None:
        """Return the first needed path or pattern that nothing in a folder matches, or None."""
        return next((need for need in self.needs if next(folder.glob(need), None) is None), None)

    def _import(self, data_root: Path, path: Path) -> None:
        with opened(path, self.place(data_root), self._refuse_incomplete) as given:
            self._take(data_root, self._located(given, path), path)

    def _located(self, folder: Path, named: Path) -> Path:
        return located(folder, named, self._inside(), self.lacking)

    def _refuse_incomplete(self, archive: Path, names: Sequence[str]) -> None:
        """Raise a UserError if an archive lacks needed files by the names in it: large ones are unpacked for hours."""
        unmet = [lacking_by_name(names, place, self.needs) for place in (*self._inside(), "")]
        if None not in unmet:
            raise UserError(f"{archive} is not complete; it lacks {unmet[0]}")

    def _inside(self) -> Sequence[str]:
        """Return paths in a folder or archive at which the data may be."""
        return self.name, Path(self.name).name

    def _refuse_occupied(self, place: Path) -> None:
        if self._is_occupied(place):
            raise UserError(f"{place} has data in it already; remove it first")

    def _unreachable(self, data_root: Path, where: str, reason: str, way: str) -> UserError:
        return UserError(
            f"{self.name} is not in {data_root}, and cannot be downloaded from {where} ({reason}); {way}, or "
            f"{ANOTHER_MIRROR}"
        )

    # -- implemented by each kind --------------------------------------------------------------------------------------

    @abstractmethod
    def _way(self, data_root: Path) -> str:
        """Return how to get the files, for messages."""

    @abstractmethod
    def _is_occupied(self, place: Path) -> bool:
        """Return whether the folder has data that an import would overwrite."""

    @abstractmethod
    def _download(self, data_root: Path) -> None:
        """Download the files into their folder in the mirror."""

    @abstractmethod
    def _take(self, data_root: Path, found: Path, path: Path) -> None:
        """Copy the files of `found`, which is `path` or a folder in it, into their folder in the mirror."""


def lacking_by_name(names: Sequence[str], place: str, needs: Sequence[str]) -> str | None:
    """Return the first needed path or pattern that no name in a folder matches, or None.

    Args:
        names: paths of files.
        place: path of the folder; empty for the top.
        needs: paths and patterns relative to the folder, in which ``*`` stands for part of a name.
    """
    for need in needs:
        path = re.escape(f"{place}/{need}" if place else need).replace(r"\*", "[^/]*")
        if not any(map(re.compile(rf"(\./)?{path}(/.*)?").fullmatch, names)):
            return need
    return None


@dataclass(frozen=True, kw_only=True)
class FolderFiles(MirrorFiles):
    """Files that have a folder of their own, so that the folder can be created atomically.

    Attributes:
        url: where to get the files.
        terms: of use.
        shared: whether an import makes hard links to the user's files instead of copies.
        uncompared: what the manifest says of imported files besides the date.
    """

    url: str
    terms: str = ""

    shared: ClassVar[bool] = False
    uncompared: ClassVar[str] = ""

    def _is_occupied(self, place: Path) -> bool:
        return place.exists() and (not place.is_dir() or any(place.iterdir()))

    def _take(self, data_root: Path, found: Path, path: Path) -> None:
        files = visible_files(found)
        basis = f"taken when they were imported from {path}{self.uncompared}"
        self._appear(data_root, lambda aside: copy_files(files, found, aside, link=self.shared), basis=basis)

    def _appear(self, data_root: Path, fill: Callable[[Path], None], *, basis: str, sha256: str | None = None) -> None:
        """Create the folder atomically, with its manifest."""

        def filled(aside: Path) -> None:
            fill(aside)
            write_manifest(aside, make_manifest(aside, url=self.url, sha256=sha256, basis=basis))

        fill_folder(self.place(data_root), filled)


@dataclass(frozen=True, kw_only=True)
class LocalFiles(FolderFiles):
    """Files that must be downloaded by hand, as they need a registration or have no permanent URL.

    Such data sets are large (ImageNet: 150 GB), so that an import makes hard links where the file system allows it, and
    copies otherwise.

    Attributes:
        how: instruction for the user: "get X and unpack it".
    """

    how: str

    again: ClassVar[str] = "import it again with 'nacbench data import TASK PATH'"
    shared: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"{self.url} (by hand)"

    def _download(self, data_root: Path) -> None:
        raise UserError(f"{self.name} cannot be fetched automatically; {self._way(data_root)}, or {ANOTHER_MIRROR}")

    def _way(self, data_root: Path) -> str:
        terms = f"; {self.terms}" if self.terms else ""
        return (
            f"{self.how} ({self.url}{terms}), then use 'nacbench data import TASK PATH' or put them into "
            f"{self.place(data_root)}"
        )
