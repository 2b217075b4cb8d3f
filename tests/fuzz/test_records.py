"""Fuzzing of what runs leave: records and their siblings, stores, predictions, checkpoints, caches."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from nacbench.contracts.task import Evaluation
from nacbench.recording.claimants import claim_count, claimants, read_heartbeat
from nacbench.recording.decisions import read_decision
from nacbench.recording.index import Runs, read_runs
from nacbench.recording.predictions import compare_predictions, leave_logits_out
from nacbench.recording.read_record import read_failure, read_record
from nacbench.recording.store import read_state
from nacbench.recording.table import rows_of
from nacbench.recording.tags import TAGS, read_tags
from nacbench.reporting.figures.curves import draw_curves
from nacbench.reporting.series import group
from nacbench.reporting.tables.scores import score_table
from nacbench.running.scoring import read_evaluation, write_evaluation
from nacbench.sweep.profile import Profile
from nacbench.sweep.submission import Submission, SubmittedRun, read_submission
from nacbench.training.checkpoint import load_tensors, save_tensors

from ..made import made_failure, made_record, write_run
from ..recording.test_decisions import decision
from .damage import altered, damaged
from .guard import fuzz, of_file, read_or_refused

RECORD = made_record().model_dump(mode="json")
TRAINED = made_record(protocol="low-shot", trained_on="digits").model_dump(mode="json")
TEXTS = [json.dumps(record, indent=1).encode() for record in (RECORD, TRAINED)]
FAILURE = made_failure().model_dump(mode="json")
CLAIM = {
    "life": {"host": "n1", "machine": "n1/boot", "pid": 7, "job": "12_3", "restart": 1, "submission": ""},
    "since": "t",
}
DECISION = decision(margin=0.5).model_dump(mode="json")
NAME_OF_DECISION = decision().file_name
NAMES = ("000001.json", "000001 (copy).json", "1.json", "x.json", "000002.json.tmp")
STATE = {"started": "2026-11-23T09:00:00+00:00", "identity": RECORD["identity"]}
SUBMISSION = Submission(
    token=f"nacbench-{'0' * 32}",
    sweep="mini",
    when="2026-11-23T09:00:00+00:00",
    user="me",
    host="n1",
    store="runs",
    data_root="data",
    plugins=(),
    profile=Profile(),
    runs=(SubmittedRun(key="digits/nac/0123456789ab", config={"task": "digits", "model": "nac"}),),
).model_dump(mode="json")
TAGGED = {"tags": ["good", "v1"], "notes": ["A note"]}
CURVE = """{"step": 5, "epoch": 0.5, "split": "train", "loss": 0.4, "lr": 0.001}
{"step": 10, "epoch": 1, "split": "validation", "accuracy": 0.4}
"""
BEAT = {"claim": 1, "time": 1.5, "progress_time": 1.0, "step": 3, "steps": 9}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Valid files beside a record: predictions of one split, all predictions, weights."""
    folder = tmp_path_factory.mktemp("parts")
    rows = np.arange(6)
    columns: dict[str, np.ndarray] = {
        "label": rows % 3,
        "prediction": rows % 2,
        "logits": np.eye(6, 3, dtype=np.float16),
    }
    evaluation = Evaluation(metrics={"accuracy": 0.5}, predictions=columns, details={"seconds": 0.1}, measured={})
    write_evaluation(folder / "scores", evaluation, "abc")
    save_tensors(folder / "weights", {"model/w": torch.arange(6.0).reshape(2, 3)}, {"run_id": "abc", "status": {}})
    return {name: (folder / name).read_bytes() for name in ("scores", "weights")}


@fuzz(content=damaged(TEXTS) | altered([RECORD, TRAINED]))
def test_records(content: bytes, place: Path) -> None:
    of_file("record.json", read_record)(content, place)


@fuzz(content=altered([RECORD, TRAINED]) | damaged(TEXTS))
def test_a_store_with_a_broken_record_still_has_its_other_runs(content: bytes, place: Path) -> None:
    shutil.rmtree(place)
    good, other = made_record(seed=1), made_record(seed=2)
    write_run(place, good, curve=False)
    folder = write_run(place, other, curve=False)
    (folder / "record.json").write_bytes(content)
    found: list[Runs] = []
    assert read_or_refused(lambda: found.append(read_runs(place)), place)
    runs = {run.run_id: run for run in found[0].runs}
    assert good.run_id in runs
    assert len(runs) == 2 or str(folder / "record.json") in " ".join(found[0].broken)
    rows_of(found[0].runs)
    score_table(group(found[0].runs), [], [])


@fuzz(content=altered([FAILURE]) | damaged([json.dumps(FAILURE).encode()]))
def test_failures(content: bytes, place: Path) -> None:
    of_file("failure.json", read_failure)(content, place)


@fuzz(content=altered([CLAIM]) | damaged([json.dumps(CLAIM).encode()]), name=st.sampled_from(NAMES))
def test_claims_of_a_run(content: bytes, name: str, place: Path) -> None:
    (place / "claims").mkdir(exist_ok=True)
    of_file(f"claims/{name}", lambda _: (claimants(place), claim_count(place)))(content, place)


@fuzz(content=altered([BEAT]) | damaged([json.dumps(BEAT).encode()]))
def test_heartbeats(content: bytes, place: Path) -> None:
    of_file("heartbeat.json", lambda _: read_heartbeat(place))(content, place)


@fuzz(content=altered([STATE]) | damaged([json.dumps(STATE).encode()]))
def test_states(content: bytes, place: Path) -> None:
    of_file("state.json", lambda _: read_state(place))(content, place)


@fuzz(content=altered([SUBMISSION]) | damaged([json.dumps(SUBMISSION).encode()]))
def test_submissions(content: bytes, place: Path) -> None:
    of_file("submission.json", read_submission)(content, place)


@fuzz(content=altered([TAGGED]) | damaged([json.dumps(TAGGED).encode()]))
def test_tags(content: bytes, place: Path) -> None:
    of_file(TAGS, lambda file: read_tags(file.parent))(content, place)


@fuzz(content=altered([DECISION]) | damaged([json.dumps(DECISION).encode()]))
def test_decisions(content: bytes, place: Path) -> None:
    of_file(NAME_OF_DECISION, read_decision)(content, place)


@fuzz(content=damaged([CURVE.encode()]))
def test_curves(content: bytes, place: Path) -> None:
    shutil.rmtree(place)
    folder = write_run(place, made_record(seed=1))
    (folder / "curve.jsonl").write_bytes(content)
    read_or_refused(lambda: draw_curves(group(read_runs(place).runs), []), place)


@fuzz(data=st.data())
def test_evaluations_of_one_split(data: st.DataObject, parts: dict[str, bytes], place: Path) -> None:
    content = data.draw(damaged([parts["scores"]]))
    of_file("test.parquet", lambda file: read_evaluation(file, "abc"))(content, place)


@fuzz(data=st.data())
def test_predictions(data: st.DataObject, parts: dict[str, bytes], place: Path) -> None:
    content = data.draw(damaged([parts["scores"]]))
    (place / "again.parquet").write_bytes(parts["scores"])
    again = place / "again.parquet"
    of_file("predictions.parquet", lambda file: compare_predictions(file, None, again))(content, place)
    (place / "record.json").write_bytes(TEXTS[0])
    read_or_refused(lambda: leave_logits_out(place), place)


@fuzz(data=st.data())
def test_checkpoints(data: st.DataObject, parts: dict[str, bytes], place: Path) -> None:
    of_file("model.safetensors", load_tensors)(data.draw(damaged([parts["weights"]])), place)
