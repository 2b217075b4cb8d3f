"""Data sets in the hub's own layout: CIFAR-10 in miniature, as Parquet files that the library `datasets` wrote."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nacbench.data.images.task import HubImageTask
from nacbench.data.mirror.hub import HubFiles
from nacbench.data.mirror.manifest import MANIFEST, read_manifest
from nacbench.errors import UserError

CIFAR10 = HubFiles(
    name="uoft-cs/cifar10",
    revision="0" * 40,
    splits={"train": "plain_text/train-*.parquet", "test": "plain_text/test-*.parquet"},
)
TRAIN = "plain_text/train-00000-of-00001.parquet"
TEST = "plain_text/test-00000-of-00001.parquet"
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@dataclass(frozen=True, kw_only=True)
class Miniature(HubImageTask):
    """A task on the miniature, described as the real one is."""

    title = "CIFAR-10 in miniature"
    classes = 10
    licence = citation = provenance = "made up"
    recipes = {}
    dataset = CIFAR10
    image_column = "img"
    shape = (3, 32, 32)
    mean: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)
    std: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Grey(Miniature):
    """The same with one channel."""

    shape = (1, 32, 32)
    mean = (0.5,)
    std = (0.5,)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NACBENCH_CACHE", str(folder))
    return folder


def pictures(count: int, seed: int, channels: tuple[int, ...] = (3,), side: int = 32) -> np.ndarray:
    """Random images, count×side×side×channels."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, *channels), dtype=np.uint8)


def write(path: Path, images: Sequence[np.ndarray], labels: Sequence[int], column: str = "img") -> None:
    """Write images, encoded as PNG, and labels as the hub's Parquet files have them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = datasets.Features({column: datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    content = {column: [Image.fromarray(image) for image in images], "label": list(labels)}
    datasets.Dataset.from_dict(content, features=features).to_parquet(str(path))


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with 30 training and 20 test images."""
    datasets.disable_progress_bars()
    root = tmp_path / "mirror"
    write(root / CIFAR10.name / TRAIN, list(pictures(30, seed=0)), [index % 10 for index in range(30)])
    write(root / CIFAR10.name / TEST, list(pictures(20, seed=1)), [(3 * index) % 10 for index in range(20)])
    return root


def test_the_miniature_is_stored_as_the_real_one_is(mirror: Path) -> None:
    table = pq.read_table(mirror / CIFAR10.name / TRAIN)
    assert table.column_names == ["img", "label"]
    assert table["img"][0]["bytes"].as_py().startswith(b"\x89PNG")


def test_a_complete_mirror_has_no_missing_files(mirror: Path) -> None:
    assert CIFAR10.missing(mirror) is None


def labels(root: Path) -> list[object]:
    """The labels of the training split, as they are stored."""
    return [label for _, (label,) in CIFAR10.rows(root, "train", ["label"])]


def test_all_splits_are_opened(mirror: Path) -> None:
    assert {split: CIFAR10.count(mirror, split) for split in CIFAR10.splits} == {"train": 30, "test": 20}
    assert CIFAR10.class_names(mirror, "train", "label") == NAMES


