"""A whole report, from made runs."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nacbench.contracts.metric import ACCURACY
from nacbench.errors import UserError
from nacbench.recording.choice import Choice
from nacbench.recording.identity import run_id_of
from nacbench.recording.record import RunRecord
from nacbench.reporting.build import build_report
from nacbench.reporting.floors import MARK
from tests.made import folder_of, made_failure, made_record, write_failure, write_run

TABLES = ("table.md", "table.tex", "table.csv", "cost.csv")
FIGURES = ("scores.png", "scores.pdf", "cost.png", "cost.pdf", "curves.png", "curves.pdf")
FILES = (*TABLES, *FIGURES)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two models with three seeds each, and one that cannot."""
    for model, base in (("nac", 0.90), ("perceiver-io", 0.95)):
        for seed in range(3):
            write_run(tmp_path / "runs", made_record(model=model, seed=seed, score=base + seed / 100))
    write_failure(tmp_path / "runs", made_failure())
    return tmp_path / "runs"


def test_a_report_has_three_table_formats_and_two_figure_formats(runs: Path, tmp_path: Path) -> None:
    report = build_report([runs], tmp_path / "report")
    assert [path.name for path in report.files] == list(FILES)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(FILES)
    assert report.markdown == (tmp_path / "report" / "table.md").read_text()
    assert report.warnings == []
    table = pd.read_csv(tmp_path / "report" / "table.csv")
    assert table["mean"].dropna().tolist() == pytest.approx([0.96, 0.91])


def test_the_same_runs_give_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_report([runs], tmp_path / name)
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_broken_records_and_failed_runs_are_warnings(runs: Path, tmp_path: Path) -> None:
    bad = folder_of(runs, score=0.9) / "record.json"
    bad.write_text("{")
    write_failure(runs, made_failure(status="failed", run_id="00000000b40c", model="nac", seed=7, reason="it broke"))
    report = build_report([runs], tmp_path / "report")
    broken, failed = report.warnings
    assert broken.startswith(f"{bad} is not a record of schema 3: it is not JSON")
    assert failed == "digits · nac · seed 7 failed: it broke"
    assert "91.50 ± " in report.markdown


@pytest.mark.parametrize("curve", [None, "", '{"half'])
def test_a_run_without_a_readable_curve_is_still_in_the_table(tmp_path: Path, curve: str | None) -> None:
    folder = write_run(tmp_path / "runs", made_record(), curve=False)
    if curve is not None:
        (folder / "curve.jsonl").write_text(curve)
    report = build_report([tmp_path / "runs"], tmp_path / "report")
    assert "90.00" in report.markdown
    assert [path.name for path in report.files] == [*TABLES, "scores.png", "scores.pdf"]


def test_the_curve_of_another_run_is_not_drawn(tmp_path: Path) -> None:
    wanted = made_record()
    folder = write_run(tmp_path / "runs", wanted.model_copy(update={"files": {"curve.jsonl": "0" * 64}}))
    report = build_report([tmp_path / "runs"], tmp_path / "report")
    assert report.warnings == [
        f"the curve of run {wanted.run_id} is not drawn: {folder}/curve.jsonl is damaged or changed: its SHA-256 is "
        "not the one in the record"
    ]
    assert "curves.png" not in [path.name for path in report.files]


def test_without_a_finished_run_there_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match=r"no finished run in .*; make one with: nacbench run"):
        build_report([tmp_path / "runs"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_report_needs_no_torch(runs: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nacbench.reporting.build import build_report\n"
        "build_report([Path(sys.argv[1])], Path(sys.argv[2])); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(runs), str(tmp_path / "report")], check=True, timeout=60)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"engine": "e2"}, "digits: different versions of the engine's code (e1, e2)"),
        ({"scale": "paper"}, "digits: different scales (mini, paper)"),
        (
            {"metric": replace(ACCURACY, better="lower")},
            "digits: different main metrics (accuracy (%, higher is better), accuracy (%, lower is better))",
        ),
    ],
)
def test_runs_that_are_not_comparable_need_mixed(
    runs: Path, tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    write_run(tmp_path / "runs", made_record(model="vit", **change))
    with pytest.raises(UserError, match="are not comparable") as caught:
        build_report([runs], tmp_path / "report")
    assert complaint in str(caught.value)
    assert "--mixed" in str(caught.value)
    assert not (tmp_path / "report").exists()
    report = build_report([runs], tmp_path / "report", mixed=True)
    assert report.warnings == [complaint]
    assert f"Warning: {complaint}." in report.markdown


def run_with_data(data: str, fingerprint: str, seed: int = 0) -> RunRecord:
    """A record of a run of ModelNet40 on one kind of its data."""
    content = made_record(task="modelnet40", seed=seed).model_dump(mode="json")
    content["identity"]["config"]["task"] = {"name": "modelnet40", "data": data}
    content["identity"]["data"] = content["data"]["fingerprint"] = fingerprint
    return RunRecord.model_validate({**content, "run_id": run_id_of(content["identity"])})


def test_other_data_of_a_task_is_another_entry_of_tables(tmp_path: Path) -> None:
    for data, fingerprint in (("meshes", "f1"), ("hdf5", "f2"), ("normals", "f3")):
        write_run(tmp_path / "runs", run_with_data(data, fingerprint))
    table = build_report([tmp_path / "runs"], tmp_path / "report").markdown  # nothing is refused as not comparable
    for name in ("modelnet40", "modelnet40 (hdf5)", "modelnet40 (normals)"):
        assert re.search(rf"^\| {re.escape(name)} +\|", table, re.MULTILINE), name


def test_one_kind_of_data_with_two_fingerprints_is_not_comparable(tmp_path: Path) -> None:
    for seed, fingerprint in enumerate(("f1", "f2")):
        write_run(tmp_path / "runs", run_with_data("hdf5", fingerprint, seed))
    with pytest.raises(UserError, match=r"modelnet40 \(hdf5\): different data fingerprints \(f1, f2\)"):
        build_report([tmp_path / "runs"], tmp_path / "report")


def test_the_same_scores_are_below_their_floor_whichever_models_are_chosen(runs: Path, tmp_path: Path) -> None:
    for seed in range(3):
        write_run(runs, made_record(model="floor-linear", seed=seed, score=0.92 + seed / 1000))
    every = build_report([runs], tmp_path / "every").markdown
    alone = build_report([runs], tmp_path / "alone", choice=Choice(models=["nac"])).markdown
    assert all(f"91.00 ± 2.48 {MARK}" in text for text in (every, alone))
    assert "floor-linear 92.10" in alone and "| floor-linear" not in alone


def test_files_of_an_earlier_report_are_removed(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    for name in ("shifted.csv", "corruptions.png", "index.html"):
        (tmp_path / "report" / name).write_text("old")
    (tmp_path / "report/mine.csv").write_text("mine")
    build_report([runs], tmp_path / "report")
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted([*FILES, "mine.csv"])
