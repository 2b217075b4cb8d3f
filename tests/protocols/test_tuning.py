"""Tuning tasks: which examples they evaluate instead of test examples, and that no table shows them as results."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacbench.cli.run import _summary
from nacbench.data.array_task import ArrayTask
from nacbench.data.live import Split
from nacbench.errors import UserError
from nacbench.registry import TASKS
from nacbench.running.identity import Identity
from nacbench.running.outcome import Outcome
from nacbench.running.resolve import resolve
from nacbench.running.runner import run
from nacbench.training.execution import Execution


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    store = tmp_path_factory.mktemp("runs")
    given = {"task": {"name": "digits-tuning"}, "model": {"name": "vit"}, "scale": "smoke", "precision": "fp32"}
    config = resolve({**given, "training": {"epochs": 1}})
    return run(config, store=store, data_root=store, execution=lambda: Execution(show_progress=False))


def test_the_score_is_that_of_the_validation_examples(outcome: Outcome) -> None:
    record = outcome.record
    assert record.task == "digits-tuning"
    assert record.data.splits == {"train": 1199, "validation": 299, "test": 299}
    assert record.metrics["test"] == record.metrics["validation"]
    assert record.data.notes == ["for tuning: scored on validation examples; the test examples are not read"]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "validation accuracy "),
        ({"task": "digits"}, "test accuracy "),
        ({"data": {"splits": {"train": 299, "validation": 299, "test": 299}}}, "training accuracy "),
    ],
)
def test_the_summary_names_the_evaluated_examples(outcome: Outcome, changes: dict[str, Any], shown: str) -> None:
    changes = {
        **changes,
        **({"data": outcome.record.data.model_copy(update=changes["data"])} if "data" in changes else {}),
    }
    record = outcome.record.model_copy(update=changes)
    config = resolve({"task": record.task, "model": record.model, "scale": "smoke"})
    score = _summary(dataclasses.replace(outcome, record=record, config=config))[1]
    assert score.strip().startswith(shown)
    assert "over its 299 examples" in score


def made(train: int, validation: int = 0) -> dict[str, np.ndarray]:
    """Digits whose first pixel encodes their split and position."""
    arrays: dict[str, np.ndarray] = {}
    for number, (split, count) in enumerate({"train": train, "validation": validation, "test": 50}.items()):
        if count:
            arrays[f"{split}_images"] = 1000 * number + np.arange(count).reshape(-1, 1)
            arrays[f"{split}_labels"] = np.zeros(count, dtype=np.int16)
    return arrays


def task(**options: int) -> ArrayTask:
    found = TASKS.get("digits-tuning").configured("task", "mini", options)
    assert isinstance(found, ArrayTask)
    return found


def firsts(split: Split) -> set[int]:
    return set(split.inputs["images"][split.indices][:, 0].tolist())


def test_without_a_validation_split_a_tenth_of_the_training_examples_is_held_out() -> None:
    splits = task().splits(made(200))
    assert (len(splits["train"]), len(splits["test"])) == (180, 20)
    assert firsts(splits["train"]) | firsts(splits["test"]) == set(range(200))
    assert not firsts(splits["train"]) & firsts(splits["test"])
    assert splits["validation"] is splits["test"]


def test_at_most_five_thousand_are_held_out() -> None:
    assert len(task().splits(made(90_000))["test"]) == 5000


def test_with_too_few_examples_the_training_examples_are_evaluated() -> None:
    splits = task().splits(made(99))
    assert firsts(splits["test"]) == firsts(splits["train"]) == set(range(99))


def test_a_validation_split_of_the_data_or_the_options_is_used() -> None:
    assert firsts(task().splits(made(200, 30))["test"]) == set(range(1000, 1030))
    assert len(task(validation_examples=7).splits(made(200))["test"]) == 7


def test_the_code_of_the_task_that_is_tuned_is_part_of_a_run() -> None:
    codes = set()
    for name in ("digits-tuning", "parametric-shapes-tuning", "digits"):
        config = resolve({"task": {"name": name}, "model": {"name": "nac"}, "scale": "smoke"})
        codes.add(Identity.of(config, "data").code["task"])
    assert len(codes) == 3


@pytest.mark.parametrize("name", ["digits-c", "lowshot-omniglot"])
def test_an_evaluation_task_cannot_be_tuned(name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' trains no network"):
        TASKS.get(f"{name}-tuning")


def test_the_error_for_a_misspelt_tuning_task_suggests_the_name() -> None:
    with pytest.raises(UserError, match="did you mean 'digits-tuning'"):
        TASKS.get("digit-tuning")
    assert "digits-tuning" not in TASKS.entries()


def test_the_predictions_are_those_of_the_validation_examples(outcome: Outcome) -> None:
    state = json.loads((Path(outcome.folder) / "state.json").read_text())
    assert state["identity"]["config"]["task"]["name"] == "digits-tuning"
    assert (outcome.folder / "predictions.parquet").exists()
