"""The public face: what ``from nacbench import …`` offers, and that people need nothing below it."""

import ast
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import nacbench
from nacbench import Outcome, UserError, compare, load, records, report, run
from nacbench.cli import app
from nacbench.recording.record import RECORD
from nacbench.registry import MODELS, TASKS
from nacbench.running.resolve import resolve
from nacbench.shadowing import LIBRARIES

from .conftest import REPOSITORY
from .made import made_record, write_run

QUICK: dict[str, Any] = {"scale": "smoke", "quiet": True, "device": "cpu", "precision": "fp32"}
HEAVY = ("torch", "numpy", "pandas", "pydantic", "yaml", "matplotlib", "scipy", "typing", "pathlib")
BASELINE = """
from dataclasses import dataclass
from nacbench import Model, TaskSpec

@dataclass(frozen=True, kw_only=True)
class Flat(Model):
    title = "All tokens through one linear layer"

    def build(self, spec: TaskSpec):
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.logits = nn.Linear(spec.token_dim, spec.classes)

            def forward(self, tokens, mask=None):
                return self.logits(tokens.mean(1))

        return Net()
"""


def typed_imports() -> dict[str, str]:
    """The names that type checkers see, with the modules they see them in."""
    tree = ast.parse(Path(nacbench.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_the_table_of_names_the_exports_and_the_types_agree() -> None:
    assert typed_imports() == nacbench._PUBLIC
    assert sorted([*nacbench._PUBLIC, "__version__"]) == sorted(nacbench.__all__)
    assert set(nacbench.__all__) <= set(dir(nacbench))


@pytest.mark.parametrize("name", sorted(nacbench._PUBLIC))
def test_a_public_name_is_defined_where_the_table_says_and_documented(name: str) -> None:
    value = getattr(nacbench, name)
    assert value is getattr(importlib.import_module(nacbench._PUBLIC[name]), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__module__ == nacbench._PUBLIC[name]
        assert (value.__doc__ or "").strip()
    elif isinstance(value, nacbench.Metric):
        assert value.about
    else:  # a type with a range; pydantic says it in the error
        assert name in ("Count", "Positive", "Fraction", "SCALES")


def test_importing_nacbench_does_not_import_torch() -> None:
    code = (
        "import sys; before = set(sys.modules); import nacbench; dir(nacbench); "
        f"print((set(sys.modules) - before) & {{*{HEAVY}}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'nacbench' has no attribute 'TASKS'; dir"):
        nacbench.TASKS  # noqa: B018
    with pytest.raises(ImportError):
        exec("from nacbench import TASKS")


# -- what people read imports nothing deeper ---------------------------------------------------------------------------


def people_s_code() -> Iterator[tuple[str, str]]:
    """Every import line of README, docs, examples and single-file plug-ins of the tests, with where it stands."""
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    for page in pages:
        for block in re.findall(r"^```(?:python|py)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            yield from ((f"{page.name}: {line}", line) for line in block.splitlines())
    for file in sorted((REPOSITORY / "examples").rglob("*.py")):
        yield from ((f"{file.name}: {line}", line) for line in file.read_text(encoding="utf-8").splitlines())


def test_readme_docs_and_examples_import_from_nacbench_itself() -> None:
    deeper = re.compile(r"\s*(from nacbench\.|import nacbench\.)")
    assert [place for place, line in people_s_code() if deeper.match(line)] == []


def test_readme_docs_and_examples_import_only_public_names() -> None:
    lines = [(place, re.match(r"\s*from nacbench import ([\w, ]+)", line)) for place, line in people_s_code()]
    named = [(place, name) for place, found in lines if found for name in re.findall(r"\w+", found[1])]
    assert named
    assert [place for place, name in named if name not in nacbench.__all__] == []


# -- its functions ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nacbench.Outcome]:
    """A run of digits with a baseline from a file."""
    folder = tmp_path_factory.mktemp("done")
    (folder / "flat.py").write_text(BASELINE)
    yield run("digits", "flat", plugins=[folder / "flat.py"], out=folder / "runs", **QUICK)
    MODELS.forget_files()
    TASKS.forget_files()


def test_run_returns_record_and_folder(done: nacbench.Outcome) -> None:
    assert done.record.task == "digits"
    assert 0.1 < done.record.score <= 1
    assert json.loads((done.folder / RECORD).read_text())["run_id"] == done.record.run_id
    assert not done.was_finished


def test_a_run_that_is_done_is_not_computed_again(done: nacbench.Outcome) -> None:
    again = run("digits", "flat", out=done.folder.parents[2], **QUICK)
    assert (again.was_finished, again.record) == (True, done.record)


def test_settings_can_be_nested_or_dotted_and_the_command_line_gives_the_same_run(done: nacbench.Outcome) -> None:
    plugin, store = done.folder.parents[3] / "flat.py", done.folder.parents[2]
    nested = run("digits", "flat", training={"epochs": 1, "lr": 0.01}, out=store, **QUICK)
    settings: dict[str, Any] = {"training.epochs": 1, "training.lr": 0.01}
    dotted = run("digits", "flat", out=store, **settings, **QUICK)
    assert (nested.was_finished, dotted.was_finished) == (False, True)
    words = ["--set", "training.epochs=1", "--set", "training.lr=0.01", "--precision", "fp32", "--scale", "smoke"]
    command = [sys.executable, "-m", "nacbench", "run", "--task", "digits", "--model", "flat", *words]
    command += ["--plugin", str(plugin), "--out", str(store)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "already done, not computed again" in said


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"training.lrr": 1}, "unknown setting 'training.lrr'; did you mean 'training.lr'?"),
        ({"training": {"lr": -1.0}}, "training.lr = -1.0: input should be greater than 0"),
        ({"model.depht": 1}, "unknown setting 'model.depht'; did you mean 'model.depth'?"),
        ({"training..lr": 1}, "setting 'training..lr' has an empty part between dots; write it as in training.lr"),
        ({"worker": 1}, "unknown setting 'worker'"),
        ({"data_root": "nowhere"}, "nowhere: no such folder"),
        ({"scale": "huge"}, "unknown scale 'huge'"),
        ({"plugins": ["none.py"]}, "no plug-in file none.py"),
    ],
)
def test_run_refuses_what_the_command_line_refuses(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as refusal:
        run("digits", "nac", **{**QUICK, **settings})
    assert complaint in str(refusal.value)


def test_load_returns_the_trained_network_by_folder_or_id(done: nacbench.Outcome) -> None:
    trained = load(done.folder)
    assert (trained.record, trained.config.model.name) == (done.record, "flat")
    assert trained.task.classes == 10
    assert not trained.net.training
    assert load(done.record.run_id[:6], out=done.folder.parents[2]).record == done.record
    with pytest.raises(UserError, match=r"no id in .* starts with it"):
        load("0000", out=done.folder.parents[2])


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ({"log": "tensorbored"}, "unknown tracker 'tensorbored'; did you mean 'tensorboard'?"),
        ({"plugins": "mine.py"}, "no plug-in file mine.py; name a Python file"),
        ({"config": "mine.yaml"}, "cannot read mine.yaml: No such file or directory"),
        ({"tags": "two words"}, "tags.0 = 'two words': a tag has letters"),
        ({"training": {"lr": float("nan")}}, "training.lr = nan: "),
    ],
)
def test_one_text_is_one_name_and_not_its_letters(argument: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as refused:
        run("digits", "nac", **QUICK, **argument)
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("", "'' is not a run's folder; no id in runs starts with it"),
        (3, "load takes a run's folder, its id, or what run has returned, not int"),
        (None, "load takes a run's folder, its id, or what run has returned, not NoneType"),
    ],
)
def test_load_names_what_is_no_run(place: Any, complaint: str) -> None:
    with pytest.raises(UserError) as refused:
        load(place)
    assert str(refused.value) == complaint


