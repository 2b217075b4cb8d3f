"""``nacbench data`` and ``nacbench tasks NAME`` as a user meets them, on made tasks with made files."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from nacbench.cli import app
from nacbench.data.mirror.manifest import MANIFEST
from nacbench.errors import UserError
from nacbench.registry import TASKS
from tests.data.copies.cifar import png

HUB_TASK = """
from dataclasses import dataclass

from nacbench import HubFiles, HubImageTask, ImageRecipe


@dataclass(frozen=True, kw_only=True)
class Miniature(HubImageTask):
    title = "Miniature"
    classes = 2
    licence = "CC0"
    citation = "Nobody 2026"
    provenance = "made up"
    shape = (3, 8, 8)
    mean = std = (0.5, 0.5, 0.5)
    dataset = HubFiles(
        name="made/miniature", revision="0" * 40, splits={s: f"data/{s}-*.parquet" for s in ("train", "test")}
    )
    presets = {"smoke": {"patch": 2}, "paper": {"stem_width": 32}}
    recipes = {
        "smoke": ImageRecipe(batch_size=4, epochs=1, lr=1e-3),
        "paper": ImageRecipe(batch_size=8, epochs=9, lr=2e-3),
    }
"""
SHIFTED_TASK = """
from dataclasses import dataclass

from nacbench import ArchiveFiles, EvaluationTask, LocalFiles, Settings


@dataclass(frozen=True, kw_only=True)
class MiniatureShifted(EvaluationTask):
    title = "Miniature, shifted"
    modality = "image"
    classes = 2
    licence = citation = provenance = "made up"
    protocol = "ood"
    trained_on = "miniature"
    recipes = {"smoke": Settings(batch_size=4)}
    archive = ArchiveFiles(
        name="shifted", url="https://made.up/shifted.zip", sha256=None, inside="top", needs=("*.bin",), size="1 kB"
    )
    photos = LocalFiles(name="photos", url="https://made.up", needs=("*.png",), how="ask the makers", terms="CC0")

    def data_files(self):
        return (self.archive, self.photos)

    def fingerprint(self, data_root):
        return "f" * 16
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path) -> Iterator[list[str]]:
    """The options that make the two tasks known: ``miniature``, and ``miniature-shifted`` on top of it."""
    options = []
    for name, code in (("miniature", HUB_TASK), ("miniature_shifted", SHIFTED_TASK)):
        (tmp_path / f"{name}.py").write_text(code)
        options += ["--plugin", str(tmp_path / f"{name}.py")]
    yield options
    TASKS.forget_files()


@pytest.fixture(scope="module")
def made_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Parquet files of ``miniature``."""
    datasets.disable_progress_bars()
    root = tmp_path_factory.mktemp("made")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    for split in ("train", "test"):
        images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
        content = {"image": [Image.fromarray(image) for image in images], "label": [0, 1] * 3}
        (root / "made/miniature/data").mkdir(parents=True, exist_ok=True)
        file = root / f"made/miniature/data/{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(content, features=features).to_parquet(str(file))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty mirror."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The archive of ``miniature-shifted``."""
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as opened:
        opened.writestr("top/a.bin", "1234567")
        opened.writestr("top/b.bin", "1234567")
    return tmp_path / "mine.zip"


