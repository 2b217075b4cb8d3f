"""What is installed, and under which names."""

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LINKS = {"tasks": "../tasks", "baselines": "../baselines"}
NOT_SOURCES = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs")


@pytest.fixture(scope="module")
def setuptools_table() -> dict[str, Any]:
    """``[tool.setuptools]`` of pyproject.toml."""
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, Any] = content["tool"]["setuptools"]
    return table


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files in a wheel that is built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    shutil.copytree(REPOSITORY, copy, symlinks=True, ignore=NOT_SOURCES)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(copy)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("nacbench-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def package_folders() -> set[str]:
    """Every folder with an ``__init__.py`` under nacbench/, links followed, as a package's name."""
    return {
        Path(folder).relative_to(REPOSITORY).as_posix().replace("/", ".")
        for folder, _, files in os.walk(REPOSITORY / "nacbench", followlinks=True)
        if "__init__.py" in files
    }


def test_every_package_on_disk_is_installed_and_no_other(setuptools_table: dict[str, Any]) -> None:
    assert set(setuptools_table["packages"]) == package_folders()
    assert setuptools_table["packages"] == sorted(setuptools_table["packages"])


def test_every_module_lies_in_a_package() -> None:
    modules = [
        Path(folder, file)
        for folder, _, files in os.walk(REPOSITORY / "nacbench", followlinks=True)
        for file in files
        if file.endswith(".py")
    ]
    assert [module for module in modules if not (module.parent / "__init__.py").is_file()] == []


def test_the_packages_are_mapped_to_the_folders_at_the_top(setuptools_table: dict[str, Any]) -> None:
    assert setuptools_table["package-dir"] == {
        "nacbench": "nacbench",
        "nacbench.baselines": "baselines",
        "nacbench.tasks": "tasks",
    }


@pytest.mark.parametrize(("name", "target"), LINKS.items())
def test_a_link_in_the_package_points_to_the_folder_at_the_top(name: str, target: str) -> None:
    link = REPOSITORY / "nacbench" / name
    assert link.is_symlink()
    assert link.readlink() == Path(target)
    assert link.resolve() == REPOSITORY / name


@pytest.mark.parametrize("name", LINKS)
def test_the_package_is_found_under_its_full_name(name: str) -> None:
    file = importlib.import_module(f"nacbench.{name}").__file__
    assert file is not None
    assert Path(file).resolve() == REPOSITORY / name / "__init__.py"


@pytest.mark.parametrize("name", LINKS)
def test_importing_a_folder_under_its_bare_name_says_the_right_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match=f"the package nacbench.{name}; import it by that name, not as '{name}'"):
        importlib.import_module(name)
    assert name not in sys.modules


def test_the_wheel_has_every_module_of_every_package(wheel_files: list[str]) -> None:
    sources = {
        path.relative_to(REPOSITORY).as_posix()
        for package in package_folders()
        for path in (REPOSITORY / package.replace(".", "/")).glob("*.py")
    }
    assert {"nacbench/tasks/digits.py", "nacbench/baselines/vit.py", "nacbench/nac/executor.py"} <= sources
    assert {name for name in wheel_files if name.endswith(".py")} == sources


def test_the_wheel_says_that_it_is_typed(wheel_files: list[str]) -> None:
    assert "nacbench/py.typed" in wheel_files


def test_the_wheel_has_nothing_but_the_package_and_its_metadata(wheel_files: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nacbench"}
    assert not [name for name in wheel_files if "tests" in Path(name).parts]


def test_the_wheel_brings_the_command_the_licence_and_the_way_in_for_plugins(wheel_files: list[str]) -> None:
    metadata = {name.partition(".dist-info/")[2] for name in wheel_files if ".dist-info/" in name}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= metadata
