"""Plug-ins from outside: modules that they import count for the id, and are not confused with another plug-in's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HELPER = """
def width():
    return 8
"""
PLUGIN = """
from dataclasses import dataclass

from nacbench.contracts.model import Model


@dataclass(frozen=True, kw_only=True)
class Flat(Model):
    title = "All tokens through two linear layers"

    def build(self, spec):
        from torch import nn

        from HELPERS import width

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                first = nn.Linear(spec.max_tokens * spec.token_dim, width())
                self.logits = nn.Sequential(first, nn.Linear(width(), spec.classes))

            def forward(self, tokens, mask=None):
                return self.logits(tokens.flatten(1))

        return Net()
"""
CONFIG = """
task: {name: digits, train_examples: 64, test_examples: 20, patch: 4}
model: {name: NAME}
scale: smoke
precision: fp32
training: {epochs: 1}
"""


def nacbench(cwd: Path, *arguments: str, more_path: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that does not import from the working folder."""
    command = [sys.executable, "-P", "-m", "nacbench", *arguments]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{more_path}".rstrip(":"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=cwd, env=environment, check=False)


def write_plugin(folder: Path, name: str, *, helpers: str = "my_helpers", helper: str = HELPER) -> Path:
    """Write a plug-in file, a helper module beside it, and a configuration that uses it."""
    folder.mkdir(exist_ok=True)
    (folder / f"{helpers}.py").write_text(helper)
    (folder / f"{name}.yaml").write_text(CONFIG.replace("NAME", name))
    file = folder / f"{name}.py"
    file.write_text(PLUGIN.replace("HELPERS", helpers))
    return file


def digest_of_model(cwd: Path, plugin: Path, *, more_path: str = "", also: Path | None = None) -> str:
    """Return the plug-in's code digest in `nacbench.running.identity.Identity`, computed in another process."""
    script = (
        "import sys; from pathlib import Path; from nacbench.registry import MODELS\n"
        "from nacbench.plugin_files import load_plugin_file; from nacbench.running.plugin_code import plugin_digest\n"
        "for file in sys.argv[2:]: load_plugin_file(Path(file))\n"
        "print(plugin_digest(MODELS.get(sys.argv[1])))"
    )
    command = [sys.executable, "-P", "-c", script, plugin.stem, str(plugin), *([str(also)] if also else [])]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{more_path}".rstrip(":")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_changed_helper_is_another_run_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    file = write_plugin(tmp_path / "plugins", "flat")
    command = ["run", "--config", str(file.with_suffix(".yaml")), "--plugin", str(file), "--quiet"]
    first = nacbench(tmp_path, *command)
    assert first.returncode == 0, first.stderr
    (record,) = tmp_path.glob("runs/digits/flat/*/record.json")
    assert "already done" in nacbench(tmp_path, *command).stdout
    file.with_name("my_helpers.py").write_text(HELPER.replace("8", "9"))
    why = nacbench(tmp_path, "why", record.parent.name, str(file.with_suffix(".yaml")), "--plugin", str(file))
    assert [line.split()[0] for line in why.stdout.splitlines()[3:]] == ["code.model"]


def test_indirect_helpers_count_and_comments_do_not(tmp_path: Path) -> None:
    file = write_plugin(tmp_path / "plugins", "flat", helper="from second_helper import WIDTH\nwidth = lambda: WIDTH\n")
    second = file.with_name("second_helper.py")
    digests = []
    for code in ("WIDTH = 8\n", "# eight\nWIDTH: int = 8\n", "WIDTH = 9\n"):
        second.write_text(code)
        digests.append(digest_of_model(tmp_path, file))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("how", ["PYTHONPATH", "sys.path", "a package"])
