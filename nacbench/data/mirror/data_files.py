"""Data files of a task in a mirror of data sets: shared code of all kinds, and files that users download themselves.

Every kind implements `nacbench.contracts.task.DataFiles`. The other kinds are
`nacbench.data.mirror.hub.HubFiles`, `nacbench.data.mirror.archive.ArchiveFiles` and
`nacbench.data.mirror.packed.PackedFiles`.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nacbench.data.mirror.intake import merge_content, move_content, sole_filler
from nacbench.data.mirror.manifest import check_files, make_manifest, read_manifest, write_manifest
from nacbench.errors import UserError
from nacbench.filesystem.files import fill_folder, resolved
from nacbench.filesystem.scratch import scratch_folder
from nacbench.formats.terminal import say as tell

if TYPE_CHECKING:
    from nacbench.data.mirror.door.distribution import DataSet, Distribution
    from nacbench.data.mirror.door.parts import Parts

ANOTHER_MIRROR = "name a mirror with --data-root or NACBENCH_DATA"


@dataclass(frozen=True, kw_only=True)
class MirrorFiles(ABC):
    """Files in one folder of a mirror: base of all kinds.

    Attributes:
        name: path of the folder in the mirror.
        needs: paths and glob patterns, each of which must match something in that folder.
        forms: name of the file in ``distributions`` that lists the forms in which users have the data, or path of a
            plug-in's own YAML file; empty for data that is only taken as the mirror has it.
        again: how to get damaged files again, for messages.
        links: how an import takes files: see `nacbench.data.mirror.door.looking.Wish`.
    """

    name: str
    needs: tuple[str, ...]
    forms: str = ""

    again: ClassVar[str] = "fetch it again with 'nacbench data fetch TASK'"
    links: ClassVar[str] = "copy"

    def place(self, data_root: Path) -> Path:
        """Return the folder of the files in the mirror."""
        return data_root / self.name

    def missing(self, data_root: Path) -> str | None:
        """Return None if all needed files are there, otherwise one line: what is missing, and how to get it."""
        place = self.place(data_root)
        pattern = self.lacking(place)
        if pattern is None:
            return None
        from nacbench.data.mirror.door.parts import told_lack

        found, way = told_lack(place, pattern), self._way(data_root)
        return f"{self.name} is not in {data_root} ({found}); {way}, or {ANOTHER_MIRROR}"

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
        with sole_filler(self.place(data_root), data_root):
            if self.missing(data_root) is not None:  # checked again, now with the lock
                self._download(data_root)

    def bring(self, data_root: Path, *paths: Path, link: bool = False, say: Callable[[str], None] = tell) -> None:
        """Import the data from folders, archives and files of a user; the user's files are not changed.

        What the mirror has already stays, so that parts that are imported one after another add up.

        Args:
            data_root: the mirror.
            paths: hold the data in a form that `data_set` lists, or a part of it.
            link: make links to files that are taken as they are instead of copies.
            say: called with each line that tells the user what was found.

        Raises:
            UnknownCopyError: if they hold no such form.
            ThereAlreadyError: if the mirror has all that they hold.
            UserError: if something in them is damaged, or the mirror cannot be filled.
        """
        place = self.place(data_root)
        with sole_filler(place, data_root):
            self._take(place, paths, "soft" if link else self.links, say)
        lacks = self.missing(data_root)
        if lacks:
            say(f"still missing: {lacks}")

    def data_set(self) -> "DataSet":
        """Return the forms in which users have the data, and the one that the mirror has."""
        from nacbench.data.mirror.door.distribution import DataSet, data_set

        known = data_set(self.forms) if self.forms else DataSet(title=self.name)
        own = [] if known.described else self._own_forms()
        parts = known.parts or {need: need for need in self.needs}
        return known.model_copy(update={"distributions": [*known.distributions, *own], "parts": parts})

    def parts(self, place: Path) -> "Parts":
        """Return the parts of the data set, and which of them a folder has."""
        from nacbench.data.mirror.door.parts import Parts

        return Parts(self.data_set(), place)

    def lacking(self, folder: Path) -> str | None:
        """Return the first needed path or pattern that nothing in a folder matches, or None."""
        from nacbench.data.mirror.door.parts import lack_of

        return next((need for need in self.needs if lack_of(folder, need) is not None), None)

    def _own_forms(self) -> "list[Distribution]":
        """Return the forms that need no description: that of the mirror itself."""
        from nacbench.data.mirror.door.distribution import Distribution
        from nacbench.data.mirror.door.readers.as_they_are import FilesAsTheyAre

        needs: dict[str, str | list[str]] = {need: need for need in self.needs}
        title = f"{self.name} as this suite's mirror has it"
        return [Distribution(name="mirror", title=title, needs=needs, may={"others": "*"}, reader=FilesAsTheyAre())]

    def _take(self, place: Path, paths: Sequence[Path], link: str, say: Callable[[str], None]) -> None:
        """Take a copy of a user's into a folder of the mirror, all or nothing."""
        from nacbench.data.mirror.door.looking import Wish
        from nacbench.data.mirror.door.taking import take

        real = resolved(place)  # a link may lead to another file system, where nothing can be moved to from here
        wish = Wish(self.data_set(), paths, link, say)
        with scratch_folder(real) as aside:
            scratch, made = aside / "unpacked", aside / "made"
            scratch.mkdir()
            made.mkdir()
            take(wish, scratch, made, self.parts(place))
            self._put(real, made, self._basis(paths))

    def _basis(self, paths: Sequence[Path]) -> str:
        """Return how the checksums of imported files are known."""
        return f"taken when they were imported from {', '.join(map(str, paths))}"

    def _put(self, place: Path, made: Path, basis: str, sha256: str | None = None) -> None:
        """Move the files from a scratch folder beside a folder of the mirror into it, with a manifest.

        A new folder appears whole. In one that has other files, whatever has no place there yet comes in one rename,
        and the manifest comes last: what it does not know was put there by hand, or the process was killed. Of parts
        that are now put it forgets files that are gone.
        """
        manifest = make_manifest(made, url=self.origin(), sha256=sha256, basis=basis)
        if not (place.is_dir() and any(place.iterdir())):
            write_manifest(made, manifest)
            fill_folder(place, lambda aside: move_content(made, aside))
            return
        before = read_manifest(place)
        parts = self.parts(place)
        put = parts.now_in(manifest.files)
        merge_content(made, place)
        kept = {
            name: own
            for name, own in (before.files if before else {}).items()
            if not parts.of(name) & put or os.path.lexists(place / name)
        }
        write_manifest(place, manifest.model_copy(update={"files": {**kept, **manifest.files}}))

    def _unreachable(self, data_root: Path, where: str, reason: str, way: str) -> UserError:
        return UserError(
            f"{self.name} is not in {data_root}, and cannot be downloaded from {where} ({reason}); {way}, or "
            f"{ANOTHER_MIRROR}"
        )

    # -- implemented by each kind --------------------------------------------------------------------------------------

    @abstractmethod
    def origin(self) -> str:
        """Return where the files come from, as a URL."""

    @abstractmethod
    def _way(self, data_root: Path) -> str:
        """Return how to get the files, for messages."""

    @abstractmethod
    def _download(self, data_root: Path) -> None:
        """Download the files into their folder in the mirror."""


