"""Data sets of the Hugging Face hub, in a local mirror of the same layout; only ``HubFiles.fetch`` uses the network."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.mirror.intake import copy_files
from nacbench.data.mirror.manifest import make_manifest, read_manifest, write_manifest
from nacbench.data.mirror.parquet import class_names, count_rows, read_rows
from nacbench.errors import UserError
from nacbench.filesystem.scratch import scratch_folder
from nacbench.formats.terminal import say

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(-[0-9a-f]{8,64})?\.parquet$")  # the hub used to add a hash


@dataclass(frozen=True, kw_only=True)
class HubFiles(MirrorFiles):
    """Parquet files of one data set of the hub, at one revision. The folder may have other files.

    Attributes:
        name: ``owner/name`` on the hub, and the folder in the mirror.
        needs: glob patterns of all splits.
        revision: the commit that is fetched.
        splits: glob pattern of the files of each split in the repository.
    """

    revision: str
    splits: dict[str, str]
    needs: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", tuple(self.splits.values()))

    def __str__(self) -> str:
        return f"huggingface.co/datasets/{self.name}"

    def split_files(self, data_root: Path, split: str) -> list[Path]:
        """Return the files of a split, sorted.

        Raises:
            UserError: if there are two generations of them, so that each example would count twice.
        """
        files = sorted(self.place(data_root).glob(self.splits[split]))
        clash = two_generations(files)
        if clash:
            older, newer = sorted(clash, key=lambda file: file.stat().st_mtime)
            raise UserError(f"{older} and {newer} have the same examples of split {split}; remove one of them")
        return files

    def class_names(self, data_root: Path, split: str, column: str) -> list[str] | None:
        """Return the class names of a label column in a split's own files; None if they have none.

        Each split counts by its own names: those of another may differ.

        Raises:
            UserError: if the split's files have different names, or one is not a Parquet file.
        """
        found: list[str] | None = None
        for number, file in enumerate(self.split_files(data_root, split)):
            names = class_names(file, column)
            if number and names != found:
                raise UserError(f"{file} has other class names than the files of its split before it")
            found = names
        return found

    def lacking(self, folder: Path) -> str | None:
        """Return the pattern of the first split that lacks files; names such as ``-00000-of-00003`` tell how many."""
        for pattern in self.needs:
            shards = sorted(folder.glob(pattern))
            match = SHARD.search(shards[0].name) if shards else None
            numbers = {int(shard[1]) for file in shards if (shard := SHARD.search(file.name))}
            if not shards or (match and numbers != set(range(int(match[2]))) and not two_generations(shards)):
                return pattern
        return None

    def _way(self, data_root: Path) -> str:
        return (
            "fetch it with 'nacbench data fetch TASK' where there is a network, import a copy with "
            "'nacbench data import TASK FOLDER'"
        )

    def _is_occupied(self, place: Path) -> bool:
        return bool(self._matching(place))

    def _take(self, data_root: Path, found: Path, path: Path) -> None:
        place = self.place(data_root)
        with scratch_folder(place) as aside:
            copy_files(self._matching(found), found, aside)
            self._put(place, aside, {}, f"taken when they were imported from {path}")

    def _download(self, data_root: Path) -> None:
        place = self.place(data_root)
        with scratch_folder(place) as folder:  # files in place stay until the download is complete
            published = self._snapshot(data_root, folder)
            pattern = self.lacking(folder)
            if pattern is not None:
                raise UserError(f"{self.name} on the hub, at revision {self.revision}, lacks files of {pattern}")
            known = all(str(file.relative_to(folder)) in published for file in self._matching(folder))
            basis = "as published on the hub" if known else "taken at the download: the hub publishes some of them only"
            self._put(place, folder, published, basis)

    def _matching(self, folder: Path) -> list[Path]:
        return [file for pattern in self.needs for file in sorted(folder.glob(pattern))]

    def _snapshot(self, data_root: Path, folder: Path) -> dict[str, str]:
        """Download the files into a folder; return the SHA-256 that the hub publishes, by path (large files only)."""
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        if not sys.stderr.isatty():
            disable_progress_bars()
        try:
            info = HfApi().dataset_info(self.name, revision=self.revision, files_metadata=True)
            wanted = [f for f in info.siblings or () if any(fnmatchcase(f.rfilename, need) for need in self.needs)]
            size = f"{sum(file.size or 0 for file in wanted) / 1e6:,.1f} MB"
            say(f"downloading {self.name} ({size}) from the hub to {self.place(data_root)}", err=True)
            snapshot_download(
                self.name,
                repo_type="dataset",
                revision=self.revision,
                allow_patterns=list(self.needs),
                local_dir=folder,
            )
        except Exception as error:  # its own, OSError, or of its HTTP library, which differs by version
            way = (
                f"put its files {' and '.join(self.needs)} into {self.place(data_root)}, or a copy of it there with "
                "'nacbench data import TASK FOLDER'"
            )
            raise self._unreachable(data_root, "the hub", type(error).__name__, way) from error
        return {file.rfilename: file.lfs.sha256 for file in info.siblings or () if file.lfs}

    def _put(self, place: Path, folder: Path, published: Mapping[str, str], basis: str) -> None:
        """Move the files from a scratch folder into the mirror, with a manifest.

        The manifest is written first: if the process is killed between files, `verify` finds the missing ones.
        """
        url = f"https://{self}/tree/{self.revision}"
        manifest = make_manifest(folder, self._matching(folder), url=url, sha256=None, basis=basis)
        for name, file in manifest.files.items():
            if published.get(name, file.sha256) != file.sha256:
                raise UserError(
                    f"{self.name}: {name} came with the SHA-256 {file.sha256}, but the hub has {published[name]}; "
                    "fetch it again"
                )
        place.mkdir(parents=True, exist_ok=True)
        before = read_manifest(place)
        files = {**(before.files if before else {}), **manifest.files}
        write_manifest(place, manifest.model_copy(update={"files": files}))
        for name in manifest.files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).replace(place / name)

    def count(self, data_root: Path, split: str) -> int:
        """Return the number of rows of a split; raises as `rows`."""
        return sum(count_rows(file) for file in self.split_files(data_root, split))

    def rows(self, data_root: Path, split: str, columns: Sequence[str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the values of some columns in each row of a split, and the row's place (file and number) for errors.

        Raises:
            UserError: if a file is missing or broken, or lacks a column.
        """
        self.require(data_root)
        for file in self.split_files(data_root, split):
            for number, row in enumerate(read_rows(file, columns)):
                yield f"{file}, row {number}", tuple(row[column] for column in columns)


def two_generations(files: Sequence[Path]) -> tuple[Path, Path] | None:
    """Return two files of a split that cannot belong together, or None.

    The names of those that do, such as ``train-00001-of-00003``, have one total and different numbers. Other names say
    nothing, but not beside such ones.
    """
    shards = [(file, SHARD.search(file.name)) for file in files]
    for number, (file, shard) in enumerate(shards):
        for other, earlier in shards[:number]:
            if shard is None and earlier is None:
                continue
            if shard is None or earlier is None or shard[2] != earlier[2] or shard[1] == earlier[1]:
                return other, file
    return None
