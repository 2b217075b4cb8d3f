"""What networks learn by kind of targets: losses by hand, and scores in the targets' own unit."""

import math

import numpy as np
import pytest
import torch

from nacbench.data.objectives import Labels, Objective, Values, objective_for
from nacbench.errors import UserError

TRAIN = np.array([[100.0, 1.0], [200.0, 1.0], [300.0, 1.0]], dtype=np.float32)  # the second value never varies


@pytest.fixture
def values() -> Objective:
    return objective_for("values", TRAIN, 0.0)


def test_values_are_learned_in_deviations_and_scored_in_their_own_unit(values: Objective) -> None:
    deviation = math.sqrt(20000 / 3)
    target = values.target(torch.tensor([[200.0 + deviation, 3.0]]))
    assert target.tolist() == [[pytest.approx(1.0), 2.0]]
    assert float(values.loss(torch.zeros(1, 2), target, 0.0)) == pytest.approx((1 + 4) / 2)
    scored = values.scores(torch.zeros(3, 2), torch.from_numpy(TRAIN))  # the mean of the training examples
    assert scored.predictions["output"].tolist() == [[200.0, 1.0]] * 3
    assert scored.metrics["mae"] == pytest.approx((200 / 3) / 2)
    assert "r2" not in scored.metrics  # not defined, as one target is constant


def test_a_change_of_unit_changes_no_training_target() -> None:
    draw = np.random.default_rng(0).normal(5, 2, (20, 1)).astype(np.float32)
    metres, millimetres = (objective_for("values", factor * draw, 0.0) for factor in (1, 1000))
    ours, theirs = (own.target(torch.from_numpy(f * draw)) for own, f in ((metres, 1), (millimetres, 1000)))
    torch.testing.assert_close(ours, theirs)


def test_labels_are_learned_each_by_itself() -> None:
    outputs, target = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    by_hand = (math.log(2) + math.log(1 + math.exp(2))) / 2
    assert float(Labels().loss(outputs, target, 0.0)) == pytest.approx(by_hand)
    smoothed = (math.log(2) + 0.05 * math.log(1 + math.exp(-2)) + 0.95 * math.log(1 + math.exp(2))) / 2
    assert float(Labels().loss(outputs, target, 0.1)) == pytest.approx(smoothed)


def test_values_have_no_label_smoothing() -> None:
    with pytest.raises(UserError, match=r"training.label_smoothing = 0.1: targets that are values have no classes"):
        objective_for("values", TRAIN, 0.1)


def test_answers_read_as_what_they_are(values: Objective) -> None:
    assert objective_for("classes", np.arange(3), 0.0).answers(torch.eye(3)) == ["0", "1", "2"]
    assert Labels().answers(torch.tensor([[-1.0, 2.0, 0.5], [-1.0, -1.0, 0.0]])) == ["1 2", "none"]
    assert values.answers(torch.zeros(1, 2)) == ["200 1"]
    assert values.right(torch.from_numpy(TRAIN[:1])) == ["100 1"]


def test_the_deviation_is_that_of_the_training_examples_alone() -> None:
    assert Values.of(TRAIN).mean.tolist() == [200, 1]
    assert Values.of(TRAIN).deviation.tolist() == [pytest.approx(math.sqrt(20000 / 3)), 1]
