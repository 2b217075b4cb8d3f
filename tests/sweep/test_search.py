"""Searches: what a file may say, which points are drawn, who goes on, what is chosen; with made records."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError
from nacbench.recording.record import Failure
from nacbench.recording.row import Run, row_of
from nacbench.recording.searches import Search, begin, read_searches
from nacbench.recording.transfer import merge, pack, unpack_into
from nacbench.reporting.searched import Searched, state_of
from nacbench.seeds import seed_for
from nacbench.sweep.choices_file import choices_file
from nacbench.sweep.choosing import choices_of
from nacbench.sweep.plan import Plan, make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.searching import budget_left, searches_in
from nacbench.sweep.space import Dimension, points
from nacbench.sweep.trials import known_choices

from ..made import made_record, write_run

LR = {"log": [1.0e-4, 1.0e-2]}
DECAY = {"choice": [0.0, 0.01, 0.1]}
SPACE: dict[str, Any] = {"training.lr": LR, "training.weight_decay": DECAY}
HALVING = {"method": "halving", "trials": 9, "halving": {"factor": 3, "rungs": 3}, "space": SPACE}


def plan_of(given: Mapping[str, Any], /, **changes: Any) -> Plan:
    """A sweep with a search on digits, whose trials have nine epochs in full."""
    content: dict[str, Any] = {"tasks": "digits", "models": ["floor-linear", "floor-nearest-mean"], "scale": "smoke"}
    content |= {"precision": "fp32", "set": {"training.epochs": 9}, "search": {"trials": 4, "space": SPACE, **given}}
    return make_plan(parse_sweep({**content, **changes}, Path("mine.yaml")), Path("data"))


def dimensions(space: Mapping[str, Any]) -> dict[str, Dimension]:
    return {name: Dimension.model_validate(values) for name, values in space.items()}


# -- points


def test_points_are_those_of_optuna_s_own_sampler() -> None:
    """Asked as anybody would ask it, with the seed of the trial and setting."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    asked = {
        "training.lr": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True),
        "training.beta1": optuna.distributions.FloatDistribution(0.5, 0.9),
        "model.depth": optuna.distributions.IntDistribution(2, 6),
    }
    ours = dimensions({"training.lr": LR, "training.beta1": {"float": [0.5, 0.9]}, "model.depth": {"int": [2, 6]}})
    for number, point in enumerate(points(ours, 5, seed=7, task="digits-tuning")):
        for name, distribution in asked.items():
            seed = seed_for("search", 7, "digits-tuning", number, 0, name) % 2**32
            study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
            assert study.ask({name: distribution}).params == {name: point[name]}


def test_points_cover_the_space_evenly() -> None:
    drawn = points(dimensions({"training.lr": LR, "model.depth": {"int": [2, 6]}}), 500, seed=0, task="t")
    counts, _ = np.histogram(np.log10([point["training.lr"] for point in drawn]), 5, (-4, -2))
    depths = np.bincount([point["model.depth"] for point in drawn], minlength=7)[2:]
    # 5 standard deviations of a binomial count with mean 100
    assert all(abs(count - 100) < 45 for count in [*counts, *depths])


def test_points_do_not_depend_on_how_many_are_drawn_nor_on_the_order_or_company_of_settings() -> None:
    few, many = (points(dimensions(SPACE), trials, seed=0, task="t") for trials in (3, 20))
    assert few == many[:3]
    assert points(dimensions(dict(reversed(SPACE.items()))), 3, seed=0, task="t") == few
    more = points(dimensions({**SPACE, "model.depth": {"int": [2, 6]}}), 3, seed=0, task="t")
    assert [{name: point[name] for name in SPACE} for point in more] == few
    assert points(dimensions(SPACE), 3, seed=1, task="t") != few
    assert points(dimensions(SPACE), 3, seed=0, task="u") != few


def test_points_are_different_and_all_are_found() -> None:
    """Even if there are no more than trials: two equal trials would be one run."""
    drawn = points(dimensions({"a.b": {"int": [1, 3]}, "a.c": {"choice": ["x", "y"]}}), 6, seed=0, task="t")
    assert sorted((point["a.b"], point["a.c"]) for point in drawn) == [(n, c) for n in (1, 2, 3) for c in ("x", "y")]


