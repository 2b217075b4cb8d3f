"""``nacbench repeat`` as users type it: what it prints, its exit codes, and how it stops."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nacbench.cli import app
from nacbench.machine.hardware import instructions
from nacbench.recording.identity import run_id_of
from tests.made import made_record, write_run

RUN = ["run", "--task", "digits", "--model", "vit", "--scale", "smoke", "--precision", "fp32", "--quiet"]
SMALL = ["--set", "training.epochs=1", "--set", "task.train_examples=128"]


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, which differ in their seed."""
    store = tmp_path_factory.mktemp("store") / "runs"
    for seed in range(2):
        done = invoke(*RUN, *SMALL, "--seed", seed, "--out", store)
        assert done.exit_code == 0, (done.output, done.exception)
    return store


@pytest.fixture
def store(computed: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(computed, tmp_path / "runs")
    return tmp_path / "runs"


def records(store: Path) -> list[Path]:
    """By seed."""
    return sorted(store.rglob("record.json"), key=lambda path: int(json.loads(path.read_text())["seed"]))


def change(record: Path, *path: str, to: Any) -> Path:
    """Change fields of a record on disk; with another identity it is another run, in another folder."""
    content = json.loads(record.read_text())
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    folder = record.parent
    if path[0] == "identity":
        content["run_id"] = run_id_of(content["identity"])
        folder = folder.rename(folder.with_name(content["run_id"]))
    (folder / "record.json").write_text(json.dumps(content))
    return folder / "record.json"


def rows(text: str) -> list[list[str]]:
    """The cells of the first table's rows, which all end with whether machine and versions are the same."""
    return [line.split() for line in text.splitlines() if line.strip().endswith("same")]


def test_equal_numbers_are_reported_and_temporary_runs_removed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    done = invoke("repeat", store)
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.stdout.rstrip().endswith("2 of 2 runs gave the same numbers, digit for digit.")
    ids = [path.parent.name for path in records(store)]
    found = {tuple(row) for row in rows(done.stdout)}
    assert found == {
        ("digits", "vit", "smoke", str(seed), ids[seed], "same", "(8)", "same", "same", "same") for seed in range(2)
    }
    assert "[2/2] digits · vit · seed" in done.stderr
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (tmp_path / "report").exists()


def test_a_differing_number_is_shown_with_exit_code_1(store: Path, tmp_path: Path) -> None:
    first = records(store)[0]
    change(first, "metrics", "test", "accuracy", to=json.loads(first.read_text())["metrics"]["test"]["accuracy"] - 0.05)
    change(first, "environment", "hardware", "cpu", to="Abacus")
    done = invoke("repeat", store, "--out", tmp_path / "new", "--quiet")
    assert done.exit_code == 1
    assert "1 of 8 differ, by 0.05 at most (test.accuracy)" in " ".join(done.stdout.split())
    assert any(
        line.split()[:1] == ["test.accuracy"] and line.split()[-1] == "+0.05" for line in done.stdout.split("\n")
    )
    assert any(line.split()[:2] == ["cpu", "Abacus"] for line in done.stdout.split("\n"))
    assert done.stdout.rstrip().endswith("1 of 2 runs gave the same numbers, digit for digit.")
    assert done.stderr == ""
    assert len(records(tmp_path / "new")) == 2


@pytest.mark.parametrize(
    ("recorded", "told", "why"),
    [
        ("abacus", "instructions", "instructions abacus "),
        (None, "same, as far as recorded", "the record does not name the processor's instructions: one of the same"),
    ],
)
def test_a_processor_of_the_same_name_with_other_instructions_is_another_one(
    store: Path, recorded: str | None, told: str, why: str
) -> None:
    first = records(store)[0]
    assert json.loads(first.read_text())["environment"]["hardware"]["instructions"] == (instructions() or None)
    change(first, "metrics", "test", "accuracy", to=0.05)
    change(first, "environment", "hardware", "instructions", to=recorded)
    done = invoke("repeat", first.parent, "--quiet")
    said = " ".join(done.stdout.split())
    assert f" same {told} " in said and why in said, (done.output, done.exception)


def test_damaged_predictions_fail_and_missing_ones_do_not(store: Path) -> None:
    first, second = (path.with_name("predictions.parquet") for path in records(store))
    first.write_bytes(first.read_bytes()[:-100])
    second.unlink()
    done = invoke("repeat", store)
    assert done.exit_code == 1
    assert done.stdout.rstrip().endswith("1 of 2 runs gave the same numbers, digit for digit.")
    assert f"predictions were not compared: {first} is damaged or changed: its SHA-256" in " ".join(done.stdout.split())
    assert "seed 0: the same metrics, but the recorded predictions are damaged" in done.stderr
    assert "seed 1: the same numbers" in done.stderr
    one, other = sorted(
        json.loads(invoke("repeat", store, "--json", "--quiet").stdout)["runs"], key=lambda run: run["seed"]
    )
    assert (one["same"], one["predictions"]["state"]) == (False, "damaged")
    assert other["same"] is True


def test_a_record_with_more_threads_than_cores_has_a_note(store: Path) -> None:
    first = records(store)[0]
    change(first, "environment", "hardware", "threads", to=2**16)
    done = invoke("repeat", first.parent, "--quiet")
    assert "another number of threads splits sums differently" in done.stdout


def test_runs_are_drawn_with_a_printed_seed(store: Path) -> None:
    told = invoke("repeat", store, "--runs", 1, "--seed", 5, "--quiet")
    assert told.stdout.startswith("1 of 2 runs, drawn with seed 5\n")
    done = invoke("repeat", store, "--runs", 1, "--seed", 5, "--json", "--quiet")
    content = json.loads(done.stdout)
    assert (done.exit_code, content["same"], content["seed"], content["of"]) == (0, True, 5, 2)
    (one,) = content["runs"]
    assert one["run_id"] in told.stdout
    assert (one["new_run_id"], one["compared"], one["differences"], one["identity"], one["surroundings"]) == (
        one["run_id"],
        8,
        [],
        [],
        [],
    )
    assert one["predictions"] == {"state": "same", "rows": {}, "note": ""}


def test_a_failing_run_is_named_and_the_others_are_computed(store: Path) -> None:
    change(records(store)[0], "identity", "config", "model", "depht", to=3)
    done = invoke("repeat", store, "--json", "--quiet")
    assert done.exit_code == 1
    content = json.loads(done.stdout)
    assert [
        (one["seed"], one["same"], bool(one["error"])) for one in sorted(content["runs"], key=lambda o: o["seed"])
    ] == [
        (0, False, True),
        (1, True, False),
    ]
    shown = invoke("repeat", store, "--quiet").stdout
    assert "digits · vit · seed 0 was not computed: unknown setting 'model.depht'" in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "'nowhere' is not a run's folder; no id in runs starts with it"),
        (["empty"], "no finished run in empty"),
        (["runs", "--runs", "0"], "--runs 0: give a number of at least 1"),
        (["runs", "--runs", "-1"], "--runs -1: give a number of at least 1"),
        (["runs", "--seed", "3"], "--seed 3 is for the draw of --runs N; add it, or leave the seed out"),
        (["runs", "--seed", "0", "--json"], "--seed 0 is for the draw of --runs N; add it, or leave the seed out"),
        (["runs", "--out", "runs/new"], "among the runs that are repeated; name another folder"),
        (["runs", "--out", "file"], "--out file: File exists"),
        (["runs", "--device", "tpu"], "could not be computed again: unknown device 'tpu'"),
        (["runs", "--data-root", "nowhere"], "--data-root nowhere: no such folder"),
        (["made"], "could not be computed again: unknown setting 'model.depht'"),
    ],
)
def test_a_user_error_is_one_line(
    arguments: list[str], complaint: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    folder = write_run(tmp_path / "made", made_record())
    change(folder / "record.json", "identity", "config", "model", "depht", to=3)
    done = invoke("repeat", *arguments, "--quiet")
    assert type(done.exception).__name__ == "UserError", (done.output, done.exception)
    assert complaint in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (store / "new").exists()


def test_a_user_error_of_the_process_exits_with_2_without_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nacbench", "repeat", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: no finished run in {tmp_path}; make one with: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_exits_as_for_run(store: Path, tmp_path: Path, kept: bool) -> None:
    record = change(records(store)[0], "identity", "config", "training", "epochs", to=10_000)
    scratch, new = tmp_path / "scratch", tmp_path / "new"
    scratch.mkdir()
    command = [sys.executable, "-m", "nacbench", "repeat", str(record.parent), *(["--out", str(new)] if kept else [])]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 1/" in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert ("run the same command again to resume" if kept else "with --out, finished runs are kept") in errors
    assert "Traceback" not in errors
    assert output == ""
    assert len(list(new.rglob("last.safetensors"))) == kept
    assert [path for path in scratch.iterdir() if path.name.startswith("nacbench")] == []