def test_decoding_is_exact(mirror: Path) -> None:
    arrays = Miniature().arrays(mirror).arrays
    np.testing.assert_array_equal(arrays["train_images"], pictures(30, seed=0).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(arrays["test_images"], pictures(20, seed=1).transpose(0, 3, 1, 2))
    assert arrays["train_images"].dtype == np.uint8
    assert arrays["train_labels"].tolist() == [index % 10 for index in range(30)]
    assert arrays["test_labels"].tolist() == [(3 * index) % 10 for index in range(20)]


def test_more_images_than_are_decoded_at_a_time_keep_their_order(mirror: Path) -> None:
    images = pictures(2100, seed=2)
    write(mirror / CIFAR10.name / TRAIN, list(images), [index % 7 for index in range(2100)])
    arrays = Miniature().arrays(mirror).arrays
    np.testing.assert_array_equal(arrays["train_images"], images.transpose(0, 3, 1, 2))
    assert arrays["train_labels"].tolist() == [index % 7 for index in range(2100)]


def test_shards_are_joined_in_order(mirror: Path) -> None:
    (mirror / CIFAR10.name / TRAIN).unlink()
    images = pictures(30, seed=5)
    for shard in (2, 0, 1):
        part = range(10 * shard, 10 * shard + 10)
        path = mirror / CIFAR10.name / f"plain_text/train-{shard:05}-of-00003.parquet"
        write(path, list(images[part.start : part.stop]), [index % 10 for index in part])
    arrays = Miniature().arrays(mirror).arrays
    np.testing.assert_array_equal(arrays["train_images"], images.transpose(0, 3, 1, 2))


def test_grey_images_become_one_channel(mirror: Path) -> None:
    grey = pictures(10, seed=3, channels=())
    write(mirror / CIFAR10.name / TRAIN, list(grey), range(10))
    write(mirror / CIFAR10.name / TEST, list(grey), range(10))
    np.testing.assert_array_equal(Grey().arrays(mirror).arrays["train_images"], grey[:, None])


def test_grey_images_among_coloured_ones_are_repeated_to_three_channels(mirror: Path) -> None:
    coloured, grey = pictures(1, seed=3)[0], pictures(1, seed=4, channels=())[0]
    write(mirror / CIFAR10.name / TRAIN, [coloured, grey], [0, 1])
    images = Miniature().arrays(mirror).arrays["train_images"]
    np.testing.assert_array_equal(images[0], coloured.transpose(2, 0, 1))
    np.testing.assert_array_equal(images[1], np.stack([grey] * 3))


def test_the_fingerprint_is_of_the_images_and_not_of_the_files(mirror: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other / CIFAR10.name / TEST, list(pictures(20, seed=1)), [(3 * index) % 10 for index in range(20)])
    images = pictures(30, seed=0)
    for shard in (0, 1):
        path = other / CIFAR10.name / f"plain_text/train-{shard:05}-of-00002.parquet"
        write(path, list(images[15 * shard : 15 * shard + 15]), [index % 10 for index in range(30)][15 * shard :][:15])
    assert Miniature().fingerprint(other) == Miniature().fingerprint(mirror)


@pytest.mark.parametrize("split", [TRAIN, TEST])
def test_a_missing_split_is_named_with_a_way_out(mirror: Path, split: str) -> None:
    (mirror / CIFAR10.name / split).unlink()
    reason = CIFAR10.missing(mirror)
    assert reason is not None
    for part in ("uoft-cs/cifar10", str(mirror), split.replace("00000-of-00001", "*"), "nacbench data fetch"):
        assert part in reason
    for attempt in (labels, Miniature().arrays, Miniature().fingerprint):
        with pytest.raises(UserError) as caught:
            attempt(mirror)
        assert str(caught.value) == reason


def test_an_empty_mirror_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"uoft-cs/cifar10 is not in .*nowhere"):
        labels(tmp_path / "nowhere")


def test_a_missing_shard_is_noticed(mirror: Path) -> None:
    (mirror / CIFAR10.name / TRAIN).rename(mirror / CIFAR10.name / "plain_text/train-00000-of-00002.parquet")
    with pytest.raises(UserError, match=r"1 files match plain_text/train-\*\.parquet"):
        labels(mirror)


