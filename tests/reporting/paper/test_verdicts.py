"""Verdicts on claims: none without evidence, each only as far as the evidence goes, and none at another setting."""

from typing import Any

import pytest

from nacbench.contracts.recipe import BEST_TEST
from nacbench.data.metrics.values import RMSE
from nacbench.recording.row import Run, row_of
from nacbench.registry import TASKS
from nacbench.reporting.paper.claims import Better, Claim, Competitive, Trade
from nacbench.reporting.paper.verdicts import Evidence, Finding, find, judge
from nacbench.reporting.series import group
from tests.made import made_record

BETTER = Better(kind="better", name="b", says="is better", task="digits", claimed=0.1)
COMPETITIVE = Competitive(kind="competitive", name="c", says="is as good", task="digits", within=0.02)
TRADE = Trade.model_validate(
    {
        "kind": "trade",
        "name": "t",
        "says": "is faster",
        "task": "digits",
        "gain": {"metric": "speedup", "at_least": 8, "without": 1},
        "loss": {"metric": "relative_drop", "at_most": 0.03},
    }
)
NOISE = (0.000, 0.004, 0.001, 0.003, 0.002)


def run(**changes: Any) -> Run:
    """A run with the recipe of its scale."""
    metrics = changes.pop("metrics", {})
    given = {"task": "digits", "scale": "paper", "lr": 0.001, **changes}
    recipe = TASKS.get(given["task"]).recipes[given["scale"]].model_dump(mode="json")
    training = {**recipe, "lr": given["lr"], **given.get("training", {})}
    record = made_record(**given | {"training": training})
    test = {**record.metrics["test"], **metrics}
    return row_of(record.model_copy(update={"metrics": {"test": test}}), f"f-{record.run_id}", 1, 1)


def runs(gap: float, seeds: int = 5, **changes: Any) -> list[Run]:
    """NAC, and Perceiver IO that is so much worse."""
    ours = [run(seed=seed, score=0.5 + gap + NOISE[seed], **changes) for seed in range(seeds)]
    return ours + [run(model="perceiver-io", seed=seed, score=0.5, **changes) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("claim", "gap", "verdict"),
    [
        (BETTER, 0.15, "reproduced"),
        (BETTER, 0.10, "reproduced"),
        (BETTER, 0.061, "weaker than claimed"),
        (BETTER, 0.041, "weaker than claimed"),
        (BETTER, -0.002, "not shown"),
        (BETTER, -0.10, "contradicted"),
        (COMPETITIVE, 0.10, "reproduced"),
        (COMPETITIVE, -0.01, "reproduced"),
        (COMPETITIVE, -0.0215, "not shown"),
        (COMPETITIVE, -0.10, "contradicted"),
    ],
)
def test_the_interval_decides_at_the_setting_that_the_claim_is_about(claim: Claim, gap: float, verdict: str) -> None:
    found = judge(claim, runs(gap))
    assert found.verdict == verdict
    assert found.scale == "paper"
    assert len(found.runs) == 10
    assert found.value == pytest.approx(gap + 0.002)


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [(0.10, "agrees"), (0.061, "disagrees"), (-0.002, "disagrees"), (-0.10, "disagrees")],
)
def test_at_another_scale_there_is_no_verdict_on_the_claim(gap: float, verdict: str) -> None:
    found = judge(BETTER, runs(gap, scale="mini"))
    assert (found.verdict, found.scale) == (verdict, "mini")
    assert found.why.endswith("; at scale mini, not paper")
    at_mini = BETTER.model_copy(update={"scale": "mini"})
    assert judge(at_mini, runs(gap, scale="mini")).verdict not in ("agrees", "disagrees", "undecided")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.06, 0.09, "weaker than claimed"),
        (0.06, 0.11, "reproduced"),
        (0.03, 0.11, "not shown"),  # an effect, but not of the claimed size
        (0.03, 0.04, "weaker than claimed"),
        (-0.01, 0.30, "not shown"),  # a wide interval holds every claim, and shows none
        (-0.02, -0.01, "contradicted"),
    ],
)
def test_a_wide_interval_shows_nothing(low: float, high: float, verdict: str) -> None:
    assert BETTER.verdict((low, high)) == verdict


def test_a_bar_other_than_half_of_the_claimed_effect_can_be_given() -> None:
    assert BETTER.bar == 0.05
    assert BETTER.model_copy(update={"at_least": 0.09}).bar == 0.09


def test_more_of_what_speaks_for_a_claim_never_makes_its_verdict_worse() -> None:
    ranks = ["contradicted", "not shown", "weaker than claimed", "reproduced"]
    for half in (0.001, 0.02, 0.08):
        found = [ranks.index(BETTER.verdict((gap / 1000 - half, gap / 1000 + half))) for gap in range(-200, 200)]
        shown = [rank for rank in found if rank != ranks.index("not shown")]
        assert shown == sorted(shown)


