"""Floors: chance, the most frequent class and cheap models; what does not lie above them is marked."""

from typing import Any

import pytest

from nacbench.cli.shared.remarks import choice_lines, floor_lines
from nacbench.contracts.metric import ACCURACY, NLL, Metric
from nacbench.contracts.recipe import BEST_TEST
from nacbench.recording.record import Answers, RunRecord
from nacbench.recording.row import Run, row_of
from nacbench.reporting.figures.cost import draw_cost
from nacbench.reporting.figures.scores import draw_scores
from nacbench.reporting.figures.style import FLOOR_COLOUR, floor_line
from nacbench.reporting.floors import MARK, RULE, Floors, with_floors
from nacbench.reporting.paper.tables import build
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.cost import cost_table
from nacbench.reporting.tables.scores import score_table
from nacbench.reporting.tables.side_by_side import side_by_side
from nacbench.statistics import Mean
from tests.made import made_record

ANSWERS = Answers(options=4, labels=[600, 200, 100, 100], given=[500, 300, 100, 100])

OF_MODELS = {"nac": 0.68, "floor-linear": 0.7}


def run(score: float, answers: Answers | None = ANSWERS, **changes: Any) -> Run:
    record: RunRecord = made_record(score=score, **changes).model_copy(update={"answers": answers})
    return row_of(record, record.run_id, 1, 1)


def series(*runs: Run) -> list[Series]:
    return group(runs)


def test_chance_and_the_most_frequent_class_follow_from_the_counts() -> None:
    assert (ANSWERS.chance, ANSWERS.majority, ANSWERS.constant) == (0.25, 0.6, False)
    assert Answers(options=2, labels=[3, 1], given=[0, 4]).constant


def test_counts_of_different_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="must count the same examples"):
        Answers(options=2, labels=[3, 1], given=[3, 2])


def test_floors_are_chance_majority_and_the_models_of_the_same_task() -> None:
    mine = series(run(0.9), run(0.7, model="floor-linear"), run(0.8, model="floor-linear", task="cifar10"))
    of = {item.first.model: Floors(mine).of(item) for item in mine if item.first.task == "digits"}
    assert [(floor.name, floor.value) for floor in of["nac"]] == [
        ("chance", 0.25),
        ("most frequent class", 0.6),
        ("floor-linear", 0.7),
    ]
    assert [floor.name for floor in of["floor-linear"]] == ["chance", "most frequent class"]


def test_a_task_without_floors_of_its_own_has_those_of_the_same_examples() -> None:
    cheap, dear = run(0.7, model="floor-linear"), run(0.8, model="floor-linear", task="cifar10")
    pruned = run(0.9, task="digits-pruned")
    elsewhere = dear._replace(fingerprint="d" * len(cheap.fingerprint))
    (item,) = series(pruned)
    assert [floor.name for floor in Floors(series(cheap, elsewhere, pruned)).of(item)][-1] == "floor-linear"
    own = run(0.6, model="floor-linear", task="digits-pruned")
    assert [floor.value for floor in Floors(series(cheap, own, pruned)).of(item)][-1] == 0.6
    for other in (
        cheap._replace(fingerprint=elsewhere.fingerprint),
        cheap._replace(scored=cheap.scored + 1),
        cheap._replace(scale="paper"),
        cheap._replace(notes="for tuning: scored on validation examples"),
    ):
        assert [floor.name for floor in Floors(series(other, pruned)).of(item)][-1] == "most frequent class"


def test_a_record_without_counts_has_chance_by_its_classes() -> None:
    (item,) = series(run(0.9, None))
    assert [(floor.name, floor.value) for floor in Floors([item]).of(item)] == [("chance", 0.1)]


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ([0.62], "62.00 ‡"),  # of 1,000 examples: 58.9 to 65.0 %
        ([0.64], "64.00"),
        ([0.61, 0.62, 0.63], "62.00 ± 2.48 ‡"),
        ([0.63, 0.64, 0.65], "64.00 ± 2.48"),
        ([0.6], "60.00 ‡"),
    ],
)
def test_a_score_is_marked_unless_its_interval_lies_above_the_floor(scores: list[float], shown: str) -> None:
    (item,) = series(*(run(score, seed=seed) for seed, score in enumerate(scores)))
    assert Floors([item]).marked(item) == shown


