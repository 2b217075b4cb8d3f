"""Parameters are counted once, and again when anything they follow from changes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nacbench.cli.shared import parameter_counts
from nacbench.cli.shared.parameter_counts import count_and_keep, kept_count
from nacbench.conformance import ReferenceImages
from nacbench.registry import get_model

PLUGIN = """
from dataclasses import dataclass
from nacbench import Model
from widths import WIDTH

@dataclass(frozen=True, kw_only=True)
class Mine(Model):
    title = "Mine"
    width: int = 3

    def build(self, spec):
        from torch import nn

        return nn.Linear(self.width, WIDTH, bias=False)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def task() -> ReferenceImages:
    return ReferenceImages.configured("task", "smoke", {})


def model(name: str = "vit", **options: Any) -> Any:
    return get_model(name).configured("model", "tiny", options)


def kept_file(cache: Path) -> Path:
    (file,) = (cache / "parameters").glob("*.json")
    return file


def test_a_count_is_kept_for_the_same_configuration_only() -> None:
    assert kept_count(model(), task()) is None
    count = count_and_keep(model(), task())
    assert kept_count(model(), task()) == count
    assert kept_count(model(depth=1), task()) is None
    assert kept_count(model(), ReferenceImages.configured("task", "mini", {})) is None
    assert count_and_keep(model(depth=1), task()) < count
    assert kept_count(model(), task()) == count


@pytest.mark.parametrize("content", ['{"%s": 3.0}', '{"%s": true}', '{"%s": -1}', '{"%s": 3', "[3]", '{"%s": "3"}'])
def test_a_file_that_is_not_as_we_write_it_is_not_believed(own_cache: Path, content: str) -> None:
    count_and_keep(model(), task())
    file = kept_file(own_cache)
    (key,) = json.loads(file.read_text())
    file.write_text(content.replace("%s", key))
    assert kept_count(model(), task()) is None
    file.write_text(f'{{"{key}": 3}}')
    assert kept_count(model(), task()) == 3


def test_a_cache_that_cannot_be_written_costs_time_only(own_cache: Path) -> None:
    own_cache.write_text("a file where a folder should be")
    assert count_and_keep(model(), task()) > 0
    assert kept_count(model(), task()) is None


def test_other_code_or_other_packages_are_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count_and_keep(model(), task())
    monkeypatch.setattr(parameter_counts, "_everything_installed", parameter_counts._everything_installed.__wrapped__)
    assert kept_count(model(), task()) is not None
    (tmp_path / "packages" / "torchvision-99.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    assert kept_count(model(), task()) is None


def test_copies_of_libraries_inside_of_setuptools_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameter_counts, "_everything_installed", parameter_counts._everything_installed.__wrapped__)
    count_and_keep(model(), task())
    (tmp_path / "setuptools" / "_vendor" / "packaging-99.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "setuptools" / "_vendor")])
    assert kept_count(model(), task()) is not None


def test_a_changed_module_of_ours_is_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "network.py").write_text("WIDTH = 1\n")
    monkeypatch.setattr(parameter_counts, "ROOT", code)
    monkeypatch.setattr(parameter_counts, "_everything_installed", parameter_counts._everything_installed.__wrapped__)
    count_and_keep(model(), task())
    assert kept_count(model(), task()) is not None
    (code / "network.py").write_text("WIDTH = 2\n")
    assert kept_count(model(), task()) is None


def listed(plugin: Path) -> tuple[int, str]:
    """The parameters of the plug-in at size tiny, and what ``nacbench models`` says beside, in a process of its own."""
    command = [sys.executable, "-m", "nacbench", "models", "--json", "--plugin", str(plugin)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=plugin.parent)
    (row,) = (row for row in json.loads(done.stdout)["models"] if row["name"] == plugin.stem)
    return row["parameters"]["tiny"], done.stderr


def test_a_changed_plug_in_and_all_that_it_builds_on_are_counted_again(tmp_path: Path) -> None:
    plugin, widths, base = (tmp_path / name for name in ("mine.py", "widths.py", "base.py"))
    widths.write_text("from base import WIDTH\n")
    base.write_text("WIDTH = 5\n")
    plugin.write_text(PLUGIN)
    first, said = listed(plugin)
    assert "counting the parameters of" in said
    assert listed(plugin) == (first, "")
    tokenizer = first - 15
    base.write_text("WIDTH = 500\n")
    changed, said = listed(plugin)
    assert changed == tokenizer + 1500
    assert "counting the parameters of 3 networks" in said, "of all sizes of the plug-in, and of no other model"
    plugin.write_text(PLUGIN.replace("bias=False", "bias=True"))
    assert listed(plugin)[0] == tokenizer + 2000


def test_the_list_of_models_says_that_it_counts_and_the_second_time_needs_no_torch(tmp_path: Path) -> None:
    list_models = (
        "import sys\nfrom nacbench.cli import app\n"
        "try: app(['models', '--json'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )

    def listed() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", list_models]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    first, second = listed(), listed()
    assert "counting the parameters of" in first.stderr
    assert first.stderr.endswith("True\n")
    assert second.stderr == "False\n"
    assert first.stdout == second.stdout
