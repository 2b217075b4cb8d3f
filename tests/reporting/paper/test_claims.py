"""The paper's claims, and files of claims that anybody writes."""

from pathlib import Path

import pytest

from nacbench.errors import UserError
from nacbench.registry import MODELS, TASKS
from nacbench.reporting.paper.claims import Better, Trade
from nacbench.reporting.paper.read_claims import claims_in, read_claims

GOOD = """\
source: my notebook
claims:
  - name: digits-by-two
    kind: better
    says: is better on digits by two points
    task: digits
    scale: mini
    baseline: vit
    claimed: 0.02
"""


def test_the_paper_s_claims_name_existing_tasks_and_models() -> None:
    content = read_claims()
    assert "2210.08031" in content.source
    assert len({claim.name for claim in content.claims}) == len(content.claims) == 7
    for claim in content.claims:
        assert claim.task in TASKS.entries() or isinstance(claim, Trade)
        assert all(TASKS.get(task).modality == TASKS.get(claim.task).modality for task in claim.stand_ins)
        assert set(claim.models) <= set(MODELS.entries())
        assert claim.scale == "paper"
        if isinstance(claim, Better):
            assert claim.bar == pytest.approx(claim.claimed / 2)


def test_anybody_s_claims_have_the_same_format(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD + "    settings: {training.epochs: 3, training.augment.flip: false}\n")
    content = claims_in(file)
    (claim,) = content.claims
    assert isinstance(claim, Better)
    assert (content.source, claim.name, claim.bar, claim.scale) == ("my notebook", "digits-by-two", 0.01, "mini")
    assert claim.models == ("nac", "vit")
    assert claim.settings == {"training.epochs": "3", "training.augment.flip": "false"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "extra: 1\n", "{file}: unknown key 'extra'; there are: claims, source"),
        ("source: my notebook\n", "", "{file}: source: field required"),
        ("source: my notebook", "source: 3", "{file}: source = 3: input should be a valid string"),
        ("digits-by-two", "''", "{file}: claim 1: name = '': string should have at least 1 character"),
        ("kind: better", "kind: bettr", "{claim}: unknown kind 'bettr'; did you mean 'better'?"),
        ("    kind: better\n", "", "{claim} has no kind; give one of better, competitive, trade"),
        ("kind: better", "kind: [1]", "{claim}: unknown kind '[1]'; there are: better, "),
        ("    says", "    syas", "unknown key of a claim of kind better 'syas'; did you mean 'says'?"),
        ("task: digits", "task: digit", "{claim}: task = 'digit': unknown task 'digit'; did you mean 'digits'?"),
        ("task: digits", "task: [digits]", "task = ['digits']: input should be a valid string"),
        ("scale: mini", "scale: big", "scale = 'big': input should be 'smoke', 'mini' or 'paper'"),
        ("baseline: vit", "baseline: vitt", "baseline = 'vitt': unknown model 'vitt'; did you mean 'vit'?"),
        ("baseline: vit", "baseline: nac", "model and baseline are both 'nac'; name two models"),
        ("claimed: 0.02", "claimed: much", "claimed = 'much': input should be a valid number"),
        ("claimed: 0.02", "claimed: -0.02", "claimed = -0.02: input should be greater than 0"),
        ("claimed: 0.02", "claimed: .nan", "claimed = nan: input should be "),
        ("claimed: 0.02", "claimed: 0.02\n    at_least: 0.03", "at_least = 0.03 is more than claimed = 0.02; give"),
        ("    claimed: 0.02\n", "", "claimed: field required"),
        ("claimed: 0.02", "claimed: 0.02\n    stand_ins: cifar10", "stand_ins = 'cifar10': input should be a "),
        ("claimed: 0.02", "claimed: 0.02\n    stand_ins: [cifar]", "unknown task 'cifar'; did you mean 'cifar10'?"),
        ("claimed: 0.02", "claimed: 0.02\n    settings: 3", "settings = 3: input should be a mapping"),
        ("claimed: 0.02", "claimed: 0.02\n    settings: {trainig.lr: 1}", "unknown setting 'trainig.lr'; did you mean"),
        ("claimed: 0.02", "claimed: 0.02\n    prefer: {model.depht: 1}", "prefer: unknown setting 'model.depht'; did"),
        ("claimed: 0.02", "claimed: 0.02\n    claimed: 0.03", "key 'claimed' is given a second time, after line "),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_of_claims_is_one_line_that_names_the_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace(old, new, 1) if old else new + GOOD)
    with pytest.raises(UserError) as caught:
        claims_in(file)
    assert message.format(file=file, claim=f"{file}: claim 1 ('digits-by-two')") in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD + GOOD.partition("claims:\n")[2])
    with pytest.raises(UserError, match=r"claim 2: the name 'digits-by-two' is taken; give it another one"):
        claims_in(file)


@pytest.mark.parametrize("claims", ["claims: []", "claims: {a: 1}", "claims: 3", "claims: [3]", ""])
def test_a_file_without_claims_is_refused(tmp_path: Path, claims: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"source: me\n{claims}\n")
    with pytest.raises(UserError, match=r"mine.yaml: claim"):
        claims_in(file)


def test_a_trade_must_promise_an_effect(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    trade = "gain: {metric: speedup, at_least: 1, without: 1}\n    loss: {metric: relative_drop, at_most: 0.03}"
    file.write_text(
        f"source: me\nclaims:\n  - name: t\n    kind: trade\n    says: s\n    task: digits-pruned\n    {trade}\n"
    )
    with pytest.raises(UserError, match=r"gain = .*: without = 1 must be less than at_least = 1"):
        claims_in(file)
