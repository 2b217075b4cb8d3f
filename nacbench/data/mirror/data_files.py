"""The files that a task needs, in a mirror of data sets: what all kinds share, and files that users bring.

Every kind fulfils the contract of data files in `nacbench.contracts.task`. The other kinds are
`nacbench.data.mirror.hub.HubFiles`, `nacbench.data.mirror.archive.ArchiveFiles` and
`nacbench.data.mirror.packed.PackedFiles`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nacbench.data.mirror.intake import copy_files, located, opened, sole_filler, visible_files
from nacbench.data.mirror.manifest import check_files, make_manifest, write_manifest
from nacbench.errors import UserError
from nacbench.files import fill_folder

ANOTHER_MIRROR = "name a mirror with --data-root or NACBENCH_DATA"


@dataclass(frozen=True, kw_only=True)
class MirrorFiles:
    """Files in one folder of a mirror, whatever way they came.

    Attributes:
        name: path of the folder in the mirror.
        needs: paths and patterns, each of which must match something in that folder.
        again: how to get damaged files again, for messages.
    """

    name: str
    needs: tuple[str, ...]

    again: ClassVar[str] = "fetch it again with 'nacbench data fetch TASK'"

    def place(self, data_root: Path) -> Path:
        """The folder of the mirror that they lie in."""
        return data_root / self.name

    def missing(self, data_root: Path) -> str | None:
        """None where everything that is needed is there, otherwise one line: what is not, and what would bring it."""
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
            UserError: if something is missing; the message says what, and what would bring it.
        """
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        return self.place(data_root)

    def verify(self, data_root: Path) -> str:
        """Compare every file with the manifest, if there is one, and say in one line what was compared.

        Raises:
            UserError: if something is missing, or a file is not as it was; the message names the first one.
        """
        return check_files(self.require(data_root), self.name, self.again)

    def fetch(self, data_root: Path) -> None:
        """Download the files; `missing` is None only when all have come.

        Raises:
            UserError: if they cannot be downloaded, or are not what their makers publish.
        """
        with sole_filler(self.place(data_root)):
            if self.missing(data_root) is not None:  # otherwise another process was quicker
                self._download(data_root)

    def bring(self, data_root: Path, path: Path) -> None:
        """Put the files of a folder or an archive of the user's into the mirror; the user's own stay.

        Raises:
            UserError: if something is missing in it, it is not the right archive, or data is there already.
        """
        place = self.place(data_root)
        with sole_filler(place):
            self._refuse_occupied(place)
            self._import(data_root, path)

    def lacking(self, folder: Path) -> str | None:
        """The first of the needed paths and patterns that a folder does not have, or None."""
        return next((need for need in self.needs if next(folder.glob(need), None) is None), None)

    def _import(self, data_root: Path, path: Path) -> None:
        with opened(path, self.place(data_root)) as given:
            self._take(data_root, self._located(given, path), path)

    def _located(self, folder: Path, named: Path) -> Path:
        return located(folder, named, self._inside(), self.lacking)

    def _inside(self) -> Sequence[str]:
        """Paths that may lead from a folder or an archive to the data in it."""
        return self.name, Path(self.name).name

    def _refuse_occupied(self, place: Path) -> None:
        if self._is_occupied(place):
            raise UserError(f"{place} has data in it already; remove it first")

    def _unreachable(self, data_root: Path, where: str, reason: str, way: str) -> UserError:
        return UserError(
            f"{self.name} is not in {data_root}, and cannot be downloaded from {where} ({reason}); {way}, or "
            f"{ANOTHER_MIRROR}"
        )

    # -- what each kind says -------------------------------------------------------------------------------------------

    def _way(self, data_root: Path) -> str:
        """What would bring the files, in words."""
        raise NotImplementedError

    def _is_occupied(self, place: Path) -> bool:
        """Whether files that are brought would meet others in the folder."""
        raise NotImplementedError

    def _download(self, data_root: Path) -> None:
        """Get the files through the network and put them into their place."""
        raise NotImplementedError

    def _take(self, data_root: Path, found: Path, path: Path) -> None:
        """Put the files of a folder, which is what the user named or a part of it, into their place."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FolderFiles(MirrorFiles):
    """Files that fill their folder alone, so that it appears as a whole.

    Attributes:
        url: where to get the files.
        terms: of their use.
        shared: whether what a user brings is shared with the user's folder (as hard links) rather than copied.
        uncompared: what the manifest adds of files that a user brought.
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
        """Let the place appear whole, with its manifest."""

        def filled(aside: Path) -> None:
            fill(aside)
            write_manifest(aside, make_manifest(aside, url=self.url, sha256=sha256, basis=basis))

        fill_folder(self.place(data_root), filled)


@dataclass(frozen=True, kw_only=True)
class LocalFiles(FolderFiles):
    """Files that nobody may download automatically, or that have no lasting address: users bring them.

    Such data sets are big: in the same file system they are shared with the user's folder.

    Attributes:
        how: to get them, as an order: "get X and unpack it".
    """

    how: str

    again: ClassVar[str] = "import it again with 'nacbench data import TASK PATH'"
    shared: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"{self.url} (by hand)"

    def fetch(self, data_root: Path) -> None:
        """Refuse.

        Raises:
            UserError: always; it says how to get the files, and where they belong.
        """
        raise UserError(f"{self.name} cannot be fetched automatically; {self._way(data_root)}, or {ANOTHER_MIRROR}")

    def _way(self, data_root: Path) -> str:
        terms = f"; {self.terms}" if self.terms else ""
        return (
            f"{self.how} ({self.url}{terms}), then use 'nacbench data import TASK PATH' or put them into "
            f"{self.place(data_root)}"
        )