@pytest.mark.parametrize("changes", [{"seeds": 1, "trained_on": "0" * 12}, {"seeds": 2, "adaptive": 1}])
def test_a_score_without_an_interval_shows_nothing(changes: dict[str, Any]) -> None:
    """One seed of a protocol, whose examples depend on each other; two seeds that were added one by one."""
    more = {key: value for key, value in changes.items() if key != "seeds"}
    (item,) = series(*(run(0.9, seed=seed)._replace(**more) for seed in range(changes["seeds"])))
    assert Floors([item]).marked(item).endswith(MARK)


def test_floors_hold_for_models_that_are_shown_alone() -> None:
    every = [run(score, model=model, seed=seed) for model, score in OF_MODELS.items() for seed in range(3)]
    chosen = series(*(own for own in every if own.model == "nac"))
    elsewhere = run(0.8, model="floor-linear", task="cifar10")
    for known in (with_floors(chosen, [*every, elsewhere]), series(*every)):
        (item,) = (own for own in known if own.first.model == "nac")
        assert [floor.name for floor in Floors(known).of(item)] == ["chance", "most frequent class", "floor-linear"]
        assert Floors(known).marked(item) == "68.00 ± 0.25 ‡"
    (alone,) = with_floors(chosen, [run(0.9, model="floor-linear")._replace(fingerprint="d" * 64)])
    assert alone.floors == ()  # of other data


@pytest.mark.parametrize(
    ("ours", "floor", "is_marked"),
    [
        ((0.80, 0.85, 0.90), (0.790, 0.841, 0.889), False),  # far apart from seed to seed, and always better
        ((0.75, 0.751, 0.749), (0.60, 0.74, 0.76), True),  # wholly above the floor's mean, whose own seeds reach it
        ((0.75, 0.751, 0.749), (0.70, 0.701, 0.70), False),
    ],
)
def test_a_floor_that_is_a_model_is_compared_seed_by_seed(
    ours: tuple[float, ...], floor: tuple[float, ...], is_marked: bool
) -> None:
    models = {"nac": ours, "floor-linear": floor}
    mine = series(
        *(run(score, model=name, seed=seed) for name, own in models.items() for seed, score in enumerate(own))
    )
    (item,) = [own for own in mine if own.first.model == "nac"]
    assert Floors(mine).marked(item).endswith(MARK) == is_marked


def test_a_metric_that_is_no_accuracy_has_no_floor() -> None:
    (item,) = series(run(0.5))
    assert Floors([item]).of(item, "nll") == []


@pytest.mark.parametrize(
    ("metric", "cells", "numbers"), [(ACCURACY, ("25.00", "60.00"), {0.25, 0.6}), (NLL, ("—", "—"), set())]
)
def test_guesses_are_shown_in_no_other_metric_than_accuracy(
    metric: Metric, cells: tuple[str, str], numbers: set[float]
) -> None:
    names = [(model, task) for model in ("nac", "vit") for task in ("digits", "imdb")]
    mine = series(*(run(0.5, metric=metric, model=model, task=task) for model, task in names))
    beside = side_by_side(mine)
    assert beside is not None
    assert {row[3:5] for row in beside.rows} == {cells}
    for frame in (score_table(mine, []).frame, beside.frame):
        assert {own for name in ("chance", "most_frequent_class") for own in frame[name].dropna()} == numbers


def test_a_task_of_which_some_rows_have_no_floor_names_those_of_the_others() -> None:
    mine = series(run(0.5), run(0.4, model="vit", metric=NLL))
    assert "digits: floors in %: chance 25.00, most frequent class 60.00." in Floors(mine).notes(mine)


