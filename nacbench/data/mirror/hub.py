"""Data sets of the Hugging Face hub, in a local mirror of the same layout; only ``HubFiles.fetch`` uses the network."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.mirror.door.shards import two_generations
from nacbench.data.mirror.parquet import class_names, count_rows, read_rows
from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of, resolved
from nacbench.filesystem.scratch import scratch_folder
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.data.mirror.door.distribution import DataSet, Distribution


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
            UserError: if two of them are the same part of it.
        """
        files = sorted(self.place(data_root).glob(self.splits[split]))
        if twice := two_generations([file.name for file in files]):
            where = self.place(data_root)
            raise UserError(f"{where} has {twice[0]} and {twice[1]}, two generations of one file; remove one")
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

    def _way(self, data_root: Path) -> str:
        return (
            "fetch it with 'nacbench data fetch TASK' where there is a network, import a copy with "
            "'nacbench data import TASK FOLDER'"
        )

    def origin(self) -> str:
        return f"https://{self}/tree/{self.revision}"

    def data_set(self) -> "DataSet":
        known = super().data_set()
        table = known.table.model_copy(update={"splits": self.splits})
        return known.model_copy(update={"table": table})

    def _own_forms(self) -> "list[Distribution]":
        from nacbench.data.mirror.door.hub_forms import hub_forms

        return hub_forms(self.name, self.revision, self.splits)

    def _download(self, data_root: Path) -> None:
        place = resolved(self.place(data_root))
        with scratch_folder(place) as folder:  # files in place stay until the download is complete
            published = self._snapshot(data_root, folder)
            pattern = self.lacking(folder)
            if pattern is not None:
                raise UserError(f"{self.name} on the hub, at revision {self.revision}, lacks files of {pattern}")
            known = all(str(file.relative_to(folder)) in published for file in self._matching(folder))
            basis = "as published on the hub" if known else "taken at the download: the hub publishes some of them only"
            self._compare(folder, published)
            made = folder / ".made"  # without what the hub's library keeps beside the files
            for file in self._matching(folder):
                (made / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
                file.rename(made / file.relative_to(folder))
            self._refuse_mixture(place, made)
            self._put(place, made, basis)

    def _refuse_mixture(self, place: Path, made: Path) -> None:
        """Raise a UserError if a folder has another generation of a split than that which would come beside it."""
        for pattern in self.needs:
            names = {file.name for folder in (place, made) for file in folder.glob(pattern)}
            if twice := two_generations(sorted(names)):
                raise UserError(
                    f"{place} has files of another generation: of {twice[0]} and {twice[1]} remove the old one"
                )

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

    def _compare(self, folder: Path, published: Mapping[str, str]) -> None:
        """Raise a UserError if a file has another SHA-256 than the hub publishes."""
        for file in self._matching(folder):
            name = str(file.relative_to(folder))
            found = digest_of(file)
            if published.get(name, found) != found:
                raise UserError(
                    f"{self.name}: {name} came with the SHA-256 {found}, but the hub has {published[name]}; "
                    "fetch it again"
                )

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
