"""Reproducing recorded runs: what must be equal, how differences are reported, and error cases."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of
from nacbench.recording.identity import run_id_of
from nacbench.recording.read_record import read_record
from nacbench.running.repeat import Recorded, Repetition, draw, find_runs, refuse_inside, repeat_runs
from nacbench.running.resolve import resolve
from nacbench.running.runner import run
from nacbench.training.execution import Execution
from tests.made import made_record, write_run

SMALL = {"task": {"train_examples": 128}, "training": {"epochs": 1}}
TASKS: dict[str, Any] = {
    "digits": {**SMALL, "task": {"name": "digits", **SMALL["task"]}},
    "digits-c": {"task": {"name": "digits-c", "examples": 5}, "trained_on": SMALL},
}


def quiet(record: object = None) -> Execution:
    return Execution(show_progress=False)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs: a network trained on digits with one thread, and its evaluation on digits-c."""
    store = tmp_path_factory.mktemp("runs")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    given = {"model": {"name": "vit"}, "scale": "smoke", "precision": "fp32"}
    run(resolve({**given, **TASKS["digits-c"]}), store=store, data_root=store, execution=quiet)
    torch.set_num_threads(before)
    return store


@pytest.fixture
def store(computed: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may change."""
    shutil.copytree(computed, tmp_path / "runs")
    return tmp_path / "runs"


def recorded(store: Path, task: str) -> Recorded:
    (path,) = store.glob(f"{task}/*/*/record.json")
    return Recorded(path.parent, read_record(path))


def change(one: Recorded, *path: str, to: Any) -> Recorded:
    """Change fields of a record on disk; with another identity it is another run."""
    content = json.loads((one.folder / "record.json").read_text())
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    folder = one.folder
    if path[0] == "identity":
        content["run_id"] = run_id_of(content["identity"])
        folder = folder.rename(folder.with_name(content["run_id"]))
    (folder / "record.json").write_text(json.dumps(content))
    return Recorded(folder, read_record(folder / "record.json"))


def again(*runs: Recorded, out: Path) -> list[Repetition]:
    return list(repeat_runs(runs, out=out, data_root=out, execution=quiet))


# -- computing ---------------------------------------------------------------------------------------------------------


def test_a_repeated_run_and_the_run_it_is_trained_on_give_the_same_numbers(store: Path, tmp_path: Path) -> None:
    (one,) = again(recorded(store, "digits-c"), out=tmp_path / "new")
    assert (one.same, one.numbers, one.identity, one.surroundings) == (True, {}, [], [])
    assert (one.predictions.state, one.predictions.note, one.earlier) == ("same", "", False)
    assert one.compared > 2 * 75
    assert one.again is not None and one.again.trained_on is not None
    trained = recorded(tmp_path / "new", "digits").record
    assert one.again.trained_on.run_id == trained.run_id == recorded(store, "digits").record.run_id


def test_runs_that_train_are_repeated_first_and_once(store: Path, tmp_path: Path) -> None:
    done = again(recorded(store, "digits-c"), recorded(store, "digits"), out=tmp_path / "new")
    assert [one.recorded.record.task for one in done] == ["digits", "digits-c"]
    assert all(one.same for one in done)
    assert len(list((tmp_path / "new").rglob("claims/*.json"))) == 2


def test_each_run_uses_the_threads_of_its_own_record(store: Path, tmp_path: Path) -> None:
    change(recorded(store, "digits"), "environment", "hardware", "threads", to=3)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        (one,) = again(recorded(store, "digits-c"), out=tmp_path / "new")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert one.again is not None
    assert one.again.environment.hardware.threads == 1
    assert recorded(tmp_path / "new", "digits").record.environment.hardware.threads == 3


def test_a_very_large_number_of_threads_is_reported_and_not_used(store: Path, tmp_path: Path) -> None:
    (one,) = again(change(recorded(store, "digits"), "environment", "hardware", "threads", to=2**16), out=tmp_path)
    ((name, _, now),) = one.surroundings
    assert (name, now) == ("threads", str(torch.get_num_threads()))


def test_a_run_that_was_finished_before_is_marked_as_earlier(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "new")
    change(recorded(tmp_path / "new", "digits"), "finished", to="2026-01-01T00:00:00+00:00")
    (one,) = again(recorded(store, "digits"), out=tmp_path / "new")
    assert (one.same, one.earlier) == (True, True)


# -- comparing ---------------------------------------------------------------------------------------------------------


def test_a_difference_in_the_last_digit_is_found(store: Path, tmp_path: Path) -> None:
    one = recorded(store, "digits")
    true = one.record.metrics["test"]["nll"]
    (found,) = again(change(one, "metrics", "test", "nll", to=true * (1 + 2**-52)), out=tmp_path / "new")
    assert found.numbers == {"test.nll": (true * (1 + 2**-52), true)}
    assert not found.same


def test_a_metric_of_only_one_record_differs(store: Path, tmp_path: Path) -> None:
    one = recorded(store, "digits")
    changed = change(change(one, "metrics", "test", "f1", to=0.5), "selection", "step", to=99)
    (found,) = again(changed, out=tmp_path / "new")
    assert found.numbers == {"test.f1": (0.5, "—"), "selection.step": (99, one.record.selection.step)}


def test_different_predictions_are_found(store: Path, tmp_path: Path) -> None:
    one = recorded(store, "digits")
    table = pq.read_table(one.folder / "predictions.parquet")
    at = table.column_names.index("prediction")
    values = table.column("prediction").to_pylist()
    values[3] += 1
    values[5] += 1
    changed = table.set_column(at, "prediction", [values]).cast(table.schema)
    pq.write_table(changed, one.folder / "predictions.parquet")
    digest = digest_of(one.folder / "predictions.parquet")
    (found,) = again(change(one, "files", "predictions.parquet", to=digest), out=tmp_path / "new")
    assert (found.predictions.state, found.predictions.rows) == ("differ", {"prediction": 2})
    assert (found.numbers, found.same) == ({}, False)


def test_changed_code_is_shown_even_if_the_numbers_are_the_same(store: Path, tmp_path: Path) -> None:
    (found,) = again(change(recorded(store, "digits"), "identity", "code", "engine", to="old"), out=tmp_path / "new")
    ((name, before, _),) = found.identity
    assert (name, before, found.same) == ("code.engine", "old", True)


def test_differences_in_hardware_and_torch_version_are_shown(store: Path, tmp_path: Path) -> None:
    one = change(recorded(store, "digits"), "environment", "hardware", "cpu", to="Abacus")
    (found,) = again(change(one, "environment", "versions", "torch", to="0.1.2"), out=tmp_path / "new")
    assert [(name, before) for name, before, _ in found.surroundings] == [("cpu", "Abacus"), ("torch", "0.1.2")]
    assert found.same


def test_a_run_that_fails_does_not_stop_the_others(store: Path, tmp_path: Path) -> None:
    old = change(recorded(store, "digits"), "identity", "config", "model", "depht", to=3)
    done = again(old, recorded(store, "digits-c"), out=tmp_path / "new")
    assert [one.same for one in done] == [False, True]
    assert "unknown setting 'model.depht'" in done[0].reason
    assert "\n" not in done[0].reason
    assert isinstance(done[0].error, UserError)


# -- which runs --------------------------------------------------------------------------------------------------------


def test_drawn_runs_depend_only_on_seed_and_ids(tmp_path: Path) -> None:
    for seed in range(12):
        write_run(tmp_path / "runs", made_record(seed=seed))
    runs, broken = find_runs([str(tmp_path / "runs")], tmp_path)
    drawn = [run.run_id for run in draw(runs, 4, 0)]
    assert (len(runs), broken, len(set(drawn))) == (12, [], 4)
    assert [run.run_id for run in draw(runs[::-1], 4, 0)] == drawn
    assert {run.run_id for run in draw(runs, 4, 1)} != set(drawn)
    assert len(draw(runs, 100, 0)) == 12


def test_runs_are_found_by_folder_and_id_without_duplicates(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", made_record())
    second = write_run(tmp_path / "runs", made_record(seed=1))
    (write_run(tmp_path / "broken", made_record()) / "record.json").write_text("{")
    names = [str(folder), str(tmp_path / "runs"), second.name[:6], str(tmp_path / "broken")]
    runs, broken = find_runs(names, tmp_path / "runs")
    assert sorted(run.seed for run in runs) == [0, 1]
    assert len(broken) == 1 and "is not JSON" in broken[0]
    with pytest.raises(UserError, match="is not JSON"):
        find_runs(names[3:], tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no finished run in"):
        find_runs([str(tmp_path / "empty")], tmp_path)


def test_new_runs_inside_the_store_of_recorded_ones_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", made_record())
    one = Recorded(folder, read_record(folder / "record.json"))
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    for out in ("runs", "runs/new", "link/new", "runs/digits/nac"):
        with pytest.raises(UserError, match="among the runs that are repeated"):
            refuse_inside(tmp_path / out, [one], [])
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="among the runs"):
        refuse_inside(tmp_path / "other/new", [one], [str(tmp_path / "other")])
    refuse_inside(tmp_path / "new", [one], [str(folder)])