def test_the_table_names_the_floors_and_tells_of_constant_predictions() -> None:
    same = Answers(options=4, labels=[600, 200, 100, 100], given=[1000, 0, 0, 0])
    mine = series(run(0.6, same), run(0.6, same, seed=1), run(0.9, model="vit"), run(0.9, same, model="vit", seed=1))
    table = score_table(mine, [])
    assert [row[3] for row in table.rows] == ["90.00 ± 0.90 (1 of 2 constant)", "60.00 ± 0.90 ‡ (constant)"]
    assert RULE in table.notes
    assert "digits: floors in %: chance 25.00, most frequent class 60.00." in table.notes
    assert table.frame["floor"].tolist() == [0.6, 0.6]
    assert table.frame["constant"].tolist() == [1, 2]


def test_tables_of_cost_and_of_the_paper_mark_scores_and_name_the_floors() -> None:
    runs = [run(0.6, task="tiny-imagenet", scale="paper"), run(0.9, task="tiny-imagenet", scale="paper", model="vit")]
    cost = cost_table(series(*runs))
    assert cost is not None
    for table in (cost, build("tiny-imagenet", runs, ["tiny-imagenet"], "paper").main):
        assert [row[3] for row in table.rows[:2]] == ["90.00", "60.00 ‡"]
        assert "tiny-imagenet: floors in %: chance 25.00, most frequent class 60.00." in table.notes


def test_the_broken_line_of_a_figure_is_the_highest_floor() -> None:
    mine = series(run(0.9), run(0.8, model="vit"), run(0.7, model="floor-linear"))
    (scores,), (cost,) = draw_scores(mine), draw_cost(mine)
    for figure, along in ((scores, "get_xdata"), (cost, "get_ydata")):
        (axes,) = figure.axes
        broken = [line for line in axes.lines if line.get_color() == FLOOR_COLOUR and line.get_linestyle() == "--"]
        assert [list(getattr(line, along)()) for line in broken] == [[70.0, 70.0]]
        (legend,) = figure.legends
        assert legend.get_texts()[-1].get_text() == "best floor: floor-linear"


def test_every_kind_of_floor_has_a_line_of_its_own() -> None:
    names = ("chance", "most frequent class", "floor-linear", "floor-nearest-mean")
    assert len({str(floor_line(name)["linestyle"]) for name in names}) == len(names)


def test_a_run_s_line_tells_of_floors_and_of_constant_predictions() -> None:
    same = Answers(options=4, labels=[600, 200, 100, 100], given=[0, 1000, 0, 0])
    record = made_record()
    assert floor_lines(record) == []
    (line,) = floor_lines(record.model_copy(update={"answers": ANSWERS}))
    assert line == "floors: chance 25.00 %, always the most frequent class 60.00 %"
    (line,) = floor_lines(made_record(metric=NLL).model_copy(update={"answers": ANSWERS}))
    assert line.startswith("floors of accuracy: chance 25.00 %")
    (line,) = floor_lines(record.model_copy(update={"answers": same}))
    assert line.endswith("; the predictions are constant: all are the same class")


def test_a_run_s_lines_tell_that_the_test_images_chose_its_weights() -> None:
    record = made_record()
    assert choice_lines(record) == []
    chosen = record.selection.model_copy(update={"rule": BEST_TEST})
    assert choice_lines(record.model_copy(update={"selection": chosen})) == [
        "the epoch was chosen on the test images: the score is too high"
    ]


def test_a_floor_of_accuracy_is_a_lower_end_although_the_score_is_a_loss() -> None:
    """A report in another metric keeps columns of accuracies, such as those by shots."""
    (item,) = series(*(run(0.5, seed=seed, metric=NLL) for seed in range(2)))
    floors = Floors([item])
    assert floors.marked(item, Mean(0.9, 0.01, 2), "accuracy/5-shot") == "90.00 ± 1.00"
    assert floors.marked(item, Mean(0.2, 0.01, 2), "accuracy/5-shot") == "20.00 ± 1.00 ‡"