def test_without_runs_of_both_there_is_no_verdict() -> None:
    assert judge(BETTER, []) == Finding(BETTER, "no data", "", "no run of digits with nac and perceiver-io")
    assert judge(BETTER, runs(0.1)[:5]).why == "no run of digits with perceiver-io"
    assert judge(BETTER, runs(0.1, task="cifar10")).verdict == "no data"
    apart = [run(seed=0), run(model="perceiver-io", seed=0, scale="mini")]
    assert judge(BETTER, apart).why == "no run of digits with nac and perceiver-io at one scale"


def test_one_seed_or_unshared_seeds_show_nothing() -> None:
    one = judge(BETTER, runs(0.1, seeds=1))
    assert (one.verdict, one.why) == ("not shown", "one seed has no interval; run more")
    assert one.effect == "+10.00 points, 1 seed"
    apart = judge(BETTER, [run(seed=0), run(model="perceiver-io", seed=1)])
    assert (apart.verdict, apart.effect, apart.why) == ("not shown", "", "no shared seed: no interval; run more")


def test_what_is_not_shown_has_the_number_of_seeds_needed() -> None:
    open_ = [own._replace(score=own.score + 0.02 * own.seed if own.model == "nac" else 0.5) for own in runs(0.03)]
    why = judge(BETTER, open_).why
    assert why.startswith("claimed: 10.00 points better; the interval holds +5.00 points: ")
    assert why.endswith(" more seeds would decide it, if the effect is as measured")
    assert "no effect of the claimed size" in judge(BETTER, runs(-0.002)).why
    assert "too close for any practical number of seeds" in judge(COMPETITIVE, runs(-0.022)).why


def test_runs_of_the_claim_s_own_scale_win() -> None:
    mini = runs(0.1, scale="mini")
    both = judge(BETTER, [*mini, *runs(-0.1)])
    assert (both.verdict, both.scale) == ("contradicted", "paper")
    of_mini = judge(BETTER.model_copy(update={"scale": "mini"}), [*mini, *runs(-0.1)])
    assert (of_mini.verdict, of_mini.scale) == ("reproduced", "mini")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"training": {"epochs": 3}}, "training.epochs is 3, usually "),
        ({"options": {"train_examples": 100}}, "task.train_examples is 100, usually 0"),
    ],
)
def test_a_changed_recipe_is_another_setting(changes: dict[str, Any], why: str) -> None:
    found = judge(BETTER, runs(0.1, **changes))
    assert found.verdict == "agrees"
    assert why in found.why
    assert judge(BETTER, runs(0.1, lr=0.5)).verdict == "reproduced"  # rates of our own recipes are tuned


def test_a_part_of_the_data_is_another_setting() -> None:
    some = [own._replace(partial="4 of 200 classes") for own in runs(0.1)]
    found = judge(BETTER, some)
    assert found.verdict == "agrees"
    assert found.why.endswith("; on a part of the data")


def test_an_epoch_chosen_on_test_is_compared_with_its_like_alone_and_named() -> None:
    mixed = [own._replace(selection=BEST_TEST) if own.model == "nac" else own for own in runs(0.1)]
    assert judge(BETTER, mixed).verdict == "no data"
    chosen = [own._replace(selection=BEST_TEST) for own in runs(0.1)]
    found = judge(BETTER, chosen)
    assert found.verdict == "reproduced"
    assert found.why == "claimed: 10.00 points better, at least 5.00 points; the epoch was chosen on test"
    assert judge(BETTER, [*chosen, *runs(-0.1)]).verdict == "contradicted"  # the usual runs come first


def test_only_the_preferred_of_several_variants_counts() -> None:
    several = [*runs(0.1), *(run(seed=seed, score=0.1, lr=0.5) for seed in range(5))]
    refused = judge(BETTER, several)
    assert refused.verdict == "no data"
    assert (
        "nac has several variants, and the claim does not tell which: training.lr=0.001; training.lr=0.5" in refused.why
    )
    preferred = BETTER.model_copy(update={"prefer": {"training.lr": "0.001"}})
    assert judge(preferred, several).verdict == "reproduced"
    required = BETTER.model_copy(update={"settings": {"training.lr": "0.001"}})
    assert judge(required, several).verdict == "reproduced"


def test_a_variant_with_other_options_does_not_make_a_claim_ambiguous() -> None:
    deep = [run(seed=seed, score=0.1) for seed in range(5)]
    deep = [own._replace(settings=own.settings.replace('"depth": 3', '"depth": 9'), series="deep") for own in deep]
    assert "9" in deep[0].settings
    assert judge(BETTER, [*runs(0.1), *deep]).verdict == judge(BETTER, runs(0.1)).verdict == "reproduced"


def test_a_second_size_of_the_baseline_does_not_make_a_claim_ambiguous() -> None:
    both = [
        *(run(seed=seed, score=0.6 + NOISE[seed], size="paper") for seed in range(5)),
        *(run(model="perceiver-io", seed=seed, score=0.5, size="published") for seed in range(5)),
        *(run(model="perceiver-io", seed=seed, score=0.9, size="matched") for seed in range(5)),
    ]
    assert judge(BETTER, both).verdict == "reproduced"


