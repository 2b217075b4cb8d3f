"""Series that were given seeds until a decision: their p values, intervals and words hold however often one looked."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from nacbench.recording.row import Run, row_of
from nacbench.reporting.anytime import decide, half_width, looks
from nacbench.reporting.comparison import Comparison
from nacbench.reporting.paper.claims import Competitive
from nacbench.reporting.paper.verdicts import judge
from nacbench.reporting.series import Series, group
from nacbench.reporting.significance import ADDED, ADDED_RULE, best
from nacbench.reporting.tables.scores import score_table
from nacbench.reporting.tables.side_by_side import side_by_side
from tests.made import made_record

CLOSE = (0.90, 0.91, 0.92, 0.90, 0.91)
AHEAD = (0.95, 0.95, 0.972, 0.948, 0.96)
WIDE = (0.95, 0.93, 0.972, 0.948, 0.96)
GRAIN = 1 / 1000  # of a made record


def rows(model: str, scores: Sequence[float | None], *, adaptive: int = 1, task: str = "digits") -> list[Run]:
    """Rows of one model, a score for each seed from 0 on; None for a seed that is missing."""
    return [
        row_of(made_record(model=model, task=task, seed=seed, score=score), f"{task}-{model}-{seed}", 1, 1)._replace(
            adaptive=adaptive
        )
        for seed, score in enumerate(scores)
        if score is not None
    ]


def pair(
    first: Sequence[float | None], second: Sequence[float | None], *, adaptive: tuple[int, int] = (1, 1)
) -> tuple[Series, Series]:
    ours, theirs = group(rows("nac", first, adaptive=adaptive[0])), group(rows("vit", second, adaptive=adaptive[1]))
    return ours[0], theirs[0]


def said(ours: Series, theirs: Series) -> list[str]:
    """What `nacbench compare` prints of them."""
    return Comparison(ours, theirs, ours.against(theirs), []).lines()


@pytest.mark.parametrize("adaptive", [(1, 1), (1, 0), (0, 1)])
def test_a_difference_is_judged_by_its_looks_if_seeds_were_added_to_either(adaptive: tuple[int, int]) -> None:
    ours, theirs = pair(AHEAD, CLOSE, adaptive=adaptive)
    difference = ours.against(theirs)
    found = looks([a - b for a, b in zip(AHEAD, CLOSE, strict=True)], floor=GRAIN)
    assert difference is not None and difference.looks is not None
    assert difference.p == found[-1].p
    assert difference.interval == (found[-1].low, found[-1].high)
    assert difference.half_width == half_width(5, found[-1].deviation)
    assert difference.looks.decided == decide(found).seeds == 4


def test_a_fixed_number_of_seeds_is_judged_by_the_t_test() -> None:
    ours, theirs = pair(AHEAD, CLOSE, adaptive=(0, 0))
    fixed, looked = ours.against(theirs), pair(AHEAD, CLOSE)[0].against(pair(AHEAD, CLOSE)[1])
    assert fixed is not None and looked is not None
    assert fixed.looks is None
    assert fixed.p < looked.p and fixed.half_width < looked.half_width


def test_seeds_above_one_that_is_missing_do_not_count() -> None:
    ours, theirs = pair([*AHEAD[:3], None, *AHEAD[4:]], CLOSE)
    difference = ours.against(theirs)
    assert difference is not None and difference.count == 3
    assert pair([None, *AHEAD[1:]], CLOSE)[0].against(theirs) is None
    fixed = pair([*AHEAD[:3], None, *AHEAD[4:]], CLOSE, adaptive=(0, 0))
    difference = fixed[0].against(fixed[1])
    assert difference is not None and difference.count == 4


def test_the_order_in_which_runs_end_does_not_matter() -> None:
    runs = rows("nac", AHEAD) + rows("vit", CLOSE)
    one, other = (group(some) for some in (runs, runs[::-1]))
    assert one[0].against(one[1]) == other[0].against(other[1])


def test_seeds_that_contradict_each_other_decide_nothing() -> None:
    steady = [0.9 + 0.001 * (seed % 2) for seed in range(60)]
    ours, theirs = pair(steady, [*(score + 0.0001 * (seed % 3) for seed, score in enumerate(steady[:9])), *[0.0] * 51])
    difference = ours.against(theirs)
    assert difference is not None and difference.looks is not None
    low, high = difference.interval
    assert difference.looks.contradictory and difference.p == 1.0 and difference.looks.decided is None
    assert low <= 0 <= high  # what was known before they did
    assert "contradict each other" in said(ours, theirs)[-1]


def test_what_was_decided_before_seeds_contradict_each_other_stays() -> None:
    ours, theirs = pair([0.9] * 8 + [0.0] * 52, [0.5] * 60)
    difference = ours.against(theirs)
    assert difference is not None and difference.looks is not None
    low, high = difference.interval
    assert difference.looks.contradictory and 0 < low <= high and difference.looks.decided == 3
    assert "nac is better than vit" in said(ours, theirs)[-1] and "contradict" in said(ours, theirs)[-1]
    claim = Competitive(kind="competitive", name="c", says="is as good", task="digits", scale="mini", within=0.02)
    found = judge(claim, [*ours.runs, *[run._replace(model="perceiver-io") for run in theirs.runs]])
    assert found.verdict == "agrees"  # of another recipe
    assert found.why.endswith("the seeds contradict each other: they are not of one distribution")


def test_means_have_an_interval_that_holds_as_well() -> None:
    looked, fixed = pair(AHEAD, CLOSE, adaptive=(1, 0))
    assert looked.score.half_width == pytest.approx(half_width(5, float(np.std(AHEAD, ddof=1))))
    assert math.isnan(group(rows("nac", AHEAD[:2]))[0].score.half_width)  # two seeds bound nothing
    assert fixed.score.half_width < half_width(5, float(np.std(CLOSE, ddof=1)))


def test_the_seeds_of_the_first_look_were_not_added() -> None:
    """A store in which all pairs are asked, and none has had its turn yet, is read as it was before."""
    ours, theirs = pair(AHEAD[:3], CLOSE[:3], adaptive=(3, 3))
    fixed = pair(AHEAD[:3], CLOSE[:3], adaptive=(0, 0))
    assert ours.against(theirs) == fixed[0].against(fixed[1])
    assert ours.score == fixed[0].score
    looked, _ = pair(AHEAD[:4], CLOSE[:3], adaptive=(3, 3))
    assert (
        looked.is_adaptive and looked.score.half_width > group(rows("nac", AHEAD[:4], adaptive=0))[0].score.half_width
    )
    # seeds that one of them got for another question are none of this pair's
    assert looked.against(theirs) == fixed[0].against(fixed[1])
    claim = Competitive(kind="competitive", name="c", says="is as good", task="digits", scale="mini", within=0.0)
    both = [*ours.runs, *[run._replace(model="perceiver-io") for run in theirs.runs]]
    assert "anytime-valid" in judge(claim, both).why  # the look at which decide may have stopped


def test_compare_says_so_and_when_it_was_decided() -> None:
    lines = said(*pair(AHEAD, CLOSE))
    assert any("over 5 shared seeds (anytime-valid, as seeds were added until a decision: p = " in one for one in lines)
    assert lines[-1].startswith("nac is better than vit, by ")
    assert "decided at seed 4 of 5" in lines[-1]
    undecided = said(*pair(AHEAD[:3], CLOSE[:3]))
    assert undecided[-1].startswith("No difference between nac and vit is shown yet")
    two = said(*pair(AHEAD[:2], CLOSE[:2]))
    assert "2 seeds decide nothing" in two[-1] and "nan" not in "".join(two)
    assert "nac and vit share seed 1, but not seed 0" in said(*pair([None, 0.9], [None, 0.8]))[-1]
    wild = said(*pair([0.9, 0.1, 0.95, 0.5], [0.1, 0.9, 0.3, 0.5]))[-1]
    assert "it lies between -100.00 and +100.00 points" in wild  # and not beyond what is possible


def test_tables_mark_them_and_say_what_that_means() -> None:
    series = group(rows("nac", AHEAD) + rows("vit", CLOSE) + rows("nac", CLOSE, adaptive=0, task="cifar10"))
    for table in (score_table(series, ()), side_by_side(series)):
        assert table is not None
        text = table.text()
        assert text.count(ADDED_RULE[:30]) == 1
        assert sum(cell.count(ADDED) for row in table.rows for cell in row) == 2
    fixed = score_table(group(rows("nac", AHEAD, adaptive=0)), ())
    assert ADDED not in fixed.text()


def test_bold_counts_comparisons_that_are_not_decided() -> None:
    """None leaves Holm's correction: those that were planned and have no shared seed yet have p = 1."""
    decided = rows("nac", WIDE) + rows("vit", CLOSE)
    assert [item.first.model for item in best(group(decided))] == ["nac"]
    waiting = [
        run
        for number in range(5)
        for run in rows("nac", [0.5], task=f"task-{number}") + rows("vit", [None, 0.4], task=f"task-{number}")
    ]
    assert best(group(decided + waiting)) == []
    assert best(group(decided + [run._replace(adaptive=0) for run in waiting])) != []


