"""Unequal treatment is seen, marked and listed, and no test crosses it."""

import json
from pathlib import Path
from typing import Any

import pytest

from nacbench.contracts.recipe import BEST_TEST
from nacbench.errors import UserError
from nacbench.recording.index import read_runs
from nacbench.recording.row import Run, row_of
from nacbench.reporting.comparing import compare
from nacbench.reporting.paper.claims import Better
from nacbench.reporting.paper.verdicts import judge
from nacbench.reporting.ranks import ranking
from nacbench.reporting.series import group
from nacbench.reporting.significance import best
from nacbench.reporting.tables.adaptations import adaptations_table
from nacbench.reporting.tables.ranks import rank_table
from nacbench.reporting.tables.rows import treatment_notes
from nacbench.reporting.tables.scores import score_table
from nacbench.reporting.tables.side_by_side import side_by_side
from nacbench.reporting.treatment import Choices, Tuned, differences, in_words
from nacbench.sweep.trials import known_choices
from tests.made import made_record, write_run

NOISE = (0.000, 0.002, 0.001)
GRID = "best of 3 tried: 0.001, 0.004, 0.009; seeds 0; epochs 2"


def run(**changes: Any) -> Run:
    record = made_record(**changes)
    return row_of(record, record.run_id, 1, 1)


def runs(model: str = "nac", score: float = 0.9, **changes: Any) -> list[Run]:
    return [run(model=model, score=score + NOISE[seed], seed=seed, **changes) for seed in range(3)]


def differing(*some: Run, tuned: Choices | None = None) -> str:
    return in_words(differences(some, tuned or {}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": {"epochs": 30}}, "training.epochs (2, 30)"),
        ({"training": {"batch_size": 64}}, "training.batch_size (—, 64)"),  # same epochs, other batch
        ({"training": {"weight_decay": 0.1}}, "training.weight_decay (0.05, 0.1)"),
        ({"training": {"label_smoothing": 0.1}}, "training.label_smoothing (0.0, 0.1)"),
        ({"training": {"augment": {"flip": True}}}, "training.augment.flip (false, true)"),
        ({"training": {"augment": {"flip": False, "mixup": 0.8}}}, "training.augment.mixup (0.0, 0.8)"),
        ({"lr": 0.5}, "training.lr (0.001, 0.5)"),
        ({"precision": "fp32"}, "precision (bf16, fp32)"),
        ({"data": "f2"}, "data (f1, f2)"),
        ({"engine": "e2"}, "code.engine (e1, e2)"),
        ({"options": {"train_examples": 100}}, "task.train_examples (0, 100)"),
        ({"training": {"epochs": 3, "lr": 0.5}}, "training.epochs (2, 3); training.lr (0.001, 0.5)"),
    ],
)
def test_whatever_is_not_the_model_s_own_is_treatment(changes: dict[str, Any], said: str) -> None:
    assert differing(run(), run(model="vit", **changes)) == said


def test_models_size_seed_and_options_are_their_own_business() -> None:
    ours, theirs = run(), run(model="vit", size="paper", seed=3)
    assert json.loads(ours.settings)["model"] != json.loads(theirs.settings)["model"]
    assert differing(ours, theirs) == ""
    assert differing(ours) == ""
    # it changes no score but by rounding
    assert differing(ours, run(model="vit", training={"accumulate": 4})) == ""


def test_what_an_older_record_does_not_name_is_what_it_does_if_nothing_sets_it() -> None:
    """The option came later; its default is what all runs did before."""
    assert differing(run(), run(model="vit", training={"score_ema": True, "schedule": "cosine"})) == ""
    assert differing(run(), run(model="vit", training={"score_ema": False})) == "training.score_ema (true, false)"
    assert differing(run(), run(model="vit", options={"train_examples": 0})) == ""
    of_a_plug_in = [run(task="gone"), run(task="gone", model="vit", options={"new": 1})]
    assert differing(*of_a_plug_in) == "task.new (—, 1)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"selection": BEST_TEST}, f"selection (last, {BEST_TEST})"),
        ({"partial": "4 of 10 classes"}, "part of the data (none, 4 of 10 classes)"),
        ({"trained": 50.0}, "training examples (100, 50)"),
        ({"scored": 900}, "test examples (1000, 900)"),
    ],
)
def test_what_a_run_came_to_is_treatment_as_well(changes: dict[str, Any], said: str) -> None:
    assert differing(run(), run(model="vit")._replace(**changes)) == said


def test_the_training_of_the_scored_network_is_treatment() -> None:
    scored = {"task": "digits-c", "protocol": "ood"}
    same = run(**scored, trained_on="digits"), run(**scored, trained_on="digits", model="vit")
    assert differing(*same) == ""
    longer = run(**scored, trained_on="digits", model="vit", training={"epochs": 30})
    assert "trained_on.training.epochs (2, 30)" in differing(same[0], longer)
    elsewhere = run(**scored, trained_on="cifar10", model="vit")
    assert differing(same[0], elsewhere) == "trained_on.task.name (digits, cifar10)"
    from_scratch = run(**scored, model="vit")
    assert "trained_on.task.name (digits, —)" in differing(same[0], from_scratch)


