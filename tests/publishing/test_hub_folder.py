"""Folders for the hub: written whole, and read strictly."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

import nacbench
from nacbench.cli import app
from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import digest_of
from nacbench.formats.weights_file import digest_of_tensors
from nacbench.publishing.hub_folder import FILES, export_run
from nacbench.recording.store import WEIGHTS
from nacbench.registry import MODELS
from nacbench.running.outcome import Outcome

Folder = Path


@pytest.fixture
def foreign(exported: Folder, tmp_path: Path) -> Folder:
    """A copy that a test changes."""
    return Path(shutil.copytree(exported, tmp_path / "foreign"))


def export(*words: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, words), "--to", "hub-folder"])


# -- writing -----------------------------------------------------------------------------------------------------------


def test_the_command_makes_a_folder_of_four_files(outcome: Outcome, tmp_path: Path) -> None:
    done = export(outcome.folder, "--into", tmp_path)
    (made,) = tmp_path.iterdir()
    assert str(made) in done.stdout.splitlines()
    assert made.name == f"digits-floor-linear-{outcome.record.run_id}"
    assert sorted(file.name for file in made.iterdir()) == sorted(FILES)
    assert (made / "model.safetensors").read_bytes() == (outcome.folder / WEIGHTS).read_bytes()
    assert (made / "record.json").read_bytes() == (outcome.folder / "record.json").read_bytes()


@pytest.mark.parametrize(("into", "told"), [((), "hub"), (("--into", "mine"), "mine")])
def test_the_folder_of_several_exports_is_told(
    outcome: Outcome, into: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = nacbench.run(
        "digits", "floor-linear", scale="smoke", training={"epochs": 1}, out=tmp_path / "runs", seed=1, quiet=True
    )
    done = export(outcome.folder, other.folder, *into)
    assert done.stdout.splitlines()[-1] == f"2 runs exported to hub-folder: {told}"
    assert len(list(Path(told).iterdir())) == 2


def test_no_place_of_this_machine_is_in_it(outcome: Outcome, exported: Folder) -> None:
    for file in exported.iterdir():
        assert str(outcome.folder.parents[2]).encode() not in file.read_bytes()


def test_the_same_export_again_changes_nothing(outcome: Outcome, tmp_path: Path) -> None:
    made = export_run(outcome.folder, tmp_path).path
    stamp = (made / "README.md").stat().st_mtime_ns
    assert export_run(outcome.folder, tmp_path).was_there
    assert (made / "README.md").stat().st_mtime_ns == stamp


def test_a_card_that_was_edited_is_kept_unless_forced(outcome: Outcome, tmp_path: Path) -> None:
    card = export_run(outcome.folder, tmp_path).path / "README.md"
    card.write_text("mine")
    with pytest.raises(UserError, match="is another export of this run; --force replaces it"):
        export_run(outcome.folder, tmp_path)
    assert card.read_text() == "mine"
    assert not export_run(outcome.folder, tmp_path, force=True).was_there
    assert card.read_text() != "mine"
    assert len(list(tmp_path.iterdir())) == 1  # nothing is left beside it


@pytest.mark.parametrize(
    "put",
    [
        lambda place: place.write_text("a file"),
        lambda place: place.mkdir(),
        lambda place: place.symlink_to("nowhere"),
        lambda place: (place.mkdir(), (place / "thesis.tex").write_text("x")),
    ],
)
def test_anything_else_in_the_place_is_never_replaced(
    outcome: Outcome, tmp_path: Path, put: Callable[[Path], Any]
) -> None:
    put(tmp_path / f"digits-floor-linear-{outcome.record.run_id}")
    with pytest.raises(UserError, match="is not an export of this run"):
        export_run(outcome.folder, tmp_path, force=True)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_is_not_whole_makes_no_folder(outcome: Outcome, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(outcome.folder, tmp_path / outcome.record.run_id))
    (copy / WEIGHTS).unlink()
    with pytest.raises(UserError, match="weights"):
        export_run(copy, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize("to", ["hub-folder", "tensorboard"])
def test_a_run_that_cannot_be_exported_does_not_keep_the_others_back(outcome: Outcome, tmp_path: Path, to: str) -> None:
    store = tmp_path / "runs"
    broken = store / "digits/floor-linear" / outcome.record.run_id  # the first by its task's name
    shutil.copytree(outcome.folder, broken)
    (broken / WEIGHTS).unlink()
    (broken / "curve.jsonl").write_text("other")
    settings: dict[str, Any] = {"scale": "smoke", "training": {"epochs": 1}, "quiet": True}
    whole = nacbench.run("digits", "floor-nearest-mean", out=store, **settings)
    done = CliRunner().invoke(app, ["export", str(store), "--to", to, "--into", str(tmp_path / "to")])
    assert done.stdout.splitlines()[-1].startswith(f"1 run exported to {to}: ")
    assert [*(tmp_path / "to").rglob(f"*{whole.record.run_id}")]
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"1 of 2 runs were not exported: {broken}")


def test_what_belongs_to_the_hub_is_refused_elsewhere_and_runs_are_named_by_their_ids(
    outcome: Outcome, tmp_path: Path
) -> None:
    store, run_id = outcome.folder.parents[2], outcome.record.run_id
    assert export(run_id[:6], "--out", store, "--into", tmp_path).exit_code == 0
    words = ["export", run_id, "--out", str(store), "--to", "tensorboard", "--push", "me/mine"]
    assert "--push is for --to hub-folder" in str(CliRunner().invoke(app, words).exception)


# -- loading -----------------------------------------------------------------------------------------------------------


def test_the_folder_is_loaded_like_the_run(outcome: Outcome, exported: Folder) -> None:
    ours, theirs = nacbench.load(outcome.folder), nacbench.load(exported)
    assert theirs.record == ours.record
    assert theirs.config == ours.config
    inputs = {"image": torch.rand(2, 1, 8, 8)}
    assert torch.equal(theirs.net(**inputs), ours.net(**inputs))


def test_training_can_begin_with_it(outcome: Outcome, exported: Folder) -> None:
    settings: dict[str, Any] = {"scale": "smoke", "training": {"epochs": 1}, "out": outcome.folder.parents[2]}
    tuned = nacbench.run("digits", "floor-linear", init_from=exported, quiet=True, **settings).record
    assert tuned.initial is not None
    assert tuned.initial.origin == f"run {outcome.record.run_id}"
    assert nacbench.run("digits", "floor-linear", init_from=outcome.folder, quiet=True, **settings).was_finished


def test_training_does_not_begin_with_weights_that_are_not_the_record_s(foreign: Folder, tmp_path: Folder) -> None:
    file = foreign / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"model\.safetensors .*; copy it again"):
        nacbench.run("digits", "floor-linear", scale="smoke", init_from=foreign, out=tmp_path / "runs", quiet=True)
    assert not (tmp_path / "runs").exists()


def rewritten(folder: Folder, **changes: Any) -> None:
    """Change ``config.json``; a value of None removes the key."""
    path = folder / "config.json"
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def agreeing(folder: Folder, tensors: dict[str, torch.Tensor]) -> None:
    """Write other tensors so that record and configuration agree with them: only the network can tell."""
    run_id = json.loads((folder / "config.json").read_text())["run_id"]
    file, record = folder / "model.safetensors", folder / "record.json"
    save_file(tensors, file, {"nacbench": json.dumps({"run_id": run_id})})
    content = json.loads(record.read_text())
    content["files"][WEIGHTS] = digest_of(file)
    record.write_text(json.dumps(content))
    rewritten(folder, weights=digest_of_tensors(file.read_bytes(), file))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "has format 2; this nacbench reads 1"),
        ({"library_name": "timm"}, "was not written by nacbench export"),
        ({"weights": "0" * 16}, "weights is not that of"),
        ({"classes": 11}, "classes is not that of"),
        ({"classes": None}, "is not a valid Exported: classes"),
        ({"more": 1}, "is not a valid Exported: more"),
        ({"run_id": "0" * 12}, "is the record of run"),
        ({"task": "no-such"}, "task is not that of"),
    ],
)
def test_a_changed_configuration_is_refused(foreign: Folder, changes: dict[str, Any], reason: str) -> None:
    rewritten(foreign, **changes)
    with pytest.raises(UserError, match=reason):
        nacbench.load(foreign)


CHANGED: dict[str, tuple[Callable[[torch.Tensor], dict[str, torch.Tensor]], str]] = {
    "missing": (lambda tensor: {}, "bias is missing, not 10 of float32"),
    "name": (lambda tensor: {"model/core.logits.bias2": tensor}, "bias is missing"),
    "shape": (lambda tensor: {"model/core.logits.bias": tensor[:9].clone()}, "bias is 9 of float32, not 10 of float32"),
    "type": (lambda tensor: {"model/core.logits.bias": tensor.half()}, "bias is 10 of float16"),
    "value": (lambda tensor: {"model/core.logits.bias": tensor * torch.nan}, "bias has values that are not finite"),
    "more": (
        lambda tensor: {"model/core.logits.bias": tensor, "model/core.extra": tensor + 1},
        r"which has no core\.extra",
    ),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_tensors_that_are_not_the_networks_are_refused(foreign: Folder, kind: str) -> None:
    tensors = load_file(foreign / "model.safetensors")
    change, reason = CHANGED[kind]
    bias = tensors.pop("model/core.logits.bias")
    agreeing(foreign, {**tensors, **change(bias)})
    with pytest.raises(UserError, match=reason):
        nacbench.load(foreign)


def test_a_changed_byte_is_seen(foreign: Folder) -> None:
    file = foreign / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="is damaged or changed"):
        nacbench.load(foreign)


def test_a_pickle_is_not_opened(foreign: Folder) -> None:
    (foreign / "model.safetensors").rename(foreign / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"may be a pickle.*save_file"):
        nacbench.load(foreign)


@pytest.mark.parametrize("name", ["config.json", "record.json", "model.safetensors"])
def test_a_missing_file_is_named(foreign: Folder, name: str) -> None:
    (foreign / name).unlink()
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        nacbench.load(foreign)


PLUGIN = """
from dataclasses import dataclass
from nacbench.baselines.floor_linear import FloorLinear