def test_records_have_a_typed_column_for_each_setting_and_metric(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=0, score=0.5))
    write_run(tmp_path, made_record(seed=1, score=0.75, lr=0.01))
    table = records(tmp_path).sort_values("seed").set_index("seed")
    assert table["test.accuracy"].tolist() == table["score"].tolist() == [0.5, 0.75]
    assert table["training.lr"].tolist() == [0.001, 0.01]
    kinds = table[["model.depth", "training.augment.flip", "task", "training.lr", "test.nll"]].dtypes
    assert [str(kind) for kind in kinds] == ["Int64", "boolean", "string", "float64", "float64"]


def test_absent_settings_are_missing_values_and_integers_stay() -> None:
    table = records(REPOSITORY / "results" / "demo")
    depths = table.groupby("model")["model.depth"].first()
    assert str(table["model.modules"].dtype) == "Int64"
    assert table["model.modules"].isna().sum() == (table["model"] != "nac").sum() > 0
    assert depths["nac"] == 2
    assert pd.api.types.is_integer_dtype(table["seed"])


def test_columns_of_facts_have_the_same_types_whatever_runs_there_are(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    write_run(tmp_path / "some", made_record(scale="paper"))
    write_run(tmp_path / "some", made_record(seed=1, scale="smoke", size="tiny"))
    some, none = records(tmp_path / "some"), records(tmp_path / "none")
    assert none.empty
    assert none.dtypes.to_dict() == some[none.columns].dtypes.to_dict()
    assert some.sort_values("scale")["scale"].tolist() == ["smoke", "paper"]
    assert str(some["finished"].dtype).endswith("UTC]")


def test_compare_gives_what_the_command_prints(tmp_path: Path) -> None:
    for seed, (ours, theirs) in enumerate([(0.8, 0.7), (0.82, 0.7), (0.79, 0.71)]):
        write_run(tmp_path, made_record(seed=seed, score=ours))
        write_run(tmp_path, made_record(seed=seed, score=theirs, model="vit"))
    found = compare("nac", "vit", tmp_path)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.1)
    done = CliRunner().invoke(app, ["compare", "nac", "vit", "--out", str(tmp_path)])
    assert done.stdout == f"{found}\n"
    assert found.verdict.startswith("nac is better than vit")
    row = found.to_frame().iloc[0]
    assert (row["a"], row["b"], row["seeds"]) == ("nac", "vit", 3)
    assert row["low"] < row["difference"] < row["high"]
    assert repr(found) == f"Comparison(nac and vit: {found.verdict})"
    with pytest.raises(UserError, match="'gru' is not a model or a run's id here"):
        compare("nac", "gru", tmp_path)
    with pytest.raises(UserError, match="macro-f1"):
        compare("nac", "vit", tmp_path, metric="macro-f1")


