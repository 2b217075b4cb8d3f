"""Data sets of the hub, from a local mirror that is laid out like it; only `HubDataset.fetch` uses the network."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.data.mirror.intake import copy_files, located, opened, scratch_folder, sole_filler
from nacbench.data.mirror.manifest import Manifest, check_files, read_manifest, sum_of, write_manifest
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.files import utc_now

if TYPE_CHECKING:
    from datasets import DatasetDict

SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.parquet$")


@dataclass(frozen=True, kw_only=True)
class HubDataset:
    """Some Parquet files of one data set, at one revision.

    Attributes:
        repo: ``owner/name`` on the hub; the mirror has a folder of this name.
        revision: the commit that is fetched.
        files: for each split, the pattern of its files inside the repository.
    """

    repo: str
    revision: str
    files: dict[str, str]

    def __str__(self) -> str:
        return f"huggingface.co/datasets/{self.repo}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The patterns of the files that belong to it."""
        return tuple(self.files.values())

    def place(self, data_root: Path) -> Path:
        """The folder of the mirror that it lies in."""
        return data_root / self.repo

    def missing(self, data_root: Path) -> str | None:
        """None where every file is there, else one line that says what is not and what would bring it."""
        place = self.place(data_root)
        pattern = self._lacking(place)
        if pattern is None:
            return None
        found = len(list(place.glob(pattern)))
        return (
            f"{self.repo} is not in {data_root} ({found} files match {pattern}); fetch it with "
            "'nacbench data fetch TASK' where there is a network, import a copy with "
            "'nacbench data import TASK FOLDER', or name a mirror with --data-root or NACBENCH_DATA"
        )

    def split_files(self, data_root: Path, split: str) -> list[Path]:
        """The files of a split, sorted."""
        return sorted(self.place(data_root).glob(self.files[split]))

    def class_names(self, data_root: Path, split: str, column: str) -> list[str] | None:
        """The names that a split's own files give to the labels in a column; None where they give none.

        The library that reads the rows takes one list for all splits, whatever the others say.

        Raises:
            UserError: if the split's files do not agree, or one is no Parquet file.
        """
        found: list[str] | None = None
        for number, file in enumerate(self.split_files(data_root, split)):
            names = (_features(file).get(column) or {}).get("names")
            if number and names != found:
                raise UserError(f"{file} has other class names than the files of its split before it")
            found = names
        return found

    def stamp(self, data_root: Path) -> str:
        """Names, sizes and times of all files."""
        files = [file for split in self.files for file in self.split_files(data_root, split)]
        return "\n".join(f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)

    def fetch(self, data_root: Path) -> None:
        """Bring all files into the mirror; each appears whole, and `missing` is None only when all have.

        Raises:
            UserError: if the hub cannot be reached or does not have them, or one is not what the hub says it is.
        """
        place = self.place(data_root)
        with sole_filler(place), scratch_folder(place) as aside:  # what is there stays until all has come
            if self.missing(data_root) is None:
                return  # another process was quicker
            folder = Path(aside)
            published = self._download(data_root, folder)
            pattern = self._lacking(folder)
            if pattern is not None:
                raise UserError(f"{self.repo} on the hub, at revision {self.revision}, has not all of {pattern}")
            known = all(str(file.relative_to(folder)) in published for file in self._matching(folder))
            basis = "as published on the hub" if known else "taken at the download: the hub publishes some of them only"
            self._put(place, folder, published, basis)

    def verify(self, data_root: Path) -> str:
        """Compare every file with the manifest, if there is one, and say in one line what was compared.

        Raises:
            UserError: if something is missing, or a file is not as it was; the message names the first one.
        """
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        return check_files(self.place(data_root), self.repo, "fetch it again with 'nacbench data fetch TASK'")

    def bring(self, data_root: Path, path: Path) -> None:
        """Put the files of a folder or an archive of the user's, laid out as on the hub, into the mirror.

        Raises:
            UserError: if something is missing in it, or data is there already.
        """
        place = self.place(data_root)
        with sole_filler(place), scratch_folder(place) as aside:
            if self._matching(place):
                raise UserError(f"{place} has data in it already; remove it first")
            folder = Path(aside)
            with opened(path, place) as given:
                source = located(given, path, (self.repo, place.name), self._lacking)
                copy_files(self._matching(source), source, folder)
            self._put(place, folder, {}, f"taken when they were imported from {path}")

    def _lacking(self, folder: Path) -> str | None:
        """The pattern of the first split that is not there in all its parts."""
        for pattern in self.needs:
            shards = sorted(folder.glob(pattern))
            match = SHARD.search(shards[0].name) if shards else None
            if not shards or (match and len(shards) != int(match[2])):
                return pattern
        return None

    def _matching(self, folder: Path) -> list[Path]:
        return [file for pattern in self.needs for file in sorted(folder.glob(pattern))]

    def _download(self, data_root: Path, folder: Path) -> dict[str, str]:
        """Bring the files into a folder and give the SHA-256 that the hub has published of each, by its path."""
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        if not sys.stderr.isatty():
            disable_progress_bars()
        try:
            snapshot_download(
                self.repo,
                repo_type="dataset",
                revision=self.revision,
                allow_patterns=list(self.needs),
                local_dir=folder,
            )
            info = HfApi().dataset_info(self.repo, revision=self.revision, files_metadata=True)
        except Exception as error:  # of its own, of the system, or of the HTTP library, which its versions differ in
            raise UserError(
                f"{self.repo} is neither in {data_root} nor to be had from the hub ({type(error).__name__}); "
                f"put its files {' and '.join(self.needs)} into {self.place(data_root)}, or a copy of it there with "
                "'nacbench data import TASK FOLDER', or name a mirror with --data-root or NACBENCH_DATA"
            ) from error
        return {file.rfilename: file.lfs.sha256 for file in info.siblings or () if file.lfs}

    def _put(self, place: Path, folder: Path, published: Mapping[str, str], basis: str) -> None:
        """Move the files from a folder beside the place into it, with a manifest.

        The manifest comes first: where a kill leaves some of the files, they do not pass for checked ones.
        """
        files = {str(file.relative_to(folder)): sum_of(file) for file in self._matching(folder)}
        for name, file in files.items():
            if published.get(name, file.sha256) != file.sha256:
                raise UserError(
                    f"{self.repo}: {name} came with the SHA-256 {file.sha256}, but the hub has {published[name]}; "
                    "fetch it again"
                )
        place.mkdir(parents=True, exist_ok=True)
        before = read_manifest(place)
        merged = {**(before.files if before else {}), **files}
        url = f"https://{self}/tree/{self.revision}"
        write_manifest(place, Manifest(url=url, sha256=None, basis=basis, date=utc_now(), files=merged))
        for name in files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).replace(place / name)

    def load(self, data_root: Path) -> "DatasetDict":
        """All splits, opened with the library ``datasets``.

        Raises:
            UserError: if a file is missing or broken.
        """
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        import datasets

        datasets.disable_progress_bars()
        files = {split: [str(file) for file in self.split_files(data_root, split)] for split in self.files}
        for file in (own for split in self.files for own in self.split_files(data_root, split)):
            _features(file)  # names a broken one, as the library does not
        try:
            return datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache_folder() / "arrow"))
        except (datasets.exceptions.DatasetGenerationError, ValueError, OSError) as error:
            raise UserError(
                f"{self.repo} in {data_root} cannot be read ({error.__cause__ or error}); "
                f"delete {self.place(data_root)} and fetch it again"
            ) from error


def _features(file: Path) -> dict[str, Any]:
    """What a Parquet file's footer says of its columns in the hub's own terms, by column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        head = pq.read_schema(file).metadata or {}
        features = json.loads(head.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}; delete it and fetch it again") from error
    return features if isinstance(features, dict) else {}
