"""Parameters are counted once, and again when anything they follow from changes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nacbench.conformance import ReferenceImages
from nacbench.profiling import parameter_counts
from nacbench.profiling.parameter_counts import count_and_keep, kept_count
from nacbench.registry import MODELS, TASKS, get_model, load_plugin_file

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
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache."""
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    MODELS.forget_files()
    TASKS.forget_files()


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


def load_as_if_in_a_new_process(file: Path) -> None:
    """Load a plug-in file that was loaded before; one process runs a file once."""
    for name in [name for name in sys.modules if name.startswith(f"nacbench_plugin_{file.stem}_")]:
        del sys.modules[name]
    load_plugin_file(file)


def test_a_changed_plug_in_and_what_it_imports_from_beside_it_are_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "widths.py").write_text("WIDTH = 5\n")
    (tmp_path / "mine.py").write_text(PLUGIN)
    load_plugin_file(tmp_path / "mine.py")
    tokenizer = count_and_keep(model("mine"), task()) - 15
    assert kept_count(model("mine"), task()) == tokenizer + 15

    (tmp_path / "widths.py").write_text("WIDTH = 500\n")
    assert kept_count(model("mine"), task()) is None
    monkeypatch.delitem(sys.modules, "widths")
    load_as_if_in_a_new_process(tmp_path / "mine.py")
    assert count_and_keep(model("mine"), task()) == tokenizer + 1500

    (tmp_path / "mine.py").write_text(PLUGIN.replace("bias=False", "bias=True"))
    load_as_if_in_a_new_process(tmp_path / "mine.py")
    assert kept_count(model("mine"), task()) is None
    assert count_and_keep(model("mine"), task()) == tokenizer + 2000


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
