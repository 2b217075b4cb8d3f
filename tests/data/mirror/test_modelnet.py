"""Copies of ModelNet: meshes, points in HDF5 files, and points with normals in text files."""

import io
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacbench.data.points.modelnet import ModelNetTask
from nacbench.errors import UserError
from nacbench.registry import TASKS
from tests.data.copies import modelnet
from tests.data.copies.colours import write_files
from tests.data.mirror.archives import tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

PACKED: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zipped,
    "tar": partial(tarred, compression=""),
    "tgz": tarred,
}
hdf5, normals = cache(modelnet.hdf5), cache(modelnet.normals)
FORMS: dict[str, tuple[str, Callable[[], Mapping[str, bytes]]]] = {
    "makers' zip": ("meshes", modelnet.meshes),
    "aligned": ("meshes", partial(modelnet.meshes, "modelnet40_auto_aligned")),
    "deeper": ("meshes", partial(modelnet.meshes, "archive/data/ModelNet40")),
    "another name": ("meshes", partial(modelnet.meshes, "shapes")),
    "splits first": ("meshes", modelnet.splits_first),
    "beside ModelNet10": ("meshes", lambda: {**modelnet.meshes("ModelNet10", modelnet.TEN), **modelnet.meshes()}),
    "hdf5": ("hdf5", hdf5),
    "hdf5 under another name": ("hdf5", partial(modelnet.hdf5, "data/points")),
    "hdf5 with another order of classes": ("hdf5", partial(modelnet.hdf5, names=tuple(reversed(list(modelnet.BOXES))))),
    "normals": ("normals", normals),
    "normals under another name": ("normals", partial(modelnet.normals, "data/resampled")),
}


def made(name: str = "modelnet40", **options: Any) -> ModelNetTask:
    """A task with some options."""
    found = TASKS.get(name)(**options)
    assert isinstance(found, ModelNetTask)
    return found


