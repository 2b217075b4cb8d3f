"""The main table."""

from pathlib import Path

import pytest

from nacbench.report.table import HEAD, as_latex, as_markdown, cells, footnotes, frame, group
from tests.made import made_failure, made_record

GOLDEN = Path(__file__).parent / "golden"
RECORDS = [
    *(made_record(seed=seed, score=score) for seed, score in enumerate((0.90, 0.92, 0.94))),
    *(made_record(model="perceiver-io", seed=seed, score=score) for seed, score in enumerate((0.95, 0.95, 0.96))),
    made_record(task="cifar10", score=0.5, notes=["trained on 9 of 10 classes"]),
]


def test_runs_that_differ_in_their_seed_alone_are_one_row() -> None:
    (series,) = group(made_record(seed=seed, score=score) for seed, score in ((2, 0.8), (0, 0.6)))
    assert [record.seed for record in series.records] == [0, 2]
    assert series.score.value == pytest.approx(0.7)
    assert series.label == "nac (mini)"


def test_the_best_of_a_task_comes_first() -> None:
    assert [row[:3] for row in cells(group(RECORDS), [])] == [
        ("cifar10", "mini", "nac (mini)"),
        ("digits", "mini", "perceiver-io (mini)"),
        ("digits", "mini", "nac (mini)"),
    ]


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        ({"lr": 0.002}, ["nac (mini), training.lr=0.001", "nac (mini), training.lr=0.002"]),
        ({"engine": "e2"}, ["nac (mini), code.engine=e1", "nac (mini), code.engine=e2"]),
        ({"size": "tiny"}, ["nac (mini)", "nac (tiny)"]),
    ],
)
def test_what_differs_in_more_than_the_seed_is_a_row_of_its_own(change: dict[str, object], labels: list[str]) -> None:
    series = group([made_record(score=0.9), made_record(score=0.8, **change)])
    assert [item.label for item in series] == labels


def test_the_same_run_found_twice_counts_once() -> None:
    (series,) = group([made_record(), made_record()])
    assert series.score.count == 1


def test_a_single_seed_has_no_interval() -> None:
    (row,) = cells(group([made_record(score=0.9)]), [])
    assert row[3] == "90.00"


def test_a_model_that_cannot_do_the_task_shows_why() -> None:
    rows = cells(group(RECORDS), [made_failure(), made_failure(seed=1), made_failure(status="failed", model="x")])
    assert rows[-1] == ("digits", "mini", "vit (mini)", "it takes images only", "0", "—", "—", "—")
    assert len(rows) == 4


def test_the_frame_has_the_numbers_unformatted() -> None:
    table = frame(group(RECORDS), [made_failure()])
    nac = table[(table["task"] == "digits") & (table["model"] == "nac")].iloc[0]
    assert (nac["mean"], nac["seeds"], nac["parameters"]) == (pytest.approx(0.92), 3, 123_456)
    assert nac["half_width_95"] == pytest.approx(4.302652729911275 * 0.02 / 3**0.5)
    assert table.iloc[-1]["note"] == "it takes images only"


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_the_table_is_printed_as_committed(ending: str) -> None:
    series = group(RECORDS)
    text = {"md": as_markdown, "tex": as_latex}[ending](cells(series, [made_failure()]), footnotes(series))
    assert text == (GOLDEN / f"table.{ending}").read_text()


def test_the_columns_of_the_markdown_line_up() -> None:
    lines = as_markdown(cells(group(RECORDS), []), []).splitlines()
    assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in lines}) == 1


def test_hostile_names_stay_text() -> None:
    rows = cells(group([made_record(task="a|b<script>&_%$#{}~^\\")]), [])
    assert as_markdown(rows, []).splitlines()[-1].startswith("| a\\|b&lt;script>&_%$#{}~^\\\\ |")
    escaped = r"a|b<script>\&\_\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert escaped in as_latex(rows, [])
    assert len(rows[0]) == len(HEAD)
