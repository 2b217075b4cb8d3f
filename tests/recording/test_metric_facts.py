"""What numbers mean that records hold without facts."""

import math

import pytest
from pydantic_core import to_json

from nacbench.contracts.metric import NLL
from nacbench.recording.metric_facts import MetricFacts, built_in, meaning_in


@pytest.mark.parametrize("name", ["accuracy", "clean_accuracy", "accuracy/fog", "error/fog", "mean_error"])
def test_shares_of_the_built_in_tasks_are_in_per_cent_with_a_step_of_one_example(name: str) -> None:
    metric = built_in(name)
    assert metric is not None
    assert metric.name == name
    assert metric.value_text(0.25) == "25.00 %"
    assert metric.grain(50) == 0.02


def test_a_drop_may_be_a_gain_and_an_error_beside_another_network_s_may_be_above_one() -> None:
    drop, mce = built_in("drop"), built_in("mce")
    assert drop is not None and mce is not None
    assert (drop.least, drop.most, mce.most) == (-1, 1, math.inf)


def test_nothing_is_guessed_of_other_names() -> None:
    assert built_in("accuracy_of_words") is None
    assert built_in("relative_drop") is None


def test_what_a_record_says_goes_first() -> None:
    facts = to_json({"drop": MetricFacts.of(NLL).model_dump()}).decode()
    found = meaning_in(facts, "drop")
    assert found is not None
    assert found.unit == "nats"
