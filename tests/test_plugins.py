"""Plug-ins from outside: an installed package, and a single file."""

import json
import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "plugin"
BASELINE = """
from dataclasses import dataclass

from nacbench import Model


@dataclass(frozen=True, kw_only=True)
class Flat(Model):
    title = "All tokens through one linear layer"

    def build(self, spec):
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.logits = nn.Linear(spec.max_tokens * spec.token_dim, spec.classes)

            def forward(self, tokens, mask=None):
                return self.logits(tokens.flatten(1))

        return Net()
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a temporary environment with the example installed, which sees this environment's packages too."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    (own,) = folder.glob("lib/python*/site-packages")
    parents = [path for path in site.getsitepackages() if Path(path).is_dir()]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in parents]
    (own / "parent.pth").write_text("".join(lines))
    source = tmp_path_factory.mktemp("source") / "plugin"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, str(source)], check=True, timeout=120)
    return python


def nacbench(python: Path | str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "nacbench", *arguments]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=cwd, env=environment, check=False)


def test_an_installed_package_adds_a_baseline_and_a_task(python: Path, tmp_path: Path) -> None:
    what = ["--task", "digit-parity", "--model", "mean-token", "--scale", "smoke", "--quiet"]
    done = nacbench(python, "run", *what, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("runs/digit-parity/mean-token/*/record.json")
    assert json.loads(path.read_text())["metrics"]["test"]["accuracy"] > 0.75


@pytest.mark.parametrize("name", ["mean-token", "digit-parity"])
def test_the_example_passes_the_conformance_checks(python: Path, tmp_path: Path, name: str) -> None:
    done = nacbench(python, "check", name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout


def test_lists_show_the_origin_of_a_plug_in(python: Path, tmp_path: Path) -> None:
    listed = json.loads(nacbench(python, "tasks", "--json", cwd=tmp_path).stdout)
    origins = {task["name"]: task["origin"] for task in listed["tasks"]}
    assert origins["digit-parity"] == "nacbench-example 0.1.0"
    assert origins["digits"] == "built in"


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    done = nacbench(sys.executable, "run", "--task", "digit-parity", "--model", "nac", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown task 'digit-parity'")


def test_a_single_file_adds_a_baseline(tmp_path: Path) -> None:
    (tmp_path / "my_baseline.py").write_text(BASELINE)
    what = ["--plugin", "my_baseline.py", "--task", "digits", "--model", "my-baseline", "--scale", "smoke", "--quiet"]
    done = nacbench(sys.executable, "run", *what, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "digits · my-baseline" in done.stdout


def test_a_single_file_can_import_modules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "my_baseline.py").write_text(f"import my_helper\n{BASELINE}")
    (tmp_path / "there" / "my_helper.py").write_text("")
    (tmp_path / "there" / "yaml.py").write_text("raise SystemExit('the file was imported for the library')\n")
    done = nacbench(sys.executable, "models", "--plugin", "there/my_baseline.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "my-baseline" in done.stdout


def test_check_finds_errors_of_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "my_baseline.py").write_text(BASELINE)
    done = nacbench(sys.executable, "check", "my-baseline", "--plugin", "my_baseline.py", cwd=tmp_path)
    assert done.returncode == 1
    (failed,) = (line for line in done.stdout.splitlines() if line.startswith("FAIL"))
    assert "Padding, as marked by the mask, changes no logit" in failed


@pytest.mark.parametrize(
    ("words", "listed", "old", "new", "reason"),
    [
        ("models", "vit", "from torch import nn", "import no_such_library", "ModuleNotFoundError: No module named"),
        ("models", "vit", '"mini": {}', '"mini": {"wide": 3}', "unknown option of model in the preset 'mini'"),
        ("tasks", "digits", "def arrays", "def data_files(self): return {}['x']\n    def arrays", "KeyError: 'x'"),
        ("data list", "digits", "def arrays", "def data_files(self): return {}['x']\n    def arrays", "KeyError: 'x'"),
        ("models vit", "depth", "def arrays", "def spec(self): return {}['x']\n    def arrays", ""),
    ],
)
def test_lists_go_on_after_a_plug_in_whose_code_raises(
    tmp_path: Path, words: str, listed: str, old: str, new: str, reason: str
) -> None:
    name = "mean_token" if listed == "vit" else "digit_parity"
    code = (EXAMPLE / "src" / "nacbench_example" / f"{name}.py").read_text()
    assert old in code
    (tmp_path / "mine.py").write_text(code.replace(old, new))
    done = nacbench(sys.executable, *words.split(), "--plugin", "mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert listed in done.stdout
    if reason:
        (line,) = (line for line in done.stderr.splitlines() if "warning" in line)
        assert "'mine' (mine.py): " in line
        assert reason in line


def test_a_package_that_fails_to_import_is_named_and_breaks_no_other(tmp_path: Path) -> None:
    broken = tmp_path / "packages" / "broken_example-1.0.dist-info"
    broken.mkdir(parents=True)
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-example\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text("[nacbench.tasks]\nbroken = no_such_module:Task\n")
    command = [sys.executable, "-m", "nacbench", "tasks"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'packages'}:{REPOSITORY}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0
    assert "digits" in done.stdout
    assert "warning: task 'broken' (broken-example 1.0) cannot be loaded: ModuleNotFoundError" in done.stderr
