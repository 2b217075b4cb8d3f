"""Registry: finding tasks, models and protocols by name."""

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nacbench.baselines
import nacbench.tasks
from nacbench import plugin_files, registry
from nacbench.cli.shared.needs import with_trained_on
from nacbench.contracts.model import Model
from nacbench.contracts.task import AnyTask, EvaluationTask
from nacbench.errors import UserError
from nacbench.plugin_files import load_plugin_file
from nacbench.registry import MODELS, PROTOCOLS, TASKS
from nacbench.running.resolve import resolve

REPOSITORY = Path(__file__).resolve().parents[1]
TASK = """
from dataclasses import dataclass
from nacbench import Task

@dataclass(frozen=True, kw_only=True)
class Coins(Task):
    title = "Coins"
    modality = "image"
    classes = 2
    licence = citation = provenance = "none"
    recipes = {}
    sides: int = 2
"""
MODEL = """
from dataclasses import dataclass
from nacbench import Model

@dataclass(frozen=True, kw_only=True)
class Guess(Model):
    title = "Guess"
"""
PROTOCOL = """
from dataclasses import dataclass
from nacbench.contracts.protocol import Protocol
from nacbench.contracts.task import SameDataTask, Task
from nacbench.errors import UserError

@dataclass(frozen=True, kw_only=True)
class HalvedTask(SameDataTask):
    protocol = "halved"
    recipes = {}
    half: int = 2

@dataclass(frozen=True, kw_only=True)
class Halves(Protocol):
    title = "halved"

    def task_for(self, name, task):
        if not issubclass(task, Task):
            raise UserError(f"task {name!r} cannot be halved")
        return HalvedTask.of(name, task, self.title)
"""


