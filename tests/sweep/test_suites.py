"""The sweeps that come with nacbench: that they expand, and fit each other."""

import pytest

from nacbench.contracts.task import EvaluationTask
from nacbench.errors import UserError
from nacbench.registry import MODELS, TASKS
from nacbench.running.config import RunConfig
from nacbench.sweep.read_sweep import read_sweep, suites


@pytest.mark.parametrize("name", suites())
def test_every_suite_expands(name: str) -> None:
    sweep = read_sweep(name)
    assert sweep.description
    runs = sweep.expand()
    assert len(runs) > 1
    tasks = {name: {run.task.name for run in runs if run.model.name == name} for name in MODELS.entries()}
    for a, b in sweep.decide.compare:  # else a misspelt name is only found once all runs are done
        assert tasks[a] & tasks[b]


def test_the_suite_of_everything_has_every_model_and_every_task_that_trains() -> None:
    runs = read_sweep("smoke-all").expand()
    tasks = {name for name in TASKS.entries() if not issubclass(TASKS.get(name), EvaluationTask)}
    assert {run.task.name for run in runs} == tasks
    assert {run.model.name for run in runs} == set(MODELS.entries())


def test_an_unknown_suite_suggests_one() -> None:
    with pytest.raises(UserError, match="unknown suite 'smok'; did you mean 'smoke'"):
        read_sweep("smok")


def test_as_many_values_are_tuned_for_every_model_of_a_task_of_mini() -> None:
    tried: dict[tuple[str, str], set[float]] = {}
    for run in read_sweep("mini-tuning").expand():
        tried.setdefault((run.task.name.removesuffix("-tuning"), run.model.name), set()).add(rate(run))
    assert {len(rates) for rates in tried.values()} == {4}
    wanted = {(training(run).task.name, run.model.name) for run in read_sweep("mini").expand()}
    assert {pair for pair in wanted if pair[0] != "nlvr"} <= tried.keys()


def test_the_suite_of_lengths_has_a_quarter_half_and_twice_the_recipe_of_mini() -> None:
    whole = {run.task.name: run.training.model_dump() for run in read_sweep("mini").expand() if not run.trained_on}
    shares: dict[tuple[str, str], set[float]] = {}
    for run in read_sweep("mini-lengths").expand():
        mine, recipe = run.training.model_dump(), whole[run.task.name]
        share = mine["epochs"] / recipe["epochs"]
        assert mine["warmup_epochs"] == share * recipe["warmup_epochs"]
        shares.setdefault((run.task.name, run.model.name), set()).add(share)
    assert len({task for task, _ in shares}) == 4
    assert all(own == {0.25, 0.5, 2.0} for own in shares.values())


def training(run: RunConfig) -> RunConfig:
    """The run that trains the network."""
    return run.trained_on or run


def rate(run: RunConfig) -> float:
    return float(run.training.model_dump()["lr"])
