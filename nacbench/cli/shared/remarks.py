"""What a reader has to know of a finished run beside its score."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacbench.recording.record import RunRecord


def remarks(record: "RunRecord") -> list[str]:
    """Return lines: the floors of the score, what is missing in the data, and that test images chose the weights."""
    partial = [f"not the whole data set: {text}" for text in record.data.partial]
    return [*floor_lines(record), *partial, *choice_lines(record)]


def choice_lines(record: "RunRecord") -> list[str]:
    """Return that the test images chose the weights, if they did."""
    from nacbench.contracts.recipe import BEST_TEST
    from nacbench.recording.task_marks import CHOSEN_ON_TEST

    return [CHOSEN_ON_TEST] if record.selection.rule == BEST_TEST else []


def floor_lines(record: "RunRecord") -> list[str]:
    """Return what the score has to be compared with: guessing, the most frequent label, a network of one answer."""
    from nacbench.contracts.metric import ACCURACY

    answers = record.answers
    if answers is None:
        return []
    shown = ACCURACY.value_text
    floors = f"chance {shown(answers.chance)}, always the most frequent class {shown(answers.majority)}"
    told = "; the predictions are constant: all are the same class" if answers.constant else ""
    of = "" if record.metric == ACCURACY.name else f" of {ACCURACY.name}"
    return [f"floors{of}: {floors}{told}"]
