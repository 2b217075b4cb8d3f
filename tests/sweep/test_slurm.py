"""Asking Slurm, with stand-ins for its commands: what it says is read right, and silence is never an answer."""

import os
from pathlib import Path

import pytest

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.machine.slurm import QueuedJob, SlurmRefusedError, SlurmSilentError, Verdict


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH, and no pauses."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "PAUSES", (0.0, 0.0))
    return tmp_path


def say(folder: Path, name: str, script: str) -> None:
    """Make a command that does this."""
    (folder / name).write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{script}\n')
    (folder / name).chmod(0o755)


def test_the_queue_is_read_with_its_comments(commands: Path) -> None:
    say(commands, "squeue", "echo '12_3|RUNNING|None|nacbench-a'; echo '13|PENDING|Dependency|a|b'; echo broken")
    assert slurm.queue({"me"}) == {
        "12_3": QueuedJob("12_3", "RUNNING", "None", "nacbench-a"),
        "13": QueuedJob("13", "PENDING", "Dependency", "a|b"),
    }
    assert "--user=me" in (commands / "asked").read_text()


def test_a_silent_controller_is_asked_again(commands: Path) -> None:
    away = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    say(commands, "squeue", f"[ $(wc -l < {commands}/asked) -gt 2 ] && exit 0; echo '{away}' >&2; exit 1")
    assert slurm.queue() == {}
    assert len((commands / "asked").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "problem", ["Unable to contact slurm controller", "squeue: fatal: Could not establish a configuration source"]
)
def test_no_answer_is_not_an_empty_queue(commands: Path, problem: str) -> None:
    say(commands, "squeue", f"echo '{problem}' >&2; exit 1")
    with pytest.raises(SlurmSilentError, match=problem):
        slurm.queue()
    assert slurm.is_job_live("12") is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo RUNNING", True),
        ("echo PENDING", True),
        ("echo SUSPENDED", True),
        ("echo COMPLETED", False),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", False),
        ("echo 'something else' >&2; exit 1", None),
    ],
)
def test_states_of_live_jobs(commands: Path, script: str, expected: bool | None) -> None:
    say(commands, "squeue", script)
    assert slurm.is_job_live("12_3") is expected


def test_verdicts_are_by_array_element(commands: Path) -> None:
    say(commands, "sacct", "echo '12_3|TIMEOUT|0:15'; echo '13_[0-1,4%2]|CANCELLED by 0|0:0'; echo '14|FAILED|9:0'")
    assert slurm.verdicts(["12_3", "13_0", "14"]) == {
        "12_3": Verdict("TIMEOUT", "0:15"),
        "13_0": Verdict("CANCELLED", "0:0"),
        "13_1": Verdict("CANCELLED", "0:0"),
        "13_4": Verdict("CANCELLED", "0:0"),
        "14": Verdict("FAILED", "9:0"),
    }
    assert "--jobs=12,13,14" in (commands / "asked").read_text()
    assert len((commands / "asked").read_text().splitlines()) == 1


def test_without_accounting_there_are_no_verdicts(commands: Path) -> None:
    say(commands, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert slurm.verdicts(["12"]) == {}


def test_a_refusal_of_slurm_is_an_error(commands: Path) -> None:
    say(commands, "scancel", "echo 'scancel: error: Access/permission denied' >&2; exit 1")
    with pytest.raises(SlurmRefusedError, match="permission denied") as refused:
        slurm.cancel(["12"])
    assert isinstance(refused.value, UserError)  # one line on the command line


def test_settings_are_read(commands: Path) -> None:
    say(commands, "scontrol", "echo 'Configuration data as of now'; echo 'MaxArraySize            = 1001'")
    assert slurm.settings()["MaxArraySize"] == "1001"
