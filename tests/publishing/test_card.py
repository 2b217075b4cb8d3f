"""The card of a folder for the hub: the hub's own library reads it as it was meant."""

from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from huggingface_hub import ModelCard

from nacbench.contracts.recipe import BEST_TEST
from nacbench.publishing.card import model_card
from nacbench.recording.record import Answers, Selection
from nacbench.registry import MODELS, TASKS
from nacbench.running.outcome import Outcome
from tests.made import made_record


def test_the_hubs_library_reads_every_number_and_name_of_the_card(outcome: Outcome, exported: Path) -> None:
    card: Any = ModelCard.load(exported / "README.md")
    read = {(one.dataset_split, one.metric_type): one.metric_value for one in card.data.eval_results or ()}
    metrics = outcome.record.metrics
    assert read == {(split, name): value for split, own in metrics.items() for name, value in own.items()}
    assert all(type(value) is float for value in read.values())
    assert card.data.model_name == exported.name
    assert card.data.tags == ["nacbench", "floor-linear", "digits", "image"]
    assert (card.data.library_name, card.data.pipeline_tag) == ("nacbench", "image-classification")
    assert {one.dataset_name for one in card.data.eval_results or ()} == {"Digits"}


TRAPS = [
    "no",
    "on",
    "1.10",
    "12:30",
    "1e3",
    "0x10",
    "~",
    "null",
    "- a",
    "a: b",
    "#",
    "é\u202e",
    "|",
    "`",
    "[x](y)",
    "007",
]


@pytest.mark.parametrize("name", TRAPS)
def test_names_that_yaml_would_take_for_something_else_come_back(name: str) -> None:
    class Odd(TASKS.get("digits")):  # type: ignore[misc]
        title: ClassVar[str] = name
        provenance: ClassVar[str] = name

    record = made_record().model_copy(
        update={
            "metrics": {"test": {"accuracy": 1.0, "nll": 1e-7}, name: {name: 12, "accuracy": 0.1}},
            "task": name,
        }
    )
    card: Any = ModelCard(model_card(record, Odd, MODELS.get("nac"), [name], name))
    assert card.data.model_name == name
    assert card.data.datasets == [name]
    read = {
        (one.dataset_name, one.dataset_split, one.metric_type): one.metric_value for one in card.data.eval_results or ()
    }
    assert read == {
        (name, "test", "accuracy"): 1.0,
        (name, "test", "nll"): 1e-7,
        (name, name, name): 12.0,
        (name, name, "accuracy"): 0.1,
    }
    assert {type(value) for value in read.values()} == {float}


def test_the_card_says_what_a_reader_must_know(outcome: Outcome, exported: Path) -> None:
    text = (exported / "README.md").read_text()
    task = TASKS.get("digits")
    for part in (task.licence, task.citation, outcome.record.data.fingerprint, f'load("{exported.name}")', "Limits"):
        assert part in text


def card_of(**changes: Any) -> tuple[str, list[Any]]:
    """Return the card of a record of digits, and the numbers that the hub reads in it."""
    record = made_record()
    record = record.model_copy(
        update={name: value for name, value in changes.items() if name != "data"}
        | {"data": record.data.model_copy(update=changes.get("data", {}))}
    )
    text = model_card(record, TASKS.get("digits"), MODELS.get("nac"), [], "mine")
    return text, cast(Any, ModelCard(text)).data.eval_results


def test_the_card_gives_shares_of_examples_their_interval() -> None:
    text, _ = card_of()
    assert "| test | accuracy | 0.9 | 0.8798 to 0.9171 | 1,000 |" in text
    assert "| test | nll | 0.3 |  | 1,000 |" in text


@pytest.mark.parametrize("scored", ["validation", "training"])
def test_the_card_of_a_trial_of_tuning_says_what_it_was_scored_on(scored: str) -> None:
    kind = "the training examples, without augmentation" if scored == "training" else "validation examples"
    note = f"for tuning: scored on {kind}; the test examples are not read"
    answers = Answers(options=10, labels=[9, 1], given=[5, 5])
    text, numbers = card_of(data={"notes": [note]}, answers=answers)
    assert (scored, 0.9) in {(one.dataset_split, one.metric_value) for one in numbers if one.metric_type == "accuracy"}
    assert "test" not in {one.dataset_split for one in numbers}
    assert "| test |" not in text
    assert f"On the {scored} examples, guessing would give an accuracy of 0.1, always" in text


@pytest.mark.parametrize(
    ("changes", "mark", "told"),
    [
        (
            {"data": {"partial": ["3 of 10 classes"]}},
            "part",
            "not the whole data set, but another task: 3 of 10 classes",
        ),
        (
            {"selection": Selection(rule=BEST_TEST, step=1, averaged=False, validation=None)},
            "epoch chosen on test",
            "The epoch was chosen on the test images: the score is too high.",
        ),
    ],
)
def test_the_card_marks_numbers_that_are_not_of_the_task_as_it_is(
    changes: dict[str, Any], mark: str, told: str
) -> None:
    text, numbers = card_of(**changes)
    assert {one.dataset_name for one in numbers} == {f"Digits ({mark})"}
    assert told in text
