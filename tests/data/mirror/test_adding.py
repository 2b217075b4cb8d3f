"""A part that is added to a folder with others: whole or not at all, also through a link or if the import is killed."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nacbench.data.mirror.manifest import MANIFEST
from nacbench.errors import BrokenFileError, UserError
from nacbench.tasks.imagenet import Imagenet
from nacbench.tasks.tiny_imagenet_c import TinyImagenetC
from tests.data.copies import corrupted, imagenet
from tests.data.copies.colours import write_files
from tests.data.mirror.archives import files_of

pytestmark = pytest.mark.usefixtures("cache")

FILES = imagenet.sorted_folders()


def split(folder: Path, name: str) -> Path:
    """A folder with one of the splits."""
    return write_files(folder, {path: own for path, own in FILES.items() if path.startswith(f"{name}/")})


KILLED = """
import os, signal, sys
from pathlib import Path
from nacbench.tasks.imagenet import Imagenet

moved = []
real = os.replace

def replaced(self, target):
    if "/made/" in str(self):
        moved.append(target)
        if len(moved) > int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
    real(self, target)
    return Path(target)

Path.replace = replaced
Imagenet.files.bring(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("after", [0, 4])
def test_a_killed_import_leaves_no_half_of_a_split(after: int, root: Path, tmp_path: Path) -> None:
    Imagenet.files.bring(root, split(tmp_path / "v", "val"))
    mine = split(tmp_path / "t", "train")
    command = [sys.executable, "-c", KILLED, str(root), str(mine), str(after)]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True)
    if after:  # there are not so many moves
        assert done.returncode == 0
    else:
        assert done.returncode == -signal.SIGKILL
        assert Imagenet.files.missing(root) is not None
        Imagenet.files.bring(root, mine)
    assert files_of(root / "imagenet") == FILES
    assert "20 files checked: checksums match" in Imagenet.files.verify(root)
    assert [path.name for path in root.iterdir()] == ["imagenet"]


def test_a_group_of_corruptions_that_is_torn_is_named(root: Path, tmp_path: Path) -> None:
    noise = corrupted.folders("noise")
    write_files(root / "tiny-imagenet-c", {name: own for name, own in noise.items() if "shot" not in name})
    mine = write_files(tmp_path / "mine", {**noise, **corrupted.folders("blur")})
    with pytest.raises(BrokenFileError, match=r"has something of noise, but lacks shot_noise/1/\*/\*; complete it, or"):
        TinyImagenetC.files.bring(root, mine)
    assert not (root / "tiny-imagenet-c/zoom_blur").exists()


def test_the_manifest_speaks_of_files_only_when_they_are_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Imagenet.files.bring(root, split(tmp_path / "v", "val"))
    before = (root / "imagenet" / MANIFEST).read_bytes()

    def refuse(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("nacbench.data.mirror.data_files.merge_content", refuse)
    with pytest.raises(UserError, match="No space left on device"):
        Imagenet.files.bring(root, split(tmp_path / "t", "train"))
    assert (root / "imagenet" / MANIFEST).read_bytes() == before


@pytest.fixture
def other_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to and from which nothing can be renamed or linked, as on another file system than that of the test."""
    place = tmp_path / "elsewhere" / "data"
    place.parent.mkdir()

    def within(path: Any) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(place.parent)

    def refusing(do: Callable[..., None]) -> Callable[..., None]:
        def checked(source: Any, target: Any, **more: Any) -> None:
            if within(Path(source).parent) != within(Path(target).parent):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(target))
            do(source, target, **more)

        return checked

    for name in ("rename", "replace", "link"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    return place


@pytest.mark.parametrize("linked", ["imagenet", "imagenet/train"])
def test_a_link_to_another_file_system_is_filled(
    linked: str, root: Path, tmp_path: Path, other_file_system: Path
) -> None:
    other_file_system.mkdir()
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(other_file_system)
    with pytest.raises(OSError, match="Invalid cross-device link"):
        (tmp_path / "elsewhere" / "data").rename(tmp_path / "here")  # as it is between file systems
    for name in ("val", "train"):
        Imagenet.files.bring(root, split(tmp_path / name, name))
    assert "20 files checked: checksums match" in Imagenet.files.verify(root)
    assert {name: (root / "imagenet" / name).read_bytes() for name in FILES} == FILES
    assert (root / linked).is_symlink()
    assert files_of(other_file_system)
    assert len(list(other_file_system.parent.glob(f".{other_file_system.name}*"))) == 0


def test_files_that_the_manifest_does_not_know_are_checked_too(root: Path, tmp_path: Path) -> None:
    (name, content), *_ = [(name, own) for name, own in FILES.items() if name.startswith("val/")]
    write_files(root / "imagenet", {name: content[: len(content) // 2]})
    Imagenet.files.bring(root, split(tmp_path / "t", "train"))
    with pytest.raises(UserError, match=f"{name} cannot be read as an image"):
        Imagenet.files.verify(root)
    write_files(root / "imagenet", {name: content, "val/n01440764/._hidden.JPEG": b"of an operating system"})
    assert f"not in the manifest: 1 file, such as {root}/imagenet/{name}" in Imagenet.files.verify(root)
