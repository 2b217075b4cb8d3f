"""Files that cannot be read: found before a training, mended without another run, or left out and counted."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nacbench
from nacbench.data.images import checked_files
from nacbench.data.images.image_files import folder_arrays
from nacbench.data.images.reading import file_content
from nacbench.data.mirror.parallel import worked
from nacbench.data.unreadable import UnreadableError, unreadable_skipped
from nacbench.errors import UserError
from nacbench.registry import TASKS
from nacbench.training.loop import Trainer
from nacbench.training.steps import Stepper

from .. import miniatures

PLUGIN = '''
"""Photographs in folders, decoded when they are needed."""

from dataclasses import dataclass

from nacbench.data.images.recipe import ImageRecipe
from nacbench.tasks.imagenet import Imagenet


@dataclass(frozen=True, kw_only=True)
class SmallPhotographs(Imagenet):
    title = "Small photographs"
    classes = 3
    full_sizes = {"train": 36, "test": 12}
    shape = (3, 32, 32)
    presets = {"smoke": {"stem_width": 16, "position_dim": 16, "patch": 8}}
    recipes = {"smoke": ImageRecipe(epochs=2, batch_size=12, lr=1e-3)}
'''


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test's own."""
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mirror with a miniature of ImageNet: 36 and 12 photographs."""
    miniatures.make_imagenet(tmp_path / "mirror")
    return tmp_path / "mirror"


@pytest.fixture
def photograph(root: Path) -> Path:
    """A photograph of the validation split."""
    return root / "imagenet/val/n01443537/n01443537_1.JPEG"


def listed(root: Path) -> Any:
    """The miniature, as it is read."""
    return folder_arrays("imagenet", root / "imagenet", {"train": "train", "test": "val"}, (3, 32, 32))


def cut(file: Path) -> None:
    """Damage a file as a full disk does."""
    file.write_bytes(file.read_bytes()[:-100])


def reads_of(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read for their digests from now on."""
    read: list[Path] = []

    def noted(path: Path) -> bytes:
        read.append(path)
        return file_content(path)

    monkeypatch.setattr(checked_files, "file_content", noted)
    return read


def test_a_broken_photograph_is_found_before_a_training(root: Path, photograph: Path) -> None:
    cut(photograph)
    with pytest.raises(UnreadableError, match=r"val/n01443537/n01443537_1\.JPEG cannot be read: .*--skip-unreadable"):
        listed(root)


def test_all_broken_photographs_are_counted(root: Path, photograph: Path) -> None:
    cut(photograph)
    cut(root / "imagenet/train/n01443537/n01443537_2.JPEG")
    with pytest.raises(UnreadableError, match=r"--skip-unreadable \(and 1 more\)"):
        listed(root)


def test_after_one_file_is_mended_only_that_is_read(
    root: Path, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "SETTLED", 0)  # files that were written just now count as settled
    whole = photograph.read_bytes()
    cut(photograph)
    with pytest.raises(UnreadableError):
        listed(root)
    photograph.write_bytes(whole)
    read = reads_of(monkeypatch)
    assert len(listed(root).arrays["test_images"]) == 12
    assert read == [photograph]


def test_a_file_that_was_written_just_now_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have changed within the same tick of the file system's clock."""
    monkeypatch.setattr(checked_files, "SETTLED", 3600 * 10**9)  # an hour counts as just now
    first = listed(root)
    (root / "imagenet/val/other.txt").write_text("the folder has another stamp", encoding="utf-8")
    read = reads_of(monkeypatch)
    assert listed(root).fingerprint == first.fingerprint
    assert len(read) == 48


def test_broken_photographs_are_left_out_and_counted(root: Path, photograph: Path) -> None:
    whole = listed(root)
    content = photograph.read_bytes()
    cut(photograph)
    with unreadable_skipped(True):
        part = listed(root)
    assert len(part.arrays["test_images"]) == len(part.arrays["test_labels"]) == 11
    assert int(part.arrays["test_unreadable"]) == 1
    assert "train_unreadable" not in part.arrays
    others = np.array([0, 2, 3])
    np.testing.assert_array_equal(part.arrays["test_images"][np.arange(3)], whole.arrays["test_images"][others])
    photograph.write_bytes(content)
    with unreadable_skipped(True):
        assert listed(root).fingerprint == whole.fingerprint


def test_nothing_but_broken_photographs_is_refused(root: Path) -> None:
    for file in (root / "imagenet").rglob("*.JPEG"):
        cut(file)
    with unreadable_skipped(True), pytest.raises(UserError, match=r"none of the 48 images in .*imagenet can be read"):
        listed(root)


@pytest.mark.parametrize("length", range(0, 8000, 499))
def test_however_a_photograph_is_cut_it_does_not_pass(length: int, tmp_path: Path) -> None:
    content = io.BytesIO()
    miniatures.picture(1, 240, 160).save(content, "JPEG")
    assert len(content.getvalue()) > length
    file = tmp_path / "cut.jpg"
    file.write_bytes(content.getvalue()[:length])
    assert isinstance(checked_files._checked_digest(file), UnreadableError)


def spoil_cell(file: Path) -> None:
    """Cut the image in the third row of a Parquet file."""
    table = pq.read_table(file)
    column = next(name for name in ("img", "image") if name in table.column_names)
    cells = table.column(column).to_pylist()
    cells[2] = {**cells[2], "bytes": cells[2]["bytes"][:60]}
    pq.write_table(table.set_column(table.column_names.index(column), column, pa.array(cells)), file)


