"""``nacbench doctor`` on machines that lack this or that."""

import errno
import fcntl
import json
import os
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.machine import slurm

AWAY = "echo 'Unable to contact slurm controller' >&2; exit 1"


def findings(*words: str) -> dict[str, dict[str, str]]:
    """By subject."""
    done = CliRunner().invoke(app, ["doctor", "--json", *words])
    assert done.exit_code in (0, 1), done.output
    return {row["subject"]: row for row in json.loads(done.stdout)}


def give(folder: Path, monkeypatch: pytest.MonkeyPatch, **commands: str) -> None:
    """Stand-ins for Slurm's commands."""
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "PAUSES", ())


def test_doctor_reports_findings_with_advice(tmp_path: Path, made_mirror: Path) -> None:
    full, empty = findings("--data-root", str(made_mirror)), findings("--data-root", str(tmp_path))
    assert full["libraries"]["level"] == "ok"
    assert "no data for" not in full
    assert "modelnet40" in empty["no data for"]["found"]
    assert "nacbench data where TASK" in empty["no data for"]["advice"]
    assert "GB free" in full["disk for runs"]["found"]


def test_a_folder_of_data_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """As `nacbench run` refuses it; tasks without data are else told to be ready there."""
    (tmp_path / "file").touch()
    for place in (tmp_path / "away", tmp_path / "file"):
        done = CliRunner().invoke(app, ["doctor", "--data-root", str(place)])
        assert done.exit_code == 1
        assert f"error    data: --data-root {place}: no such folder" in done.output
        assert "are ready" not in done.output


def test_a_missing_library_is_an_error_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    from nacbench.cli import doctor

    monkeypatch.setattr(doctor, "NEEDED", ("torch", "no-such-library"))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "error    libraries: missing: no-such-library" in done.output


def test_a_read_only_folder_is_an_error_with_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["doctor", "--out", str(tmp_path / "file" / "runs")])
    assert done.exit_code == 1
    assert f"error    disk for runs: cannot write in {tmp_path / 'file'}: Not a directory" in done.output
    assert "--out" in done.output
    assert findings("--out", str(tmp_path / "new" / "runs"))["disk for runs"]["level"] != "error"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("module", "call", "code", "level", "found"),
    [
        (fcntl, "flock", "ENOSYS", "warning", "its file system has no locks (flock)"),
        (fcntl, "flock", "ENOLCK", "warning", "its file system has no locks (flock)"),
        (os, "link", "EPERM", "warning", "its file system has no hard links"),
        (os, "link", "EOPNOTSUPP", "warning", "its file system has no hard links"),
        (os, "fsync", "EINVAL", "warning", "its file system has no fsync of folders"),
        (os, "fsync", "EIO", "error", "Input/output error"),
        (os, "rename", "EXDEV", "error", "Invalid cross-device link"),
    ],
)
def test_the_folder_of_runs_is_tried(
    module: ModuleType, call: str, code: str, level: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nacbench.cli import doctor

    assert [(one.level, one.found) for one in doctor._store(tmp_path / "runs")] == [
        ("ok", f"{tmp_path}: locks, hard links, renaming and flushing work")
    ]

    def fail(*words: object, **named: object) -> None:
        number = getattr(errno, code)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "replace" if call == "rename" else call, fail)
    *_, finding = doctor._store(tmp_path / "runs")
    assert finding.level == level
    assert found in finding.found
    assert finding.advice
    assert list(tmp_path.iterdir()) == []


def test_slurm_limits_and_warnings_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("SLURM_VERSION = 22.05.8", "MaxArraySize = 1001", "PreemptType = preempt/partition_prio")
    script = "\n".join(f"echo '{line}'" for line in lines)
    give(tmp_path, monkeypatch, squeue="true", sinfo="echo 'gpu 3 nodes'", scontrol=script)
    found = findings()
    assert found["Slurm"]["found"].startswith("22.05.8")
    assert found["partition"]["found"] == "gpu 3 nodes"
    assert "1001" in found["array size"]["found"]
    assert found["accounting"]["level"] == "warning"
    assert "checkpoint_seconds" in found["preemption"]["advice"]


def test_a_controller_that_does_not_answer_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(tmp_path, monkeypatch, squeue="true", scontrol=AWAY, sinfo=AWAY)
    assert findings()["Slurm"]["level"] == "warning"
