"""Runs that are logged while they are computed: what is written, and that nothing of it can touch the run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nacbench import run
from nacbench.errors import UserError
from nacbench.recording.read_record import read_record
from nacbench.registry import Entry
from nacbench.running.outcome import Outcome
from nacbench.sweep.plan import Place as PlaceOfRuns
from nacbench.sweep.plan import Plan, make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.submitting import submit
from nacbench.tracking import live
from nacbench.tracking.known import TRACKERS
from nacbench.tracking.numbers import final_scalars, scalars_of
from nacbench.tracking.tracker import About, Log, Place, Scalars, State, Tracker
from tests.running.test_run import command, only_folder, wait_for_checkpoints

from .readers import Curves, curves_of, mlflow_client, mlflow_runs, of_mlflow, of_tensorboard, wandb_records

OFFLINE = ("tensorboard", "wandb", "mlflow")  # those whose libraries are in the environment of development
SMALL = {"training.epochs": 2, "training.batch_size": 240, "model.depth": 1, "precision": "fp32"}


@pytest.fixture(autouse=True, scope="module")
def _file_store() -> Iterator[None]:
    """MLflow's readers need the same leave as its writers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        yield


def small_run(out: Path, **more: object) -> Outcome:
    """A run of a few steps."""
    settings = {**SMALL, "out": out, "quiet": True, "device": "cpu", **more}
    return run("digits", "transformer", scale="smoke", **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run that was logged by all trackers at once."""
    return small_run(tmp_path_factory.mktemp("logged"), log=OFFLINE)


def rows_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def expected(folder: Path) -> Curves:
    """What a tracker must have of a finished run: each row of the curve once, and the final numbers."""
    curves: Curves = {}
    step = 0
    for row in rows_of(folder):
        step = int(row["step"])
        for name, value in scalars_of(row).items():
            curves.setdefault(name, []).append((step, value))
    for name, value in final_scalars(read_record(folder / "record.json")).items():
        curves[name] = [(step, value)]
    return curves


def assert_curves(found: Curves, wanted: Curves, *, relative: float = 0.0) -> None:
    assert sorted(found) == sorted(wanted)
    for name, points in wanted.items():
        assert [step for step, _ in found[name]] == [step for step, _ in points], name
        assert [value for _, value in found[name]] == pytest.approx([v for _, v in points], rel=relative, abs=0), name


@pytest.mark.parametrize("tracker", OFFLINE)
def test_each_tracker_has_every_row_of_the_curve_and_the_final_numbers(logged: Outcome, tracker: str) -> None:
    wanted = expected(logged.folder)
    assert {"train/loss", "train/lr", "validation/accuracy", "final/test/accuracy", "final/cost/parameters"} <= set(
        wanted
    )
    float32 = 1e-7 if tracker == "tensorboard" else 0.0
    assert_curves(curves_of(tracker, logged.folder / tracker), wanted, relative=float32)


@pytest.mark.parametrize("tracker", OFFLINE)
def test_what_is_exported_equals_what_was_logged(logged: Outcome, tracker: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nacbench", "export", str(logged.folder), "--to", tracker, "--into", str(tmp_path)]
    for _ in range(2):  # the second export takes the place of the first
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"1 run exported to {tracker}: {tmp_path}")
    own = tmp_path / "digits" / "transformer" / logged.folder.name
    place = own if tracker == "tensorboard" else tmp_path
    assert curves_of(tracker, place) == curves_of(tracker, logged.folder / tracker)


def test_mlflow_and_wandb_have_the_settings_the_tags_and_the_id(logged: Outcome) -> None:
    record = logged.record
    (one,) = mlflow_runs(mlflow_client(logged.folder / "mlflow"))
    assert one.data.params["training.batch_size"] == "240"
    assert one.data.tags["nacbench.run_id"] == record.run_id
    assert one.data.tags["model"] == "transformer"
    assert (one.info.status, one.info.run_name) == ("FINISHED", f"digits-transformer-tiny-seed0-{record.run_id}")
    (about,) = (r.run for r in wandb_records(logged.folder / "wandb") if r.WhichOneof("record_type") == "run")
    assert (about.run_id, about.project, about.run_group) == (record.run_id, "nacbench", "digits")
    assert {item.key: json.loads(item.value_json) for item in about.config.update}["training.batch_size"] == 240


def test_logging_changes_no_number_and_no_id(logged: Outcome, tmp_path: Path) -> None:
    plain = small_run(tmp_path)
    assert plain.record.run_id == logged.record.run_id
    assert plain.record.metrics == logged.record.metrics
    assert plain.record.files == logged.record.files  # digests of predictions, weights, curve and configuration


def test_trackers_leave_no_links(logged: Outcome) -> None:
    """A link in a run's folder would end the next attempt."""
    assert [path for path in logged.folder.rglob("*") if path.is_symlink()] == []


def test_a_run_that_is_killed_and_resumed_is_logged_once(tmp_path: Path) -> None:
    log = [word for name in OFFLINE for word in ("--log", name)]
    process = subprocess.Popen(
        command(tmp_path, "--checkpoint-seconds", "0", *log), stderr=subprocess.DEVNULL, text=True
    )
    wait_for_checkpoints(process, tmp_path, 9)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = subprocess.run(command(tmp_path, *log), capture_output=True, text=True, timeout=200, check=True)
    assert "resuming from step" in finished.stderr
    assert "warning" not in finished.stderr
    folder = only_folder(tmp_path)
    for tracker in OFFLINE:
        assert_curves(curves_of(tracker, folder / tracker), expected(folder), relative=1e-7)


def test_two_processes_log_once(tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    what = command(tmp_path, "--precision", "fp32", "--device", "cpu", "--quiet", "--log", "mlflow")[2:]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*launch, *what], env=environment, capture_output=True, timeout=250, check=True)
    folder = only_folder(tmp_path)
    assert read_record(folder / "record.json").environment.processes == 2
    assert_curves(of_mlflow(folder / "mlflow"), expected(folder))


