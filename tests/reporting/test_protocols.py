"""Runs of a protocol that a plug-in brings: reports show what they measured and are never broken by it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nacbench.recording.record import RunRecord
from nacbench.recording.row import row_of
from nacbench.reporting.build import build_report
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.protocols import shift_table, shots_table
from nacbench.reporting.tables.pruning import pruning_table
from tests.made import made_record, write_run

IDENTITY = ["task", "part", "scale", "protocol", "model", "size", "variant", "seeds"]
Splits = dict[str, dict[str, float]]


def probed(splits: Splits | None = None, *, seed: int = 0, details: dict[str, Any] | None = None) -> RunRecord:
    """A run of the made protocol "linear-probing", with these metrics by split beside its accuracy."""
    record = made_record(task="digits-probe", seed=seed, protocol="linear-probing", trained_on="digits")
    metrics = {**(splits or {}), "test": {**record.metrics["test"], **(splits or {}).get("test", {})}}
    return record.model_copy(update={"metrics": metrics, "details": {"test": details or {}}})


def series_of(*records: RunRecord) -> list[Series]:
    return group(row_of(record, f"made-{number}", 1, 1) for number, record in enumerate(records))


def test_an_unknown_protocol_is_in_the_table_of_scores(tmp_path: Path) -> None:
    for record in (made_record(), made_record(model="vit"), probed(seed=0), probed(seed=1)):
        write_run(tmp_path / "runs", record)
    report = build_report([tmp_path / "runs"], tmp_path / "report", html=True)
    scores = report.markdown.partition("\n## ")[0].splitlines()
    (row,) = [line for line in scores if line.startswith("| digits-probe")]
    assert " 90.00 ± 0.90 |" in row
    assert row.endswith(" — |"), "its network was trained by another run: there is no time of training"
    assert (
        "digits-probe: accuracy on 1,000 test examples; protocol: linear-probing; selection: last." in report.markdown
    )
    table = pd.read_csv(tmp_path / "report" / "table.csv")
    assert table[table["task"] == "digits-probe"]["protocol"].tolist() == ["linear-probing"]
    assert set(pd.read_csv(tmp_path / "report" / "cost.csv")["task"]) == {"digits"}
    assert "digits-probe" in (tmp_path / "report" / "index.html").read_text()


def test_an_unknown_protocol_is_in_the_tables_of_its_metrics() -> None:
    shifted = probed({"test": {"clean_accuracy": 0.95, "drop": 0.05}})
    adapted = probed({"test": {"accuracy/4-shot": 0.7}})
    smaller = probed({"test": {"kept": 0.5}, "kept/100": {"accuracy": 0.9}, "kept/50": {"accuracy": 0.8}})
    tables = [shift_table(series_of(shifted)), shots_table(series_of(adapted)), pruning_table(series_of(smaller))]
    cells = [[row[3:6] for row in table.rows] for table in tables if table is not None]
    assert cells == [
        [("95.00", "90.00 ‡", "5.00")],
        [("70.00 ‡", "1")],
        [("100 ", "90.00 ‡", "0.00"), ("50†", "80.00 ‡", "11.11")],
    ]
    assert tables[2] is not None
    assert tables[2].rows[0][6:] == ("—", "—", "—", "—", "1", "—", "1"), "it measured no speed"


@pytest.mark.parametrize(
    "splits",
    [
        {"test": {"drop": 0.1}},
        {"test": {"accuracy/few-shot": 0.1}},
        {"test": {"kept": 0.5}, "kept/most": {"accuracy": 0.9}, "kept/50": {"accuracy": 0.8}},
        {"test": {"kept": 0.5}, "kept/100": {"other": 0.9}},
        {"kept/100": {"accuracy": 0.9}},
    ],
)
def test_incomplete_metrics_are_left_out_of_a_table(splits: Splits, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", probed(splits, details={"steps": "many", "rate": None}))
    report = build_report([tmp_path / "runs"], tmp_path / "report", html=True)
    assert [path.name for path in report.files if path.suffix == ".csv"] == ["table.csv"]


def test_foreign_details_are_left_out_of_the_notes(tmp_path: Path) -> None:
    write_run(tmp_path, probed({"test": {"accuracy/1-shot": 0.5}}, details={"steps": "many", "rate": None}))
    report = build_report([tmp_path], tmp_path / "report")
    assert "digits-probe: no details in the records." in report.markdown


def test_every_csv_begins_with_the_same_columns(tmp_path: Path) -> None:
    everything = {"clean_accuracy": 0.95, "drop": 0.05, "accuracy/1-shot": 0.5, "kept": 1.0}
    probe = probed({"test": everything, "kept/100": {"accuracy": 0.9}})
    for record in (made_record(), made_record(model="vit"), probe):
        write_run(tmp_path / "runs", record)
    report = build_report([tmp_path / "runs"], tmp_path / "report")
    files = [path for path in report.files if path.suffix == ".csv"]
    assert {path.stem for path in files} == {"table", "models", "shifted", "few-shots", "pruning", "cost"}
    for path in files:
        assert pd.read_csv(path).columns.tolist()[: len(IDENTITY)] == IDENTITY, path.name