def damaged(content: bytes, how: str) -> bytes:
    """A Parquet file after an accident."""
    return {
        "empty": b"",
        "not Parquet": b"<html>404</html>" * 100,
        "cut short": content[: len(content) // 2],
        "no index": content[:-200] + b"\1" * 192 + content[-8:],
    }[how]


@pytest.mark.parametrize("split", [TRAIN, TEST])
@pytest.mark.parametrize("how", ["empty", "not Parquet", "cut short", "no index"])
def test_a_corrupted_file_is_an_error_that_names_the_data_set(mirror: Path, split: str, how: str) -> None:
    path = mirror / CIFAR10.name / split
    path.write_bytes(damaged(path.read_bytes(), how))
    with pytest.raises(UserError, match=r"cifar10/plain_text/.*parquet (cannot be read|is a web page)") as caught:
        Miniature().arrays(mirror)
    assert str(mirror / CIFAR10.name) in str(caught.value)


def test_a_corrupted_image_is_an_error_that_names_the_data_set(mirror: Path) -> None:
    path = mirror / CIFAR10.name / TRAIN
    table = pq.read_table(path)
    rows = table["img"].to_pylist()
    rows[3]["bytes"] = rows[3]["bytes"][:500]
    images = pa.array(rows, type=table.schema.field("img").type)
    pq.write_table(table.set_column(0, table.schema.field("img"), images), path)
    with pytest.raises(UserError, match="uoft-cs/cifar10"):
        Miniature().arrays(mirror)


def test_images_of_another_size_are_an_error_that_names_the_data_set(mirror: Path) -> None:
    write(mirror / CIFAR10.name / TRAIN, list(pictures(3, seed=0, side=28)), range(3))
    with pytest.raises(UserError, match="uoft-cs/cifar10"):
        Miniature().arrays(mirror)


def test_a_missing_column_is_an_error_that_names_it(mirror: Path) -> None:
    for split in (TRAIN, TEST):
        write(mirror / CIFAR10.name / split, list(pictures(3, seed=0)), range(3), column="image")
    with pytest.raises(UserError, match="img"):
        Miniature().arrays(mirror)


def test_a_changed_file_is_decoded_again(mirror: Path) -> None:
    before = Miniature().fingerprint(mirror)
    write(mirror / CIFAR10.name / TRAIN, list(pictures(30, seed=9)), [index % 10 for index in range(30)])
    images = Miniature().arrays(mirror).arrays["train_images"]
    np.testing.assert_array_equal(images, pictures(30, seed=9).transpose(0, 3, 1, 2))
    assert Miniature().fingerprint(mirror) != before


def test_decoded_images_are_cached(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Miniature().fingerprint(mirror)
    monkeypatch.delattr(HubImageTask, "_decode_split")
    assert Miniature().fingerprint(mirror) == first


def stand_in_for_the_hub(
    monkeypatch: pytest.MonkeyPatch,
    files: Mapping[str, bytes],
    error: Exception | None,
    published: Mapping[str, str] | None = None,
) -> None:
    """Downloads give these files, and then perhaps fail; the SHA-256 that are published are right unless given."""

    def download(repo: str, *, repo_type: str, revision: str, allow_patterns: list[str], local_dir: Path | str) -> None:
        assert (repo, repo_type, revision) == (CIFAR10.name, "dataset", CIFAR10.revision)
        assert allow_patterns == list(CIFAR10.needs)
        for name, content in files.items():
            path = Path(local_dir, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if error:
            raise error

    def dataset_info(_: object, repo: str, *, revision: str, files_metadata: bool) -> SimpleNamespace:
        assert (repo, revision, files_metadata) == (CIFAR10.name, CIFAR10.revision, True)
        right = {name: sha256(content).hexdigest() for name, content in files.items()}
        sums = right if published is None else published
        lfs = {name: SimpleNamespace(sha256=sums[name]) if name in sums else None for name in files}
        found = [SimpleNamespace(rfilename=name, lfs=lfs[name], size=len(files[name])) for name in files]
        return SimpleNamespace(siblings=found)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)


def encoded(count: int) -> bytes:
    """A Parquet file with ``count`` images."""
    stream = io.BytesIO()
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    content = {"img": [Image.fromarray(image) for image in pictures(count, seed=6)], "label": [0] * count}
    datasets.Dataset.from_dict(content, features=features).to_parquet(stream)
    return stream.getvalue()


def test_missing_files_are_fetched_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in_for_the_hub(monkeypatch, {TRAIN: encoded(3), TEST: encoded(2), ".cache/huggingface/lock": b""}, None)
    Miniature().prepare(tmp_path / "new")
    assert len(Miniature().arrays(tmp_path / "new").arrays["train_labels"]) == 3
    assert not (tmp_path / "new" / CIFAR10.name / ".cache").exists()
    assert "downloading uoft-cs/cifar10 (0.0 MB) from the hub to " in capsys.readouterr().err


def test_existing_files_are_not_fetched(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_the_hub(monkeypatch, {}, AssertionError("used the network"))
    Miniature().prepare(mirror)
    assert CIFAR10.missing(mirror) is None


def test_a_failed_download_is_an_error_and_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_the_hub(monkeypatch, {TRAIN: encoded(3)}, ConnectionError("no network"))
    with pytest.raises(UserError, match="cannot be downloaded from the hub") as caught:
        Miniature().prepare(tmp_path / "new")
    assert TRAIN.replace("00000-of-00001", "*") in str(caught.value)
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []


def test_a_failed_download_leaves_the_files_that_were_there(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mirror / CIFAR10.name / TEST).unlink()
    stand_in_for_the_hub(monkeypatch, {}, ConnectionError("no network"))
    with pytest.raises(UserError, match="uoft-cs/cifar10"):
        Miniature().prepare(mirror)
    assert (mirror / CIFAR10.name / TRAIN).is_file()


def test_a_download_does_not_come_beside_another_generation(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = mirror / CIFAR10.name / "plain_text/train-00000-of-00002.parquet"
    (mirror / CIFAR10.name / TRAIN).rename(old)
    stand_in_for_the_hub(monkeypatch, {TRAIN: encoded(3), TEST: encoded(2)}, None)
    with pytest.raises(
        UserError, match=r"has files of another generation: of train-00000-of-00001\.parquet and train-"
    ):
        Miniature().prepare(mirror)
    assert not (mirror / CIFAR10.name / TRAIN).exists()


def test_fetched_files_have_a_manifest_and_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {TRAIN: encoded(3), TEST: encoded(2)}
    stand_in_for_the_hub(monkeypatch, files, None)
    CIFAR10.fetch(tmp_path / "new")
    place = CIFAR10.place(tmp_path / "new")
    manifest = read_manifest(place)
    assert manifest is not None
    assert manifest.url == f"https://huggingface.co/datasets/uoft-cs/cifar10/tree/{CIFAR10.revision}"
    assert {n: own.sha256 for n, own in manifest.files.items()} == {n: sha256(c).hexdigest() for n, c in files.items()}
    assert CIFAR10.verify(tmp_path / "new") == "2 files checked: checksums match (as published on the hub)"
    assert list(place.parent.iterdir()) == [place]
    content = bytearray((place / TEST).read_bytes())
    content[99] ^= 1
    (place / TEST).write_bytes(content)
    with pytest.raises(UserError, match=f"{place / TEST} is damaged or changed"):
        CIFAR10.verify(tmp_path / "new")


def test_a_file_with_another_checksum_than_the_hub_s_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_the_hub(monkeypatch, {TRAIN: encoded(3), TEST: encoded(2)}, None, {TEST: "0" * 64})
    with pytest.raises(UserError, match=f"{TEST} came with the SHA-256 [0-9a-f]*, but the hub has 0{{64}}"):
        CIFAR10.fetch(tmp_path / "new")
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []


def test_files_without_a_checksum_on_the_hub_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_the_hub(monkeypatch, {TRAIN: encoded(3), TEST: encoded(2)}, None, {})
    CIFAR10.fetch(tmp_path / "new")
    assert "taken at the download" in CIFAR10.verify(tmp_path / "new")


def test_missing_files_on_the_hub_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_the_hub(monkeypatch, {TRAIN: encoded(3)}, None)
    with pytest.raises(UserError, match=r"uoft-cs/cifar10 on the hub, at revision 0*, lacks files of plain_text/test"):
        CIFAR10.fetch(tmp_path / "new")
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []


def test_a_mirror_made_by_hand_has_no_checksums(mirror: Path, tmp_path: Path) -> None:
    assert CIFAR10.verify(mirror).startswith("2 files, no checksums known")
    with pytest.raises(UserError, match="uoft-cs/cifar10 is not in"):
        CIFAR10.verify(tmp_path / "nowhere")


@pytest.mark.parametrize("given", [".", "uoft-cs", "uoft-cs/cifar10"])
def test_a_user_s_copy_is_imported(given: str, mirror: Path, tmp_path: Path) -> None:
    (mirror / CIFAR10.name / "README.md").write_text("not needed")
    CIFAR10.bring(tmp_path / "new", mirror / given)
    assert CIFAR10.missing(tmp_path / "new") is None
    assert sorted(p.name for p in CIFAR10.place(tmp_path / "new").iterdir()) == [MANIFEST, "plain_text"]
    assert CIFAR10.missing(mirror) is None
    assert "2 files checked: checksums match (taken when they were imported from" in CIFAR10.verify(tmp_path / "new")
    with pytest.raises(UserError, match="has data in it already; remove it first"):
        CIFAR10.bring(tmp_path / "new", mirror)


def test_a_copy_without_all_shards_is_not_imported(mirror: Path, tmp_path: Path) -> None:
    (mirror / CIFAR10.name / TRAIN).rename(mirror / CIFAR10.name / "plain_text/train-00000-of-00002.parquet")
    with pytest.raises(UserError, match="it lacks plain_text/train-00001-of-00002"):
        CIFAR10.bring(tmp_path / "new", mirror)
    assert CIFAR10.missing(tmp_path / "new") is not None