@dataclass(frozen=True, kw_only=True)
class Mine(FloorLinear):
    title = "Mine"
"""


def test_a_plug_in_that_is_not_loaded_is_asked_for(tmp_path: Path) -> None:
    plugin = tmp_path / "my_floor.py"
    plugin.write_text(PLUGIN)
    done = nacbench.run(
        "digits", "my-floor", scale="smoke", training={"epochs": 1}, plugins=[plugin], out=tmp_path / "r", quiet=True
    )
    made = export_run(done.folder, tmp_path / "hub").path
    MODELS.forget_files()
    with pytest.raises(UserError, match=r"needs the model 'my-floor', a plug-in of my_floor\.py .*--plugin FILE"):
        nacbench.load(made)
    assert nacbench.load(made, plugins=[plugin]).record == done.record
    MODELS.forget_files()
    card = (made / "README.md").read_text()
    assert f'load("{made.name}", plugins=["my_floor.py"])' in card
    assert "--plugin my_floor.py --init-from FOLDER" in card


def test_the_command_of_the_card_begins_another_training(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"task.position_dim": 8, "training.epochs": 1}
    done = nacbench.run("digits", "floor-linear", scale="smoke", out=tmp_path / "runs", quiet=True, **settings)
    made = export_run(done.folder, tmp_path / "hub").path
    (line,) = re.findall(r"^```bash\n(.*)\n```$", (made / "README.md").read_text(), re.MULTILINE)
    words = [str(made) if word == "FOLDER" else word for word in shlex.split(line)[1:]]
    again = CliRunner().invoke(app, [*words, "--set", "training.epochs=1", "--out", str(tmp_path / "runs")])
    assert again.exit_code == 0, again.exception
    assert len(list(tmp_path.glob("runs/digits/floor-linear/*/record.json"))) == 2