def test_a_stand_in_counts_only_without_evidence_on_the_task_and_gives_no_verdict() -> None:
    claim = BETTER.model_copy(update={"stand_ins": ["listops", "listops-short"]})
    instead = runs(0.1, task="listops-short")
    found = judge(claim, [*instead, *runs(-0.1, task="imdb-bytes")])
    assert (found.verdict, found.scale, found.claim) == ("agrees", "paper", claim)
    assert found.why.endswith("; listops-short stands in for digits")
    own = judge(claim, [*instead, *runs(-0.1, scale="smoke")])
    assert (own.verdict, own.scale) == ("disagrees", "smoke")
    assert judge(BETTER, instead).verdict == "no data"
    assert judge(claim, []).why == "no run of digits with nac and perceiver-io"


def test_only_the_preferred_variant_of_a_trade_counts() -> None:
    metrics = [{"speedup": up, "relative_drop": 0.01} for up in (9.0, 9.1, 9.2)]
    good = [run(seed=seed, metrics=own) for seed, own in enumerate(metrics)]
    slow = [run(seed=seed, lr=0.5, metrics={**own, "speedup": 0.5}) for seed, own in enumerate(metrics)]
    assert "nac has several variants" in judge(TRADE, [*good, *slow]).why
    assert "do not differ at all" in judge(TRADE, good).why


@pytest.mark.parametrize(
    ("speedups", "drops", "verdict"),
    [
        ([9.0, 9.2, 9.1], [0.01, 0.012, 0.011], "reproduced"),
        ([2.0, 2.2, 2.1], [0.01, 0.012, 0.011], "weaker than claimed"),
        ([0.6, 0.8, 0.7], [0.01, 0.012, 0.011], "contradicted"),
        ([9.0, 9.2, 9.1], [0.1, 0.12, 0.11], "contradicted"),
        ([2.0, 2.2, 2.1], [0.01, 0.05, 0.03], "not shown"),
        ([9.0, 7.0, 8.1], [0.01, 0.012, 0.011], "not shown"),
        ([9.0], [0.01], "not shown"),
    ],
)
def test_a_trade_needs_both_sides(speedups: list[float], drops: list[float], verdict: str) -> None:
    pairs = enumerate(zip(speedups, drops, strict=True))
    own = [run(seed=seed, metrics={"speedup": up, "relative_drop": drop}) for seed, (up, drop) in pairs]
    assert judge(TRADE, own).verdict == verdict
    assert judge(TRADE, runs(0.1)).why == "no run of digits has speedup and relative_drop"


def test_of_a_metric_of_which_lower_is_better_a_lower_score_speaks_for_the_claim() -> None:
    claim = BETTER.model_copy(update={"claimed": 0.5})
    errors = [run(seed=seed, score=1.2 + NOISE[seed], metric=RMSE) for seed in range(5)]
    errors += [run(model="perceiver-io", seed=seed, score=1.8, metric=RMSE) for seed in range(5)]
    found = judge(claim, errors)
    assert found.verdict == "reproduced"
    assert found.effect.startswith("+0.5980 ± 0.0020, ")
    assert "points" not in found.effect + found.why


def test_the_numbers_of_each_seed_and_their_bars_can_be_had() -> None:
    """What goes on adding seeds needs to know what they decide."""
    found = find(BETTER, runs(0.1, seeds=3))
    assert isinstance(found, Evidence)
    (side,) = found.sides
    assert side.by_seed == pytest.approx({0: 0.1, 1: 0.104, 2: 0.101})
    assert (side.bar, side.floor) == (0.05, 1 / 1000)
    metrics = {"speedup": 9.0, "relative_drop": 0.01, "whole_accuracy": 0.8}
    trade = find(TRADE, [run(seed=2, metrics=metrics)])
    assert isinstance(trade, Evidence)
    gain, loss = trade.sides
    assert (gain.by_seed, gain.bar, gain.floor) == ({2: 9.0}, 8, 0)
    assert (loss.by_seed, loss.bar, loss.floor) == ({2: -0.01}, -0.03, 1 / 800)
    assert find(BETTER, []) == "no run of digits with nac and perceiver-io"


def test_a_gain_in_another_share_of_examples_has_the_spread_of_one_example() -> None:
    """Seeds that agree to the last example show no certainty there either."""
    claim = TRADE.model_copy(update={"gain": TRADE.gain.model_copy(update={"metric": "clean_accuracy"})})
    measured = {"clean_accuracy": 0.9, "relative_drop": 0.01, "whole_accuracy": 0.8}
    (item,) = group([run(seed=seed, metrics=measured) for seed in range(2)])
    assert [side.floor for side in claim.sides(item)] == [1 / 1000, pytest.approx(1 / 800)]
