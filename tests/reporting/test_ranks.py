"""Models across tasks: mean ranks, the test that they differ, the table of wins and the critical-difference figure."""

from typing import Any

import numpy as np
import pytest

from nacbench.recording.row import Run, row_of
from nacbench.reporting.figures.ranks import draw_ranks
from nacbench.reporting.ranks import Ranking, critical_difference, fewest_tasks, ranking
from nacbench.reporting.series import group
from nacbench.reporting.tables.ranks import rank_table
from tests.made import made_record

# Demšar 2006, table 6: areas under the ROC curve of four learners on 14 data sets
DEMSAR = {
    "C4.5": [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.94, 0.619, 0.972, 0.957],
    "C4.5+m": [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978],
    "C4.5+cf": [0.771, 0.59, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.0, 0.965, 0.614, 0.9751, 0.946],
    "C4.5+m+cf": [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.0, 0.962, 0.669, 0.975, 0.97],
}


def published() -> Ranking:
    return Ranking([f"set {number}" for number in range(14)], [], DEMSAR)


def run(task: str, model: str, score: float, seed: int = 0, **changes: Any) -> Run:
    return row_of(
        made_record(task=task, model=model, score=score, seed=seed, **changes), f"{task}-{model}-{seed}", 1, 1
    )


def runs_of(scores: dict[str, list[float]]) -> list[Run]:
    """A run of each model on tasks t0, t1, …"""
    return [
        run(f"t{number}", model, score)
        for model, own in scores.items()
        for number, score in enumerate(own)
        if score == score
    ]


