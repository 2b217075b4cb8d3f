"""Several comparisons are judged together, and what is told of each besides its verdict."""

import numpy as np

from nacbench.cli.shared.outlooks import as_json
from nacbench.recording.row import Run
from nacbench.reporting.decided import Case, holm_levels
from nacbench.reporting.paper.claims import Side
from nacbench.sweep.answers import Answer, answers
from nacbench.sweep.deciding import Outlook
from nacbench.sweep.questions import comparisons, entrants_of

from .made_world import PLAN, World, plan


def case(*differences: float, margin: float = 0.0) -> Case:
    return Case([Side(dict(enumerate(differences)), 0.0, 0.0)] if differences else [], margin)


def test_holm_s_levels_fall_with_the_number_of_comparisons_and_rise_as_they_are_decided() -> None:
    sure, fair, none = case(1.0, 1.01, 0.99, 1.0, 1.02, 1.0), case(1.0, 1.5, 0.5, 1.1, 0.9), case()
    assert holm_levels([none] * 4) == [0.05 / 4] * 4  # those without any seed count
    assert holm_levels([sure, none, none, none]) == [0.05 / 4] + [0.05 / 3] * 3
    assert holm_levels([sure, fair, sure, sure]) == [0.05 / 4, 0.05, 0.05 / 4, 0.05 / 4]


def test_the_probability_of_any_wrong_verdict_of_a_family_is_as_promised() -> None:
    """Four comparisons, looked at after every seed from 3 to 12: two equal pairs, one at its margin, one far apart."""
    rng = np.random.default_rng(3)
    wrong, margin, repetitions = 0, 1.0, 300
    for _ in range(repetitions):
        paths = [rng.normal(size=12) + shift for shift in (1.0, -1.0, 1.0, 6.0)]
        levels = holm_levels([case(*map(float, path), margin=margin) for path in paths])
        found = [verdict_at(path, level, margin) for path, level in zip(paths, levels, strict=True)]
        wrong += any(verdict in ("better", "worse", "equivalent") for verdict in found[:3]) or found[3] == "worse"
    assert wrong / repetitions <= 0.05 + 3 * (0.05 * 0.95 / repetitions) ** 0.5


def verdict_at(path: np.ndarray, level: float, margin: float) -> str:
    from nacbench.reporting.anytime import decide, looks

    return decide(looks(list(path), level=level), margin).verdict


def answer_to(*differences: float) -> Answer:
    """The answer to NAC against ViT with these differences of accuracy."""
    (question,) = comparisons(entrants_of(PLAN), [("nac", "vit")])
    world = World(lambda run: 0.5 + (differences[run.config.seed] if run.config.model.name == "nac" else 0.0))
    records: dict[str, dict[int, Run]] = {}
    for entrant in question.entrants:
        records[entrant.series] = {seed: world.row(entrant.runs[seed]) for seed in range(len(differences))}
    (found,) = answers([question], records)
    return found


def test_seeds_far_off_are_named() -> None:
    assert answer_to(0.05, 0.04, 0.05, -0.4, 0.06).far_off == (3,)
    assert answer_to(0.05, 0.04, 0.05, 0.03, 0.06).far_off == ()
    assert answer_to(0.05, 0.05, 0.05, 0.0501, 0.05).far_off == ()  # by one test example


def test_unequal_treatment_is_told() -> None:
    planned = plan(models=["nac"], axes={"training.lr": [0.001, 0.002]})
    world = World(lambda run: 0.5)
    (question,) = comparisons(entrants_of(planned), [("nac, lr=0.001", "nac, lr=0.002")])
    records = {one.series: {0: world.row(one.runs[0])._replace(settings=one.settings)} for one in question.entrants}
    (answer,) = answers([question], records)
    told = as_json(Outlook(answer))
    assert told["treatment"] == "training.lr (0.001, 0.002)"
    assert "not treated equally" in told["why"]
