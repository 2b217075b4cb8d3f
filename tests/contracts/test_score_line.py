"""How a task's number reads: in percent with an interval where it is a share of hits, plainly otherwise."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from nacbench.contracts.metric import Metric
from nacbench.contracts.task import AnyTask, Metrics, Task
from nacbench.errors import UserError
from nacbench.registry import TASKS

SIZES = {"train": 1000, "test": 500}


@dataclass(frozen=True, kw_only=True)
class Accurate(Task):
    """Only its metric counts here."""


@dataclass(frozen=True, kw_only=True)
class Regression(Task):
    metric = "negative_error"
    metrics = (Metric(name="negative_error", unit="mm"),)


@dataclass(frozen=True, kw_only=True)
class Undescribed(Task):
    metric = "loss"


def line(name: str, metrics: Metrics, sizes: dict[str, int], **options: Any) -> str:
    task: AnyTask = TASKS.get(name).configured("task", "smoke", options)
    return task.score_line(metrics, sizes)


def test_an_accuracy_has_wilson_s_interval_over_the_test_examples() -> None:
    shown = Accurate().score_line({"test": {"accuracy": 0.812}}, SIZES)
    assert shown == "test accuracy 81.20 %  (95 % interval over its 500 examples: 77.54–84.38 %)"


@pytest.mark.parametrize(("value", "shown"), [(-0.5231, "-0.5231 mm"), (-12345.6, "-12346 mm"), (2.0, "2.000 mm")])
def test_another_metric_is_no_proportion_and_may_be_any_number(value: float, shown: str) -> None:
    assert Regression().score_line({"test": {"negative_error": value}}, SIZES) == f"test negative_error {shown}"


def test_a_metric_that_the_task_does_not_describe_is_refused_before_anything_is_computed() -> None:
    told = r"sets metric = 'loss', which its metrics \(accuracy, nll\) do not describe"
    assert re.fullmatch(told, Undescribed._undescribed() or "")
    with pytest.raises(UserError, match=f"^Undescribed {told}$"):
        Undescribed().score_line({"test": {"loss": 0.5}}, SIZES)


def test_without_a_test_split_there_are_no_examples_for_an_interval() -> None:
    assert Accurate().score_line({"test": {"accuracy": 0.5}}, {"ood/fog": 9}) == "test accuracy 50.00 %"


def test_a_shifted_task_tells_the_drop() -> None:
    metrics = {"test": {"accuracy": 0.5875, "clean_accuracy": 0.6875, "drop": 0.1}}
    assert line("digits-c", metrics, {}) == "accuracy 58.75 % on shifted data, 68.75 % on clean: a drop of 10.00 points"
    assert line("tiny-imagenet-r", metrics, {}) == line("digits-c", metrics, {})


def test_a_low_shot_task_tells_every_number_of_shots() -> None:
    shots = {"accuracy": 0.25, "half_width_95": 0.031}
    metrics = {"shots-1": shots, "shots-2": {**shots, "accuracy": 0.35}, "test": {"accuracy": 0.3}}
    shown = line("lowshot-omniglot", metrics, {}, shots=[1, 2])
    assert shown == "accuracy 30.00 %: 1-shot 25.0 ± 3.1 · 2-shot 35.0 ± 3.1 (95 % interval over episodes)"


def test_a_pruned_task_tells_what_is_kept_and_what_the_whole_network_has() -> None:
    metrics = {"kept/100": {"accuracy": 0.8}, "test": {"accuracy": 0.76, "kept": 0.25}}
    shown = line("digits-pruned", metrics, {"test": 50})
    assert shown.startswith("test accuracy 76.00 %  (95 % interval over its 50 examples: ")
    assert shown.endswith(" with 25 % of the modules, 80.00 % with all")


@pytest.mark.parametrize(("train", "scored"), [(1000, "validation"), (500, "training")])
def test_a_tuning_task_says_which_examples_stand_for_the_test_examples(train: int, scored: str) -> None:
    shown = line("digits-tuning", {"test": {"accuracy": 0.8}}, {"train": train, "test": 500})
    assert shown.startswith(f"{scored} accuracy 80.00 %")
