"""Archives that cannot be opened, links that lead nowhere and lists that are there twice, beside a good copy."""

import gzip
from pathlib import Path

import pytest

from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.mirror.door.refusals import UnknownCopyError
from nacbench.errors import BrokenFileError, UserError
from nacbench.tasks.cifar10 import Cifar10
from nacbench.tasks.imagenet import Imagenet
from nacbench.tasks.omniglot import Omniglot
from tests.data.copies import cifar, imagenet, omniglot
from tests.data.copies.colours import write_files
from tests.data.mirror.archives import tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

SETS = omniglot.sets()
FIRST, SECOND = (zipped(SETS[f"images_background_small{number}"]) for number in (1, 2))
DEVKIT = imagenet.devkit()  # once, as its MATLAB file has the time in it
MAKERS = {
    "ILSVRC2012_img_train.tar": tarred(imagenet.train_tars(), ""),
    "ILSVRC2012_img_val.tar": tarred(imagenet.flat(), ""),
    "ILSVRC2012_devkit_t12.tar.gz": tarred(DEVKIT),
}


def imported(files: MirrorFiles, root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    files.bring(root, *paths, say=lines.append)
    return lines


def test_a_cut_archive_beside_a_good_one_is_refused(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {"small1.zip": FIRST, "small2.zip": SECOND[: len(SECOND) // 2]})
    told = r"mine/small2\.zip is a truncated zip archive.*nothing was taken, as the rest of Omniglot may be in there"
    with pytest.raises(BrokenFileError, match=told):
        imported(Omniglot.files, root, mine)
    assert not root.exists()


@pytest.mark.parametrize("cut", MAKERS)
def test_each_of_imagenet_s_archives_is_missed(cut: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**MAKERS, cut: MAKERS[cut][: len(MAKERS[cut]) // 2]})
    with pytest.raises(BrokenFileError, match=f"mine/{cut} is truncated"):
        imported(Imagenet.files, root, mine)
    assert not root.exists()


def test_a_cut_archive_that_has_nothing_of_what_is_missing_is_told(root: Path, tmp_path: Path) -> None:
    files = {**MAKERS, "other.zip": FIRST[:100]}
    said = imported(Imagenet.files, root, write_files(tmp_path / "mine", files))
    assert [line for line in said if line.startswith("not opened: ")] == [
        f"not opened: {tmp_path}/mine/other.zip is a truncated zip archive: the list of members at its end is missing; "
        "get it again"
    ]


TEN = {name: own for name, own in cifar.python10(cifar.examples("cifar10", 5)).items() if "test_batch" not in name}


@pytest.mark.parametrize("content", [b"hello", b"a line of a log\n" * 1000])
def test_what_is_lacking_is_told_and_not_a_packed_file_beside(content: bytes, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**TEN, "log.txt.gz": gzip.compress(content)})
    with pytest.raises(UnknownCopyError) as caught:
        imported(Cifar10.dataset, root, mine, mine / "log.txt.gz")
    assert "it lacks test_batch; the nearest form" in str(caught.value)
    assert "is not" not in str(caught.value).replace("is not complete", "")
    assert "compressed" not in str(caught.value)


def test_what_is_lacking_is_told_before_a_cut_archive(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match=r"it lacks test_batch; .*; .*/other\.zip is a truncated zip archive"):
        imported(Cifar10.dataset, root, write_files(tmp_path / "mine", {**TEN, "other.zip": FIRST[:100]}))


def test_a_tar_with_the_suffix_gz_alone_is_opened(root: Path, tmp_path: Path) -> None:
    (tmp_path / "release.gz").write_bytes(tarred(cifar.python10(cifar.examples("cifar10", 5))))
    assert imported(Cifar10.dataset, root, tmp_path / "release.gz")[0].startswith("recognised: CIFAR-10's python")


@pytest.mark.parametrize("target", ["/nowhere", ".."])
def test_a_link_that_leads_nowhere_elsewhere_in_a_folder_does_not_matter(
    target: str, root: Path, tmp_path: Path
) -> None:
    mine = write_files(tmp_path / "mine/imagenet", imagenet.sorted_folders()).parent
    (mine / "old").mkdir()
    (mine / "old/link").symlink_to(target)
    (mine / "old/link.tar").symlink_to("/nowhere")
    imported(Imagenet.files, root, mine)
    (mine / "imagenet/val/n01440764/link.JPEG").symlink_to(target)
    with pytest.raises(UserError, match=r"mine/imagenet/val/n01440764/link\.JPEG is a link"):
        imported(Imagenet.files, root.with_name("another"), mine)


def test_a_list_beside_the_archive_that_it_came_in_is_one_list(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**MAKERS, **DEVKIT})
    assert any("with the devkit's ground truth" in line for line in imported(Imagenet.files, root, mine))


def test_two_lists_are_refused_before_anything_is_unpacked(root: Path, tmp_path: Path) -> None:
    truth = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
    mine = write_files(tmp_path / "mine", {**MAKERS, **DEVKIT, truth: b"1\n" + DEVKIT[truth]})
    said: list[str] = []
    with pytest.raises(BrokenFileError, match="are two files of one kind; remove one"):
        Imagenet.files.bring(root, mine, say=said.append)
    assert not any(line.startswith("read: ") for line in said)


def test_a_copy_lies_deep(root: Path, tmp_path: Path) -> None:
    top = "data/kaggle/competitions/2012/imagenet-object-localization-challenge"
    said = imported(
        Imagenet.files,
        root,
        write_files(tmp_path / "mine", {f"{top}/{name}": own for name, own in imagenet.kaggle().items()}),
    )
    assert [line.partition(":")[0] for line in said] == ["recognised", "recognised", "read", "read"]


def test_folders_that_are_not_looked_into_are_told(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = imagenet.sorted_folders()
    moved = {f"x/y/z/{name}" if name.startswith("val/") else name: own for name, own in files.items()}
    for most in (100, 5):
        for module in ("looking", "tree"):
            monkeypatch.setattr(f"nacbench.data.mirror.door.{module}.MOST_BASES", most)
        said = imported(Imagenet.files, root.with_name(f"root {most}"), write_files(tmp_path / "mine", moved))
        told = "looked into the 5 folders nearest to the top only; if something is not found, name its own"
        assert (told in said) == (most == 5)
        assert ("still missing" in said[-1]) == (most == 5)


def test_archives_in_the_mirror_s_folder_are_no_data(root: Path) -> None:
    place = write_files(
        root / "omniglot", {"images_background_small1.zip": FIRST, "images_background_small2.zip": SECOND}
    )
    missing = Omniglot.files.missing(root)
    assert missing is not None
    assert "images_background_small1.zip is an archive, which must be unpacked there" in missing
    assert f"or put their content into {place} as 'nacbench data where TASK' lists it" in missing
    (place / "images_background_small1").mkdir()
    assert Omniglot.files.missing(root) is not None
    imported(Omniglot.files, root, place)
    assert Omniglot.files.missing(root) is None
    assert Omniglot().fingerprint(root)


def test_a_link_that_leads_nowhere_in_the_mirror_is_no_data(root: Path) -> None:
    place = root / "uoft-cs/cifar10/plain_text"
    place.mkdir(parents=True)
    for split in ("train", "test"):
        (place / f"{split}-00000-of-00001.parquet").symlink_to("/nowhere")
    missing = Cifar10.dataset.missing(root)
    assert missing is not None
    assert "(0 files match plain_text/train-*.parquet)" in missing