def test_a_helper_from_elsewhere_counts_unless_it_is_installed(tmp_path: Path, how: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    helper = elsewhere / "their_helpers" / "inner.py" if how == "a package" else elsewhere / "their_helpers.py"
    helper.parent.mkdir(parents=True)
    file = write_plugin(tmp_path / "plugins", "flat")
    text = PLUGIN.replace("HELPERS", "their_helpers")
    if how == "sys.path":
        text = f"import sys\nsys.path.insert(0, {str(elsewhere)!r})\n{text}"
    if how == "a package":
        (helper.parent / "__init__.py").write_text("from .inner import width\n")
    file.write_text(text)
    digests = []
    for code in (HELPER, HELPER.replace("8", "9")):
        helper.write_text(code)
        digests.append(digest_of_model(tmp_path, file, more_path="" if how == "sys.path" else str(elsewhere)))
    assert digests[0] != digests[1]


def test_an_installed_module_takes_precedence_over_one_beside_the_file(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "my_helpers.py").write_text(HELPER)
    file = write_plugin(tmp_path / "plugins", "flat")
    before = digest_of_model(tmp_path, file, more_path=str(installed))
    file.with_name("my_helpers.py").write_text(HELPER.replace("8", "9"))
    assert digest_of_model(tmp_path, file, more_path=str(installed)) == before
    assert digest_of_model(tmp_path, file) != before


@pytest.mark.parametrize("edited", ["flat.py", "my_helpers.py"])
def test_a_plugin_edited_in_a_notebook_is_refused_until_the_kernel_restarts(tmp_path: Path, edited: str) -> None:
    """Python goes on with the code that it has loaded, so that the old id or the new one would be wrong."""
    file = write_plugin(tmp_path / "plugins", "flat")
    script = """
import sys
from pathlib import Path
from nacbench import UserError, run
plugin, edited = map(Path, sys.argv[1:])
how = dict(config=plugin.with_suffix(".yaml"), plugins=[plugin], quiet=True)
first, again = run(**how), run(**how)
print(first.was_finished, again.was_finished)
edited.write_text(edited.read_text().replace("8", "9") + "CONSTANT = 1")
try:
    run(**how, seed=1)
except UserError as error:
    print(error)
"""
    command = [sys.executable, "-P", "-c", script, str(file), str(file.with_name(edited))]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "False True",
        f"{file.with_name(edited)} has changed since this process loaded it; restart Python (the notebook's kernel)",
    ]


def test_two_plugins_with_helpers_of_the_same_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    one, other = (write_plugin(tmp_path / folder, folder) for folder in ("first", "second"))
    done = nacbench(tmp_path, "tasks", "--plugin", str(one), "--plugin", str(other))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert str(other) in line
    assert "'my_helpers'" in line
    assert str(one.parent) in line


def test_a_helper_in_the_working_folder_is_not_taken_for_one_beside_the_file(tmp_path: Path) -> None:
    file = write_plugin(tmp_path / "plugins", "flat")
    (tmp_path / "my_helpers.py").write_text(HELPER.replace("8", "9"))
    done = nacbench(tmp_path, "tasks", "--plugin", str(file), more_path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"'my_helpers', which lies beside it and also in {tmp_path}" in done.stderr


def test_two_plugins_of_one_folder_share_a_helper(tmp_path: Path) -> None:
    one, other = write_plugin(tmp_path / "plugins", "first"), write_plugin(tmp_path / "plugins", "second")
    done = nacbench(tmp_path, "tasks", "--plugin", str(one), "--plugin", str(other))
    assert done.returncode == 0, done.stderr


def test_modules_of_the_same_name_that_are_not_imported_are_allowed(tmp_path: Path) -> None:
    one = write_plugin(tmp_path / "first", "first", helpers="first_helpers")
    other = write_plugin(tmp_path / "second", "second", helpers="second_helpers")
    for file in (one, other):
        file.with_name("utils.py").write_text("raise SystemExit('nobody imports this')\n")
    done = nacbench(tmp_path, "tasks", "--plugin", str(one), "--plugin", str(other))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("installed", ["site-packages", "src"])
def test_an_installed_plugin_counts_with_its_own_package_only(tmp_path: Path, installed: str) -> None:
    place = tmp_path / installed
    package, info = place / "my_pkg", place / "my_pkg-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-pkg\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nacbench.models]\nflat = my_pkg.flat:Flat\n")
    write_plugin(place, "neighbour", helpers="neighbour_helpers")
    write_plugin(package, "flat")
    (package / "__init__.py").write_text("")
    (package / "flat.py").write_text(
        PLUGIN.replace("from HELPERS", "from .my_helpers").replace(
            "import nn\n", "import nn\n        import neighbour\n"
        )
    )
    script = (
        "from nacbench.registry import MODELS; from nacbench.running.plugin_code import plugin_files\n"
        "from nacbench.machine.software import library_versions\n"
        "files, _ = plugin_files(MODELS.get('flat'))\n"
        "print(*(file.name for file in files), library_versions()['my-pkg'])"
    )
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{place}"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    beside = [] if installed == "site-packages" else ["neighbour.py", "neighbour_helpers.py"]
    assert sorted(done.stdout.split()) == sorted(["__init__.py", "flat.py", "my_helpers.py", *beside, "1.0"])


