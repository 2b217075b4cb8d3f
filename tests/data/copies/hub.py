"""The forms in which libraries and people keep data sets of the hub, made from its Parquet files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import datasets
import pandas as pd
import pyarrow.parquet as pq

from tests.data.copies.colours import write_files

Files = Mapping[str, bytes]
REVISION = "0b2714987fa478483af9968de7c934580d0bb9a2"


def cached(files: Files, folder: Path) -> Path:
    """The hub's own cache: links from a snapshot to files called after their digests."""
    top = folder / "datasets--uoft-cs--cifar10"
    write_files(top, {"refs/main": REVISION.encode(), f".no_exist/{REVISION}/README.md": b""})
    for number, (name, content) in enumerate(files.items()):
        blob = top / "blobs" / f"{number:064x}"
        write_files(top, {f"blobs/{blob.name}": content})
        link = top / "snapshots" / REVISION / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("../../../blobs") / blob.name)
    return top


def converted(files: Files, folder: Path) -> Path:
    """The branch refs/convert/parquet."""
    found = {f"plain_text/{split(name)}/0000.parquet": content for name, content in files.items()}
    return write_files(folder / "cifar10", found)


def flat(files: Files, folder: Path) -> Path:
    """One file a split, in one folder."""
    return write_files(folder, {f"{split(name)}.parquet": own for name, own in files.items()})


def saved(files: Files, folder: Path) -> Path:
    """What save_to_disk writes, with training data in two files."""
    opened(files, folder).save_to_disk(folder / "saved", num_shards={"train": 2, "test": 1})
    return folder / "saved"


def prepared(files: Files, folder: Path) -> Path:
    """The cache of the library, as ``load_dataset`` fills it."""
    opened(files, folder)
    return folder / "cache"


def by_pandas(files: Files, folder: Path) -> Path:
    """Parquet files that pandas has read and written again: without the names of classes."""
    for name, content in files.items():
        write_files(folder / "hub", {name: content})
        (folder / "pandas").mkdir(exist_ok=True)
        pd.read_parquet(folder / "hub" / name).to_parquet(folder / "pandas" / f"cifar10_{split(name)}.parquet")
    return folder / "pandas"


def renamed(files: Files, folder: Path) -> Path:
    """Files of another owner, who calls columns otherwise and adds one."""
    for name, content in files.items():
        write_files(folder / "hub", {name: content})
        table = pq.read_table(folder / "hub" / name)
        features = table.schema.metadata[b"huggingface"].replace(b'"img"', b'"image"').replace(b'"label"', b'"labels"')
        table = table.rename_columns(["image", "labels"]).append_column("id", [list(range(len(table)))])
        place = folder / "data" / f"{split(name)}-00000-of-00001-0a1b2c3d4e5f6071.parquet"
        place.parent.mkdir(exist_ok=True)
        pq.write_table(table.replace_schema_metadata({b"huggingface": features}), place)
    return folder / "data"


def named(files: Files, folder: Path) -> Path:
    """Files whose classes are text."""
    for name, content in files.items():
        write_files(folder / "hub", {name: content})
        table = pq.read_table(folder / "hub" / name)
        names = datasets.Dataset(table).features["label"].names
        rows = [{"image": row["img"], "label": names[row["label"]]} for row in table.to_pylist()]
        (folder / "named").mkdir(exist_ok=True)
        pd.DataFrame(rows).to_parquet(folder / "named" / f"{split(name)}.parquet")
    return folder / "named"


def opened(files: Files, folder: Path) -> datasets.DatasetDict:
    """The files as the library opens them, with its cache in the folder."""
    write_files(folder / "hub", files)
    found = {split(name): str(folder / "hub" / name) for name in files}
    cache = str(folder / "cache")
    opened = datasets.load_dataset("parquet", "cifar10", data_files=found, cache_dir=cache)
    assert isinstance(opened, datasets.DatasetDict)
    return opened


def split(name: str) -> str:
    """The split of a file of the hub's."""
    return Path(name).name.partition("-")[0]


FORMS: Mapping[str, Callable[[Files, Path], Path]] = {
    "the hub's cache": cached,
    "refs/convert/parquet": converted,
    "one folder": flat,
    "save_to_disk": saved,
    "the library's cache": prepared,
    "pandas": by_pandas,
    "other columns": renamed,
    "classes as text": named,
}
