"""Imports follow one way, command line → runner → training → contracts, and never go back up."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PLUGIN_FOLDERS = ("nacbench.tasks", "nacbench.baselines")
TOP = ("nacbench.cli", "nacbench.runner", "nacbench.conformance", "nacbench.report")

# What must not be imported, wherever in the file, by a module or by anything inside a package.
FORBIDDEN = {
    "nacbench.errors": ("nacbench",),
    "nacbench.seeds": ("nacbench",),
    "nacbench.files": ("nacbench",),
    "nacbench.clock": ("nacbench",),
    "nacbench.recipe": ("nacbench",),
    "nacbench.kernels": ("nacbench",),
    "nacbench.cuda_graphs": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.data", "nacbench.training"),
    "nacbench.memory": ("nacbench",),
    "nacbench.plugin": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.data", "nacbench.training", "torch"),
    "nacbench.task": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.data", "nacbench.training"),
    "nacbench.model": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.data", "nacbench.training"),
    "nacbench.nac": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.results", "nacbench.training"),
    "nacbench.tokenizers": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.results", "nacbench.training"),
    "nacbench.data": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.results", "nacbench.training"),
    "nacbench.protocols": (*TOP, "nacbench.config", "nacbench.training"),
    "nacbench.network": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.results", "nacbench.training"),
    "nacbench.profiling": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.results", "nacbench.training"),
    "nacbench.training": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.results", "nacbench.nac"),
    "nacbench.registry": (*TOP, "nacbench.config", "nacbench.data", "nacbench.results", "nacbench.training", "torch"),
    "nacbench.config": (*TOP, "nacbench.identity", "nacbench.data", "nacbench.results", "nacbench.training", "torch"),
    "nacbench.identity": (*TOP, "nacbench.data", "nacbench.results", "nacbench.training", "torch"),
    "nacbench.results": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.training", "torch"),
    "nacbench.report": (
        "nacbench.cli",
        "nacbench.runner",
        "nacbench.conformance",
        "nacbench.training.loop",
        "nacbench.training.optim",
        "nacbench.training.checkpoint",
        "nacbench.network",
        "nacbench.data",
        "nacbench.nac",
        "torch",
        "accelerate",
    ),
    "nacbench.paper": ("nacbench.cli", "nacbench.runner", "nacbench.sweep", "nacbench.data", "nacbench.nac", "torch"),
    "nacbench.sources": ("nacbench",),
    "nacbench.slurm": ("nacbench",),
    "nacbench.suites": ("nacbench",),
    "nacbench.sweep": ("nacbench.cli", "nacbench.report", "nacbench.conformance", "torch"),
    "nacbench.scoring": (*TOP, "nacbench.config", "nacbench.registry", "nacbench.training", "nacbench.results"),
    "nacbench.circuits": ("nacbench.cli", "nacbench.runner", "nacbench.report", "nacbench.sweep"),
    "nacbench.conditioning": ("nacbench.cli", "nacbench.runner", "nacbench.report", "nacbench.sweep"),
    "nacbench.reading": ("nacbench.cli", "nacbench.runner", "nacbench.report", "nacbench.sweep"),
    "nacbench.trained": (*TOP, "nacbench.sweep", "torch.optim"),
    "nacbench.failures": (*TOP, "nacbench.training", "torch"),
    "nacbench.computation": (*TOP, "submitit"),
    "nacbench.runner": ("nacbench.cli", "nacbench.report", "nacbench.conformance", "submitit"),
    "nacbench.repeat": ("nacbench.cli", "nacbench.report", "nacbench.sweep", "nacbench.conformance", "submitit"),
    "nacbench.conformance": ("nacbench.cli", "nacbench.report", "nacbench.runner"),
}
PLUGINS_MAY_IMPORT = (
    "nacbench.task",
    "nacbench.model",
    "nacbench.recipe",
    "nacbench.errors",
    "nacbench.seeds",
    "nacbench.tokenizers",
    "nacbench.data",
    "nacbench.nac",
    "nacbench.protocols",
    "nacbench.tasks",
    "nacbench.baselines",
)
HEAVY = ("torch", "numpy", "pandas", "matplotlib", "datasets", "sklearn", "submitit", "accelerate")


def sources() -> dict[str, Path]:
    """Every module of nacbench with its file, tasks and baselines among them."""
    modules = {}
    for folder, prefix in (("nacbench", ()), ("tasks", ("nacbench",)), ("baselines", ("nacbench",))):
        for file in (REPOSITORY / folder).rglob("*.py"):
            parts = (*prefix, *file.relative_to(REPOSITORY).with_suffix("").parts)
            name = ".".join(parts).removesuffix(".__init__")
            if folder != "nacbench" or not within(name, PLUGIN_FOLDERS):
                modules[name] = file
    return modules


def within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these, or lies inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imported(file: Path) -> Iterator[str]:
    """All that a file imports at any depth; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file} imports relatively"
            assert node.level == 0, f"{file} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SOURCES = sources()
PLUGINS = sorted(name for name in SOURCES if within(name, PLUGIN_FOLDERS))
ENGINE = sorted(set(SOURCES) - set(PLUGINS))


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_never_go_back_up(part: str) -> None:
    modules = [name for name in SOURCES if within(name, (part,))]
    assert modules, f"there is no {part} any more; mend the table of this test"
    wrong = {
        (module, name) for module in modules for name in imported(SOURCES[module]) if within(name, FORBIDDEN[part])
    }
    assert wrong == set()


def test_every_part_of_the_engine_has_a_rule() -> None:
    parts = {".".join(name.split(".")[:2]) for name in ENGINE} - {"nacbench"}
    free = {"nacbench.cli", "nacbench.__main__", "nacbench.environment", "nacbench.hardware"}
    assert parts - free == set(FORBIDDEN)


@pytest.mark.parametrize("module", PLUGINS)
def test_plugins_import_only_the_contracts_and_what_serves_them(module: str) -> None:
    own = [name for name in imported(SOURCES[module]) if within(name, ("nacbench",))]
    assert [name for name in own if not within(name, PLUGINS_MAY_IMPORT)] == []


@pytest.mark.parametrize("module", ENGINE)
def test_the_engine_imports_no_task_and_no_baseline(module: str) -> None:
    assert [name for name in imported(SOURCES[module]) if within(name, PLUGIN_FOLDERS)] == []


def test_the_contracts_and_the_plugins_import_nothing_heavy_when_they_are_imported() -> None:
    code = f"""
import sys
import nacbench.cli
from nacbench.registry import MODELS, TASKS

tasks, broken_tasks = TASKS.load_all()
models, broken_models = MODELS.load_all()
assert tasks and models and not broken_tasks and not broken_models, (broken_tasks, broken_models)
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_layers_of_others_are_imported_without_their_warnings() -> None:
    """In a process of its own, as a module that is already imported warns no more."""
    build = (
        "from nacbench.registry import MODELS; from nacbench.task import TaskSpec;"
        "spec = TaskSpec(modality='points', classes=2, max_tokens=3, token_dim=4);"
        "MODELS.get('pointnet').configured('model', 'tiny', {}).build(spec)"
    )
    subprocess.run([sys.executable, "-W", "error::FutureWarning", "-c", build], cwd=REPOSITORY, check=True)
