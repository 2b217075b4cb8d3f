"""Where a task's files come from, other than the hub: archives that can be downloaded, and files that users bring.

Every kind fulfils `nacbench.contracts.task.DataFiles`; `nacbench.data.mirror.hub.HubDataset` is the one for the hub.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nacbench.data.mirror.intake import (
    copy_files,
    located,
    move_content,
    opened,
    refuse_occupied,
    sole_filler,
    unmatched,
    visible_files,
)
from nacbench.data.mirror.manifest import CHUNK, check_files, make_manifest, sum_of, write_manifest
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.files import fill_folder, utc_now, write_json

ANOTHER_MIRROR = "name a mirror with --data-root or NACBENCH_DATA"


@dataclass(frozen=True, kw_only=True)
class Files:
    """What archives and local files have in common.

    Attributes:
        name: the folder in the mirror.
        needs: paths and patterns, each of which must match something in that folder.
        url: where the files are to be had.
        terms: of their use.
    """

    name: str
    needs: tuple[str, ...]
    url: str
    terms: str = ""

    def place(self, data_root: Path) -> Path:
        """The folder of the mirror that they lie in."""
        return data_root / self.name

    def verify(self, data_root: Path) -> str:
        """Compare every file with the manifest, if there is one, and say in one line what was compared.

        Raises:
            UserError: if something is missing, or a file is not as it was; the message names the first one.
        """
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        return check_files(self.place(data_root), self.name, self._again())

    def missing(self, data_root: Path) -> str | None:
        """None where all that is needed is there, else one line: what is not, and what would bring it."""
        unmet = unmatched(self.place(data_root), self.needs)
        if unmet is None:
            return None
        return f"{self.name} is not in {data_root} (nothing matches {unmet}); {self._way(data_root)}"

    def _way(self, data_root: Path) -> str:
        raise NotImplementedError

    def _again(self) -> str:
        raise NotImplementedError

    def _inside(self) -> tuple[str, ...]:
        return (self.name,)

    def _located(self, folder: Path, named: Path) -> Path:
        return located(folder, named, self._inside(), lambda place: unmatched(place, self.needs))

    def _appear(self, data_root: Path, fill: Callable[[Path], None], *, basis: str, sha256: str | None = None) -> None:
        """Let the place appear whole, with its manifest."""

        def filled(aside: Path) -> None:
            fill(aside)
            write_manifest(aside, make_manifest(aside, url=self.url, sha256=sha256, basis=basis))

        fill_folder(self.place(data_root), filled)


@dataclass(frozen=True, kw_only=True)
class Archive(Files):
    """A zip or tar that anybody may download.

    Where its makers publish no checksum, that of the first one that proved to be the right data is kept beside the
    place (``.NAME.sha256.json``) and required from then on, even after the place was deleted.

    Attributes:
        sha256: of the archive, as its makers publish it; None: they do not.
        inside: the archive's folder that becomes the place; empty: its top.
        size: of the download, for people.
    """

    sha256: str | None
    size: str
    inside: str = ""

    def __str__(self) -> str:
        return self.url

    def fetch(self, data_root: Path) -> None:
        """Download and unpack it; it appears whole or not at all. A download that is whole is not repeated.

        Raises:
            UserError: if it cannot be had, is not the expected one, or cannot be unpacked safely.
        """
        place = self.place(data_root)
        with sole_filler(place):
            if self.missing(data_root) is None:
                return  # another process was quicker
            refuse_occupied(place)
            folder = cache_folder() / ".downloads" / f"{self.name}-{short_digest(str(place))}"
            file = self._download(data_root, folder)
            try:
                self._unpack(data_root, file, "at the first download")
            except UserError:
                shutil.rmtree(folder, ignore_errors=True)  # else the same broken one would be taken next time
                raise
            shutil.rmtree(folder, ignore_errors=True)

    def bring(self, data_root: Path, path: Path) -> None:
        """Put the files of an archive or a folder of the user's into the mirror; the user's own stay.

        Raises:
            UserError: if it lacks something, is not the expected archive, or data is there already.
        """
        place = self.place(data_root)
        with sole_filler(place):
            refuse_occupied(place)
            if path.is_file():
                self._unpack(data_root, path, "when it was imported")
                return
            with opened(path, place) as folder:
                source = self._located(folder, path)
                basis = f"taken when they were imported from {path}, not compared with the archive of their makers"
                files = visible_files(source)
                self._appear(data_root, lambda aside: copy_files(files, source, aside), basis=basis)

    def _way(self, data_root: Path) -> str:
        terms = f", {self.terms}" if self.terms else ""
        return (
            f"fetch it ({self.size}{terms}) with 'nacbench data fetch TASK' where there is a network, import "
            f"{self.url} with 'nacbench data import TASK FILE', or {ANOTHER_MIRROR}"
        )

    def _again(self) -> str:
        return "fetch it again with 'nacbench data fetch TASK'"

    def _inside(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.inside, self.name)))

    def _download(self, data_root: Path, folder: Path) -> Path:
        """The archive, whole and with the expected checksum if one is known."""
        import pooch

        pooch.get_logger().setLevel("WARNING")
        known = self.sha256 or self._trusted(data_root)
        try:
            downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=CHUNK)
            file = pooch.retrieve(self.url, known, fname="archive", path=folder, downloader=downloader)
        except ValueError as error:
            found = str(error).partition(" but got ")[2].partition(".")[0]
            if not (known and found):
                raise
            raise self._unexpected(data_root, self.url, found, known) from error
        except OSError as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            reason = error.strerror or (f"HTTP status {status}" if status else type(error).__name__)
            raise UserError(
                f"{self.name} is neither in {data_root} nor to be had from {self.url} ({reason}); download it where "
                f"you can and use 'nacbench data import TASK FILE', or {ANOTHER_MIRROR}"
            ) from error
        return Path(file)

    def _unpack(self, data_root: Path, file: Path, when: str) -> None:
        """Check an archive and let its content appear in the mirror."""
        found = sum_of(file).sha256
        expected = self.sha256 or self._trusted(data_root)
        if expected and expected != found:
            raise self._unexpected(data_root, file, found, expected)
        basis = (
            "from an archive with the SHA-256 that its makers publish"
            if self.sha256
            else f"trusted on first use: the makers publish no checksum, the archive's was taken {when}"
        )

        def fill(aside: Path) -> None:
            with opened(file, self.place(data_root)) as content:
                move_content(self._located(content, file), aside)
            if expected is None:
                write_json(self._trust_file(data_root), {"url": self.url, "sha256": found, "date": utc_now()})

        self._appear(data_root, fill, sha256=found, basis=basis)

    def _trust_file(self, data_root: Path) -> Path:
        place = self.place(data_root)
        return place.with_name(f".{place.name}.sha256.json")

    def _trusted(self, data_root: Path) -> str | None:
        """The checksum of the first archive from this address."""
        file = self._trust_file(data_root)
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            return str(content["sha256"]) if content["url"] == self.url else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} cannot be read ({error}); delete it to trust the next download") from error

    def _unexpected(self, data_root: Path, archive: str | Path, found: str, expected: str) -> UserError:
        if self.sha256:
            return UserError(
                f"{archive} has the SHA-256 {found}, but its makers publish {expected}; get it again from {self.url}"
            )
        return UserError(
            f"{archive} has the SHA-256 {found}, but the first one had {expected}; if its makers have changed it and "
            f"you trust them, delete {self._trust_file(data_root)}"
        )


@dataclass(frozen=True, kw_only=True)
class LocalFiles(Files):
    """Files that nobody may download automatically, or that have no lasting address: users bring them.

    Attributes:
        how: to get them, as an order: "get X and unpack it".
    """

    how: str

    def __str__(self) -> str:
        return f"{self.url} (by hand)"

    def fetch(self, data_root: Path) -> None:
        """Cannot be done.

        Raises:
            UserError: always; it says how to get the files, and where they belong.
        """
        raise UserError(f"{self.name} cannot be fetched automatically; {self._way(data_root)}")

    def bring(self, data_root: Path, path: Path) -> None:
        """Put the files of a folder or an archive of the user's into the mirror.

        The user's own files stay; in the same file system they are shared as hard links, as such data sets are big.

        Raises:
            UserError: if something is missing in it, or data is there already.
        """
        place = self.place(data_root)
        with sole_filler(place):
            refuse_occupied(place)
            basis = f"taken when they were imported from {path}"
            with opened(path, place) as folder:
                source = self._located(folder, path)
                files = visible_files(source)
                self._appear(data_root, lambda aside: copy_files(files, source, aside, link=True), basis=basis)

    def _way(self, data_root: Path) -> str:
        terms = f"; {self.terms}" if self.terms else ""
        return (
            f"{self.how} ({self.url}{terms}), then use 'nacbench data import TASK PATH' or put them into "
            f"{self.place(data_root)}, or {ANOTHER_MIRROR}"
        )

    def _again(self) -> str:
        return "import it again with 'nacbench data import TASK PATH'"


def short_digest(text: str) -> str:
    """Eight hexadecimal digits of a SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
