"""Complete runs as users start them: killed, interrupted, resumed, forced, and on two processes."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from nacbench.data.live import Classification
from nacbench.errors import RunFailedError, RunSkippedError, UserError
from nacbench.recording.claim import Claim, TakenOverError, hold
from nacbench.recording.index import look_at_runs, read_runs
from nacbench.recording.read_record import read_failure, read_record
from nacbench.recording.record import RunRecord
from nacbench.recording.store import run_folder, set_aside
from nacbench.registry import MODELS
from nacbench.running.config import RunConfig
from nacbench.running.outcome import Outcome
from nacbench.running.resolve import parse_setting, read_yaml, resolve
from nacbench.running.runner import run
from nacbench.training.execution import Execution
from tests.made import made_record, write_run

SETTINGS = [
    "training.epochs=6",
    "task.train_examples=256",
    "training.ema=0.9",
    "training.augment.crop_padding=1",
    "model.depth=1",
]


def command(out: Path, *more: str) -> list[str]:
    """Return the command of a run of 48 steps that takes a few seconds."""
    sets = [part for setting in SETTINGS for part in ("--set", setting)]
    what = ["--task", "digits", "--model", "nac", "--scale", "smoke", *sets]
    return [sys.executable, "-m", "nacbench", "run", *what, "--out", str(out), *more]


def only_folder(out: Path) -> Path:
    (folder,) = (path for path in out.glob("digits/nac/*") if not path.name.startswith("."))
    return folder


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(only_folder(out) / "checkpoint" / "model.safetensors")


def wait_for_checkpoints(process: subprocess.Popen[str], out: Path, changes: int) -> None:
    """Wait until the run has written this many checkpoints since the call."""
    seen: set[int] = set()
    while len(seen) < changes:
        assert process.poll() is None, "the run ended before it could be killed"
        for path in out.glob("digits/nac/*/checkpoint/last.safetensors"):
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run that was not interrupted."""
    out = tmp_path_factory.mktemp("undisturbed")
    subprocess.run(command(out, "--quiet"), check=True, timeout=200)
    return out


def assert_same_run(out: Path, undisturbed: Path, attempts: int) -> None:
    expected, actual = weights(undisturbed), weights(out)
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []
    records = [read_record(only_folder(o) / "record.json") for o in (out, undisturbed)]
    assert records[0].metrics == records[1].metrics
    assert records[0].attempts == attempts
    curves = [(only_folder(o) / "curve.jsonl").read_text() for o in (out, undisturbed)]
    assert curves[0] == curves[1]
    left = {path.name for path in only_folder(out).rglob("*") if path.is_file()}
    assert left == {
        *(f"{number:06d}.json" for number in range(1, attempts + 1)),
        "config.yaml",
        "curve.jsonl",
        "log.txt",
        "model.safetensors",
        "predictions.parquet",
        "record.json",
        "state.json",
    }