def test_a_choice_may_be_between_values_of_any_kind() -> None:
    drawn = points(dimensions({"a.b": {"choice": [[1, 2], None, "x"]}}), 3, seed=0, task="t")
    assert all(value in [point["a.b"] for point in drawn] for value in ([1, 2], None, "x"))


def test_without_optuna_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(UserError, match=r"needs optuna, which is not installed: pip install 'nacbench\[search\]'"):
        plan_of({})


# -- what is planned


def test_all_models_get_the_same_points_and_budget() -> None:
    one, other = searches_in(plan_of({}))
    assert [point.settings for point in one.points] == [point.settings for point in other.points]
    assert (one.plan, one.budget) == (other.plan, 4 * 9)
    assert {run.config.task.name for run in plan_of({}).runs} == {"digits-tuning"}  # on validation examples


def test_a_model_s_own_space_leaves_the_common_settings_as_they_are() -> None:
    own = {"spaces": {"vit": {"model.depth": {"int": [2, 6]}}}}
    vit, other = searches_in(plan_of(own, models=["vit", "floor-linear"]))
    assert sorted(vit.space) == ["model.depth", *sorted(SPACE)] and sorted(other.space) == sorted(SPACE)
    assert vit.plan == other.plan
    for mine, theirs in zip(vit.points, other.points, strict=True):
        assert mine.settings.items() > theirs.settings.items()


def test_rungs_are_runs_of_their_own_with_a_part_of_the_epochs_and_of_the_warm_up() -> None:
    plan = plan_of(
        HALVING, models="floor-linear", seeds="0..1", set={"training.epochs": 9, "training.warmup_epochs": 3}
    )
    (search,) = searches_in(plan)
    assert (search.budgets, search.sizes) == ((1, 3, 9), (9, 3, 1))
    assert search.budget == 2 * (9 * 1 + 3 * 3 + 1 * 9)
    assert plan.sweep.blocks[0].count() == 2 * (9 + 3 + 1)
    recipes = [run.config.training.model_dump() for run in plan.runs if run.run_id in search.points[0].runs[0]]
    assert [(own["epochs"], own["warmup_epochs"]) for own in recipes] == [(1, pytest.approx(1 / 3))] * 2
    ids = [run_id for point in search.points for runs in point.runs for run_id in runs]
    assert len(set(ids)) == len(ids) == 2 * 9 * 3


