"""The line on the terminal while something slow begins."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from nacbench.formats import terminal
from tests.made import made_record, write_run


def on_a_terminal(*words: str) -> str:
    """Return what a command prints to standard error where that is a terminal."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen([sys.executable, "-m", "nacbench", *words], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # Linux says so at the end
        pass
    os.close(ours)
    assert command.wait() == 0
    return shown.decode()


def test_a_command_that_loads_torch_says_so_at_once_and_takes_it_back() -> None:
    shown = on_a_terminal("profile", "--task", "digits", "--model", "floor-linear", "--scale", "smoke")
    assert shown.startswith("loading torch ...\r")
    assert " " * len("loading torch ...") + "\r" in shown


def test_reading_runs_is_said_and_taken_back(tmp_path: Path) -> None:
    write_run(tmp_path, made_record())
    shown = on_a_terminal("runs", str(tmp_path))
    assert shown.startswith("reading runs ...\r")
    assert shown.endswith("\r")
    assert not shown.replace("reading runs ...", "").strip()


def test_nothing_is_said_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    with terminal.passing("waiting ..."):
        pass
    assert capfd.readouterr().err == ""
