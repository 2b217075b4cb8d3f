"""Mutation test of run ids: a changed operator in a module that a run imports changes the id, a changed text not."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nacbench import code_digest as digests
from nacbench.code_digest import ROOT
from nacbench.code_digest.imported_names import Names
from nacbench.code_digest.meaning import meaning_of
from nacbench.running import plugin_code
from nacbench.running.config import RunConfig
from nacbench.running.identity import Identity
from nacbench.running.resolve import resolve
from tests.conftest import REPOSITORY
from tests.miniatures import make_omniglot

SMALL = {"train_examples": 64, "test_examples": 30, "patch": 4}
ONE_EPOCH = {"epochs": 1}


def given(name: str, options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the configuration of a run that takes seconds."""
    model = {"name": "nac", "modules": 8}
    return {"task": {"name": name, **options}, "model": model, "scale": "smoke", "precision": "fp32", **more}


ON_DIGITS = {"task": SMALL, "training": ONE_EPOCH}
RUNS = {
    "supervised": given("digits", SMALL, training=ONE_EPOCH),
    "tuning": given("digits-tuning", SMALL, training=ONE_EPOCH),
    "ood": given("digits-c", {"examples": 5}, trained_on=ON_DIGITS),
    "pruned": given("digits-pruned", {"shares": [0.5]}, trained_on=ON_DIGITS),
    "low-shot": given("lowshot-omniglot", {}, trained_on={"task": {"train_examples": 64}, "training": ONE_EPOCH}),
}

# What a run imports, and why it decides no number.
DECIDES_NOTHING = {
    "nacbench.errors": "errors and their texts",
    "nacbench.filesystem": "writes files whole; what is in them comes from elsewhere",
    "nacbench.formats": "reads files, and makes the configuration, which is in the id as a whole; words for people",
    "nacbench.code_digest": "makes ids: what it changes is an id",
    "nacbench.code_digest.meaning": "makes ids: what it changes is an id",
    "nacbench.code_digest.imported_names": "makes ids: what it changes is an id",
    "nacbench.code_digest.own_code": "makes ids: what it changes is an id",
    "nacbench.registry": "finds a task or model by name; the code of what it finds counts",
    "nacbench.plugin_class": "refuses plug-ins that cannot be used",
    "nacbench.plugin_files": "loads plug-ins from files; the code of what it loads counts",
    "nacbench.machine": "says what the machine is",
    "nacbench.suggestions": "words for people",
    "nacbench.tracking": "tells other tools what is recorded",
    "nacbench.recording": "keeps records, and whose turn it is to compute",
    "nacbench.profiling": "counts operations, time and memory, which are no score",
    "nacbench.data.mirror": "gets files and keeps arrays; what is in them is in the data's fingerprint",
    "nacbench.running.config": "makes the configuration, which is in the id as a whole",
    "nacbench.running.failures": "says why there is no record",
    "nacbench.running.identity": "makes ids",
    "nacbench.running.initial": "finds given weights; the digest of their tensors is in the id",
    "nacbench.running.known_settings": "names settings, for errors",
    "nacbench.running.outcome": "shows a finished run",
    "nacbench.running.plugin_code": "makes ids",
    "nacbench.running.resolve": "makes the configuration, which is in the id as a whole",
    "nacbench.running.settings_note": "tells readers whose settings a run has, which are in its id",
}


# Of these, the ``__init__.py`` alone; what lies in them counts.
NAMES_ONLY = {
    "nacbench": "the public face, which names what others define",
    "nacbench.baselines": "imported to list the names of baselines; of none of these runs is the model in it",
}


def decides_nothing(module: str) -> bool:
    """Return whether a module, or a folder that it is in, is listed above."""
    folders = any(module == name or module.startswith(f"{name}.") for name in DECIDES_NOTHING)
    return folders or module in NAMES_ONLY


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """Compute one run per protocol; return the modules of nacbench that it imports, by protocol."""
    folder = tmp_path_factory.mktemp("reached")
    make_omniglot(folder / "mirror")
    (folder / "runs.json").write_text(json.dumps(RUNS))
    script = Path(__file__).with_name("reached.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, str(script), str(folder)], env=environment, check=True, timeout=200)
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in RUNS}


# -- ids of code that is changed in memory ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def configs() -> Mapping[str, RunConfig]:
    return {name: resolve(run) for name, run in RUNS.items()}


def identity(config: RunConfig) -> Identity:
    """Return the identity of a run on data with a fixed fingerprint."""
    return Identity.of(config, "0" * 16, identity(config.trained_on) if config.trained_on else None)


