"""The reports that the project commits are what the records beside them give."""

from pathlib import Path

import pytest

from nacbench.recording.index import read_runs
from nacbench.reporting import build

from ..conftest import REPOSITORY

RESULTS = REPOSITORY / "results"
REPORTS = sorted(folder.name for folder in RESULTS.glob("*-report"))


def test_there_is_a_report_of_the_suite_and_of_the_demo() -> None:
    assert {"mini-report", "demo-report"} <= set(REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_committed_tables_are_reproduced(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "FIGURES", {})  # whose bytes depend on matplotlib's version
    made = build.build_report([RESULTS / name.removesuffix("-report")], tmp_path)
    for file in made.files:
        assert file.read_bytes() == (RESULTS / name / file.name).read_bytes(), file.name
    committed = {file.name for file in (RESULTS / name).iterdir() if file.suffix in (".csv", ".md", ".tex")}
    assert committed == {file.name for file in made.files}


@pytest.mark.parametrize("folder", sorted({name.removesuffix("-report") for name in REPORTS} | {"mini-tuning"}))
def test_committed_records_are_whole(folder: str) -> None:
    found = read_runs(RESULTS / folder)
    assert found.runs
    assert found.broken == []
    assert found.failures == []