def task_digest_of(cwd: Path, name: str, *plugins: Path) -> str:
    """The code digest of a task as `nacbench.running.identity.Identity` has it, in a process of its own."""
    script = (
        "import sys; from pathlib import Path; from nacbench.plugin_files import load_plugin_file\n"
        "from nacbench.running.plugin_code import task_digest\n"
        "for file in sys.argv[2:]: load_plugin_file(Path(file))\n"
        "print(task_digest(sys.argv[1]))"
    )
    command = [sys.executable, "-P", "-c", script, name, *map(str, plugins)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


DERIVED = """
from dataclasses import dataclass
from nacbench import get_task

@dataclass(frozen=True, kw_only=True)
class Derived(get_task("NAME")):
    title = "Derived"
"""


@pytest.mark.parametrize("name", ['"first"', '"fir" + "st"'])
def test_a_plugin_that_is_asked_for_by_name_counts_with_its_helpers(tmp_path: Path, name: str) -> None:
    """A task in one folder derives from the task of another plug-in's file, which no import leads to.

    The name need not be written out: a class knows its base classes.
    """
    first, second = tmp_path / "one" / "first.py", tmp_path / "two" / "second.py"
    first.parent.mkdir()
    second.parent.mkdir()
    first.write_text("import beside_first\n" + DERIVED.replace("NAME", "digits"))
    second.write_text(DERIVED.replace('"NAME"', name))
    seen = set()
    for helper in ("x = 1\n", "x = 2\n"):
        (first.parent / "beside_first.py").write_text(helper)
        seen.add(task_digest_of(tmp_path, "second", first, second))
    assert len(seen) == 2


PROTOCOL = """
from dataclasses import dataclass
from nacbench import Protocol
from halving_task import Halved

@dataclass(frozen=True, kw_only=True)
class Halving(Protocol):
    title = "halving"

    def task_for(self, name, task):
        cls = Halved.of(name, task, self.title)
        cls.share = SHARE
        return cls
"""
HALVED = """
from dataclasses import dataclass
from nacbench import SCALES, SameDataTask, Settings

@dataclass(frozen=True, kw_only=True)
class Halved(SameDataTask):
    protocol = "halving"
    recipes = dict.fromkeys(SCALES, Settings(batch_size=8))
"""


def test_a_protocol_counts_for_its_tasks_though_their_class_lies_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "halving_task.py").write_text(HALVED)
    file = tmp_path / "halving.py"
    seen = set()
    for share in ("0.5", "0.25", "0.5  # of the examples"):
        file.write_text(PROTOCOL.replace("SHARE", share))
        seen.add(task_digest_of(tmp_path, "digits-halving", file))
    assert len(seen) == 2