def imported(task: ModelNetTask, root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    task.files().bring(root, *paths, say=lines.append)
    return lines


def check_labels(task: ModelNetTask, root: Path, classes: tuple[str, ...] = tuple(modelnet.BOXES)) -> None:
    """Compare labels with what the points show."""
    arrays = task.arrays(root).arrays
    names = [name.decode() for name in arrays["class_names"].tolist()]
    assert names == sorted(classes)
    for split, each in modelnet.EACH.items():
        shown = [modelnet.class_of(points) for points in arrays[f"{split}_points"]]
        assert [names[label] for label in arrays[f"{split}_labels"]] == shown
        assert sorted(shown) == sorted(each * list(classes))
        assert np.linalg.norm(arrays[f"{split}_points"], axis=-1).max() == pytest.approx(1)


@pytest.mark.parametrize("form", FORMS)
def test_shapes_have_the_right_labels(form: str, root: Path, tmp_path: Path) -> None:
    data, files = FORMS[form]
    first, second = imported(made(data=data), root, write_files(tmp_path / "mine", files()))
    assert first.startswith("recognised: ")
    full = 9_840 if data == "hdf5" else 9_843
    assert second == (f"read: 4 classes, 12 train and 8 test examples (part: 12 of {full:,} train, 8 of 2,468 test)")
    check_labels(made(data=data), root)


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("data", ["meshes", "hdf5", "normals"])
def test_every_form_comes_in_every_archive(data: str, suffix: str, root: Path, tmp_path: Path) -> None:
    files = next(files for own, files in FORMS.values() if own == data)
    (tmp_path / f"mine.{suffix}").write_bytes(PACKED[suffix](files()))
    imported(made(data=data), root, tmp_path / f"mine.{suffix}")
    check_labels(made(data=data), root)


def test_modelnet10_has_meshes_and_a_list_among_the_shapes_with_normals(root: Path, tmp_path: Path) -> None:
    imported(made("modelnet10"), root, write_files(tmp_path / "mine", modelnet.meshes("ModelNet10", modelnet.TEN)))
    imported(made("modelnet10", data="normals"), root, write_files(tmp_path / "points", normals()))
    for data in ("meshes", "normals"):
        check_labels(made("modelnet10", data=data), root, modelnet.TEN)


def test_each_kind_of_data_has_a_fingerprint_of_its_own(root: Path, tmp_path: Path) -> None:
    for data, files in (("meshes", modelnet.meshes), ("hdf5", hdf5), ("normals", normals)):
        imported(made(data=data), root, write_files(tmp_path / data, files()))
    assert len({made(data=data).fingerprint(root) for data in ("meshes", "hdf5", "normals")}) == 3


def test_the_fingerprint_of_meshes_does_not_depend_on_their_folders(tmp_path: Path) -> None:
    found = set()
    for form in ("makers' zip", "another name"):
        imported(made(), tmp_path / form / "mirror", write_files(tmp_path / form / "mine", FORMS[form][1]()))
        found.add(made().fingerprint(tmp_path / form / "mirror"))
    assert len(found) == 1


def array_file(name: str, value: np.ndarray) -> bytes:
    """An HDF5 file of two shapes, with another array in place of one."""
    arrays: dict[str, np.ndarray] = {
        "data": np.random.default_rng(0).random((2, 2048, 3)),
        "label": np.zeros((2, 1), np.uint8),
    }
    return modelnet.hdf5_file(**{**arrays, name: value})


def external_link() -> bytes:
    """An HDF5 file whose labels are a link to another file."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["data"] = np.zeros((2, 2048, 3), np.float32)
        file["label"] = h5py.ExternalLink("other.h5", "/label")
    return stream.getvalue()


HDF5_TOP, NORMALS_TOP = "modelnet40_ply_hdf5_2048", "modelnet40_normal_resampled"
DAMAGED = {
    "a cut mesh": ("meshes", "ModelNet40/xbox/test/xbox_0004.off", modelnet.off("xbox")[:-9], "the last line is not"),
    "lines lack": ("meshes", "ModelNet40/xbox/test/xbox_0004.off", modelnet.off("xbox")[:-10], "13 lines follow"),
    "no mesh": ("meshes", "ModelNet40/xbox/test/xbox_0004.off", b"ply\n", "xbox_0004.off is not an OFF file"),
    "a long number": (
        "meshes",
        "ModelNet40/xbox/test/xbox_0004.off",
        b"OFF\n" + b"9" * 5000 + b" 6 0\n",
        "not an OFF file",
    ),
    "a long corner": (
        "meshes",
        "ModelNet40/xbox/test/xbox_0004.off",
        modelnet.off("xbox").rstrip(b"\n") + b"\n" + b"9" * 5000 + b" 1 2 3\n",
        "the last line is not whole",
    ),
    "a pointer": ("meshes", "ModelNet40/xbox/test/xbox_0004.off", b"version https://git-lfs", "pointer of git-lfs"),
    "a stray class": ("meshes", "ModelNet40/cat/test/cat_1.off", modelnet.off("xbox"), "meshes of cat, but none in"),
    "a cut HDF5": ("hdf5", f"{HDF5_TOP}/ply_data_test0.h5", b"\x89HDF\r\n\x1a\n\0\0", "cannot be read as HDF5"),
    "no labels": ("hdf5", f"{HDF5_TOP}/ply_data_test0.h5", modelnet.hdf5_file(data=np.ones((2, 9, 3))), "'label'"),
    "a shape": (
        "hdf5",
        f"{HDF5_TOP}/ply_data_test0.h5",
        array_file("data", np.ones((2, 9, 2))),
        "has the shape 2×9×2, not any×any×3",
    ),
    "a link": ("hdf5", f"{HDF5_TOP}/ply_data_test0.h5", external_link(), "no array 'label' of its own"),
    "a label": (
        "hdf5",
        f"{HDF5_TOP}/ply_data_test0.h5",
        array_file("label", np.array([[0], [4]], np.uint8)),
        "ply_data_test0.h5, shape 1: label 4 is not one of 4 classes",
    ),
    "fewer labels": (
        "hdf5",
        f"{HDF5_TOP}/ply_data_test0.h5",
        array_file("label", np.zeros((3, 1), np.uint8)),
        "has 2 shapes and 3 labels",
    ),
    "no number": (
        "hdf5",
        f"{HDF5_TOP}/ply_data_test0.h5",
        array_file("data", np.full((2, 9, 3), np.nan)),
        "shape 0: point 0 is not finite",
    ),
    "a file": (
        "hdf5",
        f"{HDF5_TOP}/test_files.txt",
        b"data/ply_data_test7.h5\n",
        "test_files.txt has data/ply_data_te",
    ),
    "a cut line": ("normals", f"{NORMALS_TOP}/xbox/xbox_0004.txt", b"1,2,3,0,0,1\n1,2,", "line 2: '1,2,' is not 6 num"),
    "a word": ("normals", f"{NORMALS_TOP}/xbox/xbox_0004.txt", b"1,2,x,0,0,1\n", "line 1: '1,2,x,0,0,1' is not 6"),
    "no points": ("normals", f"{NORMALS_TOP}/xbox/xbox_0004.txt", b"", "xbox_0004.txt has no points"),
    "few points": (
        "normals",
        f"{NORMALS_TOP}/xbox/xbox_0005.txt",
        b"1,2,3,0,0,1\n4,5,6,0,0,1\n",
        "xbox_0005.txt has 2 points a shape, and ",
    ),
    "a missing shape": ("normals", f"{NORMALS_TOP}/modelnet40_test.txt", b"xbox_9", "no file 'xbox/xbox_9.txt'"),
    "a shape twice": ("normals", f"{NORMALS_TOP}/modelnet40_test.txt", b"xbox_0004\nxbox_0004", "'xbox_0004' twice"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named_with_its_place(case: str, root: Path, tmp_path: Path) -> None:
    data, name, content, message = DAMAGED[case]
    files = next(files for own, files in FORMS.values() if own == data)
    mine = write_files(tmp_path / "mine", {**files(), name: content})
    with pytest.raises(UserError) as caught:
        imported(made(data=data), root, mine)
    assert message in str(caught.value)
    assert str(mine) in str(caught.value)
    assert list(root.rglob("*")) == []


def test_a_class_without_meshes_in_one_split_is_named(root: Path, tmp_path: Path) -> None:
    files = {name: own for name, own in modelnet.meshes().items() if "/xbox/test/" not in name}
    with pytest.raises(UserError, match=r"has meshes of xbox, but none in its split test; get it again"):
        imported(made(), root, write_files(tmp_path / "mine", files))


def test_several_archives_side_by_side_are_told_apart(root: Path, tmp_path: Path) -> None:
    files = {"ModelNet10.zip": zipped(modelnet.meshes("ModelNet10", modelnet.TEN))}
    files |= {"ModelNet40.zip": zipped(modelnet.meshes()), "points.zip": zipped(hdf5())}
    mine = write_files(tmp_path / "mine", files)
    for data in ("meshes", "hdf5"):
        imported(made(data=data), root, mine)
        check_labels(made(data=data), root)


def test_hdf5_has_2048_points() -> None:
    with pytest.raises(ValueError, match=r"with task\.data = hdf5 there are 2048"):
        made(data="hdf5", points=4096)
