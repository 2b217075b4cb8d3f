"""Plug-in files: loading tasks, models and protocols from single Python files."""

import importlib
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from nacbench.errors import UserError
from nacbench.plugin_files import load_plugin_file
from nacbench.registry import MODELS, TASKS
from nacbench.running.plugin_code import task_digest

from .test_registry import MODEL, TASK, forget_plugins, write

__all__ = ["forget_plugins"]  # a fixture


def test_a_plugin_file_adds_a_task_named_after_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "my_coins.py", TASK)
    models = set(MODELS.entries())
    load_plugin_file(path)
    assert TASKS.get("my-coins").title == "Coins"
    assert TASKS.entries()["my-coins"].origin == str(path)
    assert set(MODELS.entries()) == models


def test_a_plugin_file_adds_a_model_named_after_the_file(tmp_path: Path) -> None:
    load_plugin_file(write(tmp_path / "my_guess.py", MODEL))
    assert MODELS.get("my-guess").title == "Guess"
    assert "my-guess" not in TASKS.entries()


def test_a_plugin_file_can_add_a_task_and_a_model(tmp_path: Path) -> None:
    load_plugin_file(write(tmp_path / "study.py", TASK + MODEL))
    assert TASKS.get("study").title == "Coins"
    assert MODELS.get("study").title == "Guess"


def test_a_task_that_a_plugin_file_only_imports_is_not_registered(tmp_path: Path) -> None:
    path = write(tmp_path / "variant.py", "from nacbench.tasks.digits import Digits\n" + MODEL)
    load_plugin_file(path)
    assert "variant" not in TASKS.entries()
    assert "variant" in MODELS.entries()


def test_forget_files_removes_their_plugins(tmp_path: Path) -> None:
    load_plugin_file(write(tmp_path / "study.py", TASK))
    TASKS.forget_files()
    assert "study" not in TASKS.entries()


@pytest.mark.parametrize("end", ["", "raise OSError('no data')\n", "os.rmdir(os.getcwd())\n"])
def test_the_working_folder_stays_where_it_was(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a relative --out would lead to another place, and nobody would find the run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "away").mkdir()
    lines = f"import os\nos.chdir({str(tmp_path / 'away')!r})\n{end}"
    with pytest.raises(UserError) if "raise" in end else nullcontext():
        load_plugin_file(write(tmp_path / "guess.py", lines + MODEL))
    assert Path.cwd() == tmp_path


def test_a_plugin_file_with_a_built_in_name_is_an_error_that_names_both(tmp_path: Path) -> None:
    path = write(tmp_path / "digits.py", TASK)
    with pytest.raises(UserError, match="two tasks are called 'digits': one built in, one from ") as caught:
        load_plugin_file(path)
        TASKS.get("digits")
    assert str(path) in str(caught.value)


def test_two_plugin_files_with_the_same_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "coins.py", TASK)
    load_plugin_file(tmp_path / "a" / "coins.py")
    with pytest.raises(UserError, match="two tasks are called 'coins'") as caught:
        load_plugin_file(tmp_path / "b" / "coins.py")
        TASKS.get("coins")
    assert str(tmp_path / "a" / "coins.py") in str(caught.value)
    assert str(tmp_path / "b" / "coins.py") in str(caught.value)


def test_the_same_plugin_file_can_be_loaded_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "coins.py", TASK)
    load_plugin_file(path)
    load_plugin_file(path)
    assert TASKS.get("coins").title == "Coins"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        (
            "neither.py",
            "x = 1",
            "neither.py defines no task, model or protocol",
        ),
        ("wrong.py", "class Half(", r"wrong.py cannot be loaded: SyntaxError: '\(' was never closed"),
        ("failing.py", "1 / 0", "failing.py cannot be loaded: ZeroDivisionError: division by zero"),
        ("abrupt.py", "raise GeneratorExit", "abrupt.py cannot be loaded: GeneratorExit$"),
        (
            "nameless.py",
            "class Odd(BaseException):\n    def __str__(self):\n        return None\nraise Odd",
            "nameless.py cannot be loaded: Odd: its text cannot be made",
        ),
        ("wordy.py", "raise ValueError('x' * 10**6)", "wordy.py cannot be loaded: ValueError: x{900,1000}…$"),
        ("notes.txt", TASK, "notes.txt is not a Python file"),
    ],
)
def test_an_unusable_plugin_file_is_an_error_that_names_it(tmp_path: Path, name: str, code: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_plugin_file(write(tmp_path / name, code))
    assert not any(module.startswith("nacbench_plugin_failing_") for module in sys.modules)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no plug-in file .*absent\.py"):
        load_plugin_file(tmp_path / "absent.py")


@pytest.mark.parametrize("wrong", ["import my_sizes\nclass Half(", "import my_sizes\n1 / 0", "import my_sizes"])
def test_a_corrected_file_and_its_helper_can_be_loaded_in_the_same_process(tmp_path: Path, wrong: str) -> None:
    """Otherwise the helper's old code would compute, under the id of the new one."""
    helper, file = write(tmp_path / "my_sizes.py", "CLASSES = 2\n"), write(tmp_path / "coins.py", wrong)
    with pytest.raises(UserError, match=r"coins\.py"):
        load_plugin_file(file)
    assert "my_sizes" not in sys.modules
    write(helper, "CLASSES = 3\n")
    write(file, "import my_sizes\n" + TASK.replace("classes = 2", "classes = my_sizes.CLASSES"))
    load_plugin_file(file)
    assert TASKS.get("coins").classes == 3
    assert len(task_digest("coins")) == 12


def test_a_helper_that_was_imported_before_from_another_folder_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a notebook may have done: its code would compute, and count for no id."""
    notebook, plugins = tmp_path / "notebook", tmp_path / "plugins"
    for folder in (notebook, plugins):
        folder.mkdir()
        write(folder / "my_sizes.py", "CLASSES = 3\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(notebook)
        importlib.import_module("my_sizes")
    file = write(plugins / "coins.py", "import my_sizes\n" + TASK)
    with pytest.raises(UserError, match=f"imports 'my_sizes', which lies beside it and also in {notebook}"):
        load_plugin_file(file)