def test_seeds_that_one_side_of_a_claim_got_for_another_question_do_not_widen_it() -> None:
    claim = Competitive(kind="competitive", name="c", says="is as good", task="digits", scale="mini", within=0.0)
    theirs = [run._replace(model="perceiver-io") for run in rows("vit", CLOSE[:3], adaptive=0)]
    found, fixed = (judge(claim, rows("nac", AHEAD, adaptive=adaptive) + theirs) for adaptive in (3, 0))
    assert (found.half_width, found.why) == (fixed.half_width, fixed.why)
    more = rows("nac", AHEAD, adaptive=2) + theirs  # seed 2 was added, and counts
    assert judge(claim, more).half_width > fixed.half_width


def test_a_claim_is_judged_by_looks_and_says_so() -> None:
    claim = Competitive(
        kind="competitive", name="mine", says="wins", task="digits", scale="mini", baseline="vit", within=0.0
    )
    found = judge(claim, rows("nac", AHEAD) + rows("vit", CLOSE))
    assert "anytime-valid, as seeds were added until a decision" in found.why
    assert found.half_width > judge(claim, rows("nac", AHEAD, adaptive=0) + rows("vit", CLOSE, adaptive=0)).half_width
    few = judge(claim, rows("nac", AHEAD[:3]) + rows("vit", CLOSE[:3]))
    assert (few.verdict, judge(claim, rows("nac", AHEAD) + rows("vit", CLOSE)).verdict) == ("undecided", "agrees")
    assert "about 1 more seed would decide it" in few.why
    close = [0.911, 0.891, 0.921, 0.901, 0.911, 0.881, 0.911, 0.901]
    found = judge(claim, rows("nac", close) + rows("vit", [0.9] * 8))
    assert found.verdict == "undecided" and "futile, about " in found.why, found.why
