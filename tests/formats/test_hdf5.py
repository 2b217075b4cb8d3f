"""Arrays in HDF5 files: shapes and types are checked, and nothing is read from other files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.hdf5 import read_hdf5

SHAPES: dict[str, tuple[int | None, ...]] = {"data": (None, 3), "label": (None, 1)}


def written(file: Path, **arrays: object) -> Path:
    """A file with some arrays."""
    with h5py.File(file, "w") as opened:
        for name, array in arrays.items():
            opened[name] = array
    return file


def test_arrays_keep_their_type_and_a_last_dimension_of_one_may_be_missing(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.h5", data=np.arange(6, dtype=np.float16).reshape(2, 3), label=np.array([7, 8], np.uint8)
    )
    found = read_hdf5(file, SHAPES)
    assert found["data"].dtype == np.float16
    assert found["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["label"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.zeros((2, 2)), "its 'label' has the shape 2×2, not any×1; get it again"),
        (np.array([b"a", b"b"]), "its 'label' is no array of numbers; get it again"),
    ],
)
def test_other_shapes_and_types_are_refused(label: np.ndarray, message: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.h5", data=np.zeros((2, 3)), label=label)
    with pytest.raises(BrokenFileError) as caught:
        read_hdf5(file, SHAPES, "get it again")
    assert str(caught.value) == f"{file} cannot be read as HDF5: {message}"


def test_a_missing_array_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match=r"no array 'data' of its own; it has: labels, points$"):
        read_hdf5(written(tmp_path / "a.h5", points=[1], labels=[1]), SHAPES)


def test_no_hdf5_file(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"not HDF5")
    with pytest.raises(BrokenFileError, match=r"a.h5 cannot be read as HDF5: "):
        read_hdf5(tmp_path / "a.h5", SHAPES)
    with pytest.raises(UserError, match="cannot read"):
        read_hdf5(tmp_path / "b.h5", SHAPES)


def test_content_of_other_files_is_never_read(tmp_path: Path) -> None:
    other = written(tmp_path / "other.h5", data=np.ones((2, 3)))
    (tmp_path / "raw").write_bytes(np.ones(6).tobytes())
    layout = h5py.VirtualLayout(shape=(2, 3), dtype="f8")
    layout[:] = h5py.VirtualSource(str(other), "data", shape=(2, 3))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("data", (2, 3), "f8", external=[(str(tmp_path / "raw"), 0, 48)])
    written(tmp_path / "link.h5", data=h5py.ExternalLink(str(other), "/data"))
    for name, message in (("virtual", "lies in another file"), ("external", "lies in another"), ("link", "of its own")):
        with pytest.raises(BrokenFileError, match=message):
            read_hdf5(tmp_path / f"{name}.h5", {"data": (None, 3)})


def test_a_declared_size_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (2**40, 3), "f8", chunks=(1024, 3))  # nothing is written, so it takes a few kB
    with pytest.raises(BrokenFileError, match=r"its 'data' has more than 4,294,967,296 bytes"):
        read_hdf5(tmp_path / "a.h5", {"data": (None, 3)})
