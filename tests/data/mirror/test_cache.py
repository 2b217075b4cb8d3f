"""Decoded arrays on disk: made once, opened lazily, made again where they cannot be read."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacbench.data.mirror import cache as module
from nacbench.data.mirror.cache import (
    META,
    Arrays,
    Compared,
    cached_arrays,
    compared_copies,
    fingerprint,
)
from nacbench.errors import UserError
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NACBENCH_CACHE", str(folder))
    return folder


def example(seed: int = 0) -> dict[str, np.ndarray]:
    """A few images and labels."""
    rng = np.random.default_rng(seed)
    return {
        "train_images": rng.integers(0, 256, (5, 1, 4, 4), dtype=np.uint8),
        "train_labels": rng.integers(0, 10, 5, dtype=np.int16),
    }


def refuse() -> Mapping[str, np.ndarray]:
    """Stands where nothing may be made."""
    raise AssertionError("made although it was there")


def the_folder(cache: Path) -> Path:
    """The only set of arrays in the cache."""
    (folder,) = (cache / "arrays").iterdir()
    return folder


def assert_holds(arrays: Arrays, expected: Mapping[str, np.ndarray]) -> None:
    """Same names, types and values."""
    assert set(arrays.arrays) == set(expected)
    for name, array in expected.items():
        assert arrays.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays.arrays[name], array)


def test_arrays_come_back_as_they_were_made() -> None:
    assert_holds(cached_arrays("mini", "v1", example), example())


def test_arrays_are_made_once() -> None:
    first = cached_arrays("mini", "v1", example)
    again = cached_arrays("mini", "v1", refuse)
    assert_holds(again, example())
    assert again.fingerprint == first.fingerprint == fingerprint(example())


def test_arrays_are_read_only_memory_maps() -> None:
    images = cached_arrays("mini", "v1", example).arrays["train_images"]
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_another_stamp_makes_new_arrays() -> None:
    cached_arrays("mini", "v1", example)
    assert_holds(cached_arrays("mini", "v2", lambda: example(seed=1)), example(seed=1))
    assert_holds(cached_arrays("mini", "v1", refuse), example())


def test_another_name_makes_new_arrays() -> None:
    cached_arrays("mini", "v1", example)
    assert_holds(cached_arrays("maxi", "v1", lambda: example(seed=1)), example(seed=1))


def test_the_cache_folder_has_the_name_of_the_data_set(cache: Path) -> None:
    cached_arrays("uoft-cs--cifar10", "v1", example)
    assert the_folder(cache).name.startswith("uoft-cs--cifar10-")


def test_a_failure_while_making_leaves_nothing_behind(cache: Path) -> None:
    def fail() -> Mapping[str, np.ndarray]:
        raise RuntimeError("unreadable file")

    with pytest.raises(RuntimeError, match="unreadable file"):
        cached_arrays("mini", "v1", fail)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
    assert_holds(cached_arrays("mini", "v1", example), example())


def cut_short(path: Path) -> None:
    """Keep half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", [META, "train_images.npy", "train_labels.npy"])
@pytest.mark.parametrize(
    "damage",
    [Path.unlink, cut_short, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"rubbish")],
    ids=["missing", "cut short", "empty", "rubbish"],
)
def test_broken_arrays_are_made_again(cache: Path, damage: Callable[[Path], None], name: str) -> None:
    cached_arrays("mini", "v1", example)
    damage(the_folder(cache) / name)
    assert_holds(cached_arrays("mini", "v1", example), example())
    assert_holds(cached_arrays("mini", "v1", refuse), example())