def test_the_numbers_are_those_of_the_published_example() -> None:
    found = published()
    assert found.ranks == pytest.approx({"C4.5+m+cf": 1.964, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5": 3.143}, abs=5e-4)
    chi_squared = 12 * 14 / (4 * 5) * (sum(rank**2 for rank in found.ranks.values()) - 4 * 5**2 / 4)
    assert chi_squared == pytest.approx(9.28, abs=0.005)
    assert found.p == pytest.approx(0.01672, abs=1e-5)  # with the correction for ties that the article leaves out
    assert found.critical_difference == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, rel=1e-3)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.groups() == [["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]]


@pytest.mark.parametrize(("models", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_values_are_those_of_the_published_table(models: int, q: float) -> None:
    assert critical_difference(models, 1) == pytest.approx(q * (models * (models + 1) / 6) ** 0.5, rel=5e-4)


def test_models_that_are_a_critical_difference_apart_are_in_no_group_together() -> None:
    rng = np.random.default_rng(0)
    merits = {name: list(level + rng.normal(0, 0.01, 12)) for name, level in (("a", 0.9), ("b", 0.89), ("c", 0.5))}
    found = Ranking([f"t{number}" for number in range(12)], [], merits)
    assert found.are_apart("a", "c")
    assert ["a", "b"] in [sorted(names) for names in found.groups()]
    assert not any({"a", "c"} <= set(names) for names in found.groups())


@pytest.mark.parametrize(("models", "tasks"), [(3, 3), (3, 8), (4, 5), (6, 12)])
def test_of_equal_models_any_two_are_told_apart_in_at_most_5_percent(models: int, tasks: int) -> None:
    rng = np.random.default_rng(models)
    names = [f"m{number}" for number in range(models)]
    blocks = [f"t{number}" for number in range(tasks)]
    wrong, count = 0, 400
    for _ in range(count):
        found = Ranking(blocks, [], dict(zip(names, rng.random((models, tasks)).tolist(), strict=True)))
        wrong += found.groups() != [list(found.ranks)]
    assert wrong / count <= 0.05 + 3 * (0.05 * 0.95 / count) ** 0.5


def test_only_tasks_that_all_models_share_count() -> None:
    nan = float("nan")
    scores = {"nac": [0.9, 0.8, 0.7, 0.6], "vit": [0.8, 0.7, 0.6, nan], "transformer": [0.7, 0.6, 0.5, 0.4]}
    table = rank_table(group(runs_of(scores)))
    assert table is not None
    assert [row[:2] for row in table.rows] == [("nac", "1.00"), ("vit", "2.00"), ("transformer", "3.00")]
    assert table.rows[0][4:] == ("3–0–0", "3–0–0")
    assert "over the 3 of 4 tasks that all 3 models were trained on: t0, t1, t2." in table.notes[0]
    assert table.notes[1].startswith("Friedman's test over 3 tasks: p = 0.05. Critical difference")


def test_equal_scores_are_a_tie_whatever_order_their_seeds_were_added_in() -> None:
    seeds = {"nac": [0.1, 0.2, 0.3], "vit": [0.3, 0.2, 0.1], "transformer": [0.1, 0.1, 0.1]}
    rows = [
        run(task, model, score, seed)
        for task in ("a", "b")
        for model, scores in seeds.items()
        for seed, score in enumerate(scores)
    ]
    found = ranking(group(rows))
    assert found is not None
    assert found.record("nac", "vit") == (0, 2, 0)
    assert found.ranks == {"nac": 1.5, "vit": 1.5, "transformer": 3.0}


def test_tasks_that_score_networks_of_others_and_floors_do_not_count() -> None:
    rows = runs_of({"nac": [0.9, 0.8], "vit": [0.8, 0.7], "floor-linear": [0.1, 0.1]})
    rows += [run("t0-c", model, 0.5, protocol="ood", trained_on="t0") for model in ("nac", "vit")]
    found = ranking(group(rows))
    assert found is not None
    assert (found.tasks, sorted(found.merits)) == (["t0", "t1"], ["nac", "vit"])


def test_models_with_fewer_than_half_of_the_tasks_are_named_and_not_ranked() -> None:
    rows = runs_of({"nac": [0.9, 0.8, 0.7], "vit": [0.8, 0.7, 0.6], "transformer": [0.7, 0.6, 0.5]})
    rows.append(run("t0", "pointnet", 0.99))
    found = ranking(group(rows))
    assert found is not None
    assert (found.tasks, list(found.rare)) == (["t0", "t1", "t2"], ["pointnet"])
    table = rank_table(group(rows))
    assert table is not None
    assert "Not ranked, as they have fewer than half of the tasks: pointnet." in table.notes


def test_too_few_tasks_or_models_are_said_instead_of_drawn() -> None:
    two_tasks = group(runs_of({"nac": [0.9, 0.8], "vit": [0.8, 0.7], "transformer": [0.7, 0.6]}))
    table = rank_table(two_tasks)
    assert table is not None
    assert table.notes[1].startswith("Not tested: 3 models need 3 shared tasks or more, and here are 2.")
    assert {row[2] for row in table.rows} == {"not tested"}
    assert draw_ranks(two_tasks) == []
    two_models = rank_table(group(runs_of({"nac": [0.9] * 4, "vit": [0.8] * 4})))
    assert two_models is not None
    assert two_models.notes[1].startswith("Not tested: this needs 3 models or more")


def test_models_that_share_no_task_have_no_rank() -> None:
    nan = float("nan")
    table = rank_table(group(runs_of({"nac": [0.9, nan], "vit": [nan, 0.8], "transformer": [0.9, 0.8]})))
    assert table is not None
    assert not table.rows, "a table of dashes and of 0–0–0 says nothing, and has a column for each model"
    assert table.frame.empty
    assert "mean_rank" in table.frame, "its CSV file has a head, with which it can be read"
    assert "over the 0 of 2 tasks" in table.notes[0]
    assert "0–0–0" not in table.text() + table.markdown() + table.latex()


@pytest.mark.parametrize("scores", [{"nac": [0.9, 0.8]}, {"nac": [0.9], "vit": [0.8]}])
def test_one_task_or_one_model_has_no_table_of_ranks(scores: dict[str, list[float]]) -> None:
    assert rank_table(group(runs_of(scores))) is None


def test_the_figure_has_every_model_with_its_rank() -> None:
    (figure,) = draw_ranks(group(runs_of({"nac": [0.9] * 5, "vit": [0.8] * 5, "transformer": [0.7] * 5})))
    texts = {text.get_text().strip() for text in figure.axes[0].texts}
    assert texts == {"critical difference", "nac 1.00", "vit 2.00", "transformer 3.00"}


@pytest.mark.parametrize(("models", "tasks"), [(3, 3), (4, 3), (10, 3), (2, 4)])
def test_the_fewest_tasks_could_just_show_a_difference(models: int, tasks: int) -> None:
    assert fewest_tasks(models) == tasks


def test_numbers_of_very_many_ranks_do_not_run_into_each_other() -> None:
    names = [f"m{number:02d}" for number in range(30)]
    (figure,) = draw_ranks(group(runs_of({name: [0.5 + int(name[1:]) / 100] * 5 for name in names})))
    (axes,) = figure.axes
    assert len(axes.get_xticks()) <= 16 and axes.get_xticks()[0] == 1
