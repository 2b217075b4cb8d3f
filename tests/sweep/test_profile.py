"""Profiles: what is committed is valid, what Slurm would take and no job could end by is refused, and time limits."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.errors import UserError
from nacbench.sweep.profile import Profile, minutes
from nacbench.sweep.read_sweep import read_sweep

from ..conftest import REPOSITORY


def test_a_file_that_is_not_a_profile_lists_the_keys(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(UserError, match="a mapping with the keys executor, device, "):
        Profile.read(str(tmp_path / "empty.yaml"))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "slurm").glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_profiles_are_valid(path: Path) -> None:
    assert Profile.read(str(path)).executor == "slurm"
    assert Profile.read(path.stem, near=REPOSITORY) == Profile.read(str(path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time": 1}, r"time = 1 is not longer than signal_seconds = 90, so that jobs would be warned"),
        ({"time": "2min", "signal_seconds": 120}, r"time = '2min' is not longer than signal_seconds = 120"),
        ({"extra": {"comment": "grant 7"}}, r"extra = .*: comment is set by nacbench itself; leave it out: its jobs"),
        ({"extra": {"kill_on_invalid_dep": "no"}}, "kill_on_invalid_dep is set by nacbench itself"),
        ({"extra": {"signal": "USR1@60"}}, "signal is set by nacbench itself; leave it out: give signal_seconds"),
        ({"extra": {"no-requeue": True}}, "give requeue: true or false"),
        ({"extra": {"output": "job.log"}}, "logs are looked for where it puts them"),
    ],
)
def test_a_profile_that_slurm_would_take_and_no_job_could_end_by_is_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"executor": "slurm", "time": 60, **settings}))
    with pytest.raises(UserError, match=rf"mine\.yaml: .*{message}"):
        Profile.read(str(tmp_path / "mine.yaml"))


def test_what_only_slurm_asks_for_is_no_matter_elsewhere(tmp_path: Path) -> None:
    local = Profile().changed({"time": 1}, "here")
    assert local.changed({"extra": {"mail-user": "me", "wckey": "w", "exclusive": True}}, "here").extra


def test_a_profile_is_found_beside_the_sweep_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"tasks": "digits", "models": "vit", "profile": "two.yaml"}))
    (tmp_path / "two.yaml").write_text("processes: 2\n")
    assert read_sweep(str(tmp_path / "mine.yaml")).profile.processes == 2


def test_more_threads_than_a_run_may_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "many.yaml").write_text("{executor: local, threads: 5000}")
    with pytest.raises(UserError, match="threads = 5000: input should be less than or equal to 1024"):
        Profile.read(str(tmp_path / "many.yaml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (90, 90),
        ("90", 90),
        ("12h", 720),
        ("90min", 90),
        ("1.5h", 90),
        ("2d", 2880),
        ("1-12:00:00", 2160),
        ("0:30:00", 30),
        ("12:00:00", 720),
        ("4:00:00", 240),
        ("90:00", 90),
        ("2-12", 3600),
        ("1-00:30", 1470),
        ("366d", 527040),
    ],
)
def test_time_limits_in_all_forms(text: str | int, expected: int) -> None:
    assert minutes(text) == expected


def test_a_time_limit_in_a_file_needs_no_quotes(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("executor: slurm\ntime: 12:00:00\n")
    profile = Profile.read(str(file))
    assert minutes(profile.time or 0) == 720


@pytest.mark.parametrize(
    "text",
    ["", "soon", "0", "-3h", "1:2:3:4", "3 weeks", "367d", "9" * 5000, "²h", "1e3", "0:30", "1-2-3", "1:", "4h:00"],
)
def test_invalid_time_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write minutes, 12h"):
        minutes(text)
