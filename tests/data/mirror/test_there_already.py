"""Imports into a mirror that has something: no part is overwritten, doubled or mixed, and what is left out is told."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.mirror.door.refusals import ThereAlreadyError
from nacbench.errors import BrokenFileError
from nacbench.tasks.cifar10 import Cifar10
from nacbench.tasks.imagenet import Imagenet
from nacbench.tasks.nlvr import Nlvr
from nacbench.tasks.nlvr2 import Nlvr2
from nacbench.tasks.omniglot import Omniglot
from tests.data.copies import cifar, imagenet, nlvr, nlvr2, omniglot
from tests.data.copies.colours import write_files
from tests.data.mirror.archives import files_of

pytestmark = pytest.mark.usefixtures("cache")

TEN = cifar.examples("cifar10", batches=5)


def imported(files: MirrorFiles, root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    files.bring(root, *paths, say=lines.append)
    return lines


def test_class_tars_of_a_split_that_is_there_are_told_not_taken(root: Path, tmp_path: Path) -> None:
    tars = list(imagenet.train_tars().items())
    first, second = (write_files(tmp_path / f"t{n}", dict(tars[2 * n : 2 * n + 2])) for n in range(2))
    val = {name: own for name, own in imagenet.sorted_folders().items() if name.startswith("val/")}
    imported(Imagenet.files, root, first)
    said = imported(Imagenet.files, root, second, write_files(tmp_path / "v", val))
    assert said[0].startswith("there already, and not taken again: ImageNet's training images as their makers' tar has")
    assert said[0].endswith(f"({second})")
    assert sorted(path.name for path in (root / "imagenet/train").iterdir()) == sorted(imagenet.WNIDS[:2])


def whole_nlvr2(folder: Path) -> list[Path]:
    """Texts and photographs of all splits."""
    for split in nlvr2.SPLITS:
        write_files(folder / "photographs", nlvr2.photographs(split))
    return [write_files(folder / "repository", nlvr2.texts()), folder / "photographs"]


def test_a_part_of_a_split_does_not_replace_the_whole_one(root: Path, tmp_path: Path) -> None:
    imported(Nlvr2.files, root, *whole_nlvr2(tmp_path))
    before = files_of(root / "nlvr2")
    mine = write_files(tmp_path / "hub", nlvr2.hub())
    pq.write_table(pq.read_table(mine / "data/test-00000-of-00001.parquet").slice(0, 2), tmp_path / "test.parquet")
    for path in (mine, tmp_path / "test.parquet"):
        with pytest.raises(ThereAlreadyError, match="has data in it already; remove it first"):
            imported(Nlvr2.files, root, path)
    assert files_of(root / "nlvr2") == before


def test_of_a_copy_with_two_parts_the_new_one_is_taken(root: Path, tmp_path: Path) -> None:
    texts = write_files(tmp_path / "repository", nlvr2.texts())
    hub = write_files(tmp_path / "hub", nlvr2.hub())
    told = f"left out: data/train.json of {hub}; train-texts is there already"
    assert told in imported(Nlvr2.files, root.with_name("at once"), texts, hub)
    imported(Nlvr2.files, root, texts)
    assert told in imported(Nlvr2.files, root, hub)
    assert Nlvr2().fingerprint(root) == Nlvr2().fingerprint(root.with_name("at once"))


def test_the_repository_s_split_and_the_mirror_s_form_add_up_at_once(root: Path, tmp_path: Path) -> None:
    files = nlvr.repository()
    imported(Nlvr.files, tmp_path / "whole", write_files(tmp_path / "repository", files))
    train = write_files(tmp_path / "train", {name: own for name, own in files.items() if "nlvr/train/" in name})
    for name in ("validation.parquet", "test.parquet"):
        (tmp_path / "form").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "whole/nlvr" / name, tmp_path / "form")
    imported(Nlvr.files, root, train, tmp_path / "form")
    assert Nlvr().fingerprint(root) == Nlvr().fingerprint(tmp_path / "whole")


def cut_in_shards(files: dict[str, bytes], folder: Path) -> Path:
    """The hub's files with the training split in two."""
    write_files(folder, files)
    file = folder / "plain_text/train-00000-of-00001.parquet"
    table = pq.read_table(file)
    for number, part in enumerate((table.slice(0, 30), table.slice(30))):
        pq.write_table(part, file.with_name(f"train-0000{number}-of-00002.parquet"))
    file.unlink()
    return folder


def test_a_torn_split_is_named_and_not_mixed_with_another_copy(root: Path, tmp_path: Path) -> None:
    shards = cut_in_shards(cifar.hub(TEN, "plain_text", "label"), tmp_path / "shards")
    place = root / "uoft-cs/cifar10"
    (place / "plain_text").mkdir(parents=True)
    shutil.copy(shards / "plain_text/train-00000-of-00002.parquet", place / "plain_text")
    mine = write_files(tmp_path / "mine", cifar.python10(TEN))
    with pytest.raises(BrokenFileError, match=f"{place} has something of .*, but lacks train-00001-of-00002; complete"):
        imported(Cifar10.dataset, root, mine)
    assert [path.name for path in (place / "plain_text").iterdir()] == ["train-00000-of-00002.parquet"]


def test_a_split_that_was_removed_comes_from_another_copy(root: Path, tmp_path: Path) -> None:
    shards = cut_in_shards(cifar.hub(TEN, "plain_text", "label"), tmp_path / "shards")
    imported(Cifar10.dataset, root, shards)
    before = Cifar10().fingerprint(root)
    for file in (root / "uoft-cs/cifar10/plain_text").glob("train-*"):
        file.unlink()
    imported(Cifar10.dataset, root, write_files(tmp_path / "mine", cifar.python10(TEN)))
    assert Cifar10.dataset.verify(root).startswith("2 files checked: checksums match")
    assert Cifar10().fingerprint(root) == before


SETS = omniglot.sets()
SMALL = {**SETS["images_background_small1"], **SETS["images_background_small2"]}


@pytest.mark.parametrize("parquet_first", [True, False])
def test_omniglot_s_two_forms_are_not_mixed(
    parquet_first: bool, root: Path, tmp_path: Path, omniglot_parquet: Callable[[Path], Path]
) -> None:
    folders = write_files(tmp_path / "folders", SETS["images_background_small1"])
    copies = [omniglot_parquet(tmp_path / "one"), folders]
    first, second = copies if parquet_first else reversed(copies)
    imported(Omniglot.files, root, first)
    before = files_of(root / "omniglot")
    with pytest.raises(ThereAlreadyError):
        imported(Omniglot.files, root, second)
    assert files_of(root / "omniglot") == before


@pytest.fixture
def omniglot_parquet() -> Callable[[Path], Path]:
    """Makes the mirror's own form, with a few drawings."""

    def made(folder: Path) -> Path:
        import pyarrow as pa

        rows = [
            {
                "alphabet": name.split("/")[1],
                "character": name.split("/")[2],
                "drawer": int(name[-6:-4]),
                "image": {"bytes": content, "path": None},
            }
            for name, content in SMALL.items()
        ]
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist(rows), folder / "images_background_small.parquet")
        return folder

    return made
