"""Runs that begin with given weights: what counts for the id, which tensors are taken, and what is refused."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor
from typer.testing import CliRunner

import nacbench
from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.filesystem.files import write_text
from nacbench.formats.weights_file import digest_of_tensors
from nacbench.recording.index import read_runs
from nacbench.recording.store import CONFIG, INITIAL, WEIGHTS
from nacbench.reporting.treatment import differences
from nacbench.running.outcome import Outcome
from nacbench.running.repeat import Recorded, repeat_runs
from nacbench.running.resolve import resolve
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.training.execution import Execution

MODEL = {"name": "floor-linear"}


def tune(store: Path, **settings: Any) -> Outcome:
    """Train the smallest model for one epoch."""
    given = {"scale": "smoke", "training": {"epochs": 1}, **settings}
    return nacbench.run("digits", MODEL, out=store, quiet=True, **given)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def base(store: Path) -> Outcome:
    return tune(store)


@pytest.fixture(scope="module")
def tuned(store: Path, base: Outcome) -> Outcome:
    return tune(store, init_from=base.folder)


def plain(folder: Path) -> dict[str, Tensor]:
    """The weights of a run, by the names that its network has for them."""
    return {name.removeprefix("model/"): tensor for name, tensor in load_file(folder / WEIGHTS).items()}


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, path)
    return path


def test_training_goes_on_from_the_given_weights(store: Path, base: Outcome) -> None:
    """With another seed, and hardly any steps: the weights stay near the given ones, and far from those of the seed."""
    slow = {"epochs": 1, "lr": 1e-6, "lr_end": 1e-7}
    before, after, drawn = (
        plain(outcome.folder)
        for outcome in (
            base,
            tune(store, init_from=base.folder, training=slow, seed=1),
            tune(store, training=slow, seed=1),
        )
    )
    name = "core.logits.weight"
    assert torch.allclose(after[name], before[name], atol=1e-4)
    assert not torch.allclose(after[name], drawn[name], atol=1e-2)


def test_a_run_without_given_weights_has_no_trace_of_them(base: Outcome) -> None:
    assert base.record.initial is None
    assert "init_from" not in base.record.identity["config"]
    assert "init_from" not in (base.folder / "config.yaml").read_text()


def test_the_record_says_which_weights_and_what_was_taken(base: Outcome, tuned: Outcome) -> None:
    initial = tuned.record.initial
    assert initial is not None
    assert initial.origin == f"run {base.record.run_id}"
    assert (initial.taken, initial.new, initial.left) == (len(plain(base.folder)), [], [])
    assert tuned.record.identity["config"]["init_from"] == {"weights": initial.digest}
    assert str(base.folder) not in (tuned.folder / "record.json").read_text()
    assert f"beginning with the weights of run {base.record.run_id}" in (tuned.folder / "log.txt").read_text()


def test_the_content_counts_and_not_the_file(store: Path, base: Outcome, tuned: Outcome, tmp_path: Path) -> None:
    """The same weights under another name, in another order and without our metadata."""
    other = saved(tmp_path / "elsewhere.safetensors", dict(reversed(plain(base.folder).items())))
    assert other.read_bytes() != (base.folder / WEIGHTS).read_bytes()
    for same in (other, base.folder / WEIGHTS, base.folder, base.record.run_id):
        again = tune(store, init_from=same)
        assert (again.was_finished, again.record.run_id) == (True, tuned.record.run_id)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: tensor + 1,  # values
        lambda tensor: tensor.double(),  # type
        lambda tensor: tensor[None],  # shape
    ],
)
def test_the_digest_sees_values_types_and_shapes(change: Any, tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    files = [saved(tmp_path / f"{n}.safetensors", {"a": one}) for n, one in enumerate((tensor, change(tensor)))]
    assert len({digest_of_tensors(file.read_bytes(), file) for file in files}) == 2


def test_a_head_of_another_number_of_classes_is_made_anew_only_if_asked(
    store: Path, base: Outcome, tmp_path: Path
) -> None:
    tensors = plain(base.folder)
    heads = [name for name, tensor in tensors.items() if 10 in tensor.shape[:1] and name.startswith("core.")]
    wider = {name: torch.cat([t, t[:1]]) if name in heads else t for name, t in tensors.items()}
    file = saved(tmp_path / "eleven.safetensors", wider)
    with pytest.raises(UserError, match=r"does not fit this network: core\..* is 11.*, not 10.*--init-head new"):
        tune(store, init_from=file)
    fresh = tune(store, init_from=file, init_head="new").record
    assert fresh.initial is not None
    assert sorted(fresh.initial.new) == sorted(fresh.initial.left) == sorted(heads)
    assert fresh.initial.taken == len(tensors) - len(heads)
    assert fresh.initial.origin == "eleven.safetensors"


def test_whatever_does_not_fit_is_refused_before_the_first_step(store: Path, base: Outcome, tmp_path: Path) -> None:
    tensors = plain(base.folder)
    name = next(name for name in tensors if name.startswith("tokenizer."))
    rest = {key: tensor for key, tensor in tensors.items() if key != name}
    for number, (wrong, reason) in enumerate(
        [
            (rest, rf"{name} is missing, not "),
            ({**rest, name: tensors[name][:-1].contiguous()}, rf"{name} is .*, not "),
            ({**rest, name: tensors[name].half()}, rf"{name} is .* of float16, not .* of float32"),
            ({**rest, name: tensors[name] * torch.nan}, rf"{name} has values that are not finite"),
            ({**tensors, "core.more": torch.ones(1)}, r"which has no core\.more"),
        ]
    ):
        for head in ("keep", "new"):
            with pytest.raises(UserError, match=reason):
                tune(store, init_from=saved(tmp_path / f"{number}.safetensors", wrong), init_head=head)
    assert not list(store.rglob("last.safetensors"))


def test_pickles_are_not_opened(store: Path, base: Outcome, tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    for place in (folder, folder / "pytorch_model.bin"):
        with pytest.raises(UserError, match=r"may be a pickle.*save_file"):
            tune(store, init_from=place)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("nowhere/at/all", "there is no .*nowhere/at/all"),
        ("abc123", "no id in .* starts with it"),
        ({"path": "./x", "haed": "new"}, "unknown setting of init_from 'haed'; did you mean 'head'"),
        ({"head": "new"}, "name them with --init-from"),
        (7, "init_from = 7"),
        ({"weights": "xyz"}, "init_from.weights = 'xyz'"),
    ],
)
def test_a_wrong_setting_is_one_line(store: Path, base: Outcome, given: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        tune(store, **{"init_from": given} if isinstance(given, str) else {"config": written(store, given)})


def written(store: Path, given: Any) -> Path:
    path = store.parent / "given.yaml"
    write_text(path, f"init_from: {given}\n")
    return path


def test_a_file_that_is_cut_off_is_refused(store: Path, base: Outcome, tmp_path: Path) -> None:
    file = tmp_path / "cut.safetensors"
    file.write_bytes((base.folder / WEIGHTS).read_bytes()[:-8])
    with pytest.raises(UserError, match="is not a safetensors file"):
        tune(store, init_from=file)


def test_a_tuned_run_is_resumed_when_the_file_is_gone(base: Outcome, tmp_path: Path) -> None:
    """The first attempt fails after it has begun, as the network diverges; what it was given is then deleted."""
    file = saved(tmp_path / "w.safetensors", plain(base.folder))
    wild = {"epochs": 1, "lr": 1e30}
    with pytest.raises(UserError, match="diverged"):
        tune(tmp_path / "runs", init_from=file, training=wild)
    file.unlink()
    (folder,) = (tmp_path / "runs" / "digits" / "floor-linear").iterdir()
    assert (folder / INITIAL).is_file()
    with pytest.raises(UserError, match="diverged"):  # and not: there is no such file
        tune(tmp_path / "runs", init_from=file, training=wild)
    with pytest.raises(UserError, match="diverged"):  # and elsewhere, by its own configuration
        nacbench.run(config=folder / "config.yaml", out=tmp_path / "runs", quiet=True)
    (folder / INITIAL).unlink()
    with pytest.raises(UserError, match=r"are not at .*w\.safetensors; put them there"):
        nacbench.run(config=folder / "config.yaml", out=tmp_path / "runs", quiet=True)


def test_a_finished_run_keeps_no_copy(tuned: Outcome) -> None:
    assert not (tuned.folder / INITIAL).exists()


def test_a_sweep_has_it_as_an_axis(base: Outcome, tuned: Outcome, tmp_path: Path) -> None:
    content = {
        "tasks": "digits",
        "models": "floor-linear",
        "scale": "smoke",
        "axes": {"init_from": [None, str(base.folder)]},
        "set": {"training.epochs": 1},
    }
    plan = make_plan(parse_sweep(content, tmp_path / "s.yaml"), tmp_path)
    assert [run.run_id for run in plan.runs] == [base.record.run_id, tuned.record.run_id]
    assert ["init_from.weights=" in run.variant for run in plan.runs] == [False, True]


def test_the_network_of_an_evaluation_can_be_tuned(base: Outcome) -> None:
    settings: dict[str, Any] = {"task": "digits-c", "model": MODEL, "scale": "smoke"}
    with pytest.raises(UserError, match=r"set trained_on\.init_from"):
        resolve(settings, {"init_from": str(base.folder)})
    config = resolve(settings, {"trained_on": {"init_from": str(base.folder)}})
    assert config.trained_on is not None
    assert list(config.identifying()["trained_on"]["init_from"]) == ["weights"]


def test_a_tuned_run_is_another_treatment(store: Path, base: Outcome, tuned: Outcome) -> None:
    runs = {run.run_id: run for run in read_runs(store).runs}
    ours, theirs = differences([runs[base.record.run_id], runs[tuned.record.run_id]], {})
    assert (ours, list(theirs)) == ({"init_from.weights": "—"}, ["init_from.weights"])


def test_a_tuned_run_is_repeated_with_its_weights(tuned: Outcome, tmp_path: Path) -> None:
    one = Recorded(tuned.folder, tuned.record)
    (found,) = repeat_runs(
        [one], out=tmp_path, data_root=tmp_path, execution=lambda record: Execution(show_progress=False)
    )
    assert found.same, found.reason


def test_a_tuned_run_is_repeated_after_its_store_was_moved(tuned: Outcome, tmp_path: Path) -> None:
    shutil.copytree(tuned.folder.parents[2], tmp_path / "moved")
    folder = tmp_path / "moved" / tuned.folder.relative_to(tuned.folder.parents[2])
    written = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(written.replace(str(tuned.folder.parents[2]), str(tmp_path / "gone")))
    (found,) = repeat_runs(
        [Recorded(folder, tuned.record)],
        out=tmp_path / "again",
        data_root=tmp_path,
        execution=lambda record: Execution(show_progress=False),
    )
    assert found.same, found.reason


def test_every_command_takes_the_id_of_a_run_for_its_weights(
    store: Path, base: Outcome, tuned: Outcome, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    given = {"task": "digits", "model": MODEL, "scale": "smoke", "training": {"epochs": 1}}
    file.write_text(yaml.safe_dump({**given, "init_from": base.record.run_id}))
    for words in (["run", "--config", str(file), "--print-config"], ["why", str(file), tuned.record.run_id]):
        done = CliRunner().invoke(app, [*words, "--out", str(store)])
        assert done.exit_code == 0, done.output
        assert str(base.folder) in done.output or "same" in done.output


def test_the_data_frame_of_runs_has_a_column_of_it(store: Path, base: Outcome, tuned: Outcome) -> None:
    assert tuned.record.initial is not None
    column = nacbench.records(store).set_index("run_id")["init_from.weights"]
    assert column[tuned.record.run_id] == tuned.record.initial.digest
    assert pd.isna(column[base.record.run_id])