def test_two_series_that_share_no_seed_have_a_row_without_numbers(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=0))
    write_run(tmp_path, made_record(seed=1, model="vit"))
    row = compare("nac", "vit", tmp_path).to_frame().iloc[0]
    assert row["seeds"] == 0
    assert pd.isna(row["difference"])
    assert "share no seed" in row["verdict"]


def test_an_outcome_is_shown_in_one_line_and_as_a_table_in_notebooks(tmp_path: Path) -> None:
    done = Outcome(made_record(score=0.9), tmp_path / "<b>", True, resolve({"task": "digits", "model": "nac"}))
    assert repr(done) == (
        f"Outcome(digits · nac · mini · seed 0: accuracy 90.00 %, finished before, '{tmp_path / '<b>'}')"
    )
    assert (done.score, done.run_id) == (0.9, done.record.run_id)
    assert done.metrics["test"]["accuracy"] == 0.9
    assert "&lt;b&gt;" in done._repr_html_()
    assert "<b>" not in done._repr_html_()


def test_records_warn_of_a_broken_file_and_refuse_a_missing_folder(tmp_path: Path) -> None:
    write_run(tmp_path, made_record())
    (path,) = tmp_path.rglob(RECORD)
    shutil.copytree(path.parent, path.parent.with_name("broken"))
    (path.parent.with_name("broken") / RECORD).write_text("{")
    with pytest.warns(UserWarning, match="broken/record.json"):
        assert len(records(tmp_path)) == 1
    with pytest.raises(UserError, match="no folder"):
        records(tmp_path / "none")


def test_report_writes_the_same_as_the_command(tmp_path: Path) -> None:
    for model in ("nac", "vit"):
        write_run(tmp_path / "runs", made_record(model=model))
    files = report(tmp_path / "runs", tmp_path / "report", html=True)
    assert {file.name for file in files} >= {"table.md", "table.tex", "table.csv", "scores.png", "index.html"}
    assert all(file.is_file() for file in files)


# -- a user's folder with files of its own -----------------------------------------------------------------------------


