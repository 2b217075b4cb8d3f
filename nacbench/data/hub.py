"""Data sets of the hub, from a local mirror that is laid out like it; only `HubDataset.fetch` uses the network."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nacbench.data.places import cache_folder
from nacbench.errors import UserError

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

    def folder(self, data_root: Path) -> Path:
        """Where the mirror has it."""
        return data_root / self.repo

    def missing(self, data_root: Path) -> str | None:
        """None where every file is there, else one line that says what is not and what would bring it."""
        for split in self.files:
            shards = self.split_files(data_root, split)
            match = SHARD.search(shards[0].name) if shards else None
            if not shards or (match and len(shards) != int(match[2])):
                return (
                    f"{self.repo} is not in {data_root} ({len(shards)} files match {self.files[split]}); fetch it with "
                    "'nacbench data fetch TASK' where there is a network, or name a mirror with --data-root or "
                    "NACBENCH_DATA"
                )
        return None

    def split_files(self, data_root: Path, split: str) -> list[Path]:
        """The files of a split, sorted."""
        return sorted(self.folder(data_root).glob(self.files[split]))

    def stamp(self, data_root: Path) -> str:
        """Names, sizes and times of all files."""
        files = [file for split in self.files for file in self.split_files(data_root, split)]
        return "\n".join(f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)

    def fetch(self, data_root: Path) -> None:
        """Bring all files into the mirror; each appears whole, and `missing` is None only when all have.

        Raises:
            UserError: if the hub cannot be reached or does not have them.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        folder = self.folder(data_root)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=folder, prefix=".fetching-") as aside:  # what is there stays until all has come
                snapshot_download(
                    self.repo,
                    repo_type="dataset",
                    revision=self.revision,
                    allow_patterns=list(self.files.values()),
                    local_dir=Path(aside),
                )
                for pattern in self.files.values():
                    for file in sorted(Path(aside).glob(pattern)):
                        place = folder / file.relative_to(aside)
                        place.parent.mkdir(parents=True, exist_ok=True)
                        file.replace(place)
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise UserError(
                f"{self.repo} is neither in {data_root} nor to be had from the hub ({type(error).__name__}); "
                f"put its files {' and '.join(self.files.values())} into {folder}, or name a mirror "
                "with --data-root or NACBENCH_DATA"
            ) from error

    def load(self, data_root: Path) -> "DatasetDict":
        """All splits, opened with the library `datasets`.

        Raises:
            UserError: if a file is missing or broken.
        """
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        import datasets

        datasets.disable_progress_bars()
        files = {split: [str(file) for file in self.split_files(data_root, split)] for split in self.files}
        try:
            return datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache_folder() / "arrow"))
        except (datasets.exceptions.DatasetGenerationError, ValueError, OSError) as error:
            raise UserError(
                f"{self.repo} in {data_root} cannot be read ({error.__cause__ or error}); "
                f"delete {self.folder(data_root)} and fetch it again"
            ) from error