@pytest.fixture
def with_code(
    configs: Mapping[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Mapping[Path, bytes]], dict[str, str]]]:
    """Return the ids of all runs for another content of some files."""
    read = digests._content

    def forget() -> None:
        for cached in (digests._rendered, digests._definition_digest, plugin_code.engine_digest):
            cached.cache_clear()
        plugin_code._all_files.cache_clear()
        plugin_code._digest_of.cache_clear()

    def ids(changed: Mapping[Path, bytes]) -> dict[str, str]:
        monkeypatch.setattr(digests, "_content", lambda file: changed.get(file) or read(file))
        forget()
        return {name: identity(config).run_id for name, config in configs.items()}

    yield ids
    monkeypatch.undo()
    forget()


def file_of(module: str) -> Path:
    """Return the file of a module of nacbench."""
    path = ROOT.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


# -- changes ---------------------------------------------------------------------------------------------------------

OTHER: dict[type[ast.AST], Any] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.MatMult: ast.Mult,
}  # fmt: skip


def computing(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree, without annotations, errors, warnings and descriptions."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "msg") or is_about_errors(node):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from computing(child)


def is_about_errors(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn")


def operators_changed(code: bytes, limit: int) -> Iterator[bytes]:
    """Yield the code with one operator or number changed, for up to ``limit`` places that are far apart."""
    places = [number for number, node in enumerate(computing(ast.parse(code))) if _change(node)]
    for place in places[:: max(1, len(places) // limit)][:limit]:
        tree = ast.parse(code)
        changed = next(node for number, node in enumerate(computing(tree)) if number == place)
        assert _change(changed)
        yield ast.unparse(tree).encode()


def _change(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        node.ops[0] = OTHER[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in OTHER:
        node.op = OTHER[type(node.op)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    else:
        return False
    return True


def reworded(code: bytes) -> bytes:
    """Return the code with the text of every error and warning changed."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if is_about_errors(node) or isinstance(node, ast.Assert):
            for part in ast.walk(node.msg or ast.Pass() if isinstance(node, ast.Assert) else node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    part.value += " (in other words)"
    return ast.unparse(tree).encode()


class OtherImports(ast.NodeTransformer):
    """Replace ``from a.b import c`` by ``import a.b as x``, and ``c`` by ``x.c``, unless something else is called c."""

    def __init__(self, tree: ast.Module) -> None:
        self._standing = Names(tree).standing
        self._modules: dict[str, tuple[str, str]] = {}
        self.visit(tree)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        names = {alias.asname or alias.name: alias.name for alias in node.names}
        if node.module in (None, "__future__") or not set(names) <= set(self._standing):
            return [node]
        module = f"_{str(node.module).replace('.', '_')}"
        self._modules |= {name: (module, attribute) for name, attribute in names.items()}
        return [ast.Import([ast.alias(str(node.module), module)])]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._modules:
            return node
        module, attribute = self._modules[node.id]
        return ast.Attribute(ast.Name(module, ast.Load()), attribute, ast.Load())


def imported_otherwise(code: bytes) -> bytes:
    tree = ast.parse(code)
    OtherImports(tree)
    return ast.unparse(ast.fix_missing_locations(tree)).encode()


# -- the tests -------------------------------------------------------------------------------------------------------


def test_every_run_reaches_the_engine_its_task_and_its_model(reached: Mapping[str, list[str]]) -> None:
    for modules in reached.values():
        assert {"nacbench.training.loop", "nacbench.nac.executor", "nacbench.running.scoring"} <= set(modules)
    assert "nacbench.protocols.adaptation" in reached["low-shot"]
    assert "nacbench.data.images.corruptions" in reached["ood"]


def test_modules_listed_as_irrelevant_are_reached(reached: Mapping[str, list[str]]) -> None:
    everything = {module for modules in reached.values() for module in modules}
    assert {*DECIDES_NOTHING, *NAMES_ONLY} <= everything


def test_a_changed_operator_changes_the_id_exactly_in_modules_that_count(
    reached: Mapping[str, list[str]], with_code: Callable[[Mapping[Path, bytes]], dict[str, str]]
) -> None:
    before = with_code({})
    wrong, tried = [], 0
    for module in sorted({module for modules in reached.values() for module in modules}):
        code = file_of(module).read_bytes()
        for changed in operators_changed(code, limit=1 if decides_nothing(module) else 2):
            tried += 1
            after = with_code({file_of(module): changed})
            for protocol in RUNS:
                counts = module in reached[protocol] and not decides_nothing(module)
                if counts and after[protocol] == before[protocol]:
                    wrong.append(f"{protocol}: a change of {module} is not seen")
                if decides_nothing(module) and after[protocol] != before[protocol]:
                    wrong.append(f"{protocol}: a change of {module}, which decides nothing, is seen")
    assert sorted(set(wrong)) == []
    assert tried > 100


def test_texts_of_errors_and_forms_of_imports_change_no_id(
    reached: Mapping[str, list[str]], with_code: Callable[[Mapping[Path, bytes]], dict[str, str]]
) -> None:
    files = {file_of(module) for modules in reached.values() for module in modules}
    codes = {file: file.read_bytes() for file in files}
    for change, at_least in ((reworded, 30), (imported_otherwise, 40)):
        changed = {file: change(code) for file, code in codes.items()}
        seen = [file for file in files if meaning_of(changed[file]).statements == meaning_of(codes[file]).statements]
        differing = [file for file in files if changed[file] != ast.unparse(ast.parse(codes[file])).encode()]
        assert len(differing) >= at_least
        assert change is not reworded or set(seen) == files
        assert with_code(changed) == with_code({})


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("nacbench.statistics", "def t_interval(", "@round\ndef t_interval("),
        ("nacbench.contracts.model", "def spec_for(", "@print\ndef spec_for("),
    ],
)
def test_a_change_in_the_engine_changes_every_id(
    with_code: Callable[[Mapping[Path, bytes]], dict[str, str]], module: str, old: str, new: str
) -> None:
    before, code = with_code({}), file_of(module).read_text()
    assert old in code
    after = with_code({file_of(module): code.replace(old, new).encode()})
    assert {name for name in RUNS if before[name] != after[name]} == set(RUNS)


# -- files that move -------------------------------------------------------------------------------------------------

# Not of tasks, baselines and protocols, whose names are those of their files.
MOVED = ("contracts", "nn", "training", "data")
IDS = """
import json, sys
from nacbench.running.resolve import resolve
from nacbench.running.identity import Identity

def identity(config):
    return Identity.of(config, "0" * 16, identity(config.trained_on) if config.trained_on else None)

print(json.dumps({name: identity(resolve(run)).run_id for name, run in json.loads(sys.argv[1]).items()}))
"""


def move_everything(package: Path) -> dict[str, str]:
    """Rename every module of these folders in a copy of the package, with all imports; return new by old names."""
    (package / "data" / "images").rename(package / "data" / "pictures")
    names = {"nacbench.data.images": "nacbench.data.pictures"}
    for folder in MOVED:
        for file in sorted((package / folder).rglob("*.py")):
            if file.name != "__init__.py":
                moved = file.rename(file.with_name(f"{file.stem}_moved.py"))
                old, new = (
                    ".".join(("nacbench", *p.relative_to(package).with_suffix("").parts)) for p in (file, moved)
                )
                names[old.replace("data.pictures", "data.images")] = new
    for file in package.rglob("*.py"):
        file.write_text(with_other_names(file.read_text(), names))
    return names


def with_other_names(code: str, names: Mapping[str, str]) -> str:
    """Return the code with modules imported by their new names."""

    def dotted(found: re.Match[str]) -> str:
        old = max((name for name in names if f"{found[0]}.".startswith(f"{name}.")), key=len, default="")
        return names[old] + found[0][len(old) :] if old else found[0]

    def submodule(found: re.Match[str]) -> str:
        package, name = found[1], found[2]
        moved = names.get(f"{package}.{name}")
        return f"from {moved.rpartition('.')[0]} import {moved.rpartition('.')[2]} as {name}" if moved else found[0]

    code = re.sub(r"from (nacbench[\w.]*) import (\w+)$", submodule, code, flags=re.MULTILINE)
    return re.sub(r"\bnacbench(\.\w+)+", dotted, code)


def test_moving_a_file_changes_no_id(tmp_path: Path, configs: Mapping[str, RunConfig]) -> None:
    shutil.copytree(ROOT, tmp_path / "nacbench", ignore=shutil.ignore_patterns("__pycache__"))
    names = move_everything(tmp_path / "nacbench")
    assert {"nacbench.contracts.task", "nacbench.data.live", "nacbench.data.images.augment"} <= set(names)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    # Imports a module that has moved, too, to show that the copy works.
    command = [sys.executable, "-c", f"{IDS}\nimport nacbench.data.array_task_moved", json.dumps(RUNS)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: identity(config).run_id for name, config in configs.items()}
