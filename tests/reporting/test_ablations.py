"""The rungs between Perceiver IO and NAC: which runs are of which, their table and their figure."""

import json
import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nacbench.recording.row import Run, row_of
from nacbench.registry import MODELS
from nacbench.reporting.ablations import RUNGS, WHOLE, Rung, ablations
from nacbench.reporting.figures.ablations import draw_ablations
from nacbench.reporting.series import group
from nacbench.reporting.tables.ablations import ablation_table
from nacbench.sweep.read_sweep import read_sweep
from tests.made import made_record

SCORES = {
    "Perceiver IO": [0.50, 0.52, 0.54],
    "NAC as Perceiver IO": [0.60, 0.62, 0.64],
    "with links": [0.61, 0.62, 0.63],
    WHOLE: [0.80, 0.82, 0.84],
    "without codes": [0.70, 0.73, 0.73],
}


def model_of(rung: Rung, size: str = "mini") -> dict[str, Any]:
    nac = MODELS.get("nac").configured("model", size, {}).options()
    changed = {**rung.options, **{name: nac[name] for name in rung.as_in_nac}}
    options = MODELS.get(rung.model).configured("model", size, changed).options()
    return {"name": rung.model, "size": size, **options}


def runs(scores: Mapping[str, Sequence[float]], *, lr: float = 0.001, **options: Any) -> list[Run]:
    made = []
    for rung in RUNGS:
        for seed, score in enumerate(scores.get(rung.name, ())):
            row = row_of(made_record(model=rung.model, seed=seed, score=score), f"{rung.name}/{seed}", 0, 0)
            settings = {"model": {**model_of(rung), **options}, "training": {"lr": lr}}
            made.append(row._replace(settings=json.dumps(settings), series=json.dumps(settings)))
    return made


def test_every_run_of_the_suite_is_of_one_rung_and_every_rung_is_in_it() -> None:
    counts: dict[tuple[str, str], int] = {}
    for config in read_sweep("ablations").expand():
        assert config.scale == "mini"
        model = {"name": config.model.name, "size": config.model.size, **config.model.options}
        run: Any = SimpleNamespace(
            model=config.model.name, model_size=config.model.size, settings=json.dumps({"model": model})
        )
        (name,) = (rung.name for rung in RUNGS if rung.is_of(run))
        counts[config.task.name, name] = counts.get((config.task.name, name), 0) + 1
    assert {name for _, name in counts} == {rung.name for rung in RUNGS}
    assert len(counts) == 3 * len(RUNGS)
    assert set(counts.values()) == {5}


def test_every_rung_but_the_first_is_a_step_from_one_before_it() -> None:
    names = [rung.name for rung in RUNGS]
    for place, rung in enumerate(RUNGS[1:], 1):
        assert rung.before in names
        assert rung.name == WHOLE or names.index(rung.before) < place
    # between two circuits of the ladder a step changes one option, or one part that takes two
    steps = {
        rung.name: {name for name in own if own[name] != before[name]}
        for rung in RUNGS[2:]
        for own, before in [(model_of(rung), model_of(next(other for other in RUNGS if other.name == rung.before)))]
    }
    assert steps == {
        "with links": {"graph", "initial_graph", "prior_outside"},
        "with codes": {"modulated"},
        "with links and codes": {"modulated"},
        "NAC, one output": {"initial_graph", "prior_outside"},
        "NAC": {"readout_modules"},
        "without sampling": {"training_links"},
        "without codes": {"modulated"},
        "without signatures": {"graph"},
        "frozen circuit": {"frozen"},
    }


@pytest.mark.parametrize("size", ["tiny", "mini", "paper"])
def test_rungs_are_valid_and_differ_at_every_size(size: str) -> None:
    counts = {rung.name: rung.model for rung in RUNGS if model_of(rung, size)}
    assert len(counts) == len(RUNGS)


