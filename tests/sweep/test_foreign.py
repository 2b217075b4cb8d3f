"""Files of a sweep that others wrote: one that is broken is named, and the states of all runs are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import UserError
from nacbench.recording.store import run_folder
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Plan, make_plan
from nacbench.sweep.profile import Profile
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.submission import Submission, SubmittedRun, read_submission, read_submissions

TOKEN = f"nacbench-{'0' * 32}"


def submission(store: Path, **changes: Any) -> Path:
    """Write a submission's file, with changes to its content."""
    one = Submission(
        token=TOKEN,
        sweep="mini",
        when="2026-11-28T12:00:00+00:00",
        user="me",
        host="here",
        store=str(store),
        data_root="data",
        plugins=(),
        profile=Profile(),
        runs=(SubmittedRun(key=f"digits/nac/{'0' * 12}", config={}),),
    )
    path = one.write()
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_a_submission_is_read_back_as_written(tmp_path: Path) -> None:
    found, broken = read_submissions(submission(tmp_path).parents[2])
    assert [one.token for one in found] == [TOKEN]
    assert broken == []


@pytest.mark.parametrize(
    "change",
    [
        {"token": "nacbench-../../x"},
        {"token": f"nacbench-{'1' * 32}"},
        {"when": "soon"},
        {"runs": [{"key": "../x", "config": {}}]},
        {"runs": {}},
        {"host": 5},
        {"surprise": 1},
    ],
)
def test_a_submission_that_is_none_is_named_and_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    path = submission(tmp_path, **change)
    with pytest.raises(UserError, match=str(path)):
        read_submission(path)
    found, (line,) = read_submissions(tmp_path)
    assert found == []
    assert str(path) in line


def test_a_submission_nested_deeply_or_copied_is_named(tmp_path: Path) -> None:
    path = submission(tmp_path)
    path.with_name(f"{TOKEN} (copy).json").write_text(path.read_text())
    path.with_name("nacbench-deep.json").write_text("[" * 100_000)
    found, broken = read_submissions(tmp_path)
    assert len(found) == 1
    assert ["is a copy of submission" in broken[0], "nested too deeply" in broken[1]] == [True, True]


@pytest.mark.parametrize("number", ["", "\n", "../..", "12; rm", "9" * 1000])
def test_a_job_number_that_is_none_is_left_out(tmp_path: Path, number: str) -> None:
    path = submission(tmp_path)
    path.with_suffix(".job").write_text(number)
    assert read_submission(path).job_number() is None
    path.with_suffix(".job").write_text("123\n")
    assert read_submission(path).job_number() == "123"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    content = {"tasks": "digits", "models": "nac", "scale": "smoke", "seeds": [0, 1, 2]}
    return make_plan(parse_sweep(content, Path("small.yaml")), tmp_path_factory.mktemp("data"))


def test_broken_files_of_runs_are_named_and_all_states_are_told(plan: Plan, tmp_path: Path) -> None:
    files = ["record.json", "failure.json", "claims/000001 (copy).json"]
    for run, name in zip(plan.runs, files, strict=True):
        path = run.folder(tmp_path) / name
        path.parent.mkdir(parents=True)
        path.write_text("[" * 100_000)
    observer = Observer(tmp_path)
    standings = observer.standings(plan.runs)
    assert [standings[run.key].state for run in plan.runs] == ["lost", "planned", "planned"]
    record, failure = observer.broken
    assert "record.json is not a record of schema 3: it is not JSON" in record
    assert "failure.json is not a failure of schema 3: it is not JSON" in failure


def test_a_file_in_the_place_of_a_run_is_named(plan: Plan, tmp_path: Path) -> None:
    place = plan.runs[0].folder(tmp_path)
    place.parent.mkdir(parents=True)
    place.touch()
    observer = Observer(tmp_path)
    assert observer.standings(plan.runs)[plan.runs[0].key].state == "unreadable"
    assert observer.broken == [f"{place} is a file, where the folder of a run belongs; remove or rename it"]


def test_a_record_of_another_version_or_run_does_not_end_the_status(plan: Plan, tmp_path: Path) -> None:
    for run, content in zip(plan.runs[:2], ('{"schema_version": 4}', '{"schema_version": 3}'), strict=True):
        folder = run_folder(tmp_path, "digits", "nac", str(run.run_id))
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(content)
    observer = Observer(tmp_path)
    states = [standing.state for standing in observer.standings(plan.runs).values()]
    assert states == ["unreadable", "lost", "planned"]
    assert "schema 4, from a newer nacbench" in observer.broken[0]
