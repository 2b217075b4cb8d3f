"""``nacbench sweep decide`` and ``nacbench claims`` have one rule: the same words, and forecasts that it gives."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from nacbench.reporting import anytime
from nacbench.reporting.decided import Case, Judged, judge_all
from nacbench.reporting.paper.claims import Better, Claim, Competitive, Interval, Side, Trade, answer
from nacbench.reporting.paper.read_claims import read_claims

KINDS = ("low-shot-cifar10", "competitive-points", "speed-up")  # a claim of each kind
CLAIMS = {claim.name: claim for claim in read_claims().claims}


def bars_of(claim: Claim) -> list[float]:
    return [claim.gain.at_least, -claim.loss.at_most] if isinstance(claim, Trade) else [claim.bar]


def judged(claim: Claim, *paths: Sequence[float]) -> Judged:
    sides = [Side(dict(enumerate(path)), bar, 0.0) for path, bar in zip(paths, bars_of(claim), strict=True)]
    (found,) = judge_all([Case(sides, claim=claim)])
    return found


def better(*path: float) -> Judged:
    """Of the claim of about 10 points, whose bar is 5."""
    return judged(CLAIMS["low-shot-cifar10"], path)


@pytest.mark.parametrize("name", KINDS)
def test_the_table_says_what_claims_says_of_the_same_seeds(name: str) -> None:
    claim, rng = CLAIMS[name], np.random.default_rng(7)
    said = set()
    for _ in range(300):
        effects = [bar + rng.normal() * (2.0 if abs(bar) >= 1 else 0.06) for bar in bars_of(claim)]
        spread = rng.uniform(0.002, 0.3) * (10 if isinstance(claim, Trade) else 0.3)
        paths = [[float(one) for one in rng.normal(effect, spread, size=12)] for effect in effects]
        found = judged(claim, *paths)
        differences = [anytime.difference(path) for path in paths]
        if not any(own.looks and own.looks.contradictory for own in differences):
            intervals: list[Interval] = [own.interval for own in differences]
            assert found.verdict == answer(claim, bars_of(claim), intervals)
            said.add(found.verdict)
    assert said == {"agrees", "disagrees", "undecided"}


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.12, "agrees"), (0.07, "disagrees"), (0.03, "disagrees"), (0.0, "disagrees"), (-0.05, "disagrees")],
)
def test_enough_seeds_decide_a_claim_about_an_effect(mean: float, verdict: str) -> None:
    """Of less than is claimed, too: between bar and claimed effect it is weaker, below the bar it is excluded."""
    assert better(*(mean + off for off in (0.002, -0.002, 0.001, -0.001) * 3)).verdict == verdict


def test_an_effect_that_agrees_can_turn_out_to_be_smaller_than_claimed() -> None:
    wide = (0.09, 0.08, 0.1, 0.085, 0.095)
    assert (better(*wide).verdict, better(*wide).decided) == ("agrees", 4)
    more = better(*wide * 6)
    assert more.verdict == "disagrees" and more.decided is not None and more.decided > 5


@pytest.mark.parametrize("name", KINDS)
def test_forecasts_are_the_first_count_at_which_the_rule_decides(name: str) -> None:
    claim, rng = CLAIMS[name], np.random.default_rng(11)
    found: list[tuple[Judged, int | None]] = []
    for _ in range(60):
        paths = [
            [float(one) for one in bar + rng.normal(size=3) * max(abs(bar), 0.05) * rng.uniform(0.2, 3)]
            for bar in bars_of(claim)
        ]
        own = judged(claim, *paths)
        if own.verdict == "undecided":
            found.append((own, slow_need(claim, paths)))
    assert [own.need for own, _ in found] == [need for _, need in found]
    assert len(found) > 20 and len({need for _, need in found}) > 5


def slow_need(claim: Claim, paths: Sequence[Sequence[float]]) -> int | None:
    """Count up from the seeds that there are, as if mean and deviation stayed as they are."""
    for count in range(len(paths[0]) + 1, anytime.MOST + 1):
        widths = [anytime.half_width(count, float(np.std(path, ddof=1))) for path in paths]
        means = [math.fsum(path) / len(path) for path in paths]
        ends = [(mean - width, mean + width) for mean, width in zip(means, widths, strict=True)]
        if answer(claim, bars_of(claim), ends) != "undecided":
            return count
    return None


@pytest.mark.parametrize("kind", [Better, Competitive])
def test_narrower_intervals_never_take_an_answer_back(kind: type[Better | Competitive]) -> None:
    claim = next(own for own in CLAIMS.values() if isinstance(own, kind))
    for mean in np.linspace(-0.3, 0.3, 61):
        said = [
            answer(claim, bars_of(claim), [(mean - width, mean + width)]) != "undecided"
            for width in (0.4, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)
        ]
        assert said == sorted(said)
