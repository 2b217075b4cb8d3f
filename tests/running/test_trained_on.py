"""Evaluation runs on the network of another run: order, reuse, provenance in the record, resuming, and errors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.task import Evaluation
from nacbench.errors import RunSkippedError, UserError
from nacbench.protocols.corrupted import Corrupted
from nacbench.running.config import RunConfig
from nacbench.running.outcome import Outcome
from nacbench.running.resolve import resolve
from nacbench.running.runner import run
from nacbench.training.execution import Execution

TRAINED = {"training": {"epochs": 2}}


def config(model: str = "nac", **changes: Any) -> RunConfig:
    """Return the configuration of Digits-C with a network that is trained for two epochs."""
    given = {
        "task": {"name": "digits-c", "examples": 30},
        "model": {"name": model},
        "scale": "smoke",
        "trained_on": TRAINED,
    }
    return resolve({**given, **changes})


def do(store: Path, wanted: RunConfig) -> Outcome:
    """Compute a run in this process, without output."""
    return run(wanted, store=store, data_root=Path("nowhere"), execution=lambda: Execution(show_progress=False))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def outcome(store: Path) -> Iterator[Outcome]:
    yield do(store, config())


def test_the_network_is_trained_first_and_once(store: Path, outcome: Outcome) -> None:
    trained = list((store / "digits" / "nac").iterdir())
    assert len(trained) == 1
    assert outcome.record.trained_on is not None
    assert outcome.record.trained_on.run_id == trained[0].name
    stamp = (trained[0] / "record.json").stat().st_mtime_ns
    other = do(store, config(task={"name": "digits-c", "examples": 20}))
    assert not other.was_finished
    assert (trained[0] / "record.json").stat().st_mtime_ns == stamp


def test_a_finished_run_is_not_computed_again(store: Path, outcome: Outcome) -> None:
    assert do(store, config()).was_finished


def test_a_network_trained_with_other_settings_makes_another_run(store: Path, outcome: Outcome) -> None:
    other = do(store, config(trained_on={"training": {"epochs": 1}}))
    assert other.record.run_id != outcome.record.run_id
    assert other.record.trained_on != outcome.record.trained_on


def test_the_run_that_trains_can_be_computed_before_by_itself(store: Path, outcome: Outcome) -> None:
    direct = resolve({"task": {"name": "digits"}, "model": {"name": "nac"}, "scale": "smoke", **TRAINED})
    assert do(store, direct).was_finished


def test_the_record_has_all_splits_the_clean_score_and_the_drop(outcome: Outcome) -> None:
    record = outcome.record
    assert (record.protocol, record.task) == ("ood", "digits-c")
    assert len(record.metrics) == 1 + 75 + 1
    shifted = [m["accuracy"] for split, m in record.metrics.items() if split.startswith("ood/")]
    whole = record.metrics["test"]
    assert whole["accuracy"] == pytest.approx(sum(shifted) / 75)
    assert whole["mean_error"] == pytest.approx(1 - whole["accuracy"])
    assert whole["clean_accuracy"] == record.metrics["clean"]["accuracy"]
    assert whole["drop"] == pytest.approx(whole["clean_accuracy"] - whole["accuracy"])
    assert record.scored_examples == 76 * 30
    assert record.cost.train_seconds == 0
    assert record.cost.examples_per_second is None
    assert record.cost.parameters > 0


def test_the_clean_score_on_all_examples_is_that_of_the_run_that_trained(store: Path) -> None:
    done = do(store, config(task={"name": "digits-c", "examples": 0}))
    assert done.record.trained_on is not None
    trained = json.loads((store / "digits" / "nac" / done.record.trained_on.run_id / "record.json").read_text())
    assert done.record.metrics["clean"] == trained["metrics"]["test"]


def test_the_predictions_have_all_splits_and_stored_evaluations_are_removed(outcome: Outcome) -> None:
    table = pq.read_table(outcome.folder / "predictions.parquet")
    assert len(table) == 76 * 30
    assert not (outcome.folder / "scores").exists()


def test_an_interrupted_evaluation_resumes_at_the_next_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = Corrupted.evaluate
    seen: list[str] = []

    def failing(self: Corrupted, net: Any, split: str, batch_size: int) -> Evaluation:
        if len(seen) == 5:
            raise OSError("disk full")
        seen.append(split)
        return evaluate(self, net, split, batch_size)

    with monkeypatch.context() as patch:
        patch.setattr(Corrupted, "evaluate", failing)
        with pytest.raises(OSError, match="disk full"):
            do(tmp_path, config())
    again: list[str] = []

    def counting(self: Corrupted, net: Any, split: str, batch_size: int) -> Evaluation:
        again.append(split)
        return evaluate(self, net, split, batch_size)

    monkeypatch.setattr(Corrupted, "evaluate", counting)
    done = do(tmp_path, config())
    assert len(again) == 76 - 5
    assert not set(again) & set(seen)
    assert done.record.attempts == 2
    assert not (done.folder / "failure.json").exists()


def test_weights_of_another_run_are_refused(tmp_path: Path) -> None:
    first = do(tmp_path, config())
    other = do(tmp_path, config(seed=1))
    assert first.record.trained_on is not None
    assert other.record.trained_on is not None
    folder = tmp_path / "digits" / "nac"
    weights = "checkpoint/model.safetensors"
    (folder / first.record.trained_on.run_id / weights).write_bytes(
        (folder / other.record.trained_on.run_id / weights).read_bytes()
    )
    with pytest.raises(UserError, match=r"model\.safetensors is damaged or changed: .*; copy it again, or delete "):
        do(tmp_path, config(task={"name": "digits-c", "examples": 10}))


def test_an_unsupported_task_is_skipped_before_training(tmp_path: Path, mirror: Path) -> None:
    wanted = resolve(
        {"task": {"name": "lowshot-omniglot", "adapt": "circuit"}, "model": {"name": "vit"}, "scale": "smoke"}
    )
    with pytest.raises(RunSkippedError, match="vit cannot do lowshot-omniglot: it has no circuit to adapt"):
        run(wanted, store=tmp_path, data_root=mirror, execution=lambda: Execution(show_progress=False))
    assert not (tmp_path / "omniglot").exists()
    assert len(list(tmp_path.rglob("failure.json"))) == 1


def test_task_and_model_are_created_once_per_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    configured = Plugin.configured.__func__  # type: ignore[attr-defined]

    def counting(cls: type[Plugin], *given: Any) -> Any:
        made.append(cls.__name__)
        return configured(cls, *given)

    monkeypatch.setattr(Plugin, "configured", classmethod(counting))
    do(tmp_path, config())
    assert sorted(made) == ["Digits", "DigitsC", "NAC", "NAC"]  # NAC once for each of the two runs
