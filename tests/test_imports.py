"""Imports follow the order of the folders, and never go back up."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PLUGIN_FOLDERS = ("nacbench.tasks", "nacbench.baselines")

# The house from its foundation up: a folder, or a module beside them, imports only what comes before it here.
ORDER = (
    "suggestions",
    "errors",
    "seeds",
    "formats",
    "shadowing",
    "filesystem",
    "statistics",
    "code_digest",
    "machine",
    "contracts",
    "nn",
    "data.mirror",
    "data",
    "kernels",
    "nac",
    "profiling",
    "training",
    "protocols",
    "tasks",
    "baselines",
    "plugin_class",
    "registry",
    "plugin_files",
    "recording",
    "tracking",
    "running",
    "reporting",
    "inspection",
    "publishing",
    "sweep",
    "watching",
    "conformance",
    "api",
    "cli",
)
LOOSE = {"nacbench", "nacbench.__main__"}  # the public face, which names what it offers, and the way in to the command
# Reading runs, planning sweeps and writing reports must not wait for torch, nor need it.
WITHOUT_TORCH = (
    *ORDER[: ORDER.index("machine")],
    "plugin_class",
    "registry",
    "plugin_files",
    "recording",
    "tracking",
    "reporting",
    "sweep",
    "watching",
    "api",
)
HEAVY = ("torch", "numpy", "pandas", "matplotlib", "datasets", "sklearn", "submitit", "accelerate", "timm")


def module_files() -> dict[str, Path]:
    """Return the file of every module of nacbench, including tasks and baselines, by module name."""
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


FILES = module_files()
ENGINE = sorted(name for name in FILES if not within(name, PLUGIN_FOLDERS))


def place(module: str) -> str:
    """The entry of the order that a module belongs to."""
    name = module.removeprefix("nacbench.")
    return next(part for part in sorted(ORDER, key=len, reverse=True) if within(name, (part,)))


def imported_modules(module: str) -> set[str]:
    """The suite's own modules that a module imports, types among them."""
    named = {name for name in imported(FILES[module]) if within(name, ("nacbench",))}
    return {name for name in named if name in FILES} - {module}


def test_every_module_has_a_place_in_the_order() -> None:
    assert {place(module) for module in set(FILES) - LOOSE} == set(ORDER)


@pytest.mark.parametrize("part", ORDER)
def test_imports_never_go_back_up(part: str) -> None:
    below = set(ORDER[: ORDER.index(part) + 1])
    wrong = [
        (module, name)
        for module in set(FILES) - LOOSE
        if place(module) == part
        for name in imported_modules(module)
        if name in LOOSE - {"nacbench"} or (name != "nacbench" and place(name) not in below)
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    waiting = {module: imported_modules(module) for module in FILES}
    for module, names in waiting.items():  # a package is imported before what is in it, which is no circle
        names -= {name for name in names if within(module, (name,))}
    while free := [module for module, names in waiting.items() if not names & set(waiting)]:
        for module in free:
            del waiting[module]
    assert waiting == {}


@pytest.mark.parametrize("part", WITHOUT_TORCH)
def test_what_reads_and_plans_needs_no_torch(part: str) -> None:
    modules = [module for module in set(FILES) - LOOSE if place(module) == part]
    heavy = ("torch", "accelerate", "torchvision", "torch_geometric")
    assert [(m, name) for m in modules for name in imported(FILES[m]) if within(name, heavy)] == []


@pytest.mark.parametrize("module", ENGINE)
def test_the_engine_imports_no_task_and_no_baseline(module: str) -> None:
    assert [name for name in imported(FILES[module]) if within(name, PLUGIN_FOLDERS)] == []


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
        "from nacbench.registry import MODELS; from nacbench.contracts.task import TaskSpec;"
        "spec = TaskSpec(modality='points', classes=2, max_tokens=3, token_dim=4, point_shape=(3, 3));"
        "MODELS.get('pointnet').configured('model', 'tiny', {}).build(spec)"
    )
    subprocess.run([sys.executable, "-W", "error::FutureWarning", "-c", build], cwd=REPOSITORY, check=True)