@pytest.fixture(autouse=True)
def forget_plugins() -> Iterator[None]:
    """Remove what a test registers or imports."""
    modules, path, folders = set(sys.modules), list(sys.path), list(plugin_files._FOLDERS)
    yield
    sys.path[:], plugin_files._FOLDERS[:] = path, folders
    TASKS.forget_files()
    MODELS.forget_files()
    PROTOCOLS.forget_files()
    registry._entry_points.cache_clear()
    for name in set(sys.modules) - modules:
        if name.startswith(("nacbench.tasks.", "nacbench.baselines.", "nacbench_plugin_", "outside_", "my_")):
            del sys.modules[name]


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def tasks_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the folder of built-in tasks by a copy for this test."""
    folder = tmp_path / "tasks"
    shutil.copytree(REPOSITORY / "tasks", folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(nacbench.tasks, "__path__", [str(folder)])
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that packages are installed in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def install(site: Path, package: str, entry_points: str, module: str, code: str) -> None:
    """Install a package of version 1.5 with one module, in the layout that pip writes."""
    folder = site / f"{package.replace('-', '_')}-1.5.dist-info"
    folder.mkdir()
    write(folder / "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    write(folder / "entry_points.txt", entry_points)
    write(site / f"{module}.py", code)
    registry._entry_points.cache_clear()


def test_every_file_in_the_tasks_folder_is_a_task_of_that_name() -> None:
    stems = {file.stem for file in (REPOSITORY / "tasks").glob("[!_]*.py")}
    built_in = {name for name, entry in TASKS.entries().items() if entry.origin == "built in"}
    assert built_in == {stem.replace("_", "-") for stem in stems}
    assert "digits" in built_in


def test_every_file_in_the_baselines_folder_is_a_model_and_so_is_nac() -> None:
    stems = {file.stem for file in (REPOSITORY / "baselines").glob("[!_]*.py")}
    built_in = {name for name, entry in MODELS.entries().items() if entry.origin == "built in"}
    assert built_in == {stem.replace("_", "-") for stem in stems} | {"nac"}
    assert "perceiver-io" in built_in


def test_names_come_sorted() -> None:
    assert list(MODELS.entries()) == sorted(MODELS.entries())


def test_everything_built_in_loads() -> None:
    tasks, broken_tasks = TASKS.load_all()
    models, broken_models = MODELS.load_all()
    assert not broken_tasks
    assert not broken_models
    assert all(issubclass(task, AnyTask) for task in tasks.values())
    assert all(issubclass(model, Model) for model in models.values())


def test_nac_is_registered_by_an_entry_point_like_other_packages() -> None:
    points = importlib.metadata.entry_points(group="nacbench.models", name="nac")
    assert [point.value for point in points] == ["nacbench.nac.plugin:NAC"]
    assert MODELS.get("nac") is next(iter(points)).load()


def test_the_error_for_a_misspelt_name_suggests_the_most_similar_one() -> None:
    with pytest.raises(UserError, match=r"unknown model 'preceiver-io'; did you mean 'perceiver-io'\?"):
        MODELS.get("preceiver-io")


def test_the_error_for_a_name_like_no_other_lists_all_names() -> None:
    with pytest.raises(UserError, match=r"unknown task 'zzz'; there are: .*digits"):
        TASKS.get("zzz")


def test_a_new_file_in_the_tasks_folder_is_a_new_task(tasks_folder: Path) -> None:
    before = set(TASKS.entries())
    registry._modules_in.cache_clear()  # the listing of a folder is cached
    write(tasks_folder / "two_coins.py", TASK)
    assert set(TASKS.entries()) - before == {"two-coins"}
    assert TASKS.get("two-coins").title == "Coins"


def test_a_new_file_in_the_baselines_folder_is_a_new_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nacbench.baselines, "__path__", [*nacbench.baselines.__path__, str(tmp_path)])
    write(tmp_path / "guess.py", MODEL)
    assert MODELS.get("guess").title == "Guess"


def test_a_file_whose_name_starts_with_an_underscore_is_not_a_plugin(tasks_folder: Path) -> None:
    before = set(TASKS.entries())
    write(tasks_folder / "_shared.py", TASK)
    assert set(TASKS.entries()) == before


def test_listing_names_runs_no_plugins_code(tasks_folder: Path) -> None:
    write(tasks_folder / "loud.py", "raise SystemExit('imported')")
    assert "loud" in TASKS.entries()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import a_library_that_is_not_here", "ModuleNotFoundError.*a_library_that_is_not_here"),
        ("class Half(", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "must define exactly one subclass of AnyTask with a title, but defines 0"),
        (
            TASK + TASK.replace("Coins", "Dice"),
            "exactly one subclass of AnyTask with a title, but defines 2",
        ),
    ],
    ids=["missing import", "syntax error", "exception", "no class", "two classes"],
)
def test_a_broken_plugin_is_reported_by_name_and_the_rest_loads(tasks_folder: Path, code: str, reason: str) -> None:
    write(tasks_folder / "broken_one.py", code)
    with pytest.raises(UserError, match=f"broken[-_]one.*{reason}"):
        TASKS.get("broken-one")
    loaded, broken = TASKS.load_all()
    assert "digits" in loaded
    assert list(broken) == ["broken-one"]


PRESETS = "class Coins sets presets = {}, which does not map names to values of options"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    recipes = {}\n", "", "class Coins does not set recipes"),
        ('modality = "image"', "modality = 3", "class Coins sets modality = 3, which is no str"),
        ("classes = 2", "classes = 2; presets = []", PRESETS.format("[]")),
        ("classes = 2", "classes = 2; presets = {'smoke': 3}", PRESETS.format("{'smoke': 3}")),
        ("classes = 2", 'classes = "2"', "class Coins sets classes = '2', which is no int"),
        ("(Task):", "(EvaluationTask):", "class Coins does not set protocol"),
        ("(Task):\n", '(EvaluationTask):\n    protocol = "toss"\n', "class Coins does not set trained_on"),
    ],
)
def test_a_task_that_does_not_say_what_it_must_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    code = TASK.replace("import Task", "import EvaluationTask, Task")
    assert old in code
    load_plugin_file(write(tmp_path / "coins.py", code.replace(old, new)))
    with pytest.raises(UserError) as caught:
        TASKS.get("coins")
    assert str(caught.value) == f"task 'coins' ({tmp_path / 'coins.py'}): {reason}"


EVALUATION = TASK.replace("Task", "EvaluationTask").replace("    sides", '    protocol = "toss"\n    sides')


def test_tasks_that_are_trained_on_each_other_are_refused_in_one_line(tmp_path: Path) -> None:
    for name, other in (("heads", "tails"), ("tails", "heads")):
        code = EVALUATION.replace("    sides", f'    trained_on = "{other}"\n    sides')
        load_plugin_file(write(tmp_path / f"{name}.py", code))
    with pytest.raises(UserError, match="task 'tails' trains no network: it scores one that was trained on 'heads'"):
        with_trained_on("heads")


def test_a_method_that_is_not_defined_is_named_in_one_line(tmp_path: Path) -> None:
    load_plugin_file(write(tmp_path / "coins.py", TASK))
    with pytest.raises(UserError, match=r"Coins must define build\(data_root, recipe\)"):
        TASKS.training("coins")().build(tmp_path, None)


def test_a_plugin_that_leaves_by_exit_is_an_error(tmp_path: Path) -> None:
    """Otherwise a run without a record would end with exit code 0."""
    with pytest.raises(UserError, match=r"leaves\.py cannot be loaded: SystemExit: 0"):
        load_plugin_file(write(tmp_path / "leaves.py", "raise SystemExit(0)"))
    leaving = PROTOCOL.replace("        if not", "        exit(0)\n        if not")
    load_plugin_file(write(tmp_path / "halves.py", leaving))
    with pytest.raises(UserError, match=r"task 'digits-halves' .* cannot be loaded: SystemExit: 0"):
        TASKS.get("digits-halves")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            "    presets = {'tiny': {'eyes': 6}}",
            "unknown option of model in the preset 'tiny' of Guess 'eyes'; there are: ",
        ),
        (
            "    def options(self): return {'eyes': {6}}",
            r"Guess\.options\(\) gives \{'eyes': \{6\}\}, and should give numbers,",
        ),
        ("    def options(self): return {'odds': 1 / 3 * float('nan')}", r"Guess\.options\(\) gives \{'odds': nan\}"),
        ("    def options(self): return {6: 'eyes'}", r"Guess\.options\(\) .*, and should give names mapped to values"),
        (
            "    def options(self): return None",
            r"Guess\.options\(\) gives None, and should give names mapped to values",
        ),
    ],
)
def test_options_that_no_record_can_hold_are_refused_in_one_line(tmp_path: Path, lines: str, reason: str) -> None:
    load_plugin_file(write(tmp_path / "guess.py", f"{MODEL}{lines}\n"))
    with pytest.raises(UserError, match=reason):
        resolve({"task": "digits", "model": "guess", "scale": "smoke"})


def test_an_installed_package_adds_a_task_by_entry_point(site: Path) -> None:
    install(site, "outside-tasks", "[nacbench.tasks]\ncoins = outside_coins:Coins\n", "outside_coins", TASK)
    assert TASKS.get("coins").title == "Coins"
    assert TASKS.entries()["coins"].origin == "outside-tasks 1.5"


def test_an_installed_package_leaves_the_working_folder(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "acme", "[nacbench.tasks]\ncoins = acme:Coins\n", "acme", f"import os\nos.chdir('/')\n{TASK}")
    monkeypatch.chdir(site)
    assert TASKS.get("coins").title == "Coins"
    assert Path.cwd() == site


def test_a_broken_package_is_reported_by_name_and_the_rest_loads(site: Path) -> None:
    install(site, "outside-tasks", "[nacbench.tasks]\ncoins = outside_coins:Misspelt\n", "outside_coins", TASK)
    loaded, broken = TASKS.load_all()
    assert "digits" in loaded
    assert "outside-tasks 1.5" in broken["coins"]
    assert "Misspelt" in broken["coins"]


def test_an_entry_point_that_is_not_a_task_is_an_error(site: Path) -> None:
    install(site, "outside-tasks", "[nacbench.tasks]\nguess = outside_guess:Guess\n", "outside_guess", MODEL)
    with pytest.raises(UserError, match=r"task 'guess' \(outside-tasks 1.5\) is not a subclass of AnyTask"):
        TASKS.get("guess")


def test_a_package_with_a_built_in_name_is_an_error_that_names_both(site: Path) -> None:
    install(site, "outside-tasks", "[nacbench.tasks]\ndigits = outside_coins:Coins\n", "outside_coins", TASK)
    with pytest.raises(UserError, match=r"two tasks are called 'digits': one built in, one from outside-tasks 1\.5"):
        TASKS.get("digits")


def test_two_packages_with_the_same_name_are_an_error_that_names_both(site: Path) -> None:
    install(site, "outside-a", "[nacbench.tasks]\ncoins = outside_a:Coins\n", "outside_a", TASK)
    install(site, "outside-b", "[nacbench.tasks]\ncoins = outside_b:Coins\n", "outside_b", TASK)
    with pytest.raises(UserError, match="two tasks are called 'coins'") as caught:
        TASKS.entries()
    assert "outside-a 1.5" in str(caught.value)
    assert "outside-b 1.5" in str(caught.value)


def test_a_plugin_file_adds_a_protocol_and_its_tasks(tmp_path: Path) -> None:
    path = write(tmp_path / "in_halves.py", PROTOCOL)
    listed = set(TASKS.entries())
    load_plugin_file(path)
    cls = TASKS.get("digits-in-halves")
    assert issubclass(cls, EvaluationTask)
    assert (cls.title, cls.trained_on, cls.classes) == ("Digits, halved", "digits", 10)
    assert cls().options() == {"half": 2}
    assert TASKS.get("digits-in-halves") is cls
    entry = TASKS.find("digits-in-halves")
    assert entry is not None
    assert entry.origin == str(path)
    assert set(TASKS.entries()) == listed  # the base class of its tasks has no title, so it is not registered


def test_a_protocol_can_refuse_a_task(tmp_path: Path) -> None:
    load_plugin_file(write(tmp_path / "halves.py", PROTOCOL))
    with pytest.raises(UserError, match="task 'digits-c' cannot be halved"):
        TASKS.get("digits-c-halves")


def test_an_installed_package_adds_a_protocol_by_entry_point(site: Path) -> None:
    install(
        site, "outside-halves", "[nacbench.protocols]\nhalved = outside_halves:Halves\n", "outside_halves", PROTOCOL
    )
    assert list(PROTOCOLS.entries()) == ["halved", "pruned", "tuning"]
    assert TASKS.training("digits-tuning").title == "Digits, tuning"
    assert TASKS.get("digits-halved").protocol == "halved"


@pytest.mark.parametrize("typed", ["digits-prund", "digit-pruned"])
def test_the_error_for_a_misspelt_protocol_task_suggests_the_most_similar_one(typed: str) -> None:
    with pytest.raises(UserError, match=f"unknown task '{typed}'; did you mean 'digits-pruned'"):
        TASKS.get(typed)


def test_an_evaluation_task_is_refused_where_a_training_task_is_needed() -> None:
    with pytest.raises(UserError, match="'digits-c' trains no network: it scores one that was trained on 'digits'"):
        TASKS.training("digits-c")
