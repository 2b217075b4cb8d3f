"""Verdicts on the paper's claims: none without evidence, and each only as far as the evidence goes."""

from typing import Any

import pytest

from nacbench.contracts.recipe import BEST_TEST
from nacbench.recording.row import Run, row_of
from nacbench.registry import MODELS, TASKS
from nacbench.reporting.paper.claims import Better, Claim, Competitive, Finding, Trade, judge, read_claims
from tests.made import made_record

BETTER = Better(kind="better", name="b", says="", task="digits", claimed=0.1, decides=0.05)
COMPETITIVE = Competitive(kind="competitive", name="c", says="", task="digits", within=0.02)
TRADE = Trade.model_validate(
    {
        "kind": "trade",
        "name": "t",
        "says": "",
        "task": "digits",
        "gain": {"metric": "speedup", "at_least": 8},
        "loss": {"metric": "relative_drop", "at_most": 0.03},
    }
)
NOISE = (0.000, 0.004, 0.001, 0.003, 0.002)


def run(**changes: Any) -> Run:
    metrics = changes.pop("metrics", {})
    record = made_record(**{"scale": "paper", **changes})
    test = {**record.metrics["test"], **metrics}
    return row_of(record.model_copy(update={"metrics": {"test": test}}), f"f-{record.run_id}", 1, 1)


def runs(gap: float, seeds: int = 5, **changes: Any) -> list[Run]:
    """NAC, and Perceiver IO that is so much worse."""
    ours = [run(seed=seed, score=0.5 + gap + NOISE[seed], **changes) for seed in range(seeds)]
    return ours + [run(model="perceiver-io", seed=seed, score=0.5, **changes) for seed in range(seeds)]


def test_a_second_size_of_the_baseline_does_not_make_a_claim_ambiguous() -> None:
    both = [
        *(run(seed=seed, score=0.6 + NOISE[seed], size="paper") for seed in range(5)),
        *(run(model="perceiver-io", seed=seed, score=0.5, size="published") for seed in range(5)),
        *(run(model="perceiver-io", seed=seed, score=0.9, size="matched") for seed in range(5)),
    ]
    assert judge(BETTER, both).verdict == "reproduced"


@pytest.mark.parametrize(
    ("claim", "gap", "verdict"),
    [
        (BETTER, 0.10, "reproduced"),
        (BETTER, 0.02, "contradicted"),
        (BETTER, -0.10, "contradicted"),
        (BETTER, 0.0485, "undecided"),
        (COMPETITIVE, 0.10, "reproduced"),
        (COMPETITIVE, -0.01, "reproduced"),
        (COMPETITIVE, -0.10, "contradicted"),
        (COMPETITIVE, -0.0215, "undecided"),
    ],
)
def test_the_interval_must_be_on_one_side_of_the_threshold(claim: Claim, gap: float, verdict: str) -> None:
    found = judge(claim, runs(gap))
    assert found.verdict == verdict
    assert found.scale == "paper"
    assert len(found.runs) == 10
    assert found.value == pytest.approx(gap + 0.002)


def test_without_runs_of_both_there_is_no_verdict() -> None:
    assert judge(BETTER, []) == Finding(BETTER, "no data", "", "no run of digits with nac and perceiver-io")
    assert judge(BETTER, runs(0.1)[:5]).why == "no run of digits with perceiver-io"
    assert judge(BETTER, runs(0.1, task="cifar10")).verdict == "no data"
    apart = [run(seed=0), run(model="perceiver-io", seed=0, scale="mini")]
    assert judge(BETTER, apart).why == "no run of digits with nac and perceiver-io at one scale"


def test_one_seed_or_unshared_seeds_are_undecided() -> None:
    one = judge(BETTER, runs(0.1, seeds=1))
    assert (one.verdict, one.why) == ("undecided", "1 shared seeds have no interval; run more")
    assert one.effect == "+10.00 points"
    apart = judge(BETTER, [run(seed=0), run(model="perceiver-io", seed=1)])
    assert (apart.verdict, apart.effect) == ("undecided", "")


def test_undecided_has_the_number_of_seeds_needed() -> None:
    assert (
        "more seeds would decide it, if the effect is as measured (threshold: +5.00 points)"
        in judge(BETTER, runs(0.0485)).why
    )
    assert "too close to the threshold" in judge(BETTER, runs(0.048)).why