def test_differences_are_paired_by_seed() -> None:
    (rungs,) = ablations(group(runs(SCORES))).values()
    assert [own.rung.name for own in rungs] == list(SCORES)
    by_name = {own.rung.name: own for own in rungs}
    assert by_name[WHOLE].from_whole is None
    whole = by_name["without codes"].from_whole
    assert whole is not None
    assert whole.value == pytest.approx(-0.10)
    assert whole.count == 3
    step = by_name["with links"].from_before
    assert step is not None
    assert step.value == pytest.approx(0.0)
    assert step.deviation == pytest.approx(0.01)
    assert by_name["Perceiver IO"].from_before is None


def test_table_has_both_differences() -> None:
    table = ablation_table(group(runs(SCORES)))
    assert table is not None
    rows = {row[2]: row for row in table.rows}
    assert rows["with links"][5].startswith("-20.00 ± ")
    assert rows["with links"][6] == "NAC as Perceiver IO"
    assert rows["with links"][7].startswith("+0.00 ± ")
    assert rows[WHOLE][5] == "—"
    assert table.frame.set_index("circuit")["minus_nac"]["Perceiver IO"] == pytest.approx(-0.30)


def test_a_single_seed_has_no_interval() -> None:
    table = ablation_table(group(runs({name: own[:1] for name, own in SCORES.items()})))
    assert table is not None
    assert {row[2]: row[5] for row in table.rows}["without codes"] == "-10.00 points"
    assert math.isnan(table.frame.set_index("circuit")["minus_nac_half_width_95"]["without codes"])


def test_without_nac_or_another_circuit_there_is_nothing_to_show() -> None:
    for left_out in ({WHOLE}, set(SCORES) - {WHOLE, "Perceiver IO"}):
        series = group(runs({name: own for name, own in SCORES.items() if name not in left_out}))
        assert ablation_table(series) is None
        assert draw_ablations(series) == []


def test_of_two_series_the_one_with_nac_s_other_settings_counts() -> None:
    other = runs({"without codes": [0.1, 0.1, 0.1]}, lr=0.01)
    (rungs,) = ablations(group([*runs(SCORES), *other])).values()
    assert {own.rung.name: own.item.score.value for own in rungs}["without codes"] == pytest.approx(0.72)
    # which of two NACs would be the one to compare with?
    assert not ablations(group([*runs(SCORES), *runs({WHOLE: [0.1, 0.1, 0.1]}, lr=0.01)]))


def test_an_older_record_without_the_options_is_nac() -> None:
    (old,) = runs({WHOLE: [0.8]})
    settings = json.loads(old.settings)
    for name in ("graph", "modulated", "frozen", "training_links", "prior_outside"):
        del settings["model"][name]
    older = old._replace(settings=json.dumps(settings))
    assert [rung.name for rung in RUNGS if rung.is_of(older)] == [WHOLE]


def test_a_circuit_of_another_size_is_of_no_rung() -> None:
    assert not ablations(group(runs(SCORES, modules=64)))


def test_figure_has_a_row_for_every_rung_and_panels_for_both_differences() -> None:
    (figure,) = draw_ablations(group(runs(SCORES)))
    to_whole, to_before = figure.axes
    assert [label.get_text() for label in to_whole.get_yticklabels()] == list(SCORES)
    assert [label.get_text() for label in to_before.get_yticklabels()] == ["Perceiver IO", "NAC as Perceiver IO"]
    assert to_whole.get_xlim() == to_before.get_xlim()
    assert to_whole.get_xlabel() == "better than NAC by (points)"
    means = [line.get_xydata() for line in to_whole.lines if line.get_zorder() == 4]
    assert np.concatenate(means) == pytest.approx(np.array([[-30, 0], [-20, 1], [-20, 2], [-10, 4]]))


def test_right_is_better_in_the_figure_where_lower_values_are() -> None:
    series = group([run._replace(metric="nll") for run in runs(SCORES)])
    (figure,) = draw_ablations(series)
    to_whole = figure.axes[0]
    assert to_whole.get_xlabel() == "better than NAC by (nats)"
    means = [line.get_xydata() for line in to_whole.lines if line.get_zorder() == 4]
    assert np.concatenate(means)[-1] == pytest.approx(np.array([0.10, 4]))
    table = ablation_table(series)
    assert table is not None
    assert {row[2]: row[5] for row in table.rows}["without codes"].startswith("-0.1000 ± ")