def sweep_of(tmp_path: Path, **profile: object) -> tuple[Plan, PlaceOfRuns]:
    """A sweep of one run of a few steps."""
    content = {
        "tasks": "digits",
        "models": "transformer",
        "scale": "smoke",
        "precision": "fp32",
        "set": {"training.epochs": 1, "training.batch_size": 240, "model.depth": 1},
        "profile": {"device": "cpu", **profile},
    }
    place = PlaceOfRuns(tmp_path / "runs", tmp_path / "data")
    return make_plan(parse_sweep(content, tmp_path / "mine.yaml"), place.data_root), place


@pytest.mark.parametrize("executor", ["debug", "local"])
def test_a_profile_names_the_trackers_of_a_sweep(tmp_path: Path, executor: str) -> None:
    plan, place = sweep_of(tmp_path, executor=executor, log=["tensorboard"])
    assert submit(plan, place, print).done == 1
    (folder,) = place.store.glob("digits/transformer/*")
    assert_curves(of_tensorboard(folder / "tensorboard"), expected(folder), relative=1e-7)


def test_a_sweep_with_an_unknown_tracker_starts_nothing(tmp_path: Path) -> None:
    plan, place = sweep_of(tmp_path, executor="slurm", time="1h", log=["tensorbord"])
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'"):
        submit(plan, place, print)
    assert not list(place.store.rglob("*.json"))


# ── trackers that fail ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tracker", OFFLINE)
def test_a_tracker_that_cannot_write_costs_one_warning_and_no_run(
    tracker: str, logged: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / logged.folder.relative_to(logged.folder.parents[2])
    folder.mkdir(parents=True)
    (folder / tracker).write_text("a file where its folder should be")
    outcome = small_run(tmp_path, log=[tracker], quiet=False)
    assert outcome.record.files == logged.record.files
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert f"{tracker} failed, so that the run is not logged there" in warnings[0]


def test_a_server_that_does_not_answer_delays_the_end_of_a_run_and_no_more(
    logged: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 0.5)
    outcome = small_run(tmp_path, log=["mlflow", "tensorboard"], quiet=False)
    assert outcome.record.files == logged.record.files
    assert capsys.readouterr().err.count("warning") == 1


def test_a_process_that_cannot_be_started_costs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    about = About(run_id="0" * 12, task="digits", model="nac", size="tiny", seed=0, settings={})
    with live.logging(["tensorboard"], about, tmp_path, print, ()) as log:
        log.row({"step": 1, "split": "train", "loss": 1.0})
    assert capsys.readouterr().out.startswith("warning: the run is not logged by tensorboard")


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")])
def test_a_run_that_does_not_finish_says_so(error: type[BaseException], status: str, tmp_path: Path) -> None:
    about = About(run_id="0" * 12, task="digits", model="nac", size="tiny", seed=0, settings={})
    with pytest.raises(error), live.logging(["mlflow"], about, tmp_path, print, (KeyboardInterrupt,)) as log:
        log.row({"step": 3, "split": "train", "loss": 1.0, "acc@1": 0.5})
        raise error
    (one,) = mlflow_runs(mlflow_client(tmp_path / "mlflow"))
    assert one.info.status == status
    assert one.data.metrics == {"train/loss": 1.0, "train/acc_1": 0.5}  # MLflow refuses an @


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_tracker_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        small_run(tmp_path / "runs", log=["tensorbord"])
    assert not (tmp_path / "runs").exists()


def test_a_missing_library_is_one_line_that_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRACKERS.get("wandb"), "library", "no-such-library")
    with pytest.raises(UserError, match=r"pip install 'nacbench\[wandb\]'"):
        small_run(tmp_path / "runs", log=["wandb"])
    assert not (tmp_path / "runs").exists()


def test_a_package_can_bring_a_tracker(logged: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nacbench.tracking.finished import export_runs

    lines: list[object] = []

    class Lines:
        def scalars(self, step: int, values: Scalars) -> None:
            lines.append((step, dict(values)))

        def finish(self, step: int, metrics: Scalars, state: State) -> None:
            lines.append(state)

    @dataclass(frozen=True, kw_only=True)
    class Own(Tracker):
        title = "Lines"
        library = "pytest"

        def start(self, about: About, place: Place) -> Log:
            lines.append(about.run_id)
            return Lines()

    monkeypatch.setattr(TRACKERS, "_installed", lambda: [Entry("lines", "a package", lambda: Own)])
    assert list(export_runs("lines", [logged.folder], tmp_path)) == [tmp_path]
    assert lines[0] == logged.folder.name
    assert lines[1:-1] == [(row["step"], scalars_of(row)) for row in rows_of(logged.folder)]
    assert lines[-1] == "finished"