EAGER: dict[str, tuple[Callable[[Path], None], str, Callable[[Path], None], str]] = {
    "cifar10": (
        miniatures.make_cifar10,
        "uoft-cs/cifar10/plain_text/test-00000-of-00001.parquet",
        spoil_cell,
        "1 test examples left out: they cannot be read",
    ),
    "modelnet10": (
        miniatures.make_modelnet,
        "modelnet10/bed/train/bed_0001.off",
        cut,
        "1 train examples left out: they cannot be read",
    ),
    "nlvr": (miniatures.make_nlvr, "nlvr/test.parquet", spoil_cell, "1 test examples left out: they cannot be read"),
    "nlvr2": (
        miniatures.make_nlvr2,
        "nlvr2/images/dev/dev-1-0-img1.png",
        cut,
        "validation examples left out: they cannot be read",
    ),
    "omniglot": (
        miniatures.make_omniglot,
        "omniglot/images_background_small.parquet",
        spoil_cell,
        "1 examples left out: they cannot be read",
    ),
}


@pytest.mark.parametrize("name", EAGER)
def test_every_reader_leaves_out_what_it_cannot_read(name: str, tmp_path: Path) -> None:
    make, file, spoil, line = EAGER[name]
    make(tmp_path)
    spoil(tmp_path / file)
    task: Any = TASKS.get(name).configured("task", "paper", {})
    with pytest.raises(UnreadableError, match=Path(file).stem) as caught:
        task.arrays(tmp_path)
    assert "--skip-unreadable" in str(caught.value)
    with unreadable_skipped(True):
        arrays = task.arrays(tmp_path).arrays
    assert any(line in text for text in task.shortages(arrays))
    for split in ("train", "test"):
        assert len(arrays[f"{split}_{task.inputs[0]}"]) == len(arrays[f"{split}_labels"])


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the small photographs' task."""
    file = tmp_path_factory.mktemp("plugin") / "small_photographs.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return file


@pytest.fixture
def run_small(root: Path, tmp_path: Path, plugin: Path) -> Iterator[Callable[..., Any]]:
    """Run the small photographs; their task is unknown again afterwards."""

    def run(**options: Any) -> Any:
        return nacbench.run(
            "small-photographs",
            "floor-linear",
            scale="smoke",
            plugins=[plugin],
            data_root=root,
            out=tmp_path / "runs",
            precision="fp32",
            quiet=True,
            **options,
        )

    yield run
    TASKS.forget_files()


def test_a_photograph_that_breaks_later_costs_no_training(
    run_small: Callable[..., Any], photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, train, one_step = photograph.read_bytes(), Trainer.train, Stepper.make
    trained: list[int] = []

    def spoiling(trainer: Trainer, progress: Any) -> Any:
        best = train(trainer, progress)
        photograph.write_bytes(b"lost")
        return best

    def counted(stepper: Stepper, step: int, *rest: Any) -> Any:
        trained.append(step)
        return one_step(stepper, step, *rest)

    monkeypatch.setattr(Trainer, "train", spoiling)
    monkeypatch.setattr(Stepper, "make", counted)
    with pytest.raises(UserError, match="has changed since the run began; put its former content back"):
        run_small()
    with pytest.raises(UnreadableError, match="n01443537_1"):  # the same command, before the file is mended
        run_small()
    monkeypatch.setattr(Trainer, "train", train)
    photograph.write_bytes(whole)
    outcome = run_small()
    assert trained == list(range(6))  # all by the first command
    assert outcome.record.attempts == 2
    assert [path.name for path in outcome.folder.parent.iterdir() if path.is_dir()] == [outcome.record.run_id]
    assert outcome.record.data.partial == []


def test_a_run_without_unreadable_photographs_is_marked(run_small: Callable[..., Any], photograph: Path) -> None:
    cut(photograph)
    outcome = run_small(skip_unreadable=True)
    assert outcome.record.data.splits == {"train": 36, "test": 11}
    assert outcome.record.data.partial == ["11 of 12 test examples", "1 test examples left out: they cannot be read"]
    assert outcome.record.identity["config"]["skip_unreadable"] is True


def _square(number: int) -> int:
    if number < 0:
        raise UserError(f"{number} is negative")
    return number * number


@pytest.mark.parametrize("count", [10, 1500])
def test_work_is_done_in_order_whatever_does_it(count: int) -> None:
    assert list(worked(_square, range(count), count, "squares", cores=2)) == [n * n for n in range(count)]


def test_what_goes_wrong_in_another_process_is_raised_here() -> None:
    jobs = [*range(1200), -1]
    with pytest.raises(UserError, match="-1 is negative"):
        list(worked(_square, jobs, len(jobs), "squares", cores=2))


def test_one_process_and_two_list_the_same_files(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    one = listed(root)
    monkeypatch.setattr("nacbench.data.mirror.parallel.FEW", 1)
    monkeypatch.setattr("nacbench.data.mirror.parallel.granted_cores", lambda: 2)
    (root / "imagenet/val/other.txt").write_text("the folder has another stamp", encoding="utf-8")
    assert listed(root).fingerprint == one.fingerprint
