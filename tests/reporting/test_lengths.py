"""Table and figure of scores by length of training."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nacbench.recording.row import row_of
from nacbench.reporting.figures.lengths import draw_lengths
from nacbench.reporting.lengths import by_length
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.lengths import length_table
from tests.made import made_record

# scores of each model after 1, 2 and 4 epochs: the Transformer is first when training is short, NAC when it is long
SCORES = {"transformer": {1: 0.40, 2: 0.50, 4: 0.55}, "nac": {1: 0.30, 2: 0.48, 4: 0.60}}


def records(**changes: Any) -> Iterator[Any]:
    for model, by_epochs in SCORES.items():
        for epochs, score in by_epochs.items():
            for seed in range(3):
                training = {"epochs": epochs, "warmup_epochs": epochs / 8}
                options = {"model": model, "seed": seed, "score": score + 0.01 * seed, "training": training}
                yield made_record(**options, **changes)


def series(*more: Any, **changes: Any) -> list[Series]:
    return group([row_of(record, record.run_id, 1, 1) for record in [*records(**changes), *more]])


def test_the_order_of_models_is_told_for_each_length() -> None:
    table = length_table(series())
    assert table is not None
    assert [column.head for column in table.columns] == ["task", "scale", "epochs", "nac", "transformer", "order"]
    assert [(row[2], row[-1]) for row in table.rows] == [
        ("1", "transformer > nac"),
        ("2", "transformer > nac"),
        ("4", "nac > transformer"),
    ]
    assert table.rows[0][4] == "41.00 ± 2.48"
    assert list(table.frame["epochs"]) == [1, 1, 2, 2, 4, 4]


def test_lengths_of_networks_that_another_task_trained_count() -> None:
    found = by_length(series(task="digits-c", trained_on="digits", protocol="shifted"))
    assert [(cell, list(lines)) for cell, lines in found.items()] == [(("digits-c", "mini"), ["nac", "transformer"])]


def test_a_model_of_one_length_has_no_line_and_other_settings_have_lines_of_their_own() -> None:
    longer = [
        made_record(model="nac", lr=0.5, training={"epochs": epochs, "warmup_epochs": epochs / 8}) for epochs in (1, 2)
    ]
    (lines,) = by_length(series(made_record(model="vit"), *longer)).values()
    assert {label: list(line) for label, line in lines.items()} == {
        "nac, lr=0.001": [1, 2, 4],
        "nac, lr=0.5": [1, 2],
        "transformer": [1, 2, 4],
    }


def test_what_differs_in_more_than_the_length_is_on_no_line() -> None:
    different = [(1, 0.001), (2, 0.002)]
    runs = [made_record(lr=lr, training={"epochs": epochs}) for epochs, lr in different]
    assert by_length(group([row_of(record, record.run_id, 1, 1) for record in runs])) == {}


def test_without_several_lengths_there_is_neither_table_nor_figure() -> None:
    same = group([row_of(record, record.run_id, 1, 1) for record in (made_record(model=m) for m in SCORES)])
    assert (length_table(same), draw_lengths(same)) == (None, [])


@pytest.mark.parametrize("model", SCORES)
def test_the_figure_has_a_line_for_each_model(model: str) -> None:
    (figure,) = draw_lengths(series())
    (axes,) = figure.axes
    lines = (np.asarray(line.get_xydata()).tolist() for line in axes.lines)
    drawn = [dict(points) for points in lines if len(points) == 3]
    expected = {epochs: pytest.approx(100 * (score + 0.01)) for epochs, score in SCORES[model].items()}
    assert expected in drawn
    assert len(drawn) == len(SCORES)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["nac", "transformer"]