def test_a_tuned_rate_may_differ_if_as_much_was_tried() -> None:
    ours, theirs = run(lr=0.004), run(model="vit", lr=0.001)
    cells = [("digits", model, "mini", "mini") for model in ("nac", "vit")]
    equal = {cells[0]: Tuned({"training.lr": 0.004}, GRID), cells[1]: Tuned({"training.lr": 0.001}, GRID)}
    assert differing(ours, theirs, tuned=equal) == ""
    fewer = {**equal, cells[1]: Tuned({"training.lr": 0.001}, "best of 2 tried: 0.001, 0.004; seeds 0; epochs 2")}
    assert differing(ours, theirs, tuned=fewer).startswith(f"training.lr ({GRID}, best of 2 tried: ")
    assert differing(ours, theirs, tuned={cells[0]: equal[cells[0]]}) == f"training.lr ({GRID}, 0.001)"
    # a rate that tuning did not choose was not tuned
    assert differing(ours, run(model="vit", lr=0.007), tuned=equal) == f"training.lr ({GRID}, 0.007)"
    longer = run(model="vit", lr=0.001, training={"epochs": 30})
    assert differing(ours, longer, tuned=equal) == "training.epochs (2, 30)"


def test_the_rate_of_the_scored_network_may_be_tuned() -> None:
    scored = {"task": "digits-c", "protocol": "ood", "trained_on": "digits"}
    ours, theirs = run(**scored, lr=0.004), run(**scored, model="vit", lr=0.001)
    cells = [("digits", model, "mini", "mini") for model in ("nac", "vit")]
    equal = {cells[0]: Tuned({"training.lr": 0.004}, GRID), cells[1]: Tuned({"training.lr": 0.001}, GRID)}
    assert "trained_on.training.lr" in differing(ours, theirs)
    assert "trained_on.training.lr" not in differing(ours, theirs, tuned=equal)


def test_written_choices_say_how_much_was_tried(tmp_path: Path) -> None:
    file = tmp_path / "rates.yaml"
    tried = {"training.lr=0.001": 0.5, "training.lr=0.004": 0.7}
    evidence = {"tried": tried, "seeds": [0, 1], "epochs": 2, "at_the_edge": ["training.lr"]}
    when = {"task": "mine", "model": "nac", "model.size": "mini", "scale": "mini"}
    content = [
        {"when": when, "use": {"training.lr": 0.004}, "evidence": evidence},
        {"when": {"task": "other"}, "use": {"training.lr": 0.004}},
    ]
    file.write_text(json.dumps({"choices": content}))
    known = known_choices([file])
    trials = "best of 2 tried: 0.001, 0.004; seeds 0, 1; epochs 2"
    assert known["mine", "nac", "mini", "mini"] == Tuned({"training.lr": 0.004}, trials, ("training.lr",))
    assert not any(task == "other" for task, *_ in known)
    of_the_suites = known["cifar10", "nac", "mini", "mini"]
    assert of_the_suites.trials == known["cifar10", "perceiver-io", "mini", "mini"].trials


def test_rows_are_marked_and_the_note_lists_what_differs() -> None:
    series = group([*runs(training={"epochs": 30}), *runs("perceiver-io", 0.7), *runs("vit", 0.6)])
    table = score_table(series, [])
    assert [row[2] for row in table.rows] == ["nac §1", "perceiver-io §2", "vit §2"]
    assert "digits · mini: §1: training.epochs 30; §2: training.epochs 2." in table.notes
    assert table.frame["treatment"].tolist() == ["training.epochs=30", "training.epochs=2", "training.epochs=2"]
    assert treatment_notes(group([*runs(), *runs("vit")])) == []


def test_bold_does_not_cross_a_mark() -> None:
    unequal = group([*runs(training={"epochs": 30}), *runs("perceiver-io", 0.7), *runs("vit", 0.6)])
    (winner,) = best(unequal)
    assert winner.first.model == "perceiver-io"
    assert best(group([*runs(training={"epochs": 30}), *runs("vit", 0.6)])) == []
    (winner,) = best(group([*runs(), *runs("vit", 0.6)]))
    assert winner.first.model == "nac"


def test_models_side_by_side_are_marked() -> None:
    other = [*runs(task="listops"), *runs("vit", task="listops")]
    table = side_by_side(group([*runs(training={"epochs": 30}), *runs("vit", 0.6), *other]))
    assert table is not None
    (digits,) = (row for row in table.rows if row[0] == "digits")
    assert [cell[-2:] for cell in digits[-2:]] == ["§1", "§2"]
    assert "digits · mini: §1: training.epochs 30; §2: training.epochs 2." in table.notes