def alter(path: Path) -> None:
    """Change the last byte, and put the old mtime back."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["train_images.npy", "train_labels.npy"])
def test_altered_arrays_are_made_again(cache: Path, name: str) -> None:
    cached_arrays("mini", "v1", example)
    alter(the_folder(cache) / name)
    assert_holds(cached_arrays("mini", "v1", example), example())
    assert_holds(cached_arrays("mini", "v1", refuse), example())


def test_arrays_are_compared_once_in_a_process(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_arrays("mini", "v1", example)
    monkeypatch.setattr(module, "SETTLED", 0)
    cached_arrays("mini", "v1", refuse)
    monkeypatch.delattr(module, "fingerprint")
    cached_arrays("mini", "v1", refuse)
    monkeypatch.undo()


def test_the_arrays_of_another_stamp_are_not_used(cache: Path) -> None:
    cached_arrays("mini", "v1", example)
    first = the_folder(cache)
    cached_arrays("mini", "v2", lambda: example(seed=1))
    second = next(folder for folder in first.parent.iterdir() if folder != first)
    for file in second.iterdir():
        shutil.copy(file, first)
    assert_holds(cached_arrays("mini", "v1", example), example())


def change_meta(folder: Path, **changes: object) -> None:
    """Write other fields into the description of a copy."""
    file = folder / META
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def to_objects(folder: Path) -> None:
    """Put an array of Python objects in the place of the labels."""
    np.save(folder / "train_labels.npy", np.array([{}], dtype=object), allow_pickle=True)


def to_link(folder: Path) -> None:
    """Put a link in the place of the labels."""
    (folder / "train_labels.npy").rename(folder.parent.parent / "labels.npy")
    (folder / "train_labels.npy").symlink_to(folder.parent.parent / "labels.npy")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: change_meta(folder, arrays=["../../labels"]),
        lambda folder: change_meta(folder, arrays=["train_labels"]),
        lambda folder: change_meta(folder, arrays=7),
        lambda folder: change_meta(folder, fingerprint="0" * 16),
        lambda folder: change_meta(folder, fingerprint=0),
        lambda folder: change_meta(folder, key="0" * 64),
        lambda folder: change_meta(folder, note="more"),
        lambda folder: (folder / META).write_text("[" * 100_000),
        to_objects,
        to_link,
    ],
    ids=["path", "less", "number", "other", "type", "key", "more", "brackets", "objects", "link"],
)
def test_nothing_in_a_copy_is_believed(cache: Path, damage: Callable[[Path], object]) -> None:
    first = cached_arrays("mini", "v1", example)
    damage(the_folder(cache))
    again = cached_arrays("mini", "v1", example)
    assert_holds(again, example())
    assert again.fingerprint == first.fingerprint


def test_a_name_cannot_lead_out_of_the_cache(cache: Path) -> None:
    cached_arrays("../../mini images", "v1", example)
    assert the_folder(cache).name.startswith("..-..-mini-images-")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"../numbers": np.zeros(3)}, r"gives an array called '\.\./numbers'; use letters, digits and underscores"),
        ({3: np.zeros(3)}, r"gives an array called 3; use letters"),
        ({"numbers": [1, 2]}, r"gives a list as numbers, and should give a NumPy array of numbers or text"),
        ({"numbers": np.zeros(3, dtype=object)}, r"gives an array object 3 as numbers"),
        ({"numbers": np.zeros(3, dtype=">f4")}, r"gives an array >f4 3 as numbers.* in the byte order of this machine"),
        ({"numbers": np.ma.masked_less(np.arange(3), 1)}, r"gives an array int64 3 as numbers"),
        (None, r"gives None, and should give NumPy arrays by name"),
    ],
)
def test_what_the_cache_cannot_hold_is_named_and_nothing_is_written(cache: Path, made: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        cached_arrays("dice", "1", lambda: made)
    assert not list(cache.rglob("*.npy"))


def test_files_that_change_while_they_are_read_are_an_error(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()

    def make() -> Mapping[str, np.ndarray]:
        (tmp_path / "set/late.txt").write_text("a file more")
        return example()

    with pytest.raises(UserError, match=r"a file in .*set has changed while it was read; start again"):
        cached_arrays("mini", "v1", make, tmp_path / "set")
    assert not (cache / "arrays").exists()


def test_every_copy_is_compared_and_broken_ones_are_removed(cache: Path) -> None:
    for stamp in ("v1", "v2", "v3"):
        cached_arrays("mini", stamp, example)
    whole, altered, cut = sorted((cache / "arrays").iterdir())
    alter(altered / "train_images.npy")
    cut_short(cut / META)
    found = {copy.folder: copy for copy in compared_copies()}
    assert found[whole] == Compared(whole)
    assert f"the content of {altered} does not have its fingerprint" in str(found[altered].wrong)
    assert "is not JSON" in str(found[cut].wrong)
    assert list((cache / "arrays").iterdir()) == [whole]


def test_copies_of_an_earlier_version_are_old_and_not_broken(cache: Path) -> None:
    cached_arrays("mini", "v1", example)
    meta = the_folder(cache) / META
    content = json.loads(meta.read_text())
    meta.write_text(json.dumps({name: content[name] for name in ("arrays", "fingerprint")}))
    assert list(compared_copies()) == [Compared(meta.parent, is_old=True)]
    assert not meta.parent.exists()


def test_empty_arrays_are_kept() -> None:
    nothing = {"x": np.zeros((0, 3), dtype=np.uint8), "y": np.array(True)}
    assert_holds(cached_arrays("mini", "v1", lambda: nothing), nothing)
    assert_holds(cached_arrays("mini", "v1", lambda: nothing), nothing)


def test_the_loser_of_a_race_uses_what_the_winner_made(cache: Path) -> None:
    open_at_the_winner: list[Arrays] = []  # which keeps the number of its files in use
    number: list[int] = []

    def make_slowly() -> Mapping[str, np.ndarray]:
        open_at_the_winner.append(cached_arrays("mini", "v1", example))
        number.append((the_folder(cache) / "train_images.npy").stat().st_ino)
        return example()

    assert_holds(cached_arrays("mini", "v1", make_slowly), example())
    assert [(the_folder(cache) / "train_images.npy").stat().st_ino] == number


def test_concurrent_processes_do_not_disturb_each_other(cache: Path) -> None:
    cached_arrays("mini", "v1", example)
    (the_folder(cache) / META).unlink()  # all of them find a broken one, and make it anew
    with ThreadPoolExecutor(8) as pool:
        together = threading.Barrier(8)

        def make() -> Mapping[str, np.ndarray]:
            together.wait(10)
            return example()

        found = [pool.submit(cached_arrays, "mini", "v1", make) for _ in range(8)]
        for future in found:
            assert_holds(future.result(), example())
    assert the_folder(cache).is_dir()


def test_a_copy_that_another_process_has_aside_is_opened_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = module._open
    looks: list[Path] = []

    def open_later(folder: Path, key: str) -> Arrays | None:
        looks.append(folder)
        return opened(folder, key) if len(looks) > 3 else None

    monkeypatch.setattr(module, "_open", open_later)
    assert_holds(cached_arrays("mini", "v1", example), example())
    assert len(looks) == 4


def test_a_cache_that_does_not_give_back_what_was_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_open", lambda folder, key: None)
    with pytest.raises(UserError, match=r"arrays/mini-\w+ does not give back what was written to it; set NAC"):
        cached_arrays("mini", "v1", example)


def test_a_read_only_cache_is_an_error_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write the cache folder .*file.*set NACBENCH_CACHE to another place"):
        cached_arrays("mini", "v1", example)


def test_the_fingerprint_is_a_hash_of_names_types_shapes_and_content() -> None:
    labels = np.array([1, 2], dtype="<i2")
    digest = hashlib.sha256(b"labels <i2 (2,)\n\x01\x00\x02\x00").hexdigest()
    assert fingerprint({"labels": labels}) == digest[:16]


def test_the_fingerprint_does_not_see_order_or_memory_layout() -> None:
    arrays = example()
    turned = {name: np.asfortranarray(array) for name, array in reversed(arrays.items())}
    assert not turned["train_images"].flags.c_contiguous
    assert fingerprint(turned) == fingerprint(arrays)


@pytest.mark.parametrize(
    "changed",
    [
        {"other": np.arange(6, dtype=np.uint8)},
        {"x": np.arange(6, dtype=np.int8)},
        {"x": np.arange(6, dtype=np.uint8).reshape(2, 3)},
        {"x": np.arange(6, dtype=np.uint8)[::-1]},
        {"x": np.arange(6, dtype=np.uint8), "y": np.zeros(0, dtype=np.uint8)},
    ],
    ids=["name", "type", "shape", "content", "an empty array more"],
)
def test_every_change_changes_the_fingerprint(changed: dict[str, np.ndarray]) -> None:
    assert fingerprint(changed) != fingerprint({"x": np.arange(6, dtype=np.uint8)})


def test_changed_code_makes_new_arrays(tmp_path: Path) -> None:
    import importlib.util

    def made_by(source: str, name: str) -> int:
        file = tmp_path / f"{name}.py"
        file.write_text(f"import numpy\n\n\ndef make():\n    {source}\n")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return int(cached_arrays("made-by-code", "same stamp", module.make).arrays["x"][0])

    assert made_by("return {'x': numpy.array([1])}", "maker") == 1
    file = tmp_path / "second"
    file.mkdir()
    assert made_by("return {'x': numpy.array([2])}", "second/maker") == 2


def test_changed_code_of_a_helper_makes_new_arrays(tmp_path: Path) -> None:
    """Wherever the helper lies: beside the code that makes the arrays, or on Python's path."""
    for folder in ("beside", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "beside" / "made_by_helpers.py").write_text(
        "import helper_beside, helper_elsewhere\nimport numpy\n\n\n"
        "def make(more=0):\n    return {'x': numpy.array([helper_beside.X + helper_elsewhere.X + more])}\n"
    )

    def made(beside: int, elsewhere: int, **more: int) -> int:
        for name, value in (("beside", beside), ("elsewhere", elsewhere)):
            (tmp_path / name / f"helper_{name}.py").write_text(f"X = {value}\n")
        script = (
            "import sys, functools; from nacbench.data.mirror.cache import cached_arrays; import made_by_helpers\n"
            f"make = functools.partial(made_by_helpers.make, **{more}) if {more} else made_by_helpers.make\n"
            "print(int(cached_arrays('made-by-helpers', 'same stamp', make).arrays['x'][0]))"
        )
        path = os.pathsep.join([str(tmp_path / "beside"), str(tmp_path / "elsewhere"), str(REPOSITORY)])
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert [made(1, 10), made(2, 10), made(2, 20)] == [11, 12, 22]
    assert made(3, 30, more=100) == 133