@dataclass(frozen=True, kw_only=True)
class FolderFiles(MirrorFiles):
    """Files that have a folder of their own, so that the folder can be created atomically.

    Attributes:
        url: where to get the files.
        terms: of use.
    """

    url: str
    terms: str = ""

    def origin(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True)
class LocalFiles(FolderFiles):
    """Files that must be downloaded by hand, as they need a registration or have no permanent URL.

    Such data sets are large (ImageNet: 150 GB), so that an import makes hard links where the file system allows it, and
    copies otherwise.

    Attributes:
        how: instruction for the user: "get X"; an import takes it as it is.
    """

    how: str

    again: ClassVar[str] = "import it again with 'nacbench data import TASK PATH'"
    links: ClassVar[str] = "hard"

    def __str__(self) -> str:
        return f"{self.url} (by hand)"

    def _download(self, data_root: Path) -> None:
        raise UserError(f"{self.name} cannot be fetched automatically; {self._way(data_root)}, or {ANOTHER_MIRROR}")

    def _way(self, data_root: Path) -> str:
        terms = f"; {self.terms}" if self.terms else ""
        return (
            f"{self.how} ({self.url}{terms}), then use 'nacbench data import TASK PATH', or put their content into "
            f"{self.place(data_root)} as 'nacbench data where TASK' lists it"
        )