def test_ranks_across_tasks_leave_out_tasks_with_unequal_treatment() -> None:
    some = [own for task in ("cifar10", "listops") for own in (*runs(task=task), *runs("vit", 0.6, task=task))]
    found = ranking(group([*some, *runs(training={"epochs": 30}), *runs("vit", 0.6)]))
    assert found is not None
    assert (found.tasks, found.unequal) == (["cifar10", "listops"], ["digits"])
    table = rank_table(group([*some, *runs(training={"epochs": 30}), *runs("vit", 0.6)]))
    assert table is not None
    assert "Not counted, as models were treated unequally there: digits." in table.notes
    equal = ranking(group([*some, *runs(), *runs("vit", 0.6)]))
    assert equal is not None
    assert (len(equal.tasks), equal.unequal) == (3, [])


def test_a_report_says_why_no_ranks_are_left() -> None:
    unequal = [*runs(training={"epochs": 30}), *runs("vit", 0.6)]
    table = rank_table(group([*unequal, *runs(task="cifar10"), *runs("vit", 0.6, task="cifar10")]))
    assert table is not None
    assert table.notes == [
        "No ranks, as fewer than two tasks or models are left. Not counted, as models were treated unequally there: "
        "digits."
    ]
    assert table.rows == []
    assert rank_table(group(unequal)) is None


def test_what_adapts_is_a_column_and_only_other_differences_are_marked() -> None:
    few = {"task": "lowshot-cifar10", "protocol": "low-shot", "trained_on": "tiny-imagenet"}

    def adapted(model: str, adapt: str, epochs: int) -> Run:
        record = made_record(**few, model=model, options={"adapt": adapt}, training={"epochs": epochs})
        test = {**record.metrics["test"], "accuracy/1-shot": 0.5}
        return row_of(record.model_copy(update={"metrics": {"test": test}}), record.run_id, 1, 1)

    equal = [adapted(model, adapt, 2) for model in ("nac", "vit") for adapt in ("all", "head")]
    table = adaptations_table(group(equal))
    assert table is not None
    assert [row[2] for row in table.rows] == ["nac", "vit"]
    assert "§" not in str(table.rows) + str(table.notes)
    unequal = adaptations_table(group([*equal[:3], adapted("vit", "head", 30)]))
    assert unequal is not None
    assert "§" in str(unequal.rows)
    assert any("training.epochs" in note for note in unequal.notes)


def test_a_value_tuned_to_the_edge_is_told() -> None:
    tuned = {("digits", "nac", "mini", "mini"): Tuned({"training.lr": 0.009}, GRID, ("training.lr",))}
    table = score_table(group([*runs(lr=0.009), *runs("vit", lr=0.009)], tuned), [])
    edge = "digits: tuned to the edge of the values tried, beyond which may be better ones: nac (training.lr)."
    assert edge in table.notes
    assert edge not in score_table(group(runs(lr=0.004), tuned), []).notes


def test_a_verdict_names_values_tuned_to_the_edge() -> None:
    claim = Better(kind="better", name="b", says="is better", task="digits", baseline="vit", claimed=0.1, scale="mini")
    tuned = {("digits", "vit", "mini", "mini"): Tuned({"training.lr": 0.009}, GRID, ("training.lr",))}
    found = judge(claim, [*runs(lr=0.009), *runs("vit", 0.7, lr=0.009)], tuned)
    assert found.why.endswith("; at the edge of the values tried: training.lr of vit")


def test_a_comparison_of_unequally_treated_models_says_so(tmp_path: Path) -> None:
    for model, epochs in (("nac", 30), ("vit", 2), ("pointnet", 2)):
        for seed in range(2):
            write_run(tmp_path, made_record(model=model, seed=seed, training={"epochs": epochs}))
    found = compare(read_runs(tmp_path), "nac", "vit", "digits")
    unequal = "They were not treated equally, so this says nothing of the models alone; they differ in "
    assert found.verdict.endswith(f"{unequal}training.epochs (30, 2).")
    assert found.lines()[-1] == found.verdict
    equal = compare(read_runs(tmp_path), "vit", "pointnet", "digits")
    assert "treated" not in equal.verdict


def test_other_data_are_not_compared(tmp_path: Path) -> None:
    for model, data in (("nac", "f1"), ("vit", "f2")):
        write_run(tmp_path, made_record(model=model, data=data))
    with pytest.raises(UserError, match=r"'nac' and 'vit' have different data \(f1 and f2\): they cannot be compared"):
        compare(read_runs(tmp_path), "nac", "vit", "digits")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"training": {"epochs": 30}}, "training.epochs (30, 2)"), ({"data": "f2"}, "data (f2, f1)")],
)
def test_a_claim_is_not_judged_by_unequally_treated_models(changes: dict[str, Any], said: str) -> None:
    claim = Better(kind="better", name="b", says="is better", task="digits", baseline="vit", claimed=0.1, scale="mini")
    found = judge(claim, [*runs(**changes), *runs("vit", 0.7)])
    assert found.verdict == "unequal treatment"
    assert found.why.startswith(f"nac and vit differ in more than the model: {said}")
    assert found.effect == "+20.00 ± 0.25 points, 3 seeds"
    assert judge(claim, [*runs(), *runs("vit", 0.7)]).verdict != "unequal treatment"
