"""An archive that stays packed in the mirror: what was unpacked from it into the cache is not believed."""

from hashlib import sha256
from pathlib import Path

import pytest

from nacbench.data.mirror.cache import compared_copies
from nacbench.data.mirror.packed import PackedFiles
from nacbench.errors import UserError
from tests.data.mirror.archives import MESHES, files_of, shapes, zipped

MESH = "a/train/a_0.off"


@pytest.fixture
def data_files(root: Path, cache: Path) -> PackedFiles:
    """Data files whose archive is in the mirror."""
    content = zipped(MESHES)
    (root / "shapes").mkdir(parents=True)
    (root / "shapes/raw.zip").write_bytes(content)
    return PackedFiles(
        name="shapes",
        url="https://made.up/raw.zip",
        sha256=sha256(content).hexdigest(),
        inside="Shapes",
        packed="raw.zip",
        needs=("*/train/*.off", "*/test/*.off"),
        size="1 kB",
    )


def test_the_archive_is_unpacked_once(data_files: PackedFiles, root: Path) -> None:
    place = data_files.require(root)
    assert files_of(place) == shapes()
    inode = (place / MESH).stat().st_ino
    assert (data_files.require(root) / MESH).stat().st_ino == inode


def test_altered_lost_and_added_files_are_unpacked_again(data_files: PackedFiles, root: Path) -> None:
    mesh = data_files.require(root) / MESH
    mesh.write_bytes(mesh.read_bytes().swapcase())
    assert files_of(data_files.require(root)) == shapes()
    mesh.unlink()
    assert files_of(data_files.require(root)) == shapes()
    mesh.with_name("a_9.off").write_text("OFF")
    assert files_of(data_files.require(root)) == shapes()


def test_verify_names_and_removes_what_was_altered(data_files: PackedFiles, root: Path) -> None:
    mesh = data_files.require(root) / MESH
    assert [copy.wrong for copy in compared_copies()] == [None]
    mesh.write_bytes(mesh.read_bytes().swapcase())
    (copy,) = compared_copies()
    assert copy.wrong == f"the files in {copy.folder} are not those of its manifest"
    assert not copy.folder.exists()


def test_another_archive_in_its_place_is_refused(data_files: PackedFiles, root: Path) -> None:
    data_files.require(root)
    (root / "shapes/raw.zip").write_bytes(zipped(MESHES | {"Shapes/a/train/a_2.off": b"OFF"}))
    with pytest.raises(UserError, match=r"raw\.zip has the SHA-256"):
        data_files.require(root)