def test_choices_for_one_model_do_not_change_its_budget() -> None:
    choices = [{"when": {"model": "floor-linear"}, "use": {"training.epochs": 30}}]
    searches = searches_in(plan_of(HALVING, choices=choices))
    assert {search.budgets for search in searches} == {(1, 3, 9)}


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"space": {"training.lrr": LR}}, "unknown setting 'training.lrr'; did you mean 'training.lr'"),
        ({"space": {"training.lr": {"log": [1e-2, 1e-4]}}}, "the range 0.01 to 0.0001 is reversed"),
        ({"space": {"training.lr": {"log": [0, 1e-2]}}}, "log begins at 0, and a logarithm needs positive numbers"),
        ({"space": {"training.lr": {"float": [1e-3, 1e-3]}}}, "float has one value, 0.001"),
        ({"space": {"training.lr": {"float": [1e-3]}}}, "float has 1 values; give the least and the most"),
        ({"space": {"training.lr": {"float": [0.0, math.inf]}}}, "finite number"),
        ({"space": {"training.lr": {"float": [0.0, 1e308]}}}, "less than or equal to"),
        ({"space": {"model.depth": {"int": [2.5, 6]}}}, "valid integer"),
        (
            {"space": {"model.depth": {"int": [2, 6], "log": [2, 6]}}},
            "give one of log, float, int and choice, not log and int",
        ),
        ({"space": {"model.depth": {"int": [2, 6], "step": 2}}}, "extra inputs"),
        ({"space": {"training.lr": {}}}, "not none of them"),
        ({"space": {"training.lr": [1e-4, 1e-2]}}, "search.space.training.lr"),
        ({"space": {"training.lr": {"choice": [0.1]}}}, "choice has 1 values; a setting that is not chosen"),
        ({"space": {"training.lr": {"choice": [0.1, 0.1]}}}, "0.1 is given twice"),
        ({"space": {"seed": {"int": [0, 9]}}}, "seed: a search chooses settings of training and model"),
        ({"space": {"task.patch": {"int": [1, 2]}}}, "space.task.patch: a search chooses settings of"),
        ({"space": {"training.epochs": {"int": [1, 9]}}}, "space.training.epochs: this is the budget"),
        ({"space": {"model.size": {"choice": ["tiny", "mini"]}}}, "model.size does not belong here"),
        ({"spaces": {"floor-linear": SPACE}}, "spaces.floor-linear.training.lr: only options of a model differ"),
        ({"spaces": {"vut": {"model.depth": {"int": [2, 6]}}}}, "search.spaces.vut: this block has no such model"),
        (
            {"space": {"training": {"lr": LR}}},
            "training: a search chooses settings of training and model; write one as",
        ),
        ({"space": {"training.weight_decay": DECAY}}, "the space of floor-linear has 3 points, fewer than trials: 4"),
        ({"spaces": {"floor-linear": 3}}, "search.spaces.floor-linear = 3"),
        ({"spaces": 3}, "search.spaces = 3"),
        ({"space": {}}, "give a space"),
        ({"trials": 0}, "search.trials = 0"),
        ({"trials": 10**9}, "search.trials = 1000000000"),
        ({"trials": "many"}, "search.trials = 'many'"),
        ({"method": "grid"}, "search.method = 'grid'"),
        ({"halving": {}}, "halving is given for method 'random'"),
        ({**HALVING, "trials": 8}, "trials = 8 are too few for 3 rungs of which each keeps one in 3; give 9 or more"),
        ({**HALVING, "halving": {"rungs": 1}}, "search.halving.rungs = 1"),
        ({**HALVING, "halving": {"factor": 5, "rungs": 2}, "trials": 4}, "trials = 4 are too few for 2 rungs"),
        ({**HALVING, "halving": {"rungs": 4}, "trials": 27}, "training.epochs = 9 is too little for 4 rungs"),
        ({**HALVING, "halving": {"by": "training.lr_end"}}, "halving.by = 'training.lr_end' is"),
        ({**HALVING, "halving": {"by": "training.nothing"}}, "halving.by = 'training.nothing' is None here"),
        ({**HALVING, "space": {"training.warmup_epochs": {"choice": ["a", *range(9)]}}}, "training.warmup_epochs"),
        ({"lose": ["boredom"]}, "search.lose.0 = 'boredom'"),
        ({"budget": 3}, "search.budget = 3"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_it(search: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        plan_of(search)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"training.lr": [1e-3, 1e-2]}}, "search and axes are both given (training.lr)"),
        ({"set": {"training.lr": 1e-3}}, "search.space.training.lr: 'set' gives this setting, too"),
        ({"tasks": ["digits", "digits-tuning"]}, "digits-tuning is given twice"),
        ({"tasks": "digits-c"}, "task 'digits-c' trains no network"),
        ({"search": [1]}, "search = [1]"),
        ({"search": {"trials": 9000, "space": {"training.lr": LR}}}, "18,000 runs would take"),
    ],
)
def test_a_search_and_the_rest_of_its_block_must_agree(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        plan_of({}, **changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_part_of_a_search_cannot_be_excluded() -> None:
    plan = plan_of({}, exclude=[{"model": "floor-linear", "training.weight_decay": 0.01}])
    with pytest.raises(UserError, match=r"exclude leaves out . of 4 runs of the search for floor-linear"):
        searches_in(plan)
    (left,) = searches_in(plan_of({}, exclude=[{"model": "floor-linear"}]))
    assert left.model == "floor-nearest-mean"


# -- what is found


def finished(
    search: Search, scores: Mapping[tuple[int, int], float], nll: float = 0.5, **changes: Any
) -> dict[str, Run]:
    """Runs of a search by id, with these scores by rung and trial, for every seed."""
    record = row_of(made_record(task="digits-tuning", model=search.model, **changes), "made", 1, 1)
    metrics = f'{{"test": {{"accuracy": 0.5, "nll": {nll}}}}}'
    return {
        run_id: record._replace(run_id=run_id, seed=seed, score=score, metrics=metrics)
        for (rung, trial), score in scores.items()
        for seed, run_id in zip(search.seeds, search.points[trial].runs[rung], strict=True)
    }


def failure(run_id: str, cause: str) -> Failure:
    names = {"run_id": run_id, "task": "digits-tuning", "model": "floor-linear", "size": "tiny", "scale": "smoke"}
    content = {**names, "seed": 0, "status": "failed", "cause": cause, "reason": "so", "when": "2026-11-29T00:00:00Z"}
    fields = Failure.model_fields
    return Failure.model_validate({name: value for name, value in content.items() if name in fields})


def entrants(state: Searched) -> list[list[int]]:
    return [[result.number for result in rung.results] for rung in state.rungs]


FIRST = {(0, trial): score for trial, score in enumerate([0.1, 0.9, 0.5, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4])}


def test_survivors_by_hand() -> None:
    search, _ = searches_in(plan_of(HALVING))
    assert entrants(state_of(search, {}, {})) == [list(range(9))]
    state = state_of(search, finished(search, FIRST), {})
    assert entrants(state) == [list(range(9)), [1, 3, 5]]
    assert (state.is_over, state.best, budget_left(state)) == (False, None, 9 + 9)
    second = {(1, 1): 0.6, (1, 3): 0.5, (1, 5): 0.95}
    state = state_of(search, finished(search, FIRST | second), {})
    assert entrants(state) == [list(range(9)), [1, 3, 5], [5]]
    state = state_of(search, finished(search, {**FIRST, **second, (2, 5): 0.99}), {})
    assert state.is_over and state.best is not None
    assert (state.best.number, state.best.score, budget_left(state)) == (5, 0.99, 0)


def test_runs_of_later_rungs_do_not_count_before_the_rung_below_is_over() -> None:
    search, _ = searches_in(plan_of(HALVING))
    early = {key: score for key, score in FIRST.items() if key != (0, 4)} | {(1, 4): 1.0}
    assert entrants(state_of(search, finished(search, early), {})) == [list(range(9))]


def test_of_equal_scores_the_likelier_and_then_the_earlier_goes_on() -> None:
    search, _ = searches_in(plan_of(HALVING))
    equal = dict.fromkeys(FIRST, 0.5)
    assert entrants(state_of(search, finished(search, equal), {}))[1] == [0, 1, 2]
    likelier = finished(search, equal) | finished(search, {(0, 7): 0.5}, nll=0.1)
    assert entrants(state_of(search, likelier, {}))[1] == [0, 1, 7]


def test_the_mean_over_seeds_decides_and_every_seed_is_waited_for() -> None:
    search, _ = searches_in(plan_of({}, seeds="0..1"))
    runs = finished(search, {(0, trial): score for trial, score in enumerate([0.5, 0.6, 0.4, 0.3])})
    low = search.points[1].runs[0][1]
    runs[low] = runs[low]._replace(score=0.1)
    best = state_of(search, runs, {}).best
    assert best is not None and best.number == 0
    del runs[low]
    assert state_of(search, runs, {}).best is None


def test_a_diverged_trial_loses_is_named_and_has_spent_its_budget() -> None:
    search, _ = searches_in(plan_of({}))
    runs = finished(search, {(0, trial): 0.1 for trial in (1, 2, 3)})
    (run_id,) = search.points[0].runs[0]
    state = state_of(search, runs, {run_id: failure(run_id, "diverged")})
    assert state.is_over and budget_left(state) == 0
    assert [result.number for result in state.lost] == [0]
    assert state.best is not None and state.best.number == 1


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_loses(score: float) -> None:
    search, _ = searches_in(plan_of({}))
    state = state_of(search, finished(search, {(0, 0): score, (0, 1): 0.1, (0, 2): 0.2, (0, 3): 0.1}), {})
    assert state.best is not None and state.best.number == 2
    assert [result.number for result in state.lost] == [0]


def test_lost_trials_keep_their_places_on_the_next_rung() -> None:
    """Otherwise a model of which most trials diverge would be tried less often than the others."""
    search, _ = searches_in(plan_of(HALVING))
    runs = finished(search, {(0, 4): 0.5})
    failed = {run_id: failure(run_id, "diverged") for point in search.points for run_id in point.runs[0]}
    assert entrants(state_of(search, runs, failed))[1] == [0, 1, 4]


def test_another_failure_stops_a_search_unless_the_file_says_that_it_loses() -> None:
    for lose, is_over in (([], False), (["oom"], True)):
        search, _ = searches_in(plan_of({"lose": lose}))
        (run_id,) = search.points[0].runs[0]
        runs = finished(search, {(0, trial): 0.1 for trial in (1, 2, 3)})
        state = state_of(search, runs, {run_id: failure(run_id, "oom")})
        assert (state.is_over, [one.run_id for one in state.stopped_by]) == (is_over, [] if is_over else [run_id])


# -- what is chosen


def searched(search: Search, best: int = 1, trials: int = 4, **changes: Any) -> tuple[list[Run], Searched]:
    runs = finished(search, {(0, n): 0.9 if n == best else 0.5 for n in range(trials)}, **changes)
    return list(runs.values()), state_of(search, runs, {})


def test_each_model_s_best_is_chosen_with_what_was_tried() -> None:
    one, other = searches_in(plan_of({}))
    (runs, state), (more, second) = searched(one, 1), searched(other, 2)
    outcome = choices_of([*runs, *more], [state, second])
    assert outcome.left_out == []
    chosen = {own.cell.model: own.best.settings for own in outcome.tuned}
    assert chosen == {one.model: one.points[1].settings, other.model: other.points[2].settings}


def test_reports_take_two_models_for_equally_tuned_if_they_were_searched_equally(tmp_path: Path) -> None:
    one, other = searches_in(
        plan_of({"spaces": {"vit": {"model.depth": {"int": [2, 6]}}}}, models=["vit", "floor-linear"])
    )
    (runs, state), (more, second) = searched(one, 1), searched(other, 2)
    file = tmp_path / "choices.yaml"
    file.write_text(choices_file(choices_of([*runs, *more], [state, second]), "nacbench tune runs"))
    known = known_choices([file])
    mine, theirs = known["digits", "vit", one.size, "smoke"], known["digits", "floor-linear", other.size, "smoke"]
    assert (mine.settings, theirs.settings) == (one.points[1].settings, other.points[2].settings)
    assert mine.trials == theirs.trials
    assert mine.trials.startswith("best of 4 trials of a search (method random, seed 0, by training.epochs")


def test_unequal_budgets_leave_the_task_out() -> None:
    one, _ = searches_in(plan_of({}))
    _, other = searches_in(plan_of({"trials": 5}))
    (runs, state), (more, second) = searched(one), searched(other, trials=5)
    outcome = choices_of([*runs, *more], [state, second])
    assert outcome.tuned == []
    (line,) = outcome.left_out
    assert line.startswith(
        "digits: models were searched with different budgets, seeds, methods or spaces (floor-linear"
    )


def test_other_ranges_of_the_recipe_leave_the_task_out() -> None:
    """In files of their own, as one file gives all models the same."""
    one, _ = searches_in(plan_of({}))
    _, other = searches_in(plan_of({"space": {**SPACE, "training.lr": {"log": [1.0e-4, 1.0e-1]}}}))
    (runs, state), (more, second) = searched(one), searched(other)
    (line,) = choices_of([*runs, *more], [state, second]).left_out
    assert line.startswith("digits: models were searched with different budgets, seeds, methods or spaces")


def test_a_search_that_is_not_finished_leaves_the_task_out() -> None:
    one, other = searches_in(plan_of({}))
    (runs, state), (_, second) = searched(one), searched(other, trials=3)
    outcome = choices_of(runs, [state, second])
    assert outcome.tuned == []
    assert outcome.left_out == ["digits: the search for floor-nearest-mean: not finished: 3 of 4 trials have ended"]


def test_trials_with_other_data_leave_the_task_out() -> None:
    one, other = searches_in(plan_of({}))
    (runs, state), (more, second) = searched(one), searched(other, data="f2")
    (line,) = choices_of([*runs, *more], [state, second]).left_out
    assert "trials differ in more than the model and what was tried: data (f1, f2)" in line


def test_searches_go_with_the_runs_by_merge_and_by_archive(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    write_run(store, made_record())
    searches = searches_in(plan_of({}))
    begin(store, searches)
    merge([store], tmp_path / "merged")
    pack([store], tmp_path / "runs.tar.gz")
    unpack_into(tmp_path / "runs.tar.gz", tmp_path / "unpacked", unpack)
    for copy in (tmp_path / "merged", tmp_path / "unpacked"):
        assert {own.file_name for own in read_searches(copy)} == {own.file_name for own in searches}


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    searches = searches_in(plan_of({}))
    begin(tmp_path, searches)
    assert {own.file_name for own in read_searches(tmp_path)} == {own.file_name for own in searches}
    path = tmp_path / ".searches" / searches[0].file_name
    path.write_text(path.read_text().replace('"seed":0', '"seed":1').replace('"seed": 0', '"seed": 1'))
    with pytest.raises(UserError, match="has the content of"):
        read_searches(tmp_path)