def test_a_run_that_is_killed_twice_ends_with_the_same_weights(tmp_path: Path, undisturbed: Path) -> None:
    for checkpoints in (3, 20):
        process = subprocess.Popen(command(tmp_path, "--checkpoint-seconds", "0"), stderr=subprocess.DEVNULL, text=True)
        wait_for_checkpoints(process, tmp_path, checkpoints)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (only_folder(tmp_path) / "record.json").exists()
    finished = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=200, check=True)
    assert "resuming from step" in finished.stderr
    for leftover in only_folder(tmp_path).rglob(".*.tmp"):  # a kill during a write can leave one, which is ignored
        leftover.unlink()
    assert_same_run(tmp_path, undisturbed, attempts=3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_a_checkpoint_and_the_message_says_how_to_resume(
    tmp_path: Path, undisturbed: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(command(tmp_path, "--checkpoint-seconds", "0.01"), stderr=subprocess.PIPE, text=True)
    wait_for_checkpoints(process, tmp_path, 4)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "run the same command again to resume" in errors
    assert "Traceback" not in errors
    assert not (only_folder(tmp_path) / "failure.json").exists()
    subprocess.run(command(tmp_path, "--quiet"), check=True, timeout=200)
    assert_same_run(tmp_path, undisturbed, attempts=2)


def test_a_finished_run_is_not_run_again(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in only_folder(undisturbed).rglob("*")}
    again = subprocess.run(command(undisturbed), capture_output=True, text=True, check=True, timeout=60)
    assert "already done, not computed again" in again.stdout
    assert "test accuracy" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in only_folder(undisturbed).rglob("*")} == before


def test_two_processes_train_one_run(tmp_path: Path) -> None:
    """Started by torchrun, each of two processes trains on half of every batch, and one record is written."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    what = command(tmp_path, "--precision", "fp32", "--device", "cpu", "--quiet")[1:]
    finished = subprocess.run(
        [*launch, *what],
        capture_output=True,
        text=True,
        timeout=250,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    record = read_record(only_folder(tmp_path) / "record.json")
    assert record.environment.processes == 2
    assert finished.stdout.count("test accuracy") == 1


# ── in this process ───────────────────────────────────────────────────────────────────────────────────────────────────


def config(model: str = "nac", *settings: str) -> RunConfig:
    given = {"task": {"name": "digits"}, "model": {"name": model}, "scale": "smoke", "precision": "fp32"}
    return resolve(
        given, *(parse_setting(text) for text in ("training.epochs=2", "task.train_examples=256", *settings))
    )


def execute(what: RunConfig, store: Path, *, force: bool = False) -> Outcome:
    return run(what, store=store, data_root=store, execution=lambda: Execution(show_progress=False), force=force)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return execute(config(), tmp_path_factory.mktemp("runs"))


def test_every_metric_can_be_computed_again_from_the_predictions(outcome: Outcome) -> None:
    frame = pd.read_parquet(outcome.folder / "predictions.parquet")
    assert set(frame["split"]) == {"validation", "test"}
    for split, rows in frame.groupby("split", observed=True):
        metrics = outcome.record.metrics[str(split)]
        assert (rows["label"] == rows["prediction"]).mean() == metrics["accuracy"]
        assert rows["nll"].astype("float64").mean() == pytest.approx(metrics["nll"], rel=1e-12)
        assert rows["index"].tolist() == list(range(outcome.record.data.splits[str(split)]))
        assert all(len(logits) == 10 for logits in rows["logits"])


def test_the_record_has_cost_and_environment(outcome: Outcome) -> None:
    record = outcome.record
    assert record == read_record(outcome.folder / "record.json")
    assert record.cost.parameters > record.cost.core_parameters > 0
    assert record.cost.forward_flops > 2 * record.cost.core_parameters  # each weight serves several modules
    assert record.cost.flops_input == {"image": [1, 1, 8, 8]}
    assert record.cost.flops_batch == record.identity["config"]["training"]["batch_size"]
    assert record.cost.flops_once is not None
    assert 0 < record.cost.flops_once < record.cost.flops_batch * record.cost.forward_flops
    assert min(record.cost.train_seconds, record.cost.evaluate_seconds) > 0
    assert record.cost.examples_per_second is not None
    assert record.cost.examples_per_second > 0
    assert torch.__version__.startswith(record.environment.versions["torch"])
    assert record.data.splits == {"train": 256, "validation": 299, "test": 299}
    assert resolve(record.identity["config"]) == config()


def test_a_run_computes_with_the_threads_that_it_is_given_and_records_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)  # as another library in a notebook could
    try:
        settings = Execution(show_progress=False, threads=3)
        record = run(config("transformer"), store=tmp_path, data_root=tmp_path, execution=lambda: settings).record
    finally:
        torch.set_default_dtype(torch.float32)
    assert record.environment.hardware.threads == 3
    assert record.environment.settings["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.get_num_threads() == before
    assert {tensor.dtype for name, tensor in tensors_of(tmp_path).items() if name.endswith("weight")} == {torch.float32}


def tensors_of(out: Path) -> dict[str, torch.Tensor]:
    (file,) = out.rglob("model.safetensors")
    return load_file(file)


def test_a_variable_that_would_change_numbers_stops_a_run_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    with pytest.raises(UserError, match="ONEDNN_DEFAULT_FPMATH_MODE=BF16 is set, which changes numbers"):
        execute(config(), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_the_configuration_of_a_run_gives_the_same_run(outcome: Outcome) -> None:
    again = execute(resolve(read_yaml(outcome.folder / "config.yaml")), outcome.folder.parents[2])
    assert again.was_finished
    assert again.record == outcome.record


def test_the_same_run_in_another_store_gives_the_same_number(outcome: Outcome, tmp_path: Path) -> None:
    other = execute(config(), tmp_path).record
    assert other.run_id == outcome.record.run_id
    assert other.metrics == outcome.record.metrics


def test_another_seed_is_another_run(outcome: Outcome, tmp_path: Path) -> None:
    other = execute(resolve(config().as_dict(), {"seed": 1}), tmp_path).record
    assert other.run_id != outcome.record.run_id
    assert other.metrics != outcome.record.metrics


def test_runs_of_different_precision_can_share_a_process(tmp_path: Path) -> None:
    records = [execute(resolve(config().as_dict(), {"precision": p}), tmp_path).record for p in ("bf16", "fp32")]
    assert [record.precision for record in records] == ["bf16", "fp32"]


def test_force_computes_again_and_sets_the_old_run_aside(outcome: Outcome, tmp_path: Path) -> None:
    shutil.copytree(outcome.folder.parents[2], tmp_path / "store")
    again = execute(config(), tmp_path / "store", force=True)
    assert not again.was_finished
    assert again.record.metrics == outcome.record.metrics
    aside = again.folder.parent / ".replaced" / f"{again.folder.name}-1" / "record.json"
    assert read_record(aside, again.record.run_id).finished == outcome.record.finished


def test_a_run_whose_record_was_set_aside_says_where_it_is(outcome: Outcome, tmp_path: Path) -> None:
    """As after ``--force`` that was killed."""
    shutil.copytree(outcome.folder.parents[2], tmp_path / "store")
    folder = run_folder(tmp_path / "store", "digits", "nac", outcome.folder.name)
    set_aside(folder)
    assert execute(config(), tmp_path / "store").record.metrics == outcome.record.metrics
    aside = folder.parent / ".replaced" / f"{folder.name}-1"
    assert f"{aside} holds the last finished record of this run" in (folder / "log.txt").read_text()


def test_the_way_back_to_a_record_that_was_set_aside_works(outcome: Outcome, tmp_path: Path) -> None:
    """With an interrupted attempt in its place; and the last copy is the one with the highest number."""
    shutil.copytree(outcome.folder.parents[2], tmp_path / "the store")
    folder = run_folder(tmp_path / "the store", "digits", "nac", outcome.folder.name)
    whole = sorted(path.name for path in folder.iterdir())
    (first := set_aside(folder)) and shutil.copytree(first, folder)
    second = set_aside(folder)
    assert first and second and second.name.endswith("-2")
    shutil.rmtree(first)
    folder.mkdir()
    (folder / "log.txt").write_text("interrupted")
    for _ in range(2):
        (line,) = look_at_runs(tmp_path / "the store").broken
        assert line.startswith(f"{second} holds the last finished record")
        subprocess.run(line.partition("take the record back: ")[2], shell=True, check=True)
        assert sorted(path.name for path in folder.iterdir()) == whole
        assert [run.run_id for run in read_runs(tmp_path / "the store").runs] == [folder.name]
        second.parent.mkdir(exist_ok=True)
        folder.rename(second)


def test_the_record_of_another_run_is_set_aside_and_its_own_computed(outcome: Outcome, tmp_path: Path) -> None:
    wrong = made_record()
    folder = run_folder(tmp_path, "digits", "nac", outcome.folder.name)
    write_run(tmp_path, wrong).rename(folder)
    again = execute(config(), tmp_path)
    assert not again.was_finished
    assert again.record.metrics == outcome.record.metrics
    assert (folder / "record.json.broken-1").exists()


def test_a_run_writes_through_no_planted_link(outcome: Outcome, tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", run_folder(tmp_path, "digits", "nac", outcome.folder.name)
    victim.write_text("mine")
    folder.mkdir(parents=True)
    (folder / "log.txt").symlink_to(victim)
    with pytest.raises(UserError, match=r"log\.txt is a link"):
        execute(config(), tmp_path)
    assert victim.read_text() == "mine"


def test_an_unsupported_task_leaves_a_reason_and_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODELS.get("vit"), "unsupported", lambda self, spec: "it has no eyes")
    with pytest.raises(RunSkippedError, match="vit cannot do digits: it has no eyes"):
        execute(config("vit"), tmp_path)
    (path,) = tmp_path.rglob("failure.json")
    assert read_failure(path).status == "skipped"
    assert not list(tmp_path.rglob("record.json"))


def test_data_that_changes_before_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr(type(config().task_plugin), "fingerprint", lambda self, data_root: next(found))
    with pytest.raises(UserError, match=r"the data of Digits in .* has changed since this run began; start it again"):
        execute(config(), tmp_path)
    assert not list(tmp_path.rglob("record.json"))


def test_an_error_leaves_a_failure_file_that_the_next_success_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Classification, "loss", lambda self, net, batch: 1 / 0)
        with pytest.raises(RunFailedError, match="ZeroDivisionError: division by zero; the traceback is in"):
            execute(config(), tmp_path)
    (path,) = tmp_path.rglob("failure.json")
    failure = read_failure(path)
    assert failure.status == "failed"
    assert failure.reason == "ZeroDivisionError: division by zero"
    assert failure.traceback is not None and "in loss" not in failure.reason
    record: RunRecord = execute(config(), tmp_path).record
    assert record.attempts == 2
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "{", "{}", "[]"])
def test_a_broken_record_is_set_aside_and_computed_again(tmp_path: Path, outcome: Outcome, content: str) -> None:
    folder = run_folder(tmp_path, "digits", "nac", outcome.record.run_id)
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(content)
    (folder / "heartbeat.json").write_text(content)
    (folder / "state.json").write_text(content)
    again = execute(config(), tmp_path)
    assert not again.was_finished
    assert again.record.metrics == outcome.record.metrics
    assert (folder / "record.json.broken-1").read_text() == content
    assert "record.json.broken-1" in (folder / "log.txt").read_text()


def test_a_record_has_the_digests_of_its_files(outcome: Outcome) -> None:
    files = read_record(outcome.folder / "record.json").files
    assert sorted(files) == [
        "checkpoint/model.safetensors",
        "config.yaml",
        "curve.jsonl",
        "predictions.parquet",
    ]
    for name, digest in files.items():
        assert hashlib.sha256((outcome.folder / name).read_bytes()).hexdigest() == digest


def test_a_process_that_was_taken_over_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, left = Claim.check, [6]

    def taken_over_in_between(self: Claim) -> None:
        left[0] -= 1
        if left[0] == 0:
            (self.folder / "claims" / f"{self.number + 1:06d}.json").write_text("{}")
        check(self)

    monkeypatch.setattr(Claim, "check", taken_over_in_between)
    with pytest.raises(TakenOverError, match=r"claim 2 after 1\); this copy stops"):
        execute(config(), tmp_path)
    (folder,) = (tmp_path / "digits" / "nac").iterdir()
    assert not {"record.json", "failure.json", "predictions.parquet"} & {path.name for path in folder.iterdir()}
    assert not (folder / "checkpoint").exists()


def test_the_first_complete_record_of_two_processes_counts(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, written = Claim.check, (outcome.folder / "record.json").read_bytes()

    def other_finishes(self: Claim) -> None:
        check(self)
        if (self.folder / "predictions.parquet").exists():
            (self.folder / "record.json").write_bytes(written)

    monkeypatch.setattr(Claim, "check", other_finishes)
    with pytest.raises(TakenOverError, match="has been finished by another process"):
        execute(config(), tmp_path)
    (path,) = tmp_path.rglob("record.json")
    assert path.read_bytes() == written


def test_a_run_in_progress_in_another_process_is_refused(tmp_path: Path, outcome: Outcome) -> None:
    folder = run_folder(tmp_path, "digits", "nac", outcome.record.run_id)
    with hold(folder), pytest.raises(UserError, match="is being computed by another process"):
        execute(config(), tmp_path)


def test_the_test_split_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score, read = Classification.evaluate, []

    def spied(self: Classification, net: torch.nn.Module, split: str, batch_size: int) -> object:
        read.append(split)
        return score(self, net, split, batch_size)

    monkeypatch.setattr(Classification, "evaluate", spied)
    execute(config("nac", "training.selection=best-validation"), tmp_path)
    assert read == ["validation", "validation", "validation", "test"]


def test_the_state_file_has_the_identity_of_the_run(outcome: Outcome) -> None:
    state = json.loads((outcome.folder / "state.json").read_text())
    assert state["identity"] == outcome.record.identity
    assert state["started"] == outcome.record.started
