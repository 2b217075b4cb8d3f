"""Plug-ins that raise something or leave: one line, a failure file, and no record."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nacbench.errors import RunFailedError
from nacbench.recording.read_record import read_failure

from .foreign import MODEL, TASK, assert_refused, forget, run, with_lines


@pytest.fixture(autouse=True)
def only_these_files() -> Iterator[None]:
    yield
    forget()


RAISED = {
    "an error": ("raise KeyError('no such key')", r"KeyError: 'no such key' \(my_\w+\.py, line \d+\)"),
    "an error of the file system": ("open('/nowhere/at/all')", r"FileNotFoundError: .* \(my_\w+\.py, line \d+\)"),
    "a text of several lines": ("raise ValueError('one\\ntwo')", r"ValueError: one two \(my_\w+\.py, line \d+\)"),
    "StopIteration": ("next(iter([]))", r"StopIteration \(my_\w+\.py, line \d+\)"),
    "recursion without end": ("f = lambda: f(); f()", r"RecursionError: maximum recursion depth exceeded"),
    "an exit that looks like success": ("sys.exit(0)", r"the plug-in called exit\(0\) \(my_\w+\.py, line \d+\)"),
    "an exit without a code": ("raise SystemExit", r"the plug-in called exit\(\)"),
    "an exit with a text": ("sys.exit('bye')", r"the plug-in called exit\('bye'\)"),
    "an exception that is no error": ("raise GeneratorExit", r"GeneratorExit \(my_\w+\.py, line \d+\)"),
}
PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "build of the task": lambda do: {
        "task": with_lines(
            TASK, f"def build(self, data_root, recipe):\n    {do}\n    return super().build(data_root, recipe)"
        )
    },
    "headline": lambda do: {
        "task": with_lines(TASK, f"def headline(self, metrics):\n    {do}\n    return metrics['test']")
    },
    "build of the model": lambda do: {
        "model": with_lines(MODEL, f"def build(self, spec):\n    {do}\n    return Core(spec)")
    },
    "__init__ of the core": lambda do: {"model": MODEL.replace("super().__init__()", f"super().__init__(); {do}")},
    "forward": lambda do: {"model": MODEL.replace("return self.logits", f"{do}; return self.logits")},
    "forward in evaluation": lambda do: {
        "model": MODEL.replace(
            "        return self.logits", f"        if not self.training:\n            {do}\n        return self.logits"
        )
    },
}


def run_with(tmp_path: Path, sources: dict[str, str]) -> None:
    run(tmp_path, task=sources.get("task", TASK), model=sources.get("model", MODEL))


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("place", ["forward", "build of the task"])
def test_whatever_a_plug_in_raises_is_one_line_and_a_failure_file(tmp_path: Path, place: str, raised: str) -> None:
    do, message = RAISED[raised]
    assert_refused(tmp_path, message, lambda: run_with(tmp_path, PLACES[place](do)), RunFailedError)
    (path,) = tmp_path.rglob("failure.json")
    assert "my_" in (read_failure(path).traceback or "")


@pytest.mark.parametrize("place", PLACES)
def test_an_exit_anywhere_in_a_run_is_a_failure(tmp_path: Path, place: str) -> None:
    message = r"called exit\(0\).*the traceback is in .*failure\.json|called exit\(0\)"
    assert_refused(tmp_path, message, lambda: run_with(tmp_path, PLACES[place]("sys.exit(0)")), RunFailedError)
    assert list(tmp_path.rglob("failure.json"))


def test_ctrl_c_is_the_users(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_with(tmp_path, PLACES["forward"]("raise KeyboardInterrupt"))
    assert not list(tmp_path.rglob("failure.json"))


# -- on the command line -----------------------------------------------------------------------------------------------

BEFORE_THERE_IS_AN_ID = {
    "import": ("sys.exit(0)\n" + TASK, r"cannot be loaded: NameError"),
    "exit at import": ("import sys\nsys.exit(0)\n" + TASK, r"cannot be loaded: SystemExit: 0"),
    "exit in fingerprint": (
        with_lines(TASK, "def fingerprint(self, data_root):\n    sys.exit(0)"),
        r"error: the plug-in called exit\(0\) \(my_task\.py, line \d+\)",
    ),
    "an error in spec": (
        with_lines(TASK, "def spec(self):\n    return 1 / 0"),
        r"error: ZeroDivisionError: division by zero",
    ),
    "an error in missing": (
        with_lines(TASK, "def prepare(self, data_root):\n    [][0]"),
        r"error: IndexError: .*my_task\.py",
    ),
    "a file that is not there": (
        with_lines(TASK, "def fingerprint(self, data_root):\n    return open('coins.txt').read()"),
        r"error: cannot use coins\.txt: No such file or directory; .* \(my_task\.py, line \d+\)",
    ),
}


def command(tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "nacbench", *words],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        check=False,
    )


@pytest.mark.parametrize("name", BEFORE_THERE_IS_AN_ID)
def test_a_plug_in_that_breaks_before_there_is_an_id_is_one_line(tmp_path: Path, name: str) -> None:
    source, message = BEFORE_THERE_IS_AN_ID[name]
    file = tmp_path / "my_task.py"
    file.write_text(source)
    done = command(
        tmp_path, "run", "--task", "my-task", "--model", "transformer", "--scale", "smoke", "--plugin", str(file)
    )
    assert done.returncode == 2, done.stdout
    assert re.search(message, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_check_goes_on_after_an_exit_and_prints_the_traceback(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(PLACES["forward"]("sys.exit(0)")["model"])
    done = command(tmp_path, "check", "my-model", "--plugin", str(file))
    assert done.returncode == 1
    assert done.stdout.count("the plug-in called exit(0)") > 1
    assert "in forward" in done.stderr


def test_profile_says_an_exit_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(PLACES["forward"]("sys.exit(0)")["model"])
    done = command(
        tmp_path, "profile", "--task", "digits", "--model", "my-model", "--scale", "smoke", "--plugin", str(file)
    )
    assert done.returncode == 2
    assert "error: the plug-in called exit(0) (my_model.py, line " in done.stderr


def test_an_exit_in_one_of_two_processes_is_the_failure_of_both(tmp_path: Path) -> None:
    leave = "import os\n        if os.environ['RANK'] == '1': sys.exit(0)\n        return self.logits"
    file = tmp_path / "my_model.py"
    file.write_text(MODEL.replace("return self.logits", leave))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    what = ["-m", "nacbench", "run", "--task", "digits", "--model", "my-model", "--scale", "smoke", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, *launch, *what, "--plugin", str(file)],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode != 0
    (path,) = tmp_path.rglob("failure.json")
    assert read_failure(path).reason.startswith("the plug-in called exit(0) (my_model.py, line ")
    assert not list(tmp_path.rglob("record.json"))
