"""What is asked of a sweep: which models are compared, by which names, and which claims."""

from collections.abc import Sequence

import pytest

from nacbench.errors import UserError
from nacbench.reporting.paper.read_claims import read_claims
from nacbench.sweep.questions import Question, claim_questions, comparisons, entrants_of

from .made_world import PLAN, plan


def names(questions: Sequence[Question]) -> list[str]:
    return [question.name for question in questions]


def test_without_a_name_nac_is_compared_with_every_model() -> None:
    entrants = entrants_of(PLAN)
    assert names(comparisons(entrants, [])) == ["nac - vit", "nac - transformer"]
    pairs = [("vit", "transformer"), ("transformer", "vit"), ("vit", "nac")]
    assert names(comparisons(entrants, pairs)) == ["vit - transformer", "vit - nac"]  # each once
    with pytest.raises(UserError, match=r"unknown model of this sweep 'vot'; did you mean 'vit'"):
        comparisons(entrants, [("nac", "vot")])
    with pytest.raises(UserError, match=r"no task of this sweep has two variants of nac"):
        comparisons(entrants, [("nac", "nac")])
    with pytest.raises(UserError, match=r"no task of this sweep has nac and another model"):
        comparisons([one for one in entrants if one.model != "nac"], [])


def test_variants_of_a_model_are_named_by_what_differs() -> None:
    entrants = entrants_of(plan(models=["nac"], axes={"training.lr": [0.001, 0.002]}))
    labels = ["nac, lr=0.001", "nac, lr=0.002"]
    assert [one.label for one in entrants] == labels
    assert names(comparisons(entrants, [(labels[0], labels[1])])) == [" - ".join(labels)]


def test_models_at_the_same_rate_are_compared_unless_a_variant_is_named() -> None:
    entrants = entrants_of(plan(models=["nac", "vit"], axes={"training.lr": [0.001, 0.002]}))
    found = comparisons(entrants, [])
    assert len(found) == 2
    assert all(one.training == other.training for one, other in (question.entrants for question in found))
    (named,) = comparisons(entrants, [("nac, lr=0.001", "vit, lr=0.002")])
    assert named.name == "nac, lr=0.001 - vit, lr=0.002"
    unequal = [one for one in entrants if (one.model, "0.001" in one.label) != ("vit", True)]
    assert len(comparisons(unequal, [("nac", "vit")])) == 2  # vit has one rate alone


def test_series_of_a_plan_are_those_of_its_records() -> None:
    """All seeds of a model are one series; so are all seeds of a protocol that scores a trained network."""
    planned = plan(tasks=["digits", "digits-c"], models=["nac"], seeds=[0, 1])
    series = {(run.config.task.name, run.series) for run in planned.runs}
    assert len(series) == 2 and all(len(run.series) == 12 for run in planned.runs)


def test_claims_of_other_tasks_are_refused() -> None:
    with pytest.raises(UserError, match="the runs of this sweep decide none of the claims"):
        claim_questions(entrants_of(PLAN), read_claims().claims, lambda line: None)
