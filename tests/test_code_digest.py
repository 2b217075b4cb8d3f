"""What counts in code, and what does not: comments, layout, annotations, errors, and how a thing is imported."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nacbench import code_digest as digests
from nacbench.code_digest import ROOT, code_digest, imported_by
from nacbench.code_digest.meaning import meaning_of
from nacbench.code_digest.own_code import OwnCode
from nacbench.errors import UserError

PLAIN = '''
"""A module."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor

@dataclass
class Scale:
    """Multiplies."""

    factor: int = 2
    least: float = Field(0.5, gt=0, description="where it ends")
    names: ClassVar[list] = []

    def __call__(self, x: int) -> int:
        """x times the factor."""
        y: int = x * self.factor  # cheap
        assert y > x, "too small"
        if y > 9:
            warnings.warn("large", stacklevel=2)
        try:
            return self.names[y]
        except IndexError as error:
            raise ValueError(f"no name for {y}") from error
'''


def digest(folder: Path, *codes: str) -> str:
    """Of files with these contents, under names that were never used before."""
    files = []
    for code in codes:
        files.append(folder / f"file{len(list(folder.iterdir()))}.py")
        files[-1].write_text(code, encoding="utf-8")
    return code_digest(files)


def text(code: str) -> str:
    """What one file computes."""
    return meaning_of(code.encode()).text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("  # cheap", "  # dear", id="a comment"),
        pytest.param("  # cheap", "", id="no comment"),
        pytest.param('"""x times the factor."""', '"""Another sentence."""', id="a docstring"),
        pytest.param('        """x times the factor."""\n', "", id="no docstring"),
        pytest.param('"""A module."""\n', "", id="no docstring of the module"),
        pytest.param('    """Multiplies."""\n', "", id="no docstring of the class"),
        pytest.param("= 2", "= (\n        2\n    )", id="layout"),
        pytest.param("@dataclass\n", "\n\n\n@dataclass\n", id="blank lines"),
        pytest.param("factor: int = 2", "factor: int = 0x2", id="how a number is written"),
        pytest.param('"too small"', "'too' ' small'", id="how a text is written"),
        pytest.param("x: int)", "x: 'float')", id="an argument's annotation"),
        pytest.param("x: int)", "x)", id="no annotation of the argument"),
        pytest.param(" -> int", "", id="no annotation of what is returned"),
        pytest.param("y: int =", "y =", id="no annotation of a variable"),
        pytest.param("        y: int =", "        z: str\n        y =", id="an annotation without a value"),
        pytest.param("factor: int", "factor: float", id="a field's annotation"),
        pytest.param("names: ClassVar[list] = []", "names = []", id="no annotation of a class variable"),
        pytest.param('"too small"', 'f"{y} is too small"', id="text of an assertion"),
        pytest.param(', "too small"', "", id="no text of an assertion"),
        pytest.param('"large", stacklevel=2', 'f"{y} is large", UserWarning', id="a warning"),
        pytest.param('ValueError(f"no name for {y}")', 'ValueError("none")', id="an error's text"),
        pytest.param('ValueError(f"no name for {y}")', "ValueError", id="an error without a text"),
        pytest.param(" from error", "", id="an error's cause"),
        pytest.param("where it ends", "where it stops", id="a field's description"),
        pytest.param(', description="where it ends"', "", id="no description"),
        pytest.param("    from torch import Tensor\n", "    from numpy import ndarray\n", id="types that are imported"),
        pytest.param("if TYPE_CHECKING:\n    from torch import Tensor\n", "", id="no types"),
        pytest.param("import warnings\n", "import os\nimport warnings\n", id="an import that nothing uses"),
        pytest.param(
            "from pydantic import Field\n", "from pydantic import (\n    Field,\n)\n", id="an import's layout"
        ),
    ],
)
def test_what_computes_nothing_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert old in PLAIN
    assert digest(tmp_path, PLAIN.replace(old, new)) == digest(tmp_path, PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("factor: int = 2", "factor: int = 3"),
        ("factor: int = 2", "factor: int"),
        ("factor: int = 2", "factor: ClassVar[int] = 2"),
        ("factor: int = 2", "factor = 2"),
        ("factor", "multiple"),
        ("gt=0", "gt=1"),
        ("Field(0.5", "Field(0.25"),
        ("x * self", "x + self"),
        ("y > x", "y >= x"),
        ("y > 9", "y > 8"),
        ("class Scale", "class Size"),
        ("return self", "return -self"),
        ("raise ValueError", "raise TypeError"),
        ("except IndexError", "except KeyError"),
        ("@dataclass\n", "@dataclass(frozen=True)\n"),
        ("@dataclass\n", ""),
        ('        assert y > x, "too small"\n', ""),
        ("[]", "{}"),
        ("int = 2", "int = 2.0"),
        ("int = 2", "int = True"),
        ("int = 2", "int = '2'"),
    ],
)
def test_what_computes_counts(tmp_path: Path, old: str, new: str) -> None:
    assert old in PLAIN
    assert digest(tmp_path, PLAIN.replace(old, new)) != digest(tmp_path, PLAIN)


def test_text_that_is_no_docstring_counts() -> None:
    assert text('x = """one"""\n') != text('x = """two"""\n')


def test_a_function_of_nothing_but_a_docstring_is_still_a_function() -> None:
    assert text('def f():\n    """Nothing."""\n') == text("def f():\n    pass\n") == text("def f(): ...\n") != ""


def test_the_text_is_what_it_was() -> None:
    """Another text for the same code would make every finished run another run."""
    code = "import a.b as c\ndef f(x: int = 1, *, y=None) -> int:\n    return {**x, 'é': c.d(-1.5)}[y]\n"
    assert text(code) == (
        "FunctionDef(name='f',args=arguments(args=[arg(arg='x',),],kwonlyargs=[arg(arg='y',),],kw_defaults=[(None),],"
        "defaults=[(0x1),],),body=[Return(value=Subscript(value=Dict(keys=[None,('\\xe9'),],values=[Name('x'),"
        "Call(func=\0a.b.d\0,args=[UnaryOp(op=USub(),operand=(1.5),),],),],),slice=Name('y'),),),],)"
    )


# -- imports -----------------------------------------------------------------------------------------------------------

SAME = [
    "import torch.nn.functional as F\ny = F.gelu(x)",
    "from torch.nn.functional import gelu\ny = gelu(x)",
    "from torch.nn.functional import gelu as g\ny = g(x)",
    "from torch.nn import functional\ny = functional.gelu(x)",
    "from torch.nn import functional as f, Linear\ny = f.gelu(x)",
    "import torch\ny = torch.nn.functional.gelu(x)",
    "import torch.nn.functional\ny = torch.nn.functional.gelu(x)",
    "from torch import nn\ny = nn.functional.gelu(x)",
]


@pytest.mark.parametrize("code", SAME)
def test_how_a_thing_is_imported_does_not_count(code: str) -> None:
    assert text(code) == text(SAME[0])


def test_an_import_may_move_into_the_function_that_uses_it() -> None:
    above = "from torch.nn.functional import gelu\ndef f(x):\n    return gelu(x)\n"
    inside = "def f(x):\n    import torch.nn.functional as F\n    return F.gelu(x)\n"
    assert text(above) == text(inside)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("from torch import relu as f\nf(x)", "from torch import gelu as f\nf(x)", id="another function"),
        pytest.param("import torch as t\nt.relu(x)", "import jax as t\nt.relu(x)", id="another library"),
        pytest.param("from torch import relu\nrelu(x)", "relu(x)", id="nothing imported"),
        pytest.param("from torch import relu\nrelu(x)", "from .torch import relu\nrelu(x)", id="a relative import"),
        pytest.param(
            "def f():\n    from a import g\n    g()\ndef h():\n    from b import g\n    g()",
            "def f():\n    from b import g\n    g()\ndef h():\n    from a import g\n    g()",
            id="imports of two functions change places",
        ),
        pytest.param(
            "try:\n    from a import g\nexcept ImportError:\n    from b import g\ng()",
            "try:\n    from b import g\nexcept ImportError:\n    from a import g\ng()",
            id="first choice and second change places",
        ),
        pytest.param(
            "try:\n    import a\n    there = True\nexcept ImportError:\n    there = False",
            "try:\n    import b\n    there = True\nexcept ImportError:\n    there = False",
            id="another import is tried",
        ),
        pytest.param(
            "from a import g\ng()\nfrom b import g\ng()", "from a import g\nfrom b import g\ng()\ng()", id="bound twice"
        ),
        pytest.param(
            "import a as F\nz = [F for F in y]\nF()", "import b as F\nz = [F for F in y]\nF()", id="in a comprehension"
        ),
        pytest.param("import a as F\nF()\nf = lambda F: F", "import b as F\nF()\nf = lambda F: F", id="in a lambda"),
        pytest.param(
            "from a import g\ndef f(g):\n    return g()\ng()",
            "from b import g\ndef f(g):\n    return g()\ng()",
            id="shadowed by an argument",
        ),
        pytest.param(
            "from a import g\ndef f(g):\n    return g()",
            "from a import g\ndef f(h):\n    return g()",
            id="an argument no longer shadows it",
        ),
        pytest.param(
            "def f(x):\n    from math import pow\n    return pow(x, 2)\ndef h(x):\n    return pow(x, 2)",
            "from math import pow\ndef f(x):\n    return pow(x, 2)\ndef h(x):\n    return pow(x, 2)",
            id="a builtin is shadowed in one function, or in both",
        ),
        pytest.param(
            "class A:\n    from a import g\nA.g()", "class A:\n    from b import g\nA.g()", id="in a class's body"
        ),
        pytest.param("from a import *\ng()", "from b import *\ng()", id="everything"),
        pytest.param(
            "match x:\n    case [F]:\n        F()\nimport a as F",
            "match x:\n    case [F]:\n        F()\nimport b as F",
            id="bound by a pattern",
        ),
    ],
)
def test_what_is_imported_counts(one: str, other: str) -> None:
    assert text(one) != text(other)


# -- several files -----------------------------------------------------------------------------------------------------


def test_names_and_order_of_files_do_not_count_and_their_contents_do(tmp_path: Path) -> None:
    assert digest(tmp_path, "x = 1\n", "y = 2\n") == digest(tmp_path, "y = 2\n", "x = 1\n")
    assert digest(tmp_path, "x = 1\n", "y = 2\n") != digest(tmp_path, "x = 1\ny = 2\n")
    assert digest(tmp_path, "x = 1\n", "x = 1\n") != digest(tmp_path, "x = 1\n")


def test_a_file_of_nothing_but_a_docstring_adds_nothing(tmp_path: Path) -> None:
    assert digest(tmp_path, "x = 1\n", '"""About."""\n') == digest(tmp_path, "x = 1\n")


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"file0\.py cannot be loaded: SyntaxError"):
        digest(tmp_path, "def f(:\n")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from, the last on the path; what was imported is forgotten."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(folder: Path, modules: dict[str, str]) -> None:
    """Files of these names, without their ending, and contents."""
    for name, code in modules.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)


def followed(folder: Path, start: str = "plugin") -> set[str]:
    """The files that one imports, by their paths in the folder."""
    own = OwnCode((folder.resolve(),))
    return {str(file.relative_to(folder.resolve())) for file in imported_by([folder.resolve() / f"{start}.py"], own)}


@pytest.mark.parametrize(
    "code",
    [
        "import my_helpers",
        "from my_helpers import f",
        "def build():\n    import my_helpers\n    return my_helpers.f()",
        "import importlib\nh = importlib.import_module('my_helpers')",
        "from importlib import import_module as load\nh = load('my_helpers')",
        "h = __import__('my_helpers')",
        "import importlib\nh = importlib.import_module(name='my_helpers')",
        "try:\n    import my_helpers\nexcept ImportError:\n    pass",
    ],
)
def test_a_module_beside_is_followed_however_it_is_imported(beside: Path, code: str) -> None:
    write(beside, {"plugin": code, "my_helpers": "from my_second import g", "my_second": "g = 1", "my_third": ""})
    assert followed(beside) == {"my_helpers.py", "my_second.py"}


def test_packages_that_an_import_passes_are_followed_too(beside: Path) -> None:
    write(
        beside,
        {
            "plugin": "import my_pkg.deep.inner",
            "my_pkg/__init__": "",
            "my_pkg/deep/__init__": "from .. import other",
            "my_pkg/deep/inner": "from .near import f",
            "my_pkg/deep/near": "f = 1",
            "my_pkg/other": "",
            "my_pkg/unused": "",
        },
    )
    own = {"my_pkg/__init__.py", "my_pkg/other.py"}
    assert followed(beside) == own | {f"my_pkg/deep/{name}.py" for name in ("__init__", "inner", "near")}


def test_types_and_installed_modules_are_not_followed(beside: Path) -> None:
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import my_types\nimport yaml\n"
    write(beside, {"plugin": code, "my_types": "", "yaml": ""})
    assert followed(beside) == set()


def meaning_with(beside: Path, plugin: str, **modules: str) -> str:
    """What a plug-in's file computes, when modules of nacbench's or its own are these."""
    write(beside, {"plugin": plugin, **modules})
    digests._CONTENTS.clear()
    for cached in (digests._rendered, digests._definition_digest, digests._find_absolute):
        cached.cache_clear()
    return digests._rendered(beside.resolve() / "plugin.py", OwnCode((beside.resolve(),)))


def test_a_function_of_our_own_counts_by_what_it_computes_and_not_by_where_it_lies(beside: Path) -> None:
    one, other = "WIDTH = 1\ndef f(x):\n    return x * WIDTH\n", "WIDTH = 2\ndef f(x):\n    return x * WIDTH\n"
    before = meaning_with(beside, "from my_one import f\ny = f(1)", my_one=one, my_other=other)
    assert meaning_with(beside, "import my_one\ny = my_one.f(1)") == before
    assert meaning_with(beside, "from my_passing import f\ny = f(1)", my_passing="from my_one import f\n") == before
    assert meaning_with(beside, "from my_moved import f\ny = f(1)", my_moved=f'"""New."""\n{one}') == before
    assert meaning_with(beside, "from my_other import f\ny = f(1)") != before


def test_a_whole_module_of_our_own_counts_as_what_is_used_of_it() -> None:
    place = ROOT / "tasks" / "made.py"  # need not exist: only its text is read
    forms = [
        "from nacbench.data.live import score\nscore(x)",
        "from nacbench.data import live\nlive.score(x)",
        "import nacbench.data.live as l\nl.score(x)",
        "import nacbench\nnacbench.data.live.score(x)",
    ]
    assert len({render(place, form) for form in forms}) == 1
    assert render(place, "from nacbench.data.array_task import score\nscore(x)") != render(place, forms[0])


def render(place: Path, code: str) -> str:
    """What code computes that stands at this place."""
    return digests._IMPORTED.sub(lambda found: digests._meaning_of_name(found[1], place, OwnCode()), text(code))


def test_what_lies_where_nothing_decides_a_number_counts_by_its_name_alone() -> None:
    code = "from nacbench.filesystem.files import write_json\nwrite_json(x)"
    assert render(ROOT / "tasks" / "made.py", code) == "Expr(value=Call(func=<own write_json >,args=[Name('x'),],),)"


def test_the_public_face_stands_for_the_modules_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_public_names", lambda: {"Task": "nacbench.contracts.task"})
    digests._find_absolute.cache_clear()
    place = ROOT / "tasks" / "made.py"
    deep = render(place, "from nacbench.contracts.task import Task\nclass Mine(Task): pass")
    assert render(place, "from nacbench import Task\nclass Mine(Task): pass") == deep
    assert render(place, "import nacbench as nb\nclass Mine(nb.Task): pass") == deep
    digests._find_absolute.cache_clear()


def test_the_table_of_the_public_face_is_read_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    face = b'"""Face."""\n_PUBLIC: dict[str, str] = {"Task": "nacbench.contracts.task"}\n'
    monkeypatch.setattr(digests, "_content", lambda file: face)
    assert digests._public_names.__wrapped__() == {"Task": "nacbench.contracts.task"}
    monkeypatch.setattr(digests, "_content", lambda file: b'__version__ = "1"\n')
    assert digests._public_names.__wrapped__() == {}


@pytest.mark.parametrize(
    "code",
    [
        "from nacbench import get_task\nBase = get_task('digits')",
        "import nacbench as nb\ndef build():\n    return nb.get_task(name='digits')",
        "from nacbench.registry import get_task as task_of\nBase = task_of('digits')",
    ],
)
def test_plugins_that_code_asks_for_by_name_are_known(code: str) -> None:
    assert meaning_of(code.encode()).plugins == {("task", "digits")}