def invoke(*arguments: object) -> Result:
    """A verb in this process; a user's error is the result's exception."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(*arguments: object) -> str:
    """What a verb prints that must succeed."""
    done = invoke(*arguments)
    assert done.exit_code == 0, done.exception
    return done.stdout


def complaint(*arguments: object) -> str:
    """The one line that a verb must fail with."""
    done = invoke(*arguments)
    assert isinstance(done.exception, UserError), done.output
    assert "\n" not in str(done.exception)
    return str(done.exception)


def listed(root: Path, plugins: list[str], task: str) -> list[dict[str, Any]]:
    """The rows of a task in ``data list``."""
    content = json.loads(said("data", "list", "--json", "--data-root", root, *plugins))
    assert content["broken"] == {}
    return [row for row in content["data"] if row["task"] == task]


@pytest.mark.parametrize("verb", ["list", "fetch", "verify", "import", "where"])
def test_every_command_has_help(verb: str) -> None:
    assert "Usage:" in said("data", verb, "--help")


def test_list_has_place_and_state_of_data(root: Path, made_files: Path, plugins: list[str], archive: Path) -> None:
    (row,) = listed(root, plugins, "miniature")
    assert (row["state"], row["bytes"]) == ("missing", 0)
    assert "nacbench data fetch miniature" in row["missing"]
    said("data", "import", "miniature", made_files, "--data-root", root, *plugins)
    (row,) = listed(root, plugins, "miniature")
    files = sum(file.stat().st_size for file in made_files.rglob("*.parquet"))
    assert row == {
        "task": "miniature",
        "setting": None,
        "files": "huggingface.co/datasets/made/miniature",
        "place": str(root / "made/miniature"),
        "state": "ready",
        "bytes": files,
        "missing": None,
    }
    said("data", "import", "miniature-shifted", archive, "--data-root", root, *plugins)
    rows = {Path(row["place"]).name: row["state"] for row in listed(root, plugins, "miniature-shifted")}
    assert rows == {"miniature": "ready", "shifted": "ready", "photos": "missing"}


def test_list_as_a_table(root: Path, plugins: list[str]) -> None:
    lines = said("data", "list", "--data-root", root, *plugins).splitlines()
    (miniature,) = [line.split() for line in lines if line.startswith(" miniature ")]
    assert miniature == ["miniature", "huggingface.co/datasets/made/miniature", "made/miniature", "missing", "—"]
    (digits,) = [line for line in lines if line.startswith(" digits ")]
    assert "always available" in digits


def test_fetch_skips_data_that_is_there(made_files: Path, plugins: list[str]) -> None:
    shown = said("data", "fetch", "miniature", "--data-root", made_files, *plugins)
    place = made_files / "made/miniature"
    assert f"miniature: huggingface.co/datasets/made/miniature is there already, in {place}" in shown
    assert "miniature: ready, fingerprint " in shown


def test_fetch_and_verify_of_generated_data(root: Path) -> None:
    for verb in ("fetch", "verify", "where"):
        assert "digits: always available, nothing to fetch" in said("data", verb, "digits", "--data-root", root)
    assert (
        complaint("data", "import", "digits", root, "--data-root", root) == "digits: always available, nothing to fetch"
    )


def test_fetch_takes_the_data_of_the_task_that_trains_first(
    root: Path, plugins: list[str], archive: Path, made_files: Path
) -> None:
    for path in (made_files, archive):
        said("data", "import", "miniature-shifted", path, "--data-root", root, *plugins)
    done = invoke("data", "fetch", "miniature-shifted", "--data-root", root, *plugins)
    assert "miniature: ready, fingerprint" in done.stdout
    assert "miniature-shifted: https://made.up/shifted.zip is there already" in done.stdout
    assert "photos cannot be fetched automatically; ask the makers" in str(done.exception)
    (root / "photos").mkdir()
    (root / "photos/1.png").write_bytes(png(np.zeros((2, 2, 3), np.uint8)))
    shown = said("data", "fetch", "miniature-shifted", "--data-root", root, *plugins)
    assert f"miniature-shifted: ready, fingerprint {'f' * 16}" in shown


def test_verify_names_the_first_wrong_file_and_checks_all(
    root: Path, made_files: Path, plugins: list[str], archive: Path
) -> None:
    options = ["--data-root", root, *plugins]
    for path in (made_files, archive):
        said("data", "import", "miniature-shifted", path, *options)
    (root / "photos").mkdir()
    (root / "photos/1.png").write_bytes(png(np.zeros((2, 2, 3), np.uint8)))
    shown = said("data", "verify", "digits", "miniature-shifted", *options).splitlines()
    assert len(shown) == 4
    assert "miniature: huggingface.co/datasets/made/miniature: 2 files checked: checksums match" in shown[1]
    assert "imported from" in shown[2]
    assert "1 file, no checksums known" in shown[3]
    (root / "shifted/b.bin").write_bytes(b"1234568")
    done = invoke("data", "verify", "miniature-shifted", "digits", *options)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: miniature-shifted: {root / 'shifted/b.bin'} is damaged or changed")
    assert "nacbench data fetch miniature-shifted" in line
    assert "digits: always available" in done.stdout
    (root / "made/miniature" / MANIFEST).write_text("{}")
    done = invoke("data", "verify", "miniature-shifted", *options)
    assert done.exit_code == 1
    assert "is damaged or changed" in done.stderr
    assert "is not a valid Manifest" in done.stderr


def test_verify_compares_the_decoded_copies(
    root: Path, made_files: Path, plugins: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))
    options = ["--data-root", root, *plugins]
    said("data", "import", "miniature", made_files, *options)
    said("data", "fetch", "miniature", "digits", *options)
    shown = said("data", "verify", "--cache", *options).splitlines()
    assert [line.partition("-")[0] for line in shown[:2]] == ["cache: digits", "cache: made"]
    assert shown[2] == f"cache: compared 2 folders in {tmp_path / 'cache'}"
    (altered,) = (tmp_path / "cache/arrays").glob("made--miniature-*")
    with (altered / "train_labels.npy").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\7")
    done = invoke("data", "verify", "miniature", "--cache", *options)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: cache: the content of {altered} does not have its fingerprint")
    assert line.endswith("removed, it is made again when it is needed")
    assert "miniature: huggingface.co/datasets/made/miniature: 2 files checked" in done.stdout
    assert not altered.exists()
    said("data", "verify", "--cache", *options)


def test_verify_needs_something_to_check(root: Path) -> None:
    assert "name a task, or say --cache" in complaint("data", "verify", "--data-root", root)


def test_damaged_data_beside_missing_data_exits_with_1(
    root: Path, made_files: Path, plugins: list[str], archive: Path
) -> None:
    options = ["--data-root", root, *plugins]
    for path in (made_files, archive):
        said("data", "import", "miniature-shifted", path, *options)
    done = invoke("data", "verify", "miniature-shifted", *options)
    assert done.exit_code == 2
    assert "photos is not in" in done.stderr
    (root / "shifted/b.bin").write_bytes(b"1234568")
    done = invoke("data", "verify", "miniature-shifted", *options)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 2


def test_missing_data_exits_with_2_and_one_line(root: Path, plugins: list[str]) -> None:
    command = [sys.executable, "-m", "nacbench", "data", "verify", "miniature", "--data-root", str(root), *plugins]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: miniature: made/miniature is not in")


def test_import_refuses_wrong_data(root: Path, plugins: list[str], tmp_path: Path, archive: Path) -> None:
    options = ["--data-root", root, *plugins]
    (tmp_path / "empty").mkdir()
    assert complaint("data", "import", "miniature", tmp_path / "empty", *options) == (
        f"{tmp_path / 'empty'} has no file of any of the 6 forms of made/miniature that are taken; "
        "'nacbench data where miniature' lists them"
    )
    assert "no such file or folder" in complaint("data", "import", "miniature", tmp_path / "nowhere", *options)
    said("data", "import", "miniature-shifted", archive, *options)
    (root / "photos").mkdir()
    (root / "photos/1.png").write_bytes(png(np.zeros((2, 2, 3), np.uint8)))
    refused = complaint("data", "import", "miniature-shifted", archive, *options)
    assert refused == f"{root / 'shifted'} has data in it already; remove it first"
    refused = complaint("data", "import", "miniature-shifted", tmp_path / "empty", *options)
    assert "forms of made/miniature that are taken" in refused  # the nearest of what the paths do not have
    assert not list(root.glob(".*.tmp"))


def test_only_fetch_and_import_create_a_mirror(plugins: list[str], tmp_path: Path, made_files: Path) -> None:
    new = tmp_path / "a/new/mirror"
    assert ": no such folder" in complaint("data", "where", "miniature", "--data-root", new, *plugins)
    said("data", "import", "miniature", made_files, "--data-root", new, *plugins)
    assert f"{new / 'made/miniature'}  (ready)" in said("data", "where", "miniature", "--data-root", new, *plugins)
    file = tmp_path / "file"
    file.touch()
    assert ": no such folder" in complaint("data", "fetch", "miniature", "--data-root", file, *plugins)


def test_import_of_complete_data_is_refused_with_its_places(
    root: Path, plugins: list[str], archive: Path, made_files: Path
) -> None:
    options = ["--data-root", root, *plugins]
    for path in (made_files, archive):
        said("data", "import", "miniature-shifted", path, *options)
    (root / "photos").mkdir()
    (root / "photos/1.png").write_bytes(png(np.zeros((2, 2, 3), np.uint8)))
    refused = complaint("data", "import", "miniature-shifted", archive, *options)
    assert refused.startswith("miniature-shifted: all its data is there already, in ")
    assert all(str(root / name) in refused for name in ("photos", "shifted", "made/miniature"))


def test_where_names_folders_and_files(root: Path, plugins: list[str]) -> None:
    shown = said("data", "where", "miniature-shifted", "--data-root", root, *plugins).splitlines()
    first = shown.index(f"{root / 'made/miniature'}  (missing)")
    assert shown[first + 1 : first + 3] == ["  data/train-*.parquet", "  data/test-*.parquet"]
    assert "nacbench data import miniature-shifted" in "".join(shown)
    assert f"{root / 'shifted'}  (missing)" in shown
    assert "  *.bin" in shown


def test_options_of_a_task_can_choose_its_data(root: Path, plugins: list[str]) -> None:
    assert "always available" in said("data", "where", "listops", "--data-root", root)
    other = f"{root / 'listops-1000'}  (missing, used with --set task.data=lra)"
    assert other in said("data", "where", "listops", "--data-root", root).splitlines()
    assert "basic_train.tsv" in said("data", "where", "listops", "--set", "task.data=lra", "--data-root", root)
    for setting in ("training.lr=1", "data=lra"):
        assert "only options of the task can be set here" in complaint("data", "where", "listops", "--set", setting)
    assert "unknown option of task" in complaint("data", "where", "listops", "--set", "task.date=lra")


def test_details_of_one_task(root: Path, plugins: list[str]) -> None:
    shown = said("tasks", "miniature-shifted", "--data-root", root, *plugins)
    for part in ("protocol     ood", "trained on   miniature", f"{root / 'shifted'} (missing)", "batch_size"):
        assert part in shown
    about = json.loads(said("tasks", "miniature", "--json", "--data-root", root, *plugins))
    assert about["options"]["patch"] == 4
    assert about["presets"] == {"smoke": {"patch": 2}, "paper": {"stem_width": 32}}
    assert about["recipes"]["smoke"] == {"batch_size": 4, "epochs": 1, "lr": 0.001}
    assert about["data"][0]["state"] == "missing"
    assert "unknown task 'miniatur'; did you mean 'miniature'?" in complaint("tasks", "miniatur", *plugins)


def test_details_of_every_task(root: Path) -> None:
    for name in TASKS.entries():
        about = json.loads(said("tasks", name, "--json", "--data-root", root))
        assert about["citation"]
        assert said("tasks", name, "--data-root", root).startswith(f"name         {name}\n")


def test_the_list_of_tasks_has_protocols_and_trained_on(root: Path, plugins: list[str]) -> None:
    rows = json.loads(said("tasks", "--json", "--data-root", root, *plugins))["tasks"]
    (shifted,) = [row for row in rows if row["name"] == "miniature-shifted"]
    assert (shifted["protocol"], shifted["trained_on"]) == ("ood", "miniature")
    assert "made/miniature is not in" in shifted["missing"]


def test_lists_do_not_import_torch(root: Path) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from nacbench.cli import app

for arguments in (["tasks"], ["tasks", "digits"], ["data", "list"], ["data", "where", "cifar10"]):
    assert CliRunner().invoke(app, [*arguments, "--data-root", {str(root)!r}]).exit_code == 0, arguments
heavy = {{"torch", "pandas", "matplotlib", "datasets", "sklearn", "accelerate", "pooch", "huggingface_hub"}}
sys.exit(", ".join(heavy & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


LISTOPS = "Source\tTarget\n" + "( ( ( [MAX 1 ) 2 ) ] )\t2\n" * 3


def test_import_finds_the_data_of_other_choices(root: Path, plugins: list[str], tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        (tmp_path / "lra/listops-1000").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"lra/listops-1000/basic_{split}.tsv").write_text(LISTOPS)
    lines = said("data", "import", "listops", tmp_path / "lra", "--data-root", root).splitlines()
    assert lines[0].startswith("listops: recognised: ")
    assert lines[-1] == "listops: to use it, say: --set task.data=lra"
    assert "(ready)" in said("data", "where", "listops", "--set", "task.data=lra", "--data-root", root)


def test_import_takes_all_that_the_paths_have(root: Path, plugins: list[str], archive: Path, made_files: Path) -> None:
    said("data", "import", "miniature-shifted", archive, made_files, "--data-root", root, *plugins)
    states = {Path(row["place"]).name: row["state"] for row in listed(root, plugins, "miniature-shifted")}
    assert states == {"miniature": "ready", "shifted": "ready", "photos": "missing"}


def test_damage_of_what_was_recognised_is_told_and_not_what_else_is_missing(
    root: Path, plugins: list[str], tmp_path: Path
) -> None:
    (tmp_path / "mine/data").mkdir(parents=True)
    for split in ("train", "test"):
        (tmp_path / f"mine/data/{split}-00000-of-00001.parquet").write_bytes(
            b"version https://git-lfs.github.com/spec/v1"
        )
    refused = complaint("data", "import", "miniature-shifted", tmp_path / "mine", "--data-root", root, *plugins)
    assert refused == (
        f"{tmp_path}/mine/data/train-00000-of-00001.parquet is a pointer of git-lfs, not the data; get the data with: "
        "git lfs pull"
    )


def test_where_lists_the_forms_that_are_taken(root: Path) -> None:
    shown = said("data", "where", "cifar10", "--data-root", root)
    assert "  taken: CIFAR-10's python batches, as its makers and torchvision have them" in shown
    assert "  taken: uoft-cs/cifar10: the hub's branch refs/convert/parquet" in shown