def test_a_smaller_scale_is_named_and_a_larger_one_wins() -> None:
    mini = runs(0.1, scale="mini")
    found = judge(BETTER, mini)
    assert (found.verdict, found.scale) == ("reproduced", "mini")
    assert "at scale mini, not in the paper's setting" in found.why
    both = judge(BETTER, [*mini, *runs(-0.1)])
    assert (both.verdict, both.scale) == ("contradicted", "paper")


def test_a_part_of_the_data_is_named() -> None:
    some = [own._replace(partial="4 of 200 classes") for own in runs(0.1)]
    assert "on a part of the data" in judge(BETTER, some).why


def test_an_epoch_chosen_on_test_is_compared_with_its_like_alone_and_named() -> None:
    mixed = [own._replace(selection=BEST_TEST) if own.model == "nac" else own for own in runs(0.1)]
    assert judge(BETTER, mixed).verdict == "no data"
    chosen = [own._replace(selection=BEST_TEST) for own in runs(0.1)]
    found = judge(BETTER, chosen)
    assert (found.verdict, found.why) == ("reproduced", "the threshold is +5.00 points; the epoch was chosen on test")
    assert judge(BETTER, [*chosen, *runs(0.0)]).verdict == "contradicted"  # the usual runs come first


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


def test_a_stand_in_counts_only_without_evidence_on_the_task() -> None:
    claim = BETTER.model_copy(update={"stand_ins": ["listops", "listops-short"]})
    instead = runs(0.1, task="listops-short", scale="mini")
    found = judge(claim, [*instead, *runs(-0.1, task="imdb-bytes")])
    assert (found.verdict, found.scale, found.claim) == ("reproduced", "mini", claim)
    assert found.why.endswith("; listops-short stands in for digits")
    own = judge(claim, [*instead, *runs(-0.1, scale="smoke")])
    assert (own.verdict, own.scale) == ("contradicted", "smoke")
    assert judge(BETTER, instead).verdict == "no data"
    assert judge(claim, []).why == "no run of digits with nac and perceiver-io"


def test_only_the_preferred_variant_of_a_trade_counts() -> None:
    metrics = [{"speedup": up, "relative_drop": 0.01} for up in (9.0, 9.1, 9.2)]
    good = [run(seed=seed, metrics=own) for seed, own in enumerate(metrics)]
    slow = [run(seed=seed, lr=0.5, metrics={**own, "speedup": 2.0}) for seed, own in enumerate(metrics)]
    assert "nac has several variants" in judge(TRADE, [*good, *slow]).why
    preferred = TRADE.model_copy(update={"prefer": {"training.lr": "0.5"}})
    assert judge(preferred, [*good, *slow]).verdict == "contradicted"


@pytest.mark.parametrize(
    ("speedups", "drops", "verdict"),
    [
        ([9.0, 9.2, 9.1], [0.01, 0.012, 0.011], "reproduced"),
        ([2.0, 2.2, 2.1], [0.01, 0.012, 0.011], "contradicted"),
        ([9.0, 9.2, 9.1], [0.1, 0.12, 0.11], "contradicted"),
        ([9.0, 7.0, 8.1], [0.01, 0.012, 0.011], "undecided"),
        ([9.0], [0.01], "undecided"),
    ],
)
def test_a_trade_needs_both_sides(speedups: list[float], drops: list[float], verdict: str) -> None:
    pairs = enumerate(zip(speedups, drops, strict=True))
    own = [run(seed=seed, metrics={"speedup": up, "relative_drop": drop}) for seed, (up, drop) in pairs]
    assert judge(TRADE, own).verdict == verdict
    assert judge(TRADE, runs(0.1)).why == "no run of digits has speedup and relative_drop"


def test_built_in_claims_name_existing_tasks_and_models() -> None:
    content = read_claims()
    assert "2210.08031" in content.source
    assert len({claim.name for claim in content.claims}) == len(content.claims) == 7
    for claim in content.claims:
        assert claim.task in TASKS.entries() or isinstance(claim, Trade)
        assert all(TASKS.get(task).modality == TASKS.get(claim.task).modality for task in claim.stand_ins)
        assert {claim.model, claim.baseline} <= set(MODELS.entries())
        if isinstance(claim, Better):
            assert claim.decides == pytest.approx(claim.claimed / 2)
