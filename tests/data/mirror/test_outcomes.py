"""What an import tells of each data set of a task: taken, there already, not in the paths, or damaged."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nacbench.cli import app
from nacbench.errors import UserError
from tests.data.copies import cifar, corrupted, cub, modelnet
from tests.data.copies.colours import write_files

pytestmark = pytest.mark.usefixtures("cache")

TEN = cifar.examples("cifar10", 5)
ARRAYS = corrupted.arrays(TEN.labels[-1])


def data(verb: str, root: Path, *arguments: object) -> Result:
    """A verb of ``nacbench data``."""
    return CliRunner().invoke(app, ["data", verb, *map(str, arguments), "--data-root", str(root)])


def test_damage_is_an_error_though_another_data_set_was_taken(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**cifar.python10(TEN), **ARRAYS})
    file = mine / "CIFAR-10-C/fog.npy"
    file.write_bytes(file.read_bytes()[:-100])
    done = data("import", root, "cifar10-c", mine)
    assert "cifar10-c: huggingface.co/datasets/uoft-cs/cifar10 is now in" in done.output
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"{file} is cut short, or is damaged: ")


def test_a_cut_mesh_is_an_error_though_points_were_taken(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**modelnet.meshes(), **modelnet.normals()})
    file = mine / "ModelNet40/toilet/test/toilet_0005.off"
    file.write_bytes(file.read_bytes()[:60])
    done = data("import", root, "modelnet40", mine)
    assert "modelnet40: to use it, say: --set task.data=normals" in done.output
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"{file} is cut: ")


def test_what_is_there_already_is_told_and_no_other_data_set_s_lack(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", cub.original())
    assert data("import", root, "lowshot-cub", mine).exit_code == 0
    done = data("import", root, "lowshot-cub", mine)
    assert str(done.exception) == f"{root}/cub-200-2011 has data in it already; remove it first"


def test_what_is_there_already_is_told_beside_what_was_taken(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", cifar.python10(TEN))
    assert data("import", root, "cifar10-c", mine).exit_code == 0
    done = data("import", root, "cifar10-c", write_files(mine, ARRAYS))
    assert done.exit_code == 0
    assert f"cifar10-c: not taken: {root}/uoft-cs/cifar10 has data in it already" in done.output


def test_a_data_set_that_lacks_little_is_told_beside_what_was_taken(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**cifar.python10(TEN), **ARRAYS})
    (mine / "CIFAR-10-C/fog.npy").unlink()
    done = data("import", root, "cifar10-c", mine)
    assert done.exit_code == 0
    assert "cifar10-c: not taken: " in done.output
    assert "it lacks fog.npy" in done.output


@pytest.fixture
def published(root: Path, tmp_path: Path) -> Path:
    """The mirror with CIFAR-10 and its published corruptions, which only another choice of the task uses."""
    mine = write_files(tmp_path / "mine", {**cifar.python10(TEN), **ARRAYS})
    assert data("import", root, "cifar10-c", mine).exit_code == 0
    return root / "cifar-10-c"


def test_verify_checks_the_data_of_other_choices(published: Path, root: Path) -> None:
    done = data("verify", root, "cifar10-c")
    assert done.exit_code == 0
    assert "CIFAR-10-C.tar: 20 files checked: checksums match" in done.output
    file = published / "fog.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    done = data("verify", root, "cifar10-c")
    assert done.exit_code == 1
    assert f"error: cifar10-c: {file} is damaged or changed" in done.output
    assert "fetch it again with 'nacbench data fetch cifar10-c --set task.data=published'" in done.output
    file.unlink()
    assert data("verify", root, "cifar10-c").exit_code == 2


def test_data_of_other_choices_that_is_not_there_is_not_missed(root: Path, tmp_path: Path) -> None:
    assert data("import", root, "cifar10-c", write_files(tmp_path / "mine", cifar.python10(TEN))).exit_code == 0
    assert data("verify", root, "cifar10-c").exit_code == 0


def test_list_has_the_data_of_other_choices(published: Path, root: Path) -> None:
    rows = json.loads(data("list", root, "--json").output)["data"]
    own = [(row["setting"], row["state"]) for row in rows if row["task"] == "cifar10-c"]
    assert own == [(None, "ready"), ("task.data=published", "ready")]
    states = [(row["setting"], row["state"]) for row in rows if row["task"] == "listops"]
    assert states == [(None, "always available"), ("task.data=lra", "missing")]


def test_fetch_says_what_it_does_not_fetch(root: Path, tmp_path: Path) -> None:
    assert data("import", root, "cifar10-c", write_files(tmp_path / "mine", cifar.python10(TEN))).exit_code == 0
    assert "CIFAR-10-C.tar, which is used with --set task.data=published" in data("fetch", root, "cifar10-c").output


def test_what_an_import_says_is_still_missing_keeps_the_setting(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", corrupted.folders("noise"))
    shown = data("import", root, "tiny-imagenet-c", mine).output
    assert "with 'nacbench data fetch tiny-imagenet-c --set task.data=published' where there is a network" in shown


@pytest.mark.parametrize("settings", [(), ("--set", "task.data=published")])
def test_advice_keeps_the_setting(settings: tuple[str, ...], root: Path) -> None:
    root.mkdir()
    shown = data("where", root, "cifar10-c", *settings).output
    assert "with 'nacbench data fetch cifar10-c --set task.data=published' where there is a network" in shown


def test_a_choice_that_a_task_refuses_is_left_out(root: Path) -> None:
    root.mkdir()
    assert "always available" in data("where", root, "listops-short").output
