"""What is bold in a table: rarely anything if all models are equal, however few the seeds and the test examples."""

from pathlib import Path

import numpy as np
import pytest

from nacbench.recording.index import read_runs
from nacbench.reporting.series import group
from nacbench.reporting.significance import LEVEL, best
from nacbench.statistics import holm, paired_difference
from tests.made import made_record, write_run

TABLES = 500
TIES = [f"tied-{number}" for number in range(60)]


def rate_of_bold(seeds: int, examples: int, accuracy: float, tasks: int, floor: float) -> float:
    """The share of tables of two equal models on some tasks in which anything is significant after correction."""
    draws = np.random.default_rng([seeds, examples, tasks])
    scores = draws.binomial(examples, accuracy, (2, TABLES, tasks, seeds)) / examples
    first, second = scores.tolist()
    bold = 0
    for ours, theirs in zip(first, second, strict=True):
        p = {task: paired_difference(ours[task], theirs[task], floor=floor).p for task in range(tasks)}
        bold += any(corrected < LEVEL for corrected in holm(p).values())
    return bold / TABLES


@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
def test_tables_of_equal_models_have_nothing_bold_in_nineteen_of_twenty(seeds: int) -> None:
    cells = [(40, 0.95, 12), (100, 0.98, 18), (300, 0.95, 12), (300, 0.98, 18)]
    rates = [rate_of_bold(seeds, *cell, floor=1 / cell[0]) for cell in cells]
    assert np.mean(rates) <= 0.05
    assert max(rates) <= 0.08  # of 500 tables: 5 %, and three standard errors


def test_without_the_floor_ties_would_be_bold() -> None:
    assert rate_of_bold(3, 300, 0.98, 18, floor=1e-12) > 0.08


def test_two_examples_more_in_every_seed_are_bold_only_after_five_seeds(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, made_record(model="nac", seed=seed, score=0.902))
        write_run(tmp_path, made_record(model="vit", seed=seed, score=0.90))
    series = group(read_runs(tmp_path).runs)
    assert best(series) == []
    assert all(item.score.half_width > 0 for item in series)
    for seed in range(2, 5):
        write_run(tmp_path, made_record(model="nac", seed=seed, score=0.902))
        write_run(tmp_path, made_record(model="vit", seed=seed, score=0.90))
    (winner,) = best(group(read_runs(tmp_path).runs))
    assert winner.first.model == "nac"


def test_a_comparison_that_shows_nothing_counts_in_the_correction(tmp_path: Path) -> None:
    """Left out, ties of other tasks would make the correction weaker: by that something is bold too often."""
    for seed, ahead in enumerate((0.02, 0.02, 0.03, 0.01, 0.02)):
        write_run(tmp_path, made_record(model="nac", seed=seed, score=0.9 + ahead))
        write_run(tmp_path, made_record(model="vit", seed=seed, score=0.9))
        for model in ("nac", "vit"):
            for task in TIES:
                write_run(tmp_path, made_record(task=task, model=model, seed=seed, score=0.9))
    runs = read_runs(tmp_path).runs
    assert [item.first.model for item in best(group(run for run in runs if run.task == "digits"))] == ["nac"]
    assert best(group(runs)) == []
