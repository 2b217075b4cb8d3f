"""The table of what was decided by adding seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nacbench.filesystem.files import utc_now
from nacbench.recording.decisions import Asked, Decision, Member, begin
from nacbench.recording.index import read_runs
from nacbench.recording.row import Run, row_of
from nacbench.reporting.answered import answered
from nacbench.reporting.anytime import LEVEL, PRIOR
from nacbench.reporting.build import OTHERWISE, build_report
from nacbench.reporting.figures.decisions import OPEN, draw_decisions
from nacbench.reporting.tables.decisions import decisions_table
from nacbench.reporting.tables.table import Table
from tests.made import made_record, write_run

AHEAD = (0.95, 0.951, 0.952, 0.950, 0.951)
BEHIND = (0.90, 0.901, 0.902, 0.90, 0.901)
SERIES = {"nac": "a" * 12, "vit": "b" * 12, "perceiver-io": "c" * 12}
EVERY = {"nac": AHEAD, "vit": BEHIND}


def runs_of(scores: Mapping[str, Sequence[float]], *, task: str = "digits") -> list[Run]:
    return [
        row_of(made_record(model=model, task=task, seed=seed, score=score), f"{task}-{model}-{seed}", 1, 1)._replace(
            adaptive=1, series=SERIES[model]
        )
        for model, own in scores.items()
        for seed, score in enumerate(own)
    ]


def asked(*models: str, name: str = "", task: str = "digits", bar: float = 0.0) -> Asked:
    members = tuple(Member(label=model, series=SERIES[model]) for model in models)
    return Asked(name=name or " - ".join(models), task=task, scale="smoke", members=members, bars=(bar,))


def decision(*comparisons: Asked, claims: Sequence[Asked] = (), margin: float = 0.0) -> Decision:
    return Decision(
        sweep="mine",
        began=utc_now(),
        level=LEVEL,
        prior=PRIOR,
        margin=margin,
        first=3,
        most=20,
        comparisons=comparisons,
        claims=tuple(claims),
    )


def table_of(decisions: Sequence[Decision], scores: Mapping[str, Sequence[float]], **more: str) -> Table:
    table = decisions_table(answered(decisions, runs_of(scores, **more)), {})
    assert table is not None
    return table


@pytest.mark.parametrize(
    ("margin", "theirs", "said"),
    [
        (0.0, BEHIND, "better"),
        (1.0, BEHIND, "better by more than 1 point"),
        (1.0, AHEAD, "equivalent within 1 point"),
        (0.0, AHEAD, "undecided"),
    ],
)
def test_a_comparison_has_its_verdict_in_words(margin: float, theirs: Sequence[float], said: str) -> None:
    table = table_of([decision(asked("nac", "vit"), margin=margin)], {"nac": AHEAD, "vit": theirs})
    assert [row[:3] for row in table.rows] == [("digits", "nac - vit", said)]
    assert (table.rows[0][5] == "") == (said != "undecided")


def test_the_verdict_counts_all_that_was_asked_even_without_a_run() -> None:
    alone = table_of([decision(asked("nac", "vit"))], EVERY)
    among = table_of([decision(asked("nac", "vit"), asked("nac", "perceiver-io"))], EVERY)
    assert [*alone.frame["level"]] == [0.05] and [*among.frame["level"]] == [0.025]
    assert len(among.rows) == 1
    assert "(Holm; 2 in all, 1 without a run on both sides yet)" in among.notes[1]


def test_it_says_at_which_seed_it_was_decided_and_what_is_missing() -> None:
    assert table_of([decision(asked("nac", "vit"))], EVERY).rows[0][4:] == ("3 of 5", "")
    few = table_of([decision(asked("nac", "vit"))], {"nac": AHEAD[:2], "vit": BEHIND})
    assert few.rows[0][2:] == ("undecided", "+5.00 points", "2", "3")


def test_its_interval_has_no_ends_that_are_not_possible() -> None:
    wild = {"nac": (0.9, 0.1, 0.95, 0.5), "vit": (0.1, 0.9, 0.3, 0.5)}
    (row,) = table_of([decision(asked("nac", "vit"))], wild).rows
    assert row[3].endswith("(-100.00 … +100.00)")


def test_a_question_that_would_take_too_many_seeds_is_futile() -> None:
    noise = [0.02, -0.02, 0.015, -0.014, 0.01, -0.012, 0.018, -0.017]
    scores = {"nac": [0.9 + 0.001 + off for off in noise], "vit": [0.9] * 8}
    table = table_of([decision(asked("nac", "vit"))], scores)
    assert (table.rows[0][2], table.rows[0][5]) == ("futile", "over 1,000")
    assert "Futile: undecided after 8 seeds or more, and over 60 are needed." in table.notes
    fewer = table_of([decision(asked("nac", "vit"))], {model: own[:7] for model, own in scores.items()})
    assert fewer.rows[0][2] == "undecided"


def test_runs_agree_or_disagree_with_a_claim_of_the_paper() -> None:
    ours = asked("nac", "perceiver-io", name="competitive-points", task="modelnet40", bar=-0.02)
    scores = {"nac": AHEAD, "perceiver-io": BEHIND}
    table = table_of([decision(claims=[ours])], scores, task="modelnet40")
    assert [row[1:3] for row in table.rows] == [("competitive-points", "agrees")]
    turned = table_of([decision(claims=[ours])], {"nac": BEHIND, "perceiver-io": AHEAD}, task="modelnet40")
    assert [row[1:3] for row in turned.rows] == [("competitive-points", "disagrees")]
    assert not any("Holm" in note for note in table.notes)


@pytest.mark.parametrize(("name", "bar"), [("competitive-points", -0.05), ("mine", -0.02)])
def test_a_claim_that_is_not_the_papers_is_left_to_the_command(name: str, bar: float) -> None:
    own = asked("nac", "perceiver-io", name=name, task="modelnet40", bar=bar)
    runs = runs_of({"nac": AHEAD, "perceiver-io": BEHIND}, task="modelnet40")
    assert decisions_table(answered([decision(claims=[own])], runs), {}) is None


def test_a_claim_about_numbers_that_the_runs_do_not_have_is_not_judged() -> None:
    own = asked("nac", name="speed-up", task="tiny-imagenet-pruned").model_copy(update={"bars": (8.0, -0.03)})
    (found,) = answered([decision(claims=[own])], runs_of({"nac": AHEAD}, task="tiny-imagenet-pruned"))
    assert (found.judged.verdict, found.judged.seeds) == ("undecided", 0)


def test_all_that_was_ever_asked_is_one_family_and_each_question_is_there_once() -> None:
    first, second = asked("nac", "vit"), asked("nac", "perceiver-io")
    table = table_of([decision(first, second), decision(first), decision(asked("vit", "nac"))], EVERY)
    assert [row[1] for row in table.rows] == ["nac - vit"]
    assert [*table.frame["level"]] == [0.025]
    assert "(Holm; 2 in all, 1 without a run on both sides yet)" in table.notes[1]


def test_a_copy_of_the_store_asks_nothing_new() -> None:
    once = decision(asked("nac", "vit"))
    assert len(table_of([once, once], EVERY).rows) == 1


def test_it_says_what_speaks_against_a_verdict() -> None:
    table = table_of([decision(asked("nac", "vit"))], {"nac": [*AHEAD[:4], 0.5], "vit": BEHIND})
    assert table.notes[-1] == "digits · nac - vit: far off from the others: seed 4."
    steady = {"nac": [0.9] * 60, "vit": [0.9 - 0.001 * (seed % 3) for seed in range(9)] + [1.0] * 51}
    assert any("contradict each other" in note for note in table_of([decision(asked("nac", "vit"))], steady).notes)


def test_a_report_in_another_metric_leaves_questions_in_the_one_that_was_asked_about(tmp_path: Path) -> None:
    for model, scores in EVERY.items():
        for seed, score in enumerate(scores):
            write_run(tmp_path / "runs", made_record(model=model, seed=seed, score=score))
    of = {run.model: run.series for run in read_runs(tmp_path / "runs").runs}
    members = tuple(Member(label=model, series=of[model]) for model in ("nac", "vit"))
    begin(tmp_path / "runs", decision(asked("nac", "vit").model_copy(update={"members": members}), margin=1.0))
    found = {}
    for metric in (None, "nll"):
        report = build_report([tmp_path / "runs"], tmp_path / "report", metric=metric)
        assert ("95.08 ± " not in report.markdown) == (metric == "nll")
        found[metric] = (tmp_path / "report" / "decisions.csv").read_text()
        assert (OTHERWISE in report.markdown) == (metric == "nll")
    assert found["nll"] == found[None]
    assert ",nac - vit,comparison,better,0,0.0" in found[None]


def test_without_a_decision_or_a_run_there_is_no_table() -> None:
    assert decisions_table(answered([], runs_of(EVERY)), {}) is None
    assert decisions_table(answered([decision(asked("nac", "perceiver-io"))], runs_of(EVERY)), {}) is None


def test_the_figure_has_a_panel_for_each_task_with_the_intervals_of_the_verdicts() -> None:
    scores = {**EVERY, "perceiver-io": AHEAD}
    every = answered([decision(asked("nac", "vit"), asked("nac", "perceiver-io"))], runs_of(scores))
    elsewhere = [replace(own, asked=asked("nac", "perceiver-io", task="digits-c")) for own in every[1:]]
    (figure,) = draw_decisions([every[0], *elsewhere])
    first, second = figure.axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["digits", "digits-c"]
    (bar,) = [line for line in first.lines if line.get_linestyle() == "-" and np.ptp(line.get_ydata()) == 0]
    ((_, low, high),) = every[0].judged.values
    assert np.asarray(bar.get_xdata()).tolist() == [100 * low, 100 * high]
    assert [label.get_color() for axes in (first, second) for label in axes.get_yticklabels()] == ["0", OPEN]
    assert draw_decisions([replace(own, is_claim=True) for own in every]) == []
