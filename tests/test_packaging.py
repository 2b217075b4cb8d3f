"""One package wherever one stands: what is installed, and that nothing else is imported under its name."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
LINKS = {"tasks": "../tasks", "baselines": "../baselines"}
NOT_SOURCES = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "report", "results")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index"]
SMOKE = ["--task", "digits", "--model", "vit", "--scale", "smoke", "--set", "training.epochs=1", "--quiet"]


def called(command: list[str], cwd: Path, **variables: str) -> str:
    """What a command says on standard output; this process's PYTHONPATH is not passed on."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        command, cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copied(folder: Path) -> Path:
    """A checkout called nacbench, as a clone without its results."""
    return shutil.copytree(REPOSITORY, folder / "nacbench", symlinks=True, ignore=NOT_SOURCES)


# -- what is packed ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution (sdist) and return its unpacked folder."""
    folder = tmp_path_factory.mktemp("sdist")
    build = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    called([sys.executable, "-P", "-c", build, str(folder)], copied(folder))
    (archive,) = folder.glob("nacbench-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


@pytest.fixture(scope="module", params=["checkout", "sdist"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, from a checkout and from the sdist."""
    folder = tmp_path_factory.mktemp("wheel")
    source = request.getfixturevalue("sdist") if request.param == "sdist" else copied(folder)
    called([*PIP, "wheel", *OFFLINE, "--wheel-dir", str(folder), str(source)], folder)
    (built,) = folder.glob("nacbench-*.whl")
    return built


@pytest.fixture
def wheel_files(wheel: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def package_folders() -> set[Path]:
    """Every folder under nacbench/ with Python files, links followed."""
    walked = os.walk(REPOSITORY / "nacbench", followlinks=True)
    return {Path(folder) for folder, _, files in walked if any(file.endswith(".py") for file in files)}


def test_every_module_lies_in_a_package() -> None:
    assert [folder for folder in package_folders() if not (folder / "__init__.py").is_file()] == []


def test_an_editable_installation_is_one_path_entry() -> None:
    """A package that is mapped to a folder would be installed through a finder of its own, which mypy cannot read."""
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert table["package-dir"] == {"": "."}


@pytest.mark.parametrize(("name", "target"), LINKS.items())
def test_links_in_the_package_point_to_top_level_folders(name: str, target: str) -> None:
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
def test_importing_a_folder_by_its_bare_name_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match=f"the package nacbench.{name}; import it by that name, not as '{name}'"):
        importlib.import_module(name)
    assert name not in sys.modules


def test_the_wheel_has_every_module_of_every_package(wheel_files: list[str]) -> None:
    sources = {file.relative_to(REPOSITORY).as_posix() for folder in package_folders() for file in folder.glob("*.py")}
    assert {"nacbench/tasks/digits.py", "nacbench/baselines/vit.py", "nacbench/nac/executor.py"} <= sources
    assert {name for name in wheel_files if name.endswith(".py")} == sources


def test_the_wheel_has_data_files_and_py_typed(wheel_files: list[str]) -> None:
    data = {
        (Path("nacbench") / file.relative_to(REPOSITORY / "nacbench")).as_posix()
        for file in (REPOSITORY / "nacbench").rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    assert {"nacbench/py.typed", "nacbench/sweep/suites/smoke.yaml"} <= data
    assert data <= set(wheel_files)


def test_the_wheel_has_only_the_package_and_metadata(wheel_files: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nacbench"}
    assert not [name for name in wheel_files if "tests" in Path(name).parts]


def test_the_wheel_has_command_licence_and_entry_points(wheel_files: list[str]) -> None:
    metadata = {name.partition(".dist-info/")[2] for name in wheel_files if ".dist-info/" in name}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= metadata


# -- wherever one stands -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Installed:
    """A Python that has nacbench, or is to be used inside the clone that has it; and where its package lies."""

    python: str
    package: Path
    clone: Path | None = None


def environment(folder: Path) -> Path:
    """Make an environment that sees this one's packages, but not its nacbench, and return its site-packages.

    This one's nacbench must be an editable installation, as that of ``make test`` is.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (own,) = folder.glob("lib/python*/site-packages")
    # plain lines are path entries whose own .pth files are not read: that is where the other nacbench comes from
    (own / "others.pth").write_text("".join(f"{path}\n" for path in sys.path if "site-packages" in path))
    return own


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """`pip install --editable` of a checkout called nacbench."""
    folder = tmp_path_factory.mktemp("editable")
    clone, python = copied(folder), str(folder / "venv" / "bin" / "python")
    packages = environment(folder / "venv")
    called([*PIP, "--python", python, "install", *OFFLINE, "--editable", str(clone)], folder)
    assert [file.read_text().strip() for file in packages.glob("__editable__*nacbench*.pth")] == [str(clone)]
    return Installed(python, clone / "nacbench")


@pytest.fixture(scope="module")
def from_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("installed")
    python = str(folder / "venv" / "bin" / "python")
    packages = environment(folder / "venv")
    called([*PIP, "--python", python, "install", *OFFLINE, str(sdist)], folder)
    return Installed(python, packages / "nacbench")


@pytest.fixture(scope="module")
def uninstalled(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A clone that is not installed, and is used by standing in it."""
    folder = tmp_path_factory.mktemp("uninstalled")
    clone = copied(folder)
    environment(folder / "venv")
    return Installed(str(folder / "venv" / "bin" / "python"), clone / "nacbench", clone)


@pytest.fixture(params=["editable", "from_sdist", "uninstalled"])
def installed(request: pytest.FixtureRequest) -> Installed:
    """Each way in which people have the package."""
    found: Installed = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def place(installed: Installed, tmp_path: Path) -> Path:
    """Where people stand: above a checkout called nacbench, with results of their own, and files named like libraries.

    Who has not installed it stands in the clone."""
    if installed.clone:
        return installed.clone
    for name in ("nacbench", "nacbench/nacbench", "results", "tasks"):
        (tmp_path / name).mkdir()
    for name in ("nacbench/nacbench/__init__.py", "yaml.py", "tasks/__init__.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the working folder')\n")
    return tmp_path


def test_python_m_nacbench_lists_the_tasks(installed: Installed, place: Path) -> None:
    listed = json.loads(called([installed.python, "-m", "nacbench", "tasks", "--json"], place))
    assert "digits" in {task["name"] for task in listed["tasks"]}
    assert listed["broken"] == {}


@pytest.mark.parametrize("kind", ["notebook", "script"])
def test_a_notebook_and_a_script_import_the_package(
    installed: Installed, place: Path, tmp_path: Path, kind: str
) -> None:
    code = (
        "import nacbench.registry as r; from nacbench import Task, run; print(Task, r.get_task('digits'), r.__file__)"
    )
    (tmp_path / "mine.py").write_text(code)
    words = ["-c", code] if kind == "notebook" or installed.clone else [str(tmp_path / "mine.py")]
    said = called([installed.python, *words], place)
    assert Path(said.split()[-1]) == installed.package / "registry.py"


@pytest.mark.parametrize("installed", ["editable", "uninstalled"], indirect=True)
def test_sweep_workers_use_the_same_package(installed: Installed, place: Path, tmp_path: Path) -> None:
    sweep = {
        "tasks": "digits",
        "models": "vit",
        "scale": "smoke",
        "set": {"training.epochs": 1},
        "profile": {"executor": "local", "threads": 1, "device": "cpu"},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(sweep))
    out = ["--out", str(tmp_path / "out")]
    # the version is in the record: this says which package computed
    changed = installed.package / "__init__.py"
    content = changed.read_text(encoding="utf-8")
    changed.write_text(content.replace('__version__ = "', '__version__ = "77.'), encoding="utf-8")
    try:
        said = called([installed.python, "-m", "nacbench", "sweep", "submit", str(tmp_path / "mine.yaml"), *out], place)
    finally:
        changed.write_text(content, encoding="utf-8")
    assert "1 of 1 runs done" in said
    (record,) = (tmp_path / "out").rglob("record.json")
    assert json.loads(record.read_text())["environment"]["versions"]["nacbench"].startswith("77.")


@pytest.mark.parametrize("installed", ["editable", "uninstalled"], indirect=True)
def test_torchrun_m_nacbench_runs(installed: Installed, place: Path, tmp_path: Path) -> None:
    launcher = [installed.python, "-P", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    words = ["run", *SMOKE, "--device", "cpu", "--out", str(tmp_path / "out")]
    assert "digits · vit" in called([*launcher, "-m", "nacbench", *words], place, OMP_NUM_THREADS="1")