def test_the_list_of_libraries_has_all_that_nacbench_imports() -> None:
    ours = [*(REPOSITORY / "nacbench").rglob("*.py"), *(REPOSITORY / "tasks").glob("*.py")]
    imported = set()
    for file in [*ours, *(REPOSITORY / "baselines").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.partition(".")[0] for name in names}
    assert tuple(sorted(imported - {"nacbench", *sys.stdlib_module_names})) == LIBRARIES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder: results of theirs, and files and folders that happen to have names of ours and of libraries."""
    for name in ("results", "nacbench", "tasks", "pandas"):
        (tmp_path / name).mkdir()
    for name in ("yaml.py", "tasks/__init__.py", "torch.py"):
        (tmp_path / name).write_text("raise SystemExit('the user\\'s own file was imported')\n")
    return tmp_path


def script(folder: Path, code: str, *, notebook: bool) -> "subprocess.CompletedProcess[str]":
    """Some code run in a folder, as a script there or as a notebook there runs it."""
    (folder / "mine.py").write_text(code)
    command = [sys.executable, "-c", code] if notebook else [sys.executable, str(folder / "mine.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("notebook", [False, True])
def test_libraries_win_over_files_of_the_same_name(folder: Path, notebook: bool) -> None:
    code = (
        "from nacbench import run\n"
        "outcome = run('digits', 'vit', scale='smoke', quiet=True, **{'training.epochs': 1})\n"
        "print(outcome.record.task)\n"
    )
    done = script(folder, code, notebook=notebook)
    assert (done.returncode, done.stdout) == (0, "digits\n"), done.stderr


def test_a_shadowed_library_is_an_error_that_names_the_file(folder: Path) -> None:
    (folder / "yaml.py").write_text("mine = True\n")
    done = script(folder, "import yaml\nfrom nacbench import run\n", notebook=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: {folder / 'yaml.py'} has been imported as 'yaml', instead of the library that nacbench needs; "
        "rename the file, or import nacbench's functions before it"
    )


def test_python_m_nacbench_imports_nothing_from_the_working_folder(folder: Path) -> None:
    command = [sys.executable, "-m", "nacbench", "report", "runs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (2, "error: no folder runs; name one that holds runs, such as runs/\n")


@pytest.mark.parametrize(
    ("function", "words", "settings", "said"),
    [
        (run, ["digits", "floor-linear"], {"out": 3}, "out = 3: give a path"),
        (run, ["digits", "floor-linear"], {"data_root": b"x"}, "data_root = b'x': give a path"),
        (run, ["digits", "floor-linear"], {"config": [1]}, "config = 1: give a path"),
        (records, [3], {}, "folder = 3: give a path"),
        (report, [3], {"out": "x"}, "runs = 3: give a path"),
        (compare, ["a", "b", 3], {}, "runs = 3: give a path"),
        (run, ["digits", "floor-linear"], {"plugins": None}, "plugins = None: give a path"),
        (run, ["digits", "floor-linear"], {"init_from": 3}, "init_from = 3: give a path"),
        (run, ["digits", "floor-linear"], {"out": ""}, "out = '': the path is empty; give '.' for the working folder"),
        (run, ["digits", "floor-linear"], {"log": [3]}, "log = 3: give a name, as text"),
        (load, ["0"], {"plugins": 3}, "plugins = 3: give a path"),
        (records, [""], {}, "folder = '': the path is empty; give '.' for the working folder"),
        (compare, [3, "b"], {}, "a = 3: give a name, as text"),
        (compare, ["a", None], {}, "b = None: give a name, as text"),
        (compare, ["a", "b", []], {}, "runs = []: give at least one folder of runs, such as 'runs'"),
        (compare, ["a", "b"], {"task": 3}, "task = 3: give a name, as text"),
        (compare, ["a", "b"], {"metric": 3}, "metric = 3: give a name, as text"),
        (compare, ["a", "b"], {"scale": 3}, "scale = 3: give a name, as text"),
        (compare, ["a", "b"], {"models": 3}, "models = 3: give a name, as text"),
        (compare, ["a", "b"], {"where": [3]}, "where = 3: give a name, as text"),
        (report, [[]], {}, "runs = []: give at least one folder of runs, such as 'runs'"),
        (report, ["runs"], {"tasks": 3}, "tasks = 3: give a name, as text"),
        (report, ["runs"], {"mixed": "no"}, "mixed = 'no': give True or False"),
        (report, ["runs"], {"html": "no"}, "html = 'no': give True or False"),
        (run, ["digits", "floor-linear"], {"force": "no"}, "force = 'no': give True or False"),
        (run, ["digits", "floor-linear"], {"threads": 1.5}, "threads = 1.5: input should be a valid integer"),
    ],
)
def test_what_is_no_path_or_name_is_refused(
    function: Any, words: list[Any], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        function(*words, **settings)
    assert str(caught.value) == said


@pytest.mark.parametrize("place", ["file", "file/runs"])
@pytest.mark.parametrize("function", [run, report])
def test_a_file_is_no_folder_to_write_to(function: Any, place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ["digits", "floor-linear"] if function is run else ["results/mini"]
    with pytest.raises(UserError, match=r"^out = '.*file is a file, and must be a folder; name another place$"):
        function(*words, out=tmp_path / place)


@pytest.mark.parametrize("split", [3, None, ["test"]])
def test_a_split_is_a_name(split: Any, done: nacbench.Outcome) -> None:
    with pytest.raises(UserError, match=r"^split = .*: give a name, as text$"):
        load(done).evaluate(split)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"workers": -1}, "workers = -1: input should be greater than or equal to 0"),
        ({"workers": 1000}, "workers = 1000: input should be less than or equal to 256"),
        ({"threads": 0}, "threads = 0: input should be greater than or equal to 1"),
        ({"threads": 9999}, "threads = 9999: input should be less than or equal to 1024"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds = -1.0: input should be greater than or equal to 0"),
    ],
)
def test_a_number_that_is_refused_leaves_a_finished_run_in_its_place(
    wrong: dict[str, Any], said: str, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"scale": "smoke", "quiet": True, "out": tmp_path, "training": {"epochs": 1}}
    done = run("digits", "floor-linear", **how)
    with pytest.raises(UserError) as refused:
        run("digits", "floor-linear", force=True, **how, **wrong)
    assert str(refused.value) == said
    assert (Path(done.folder) / "record.json").is_file()
