"""Normalise a Python file to what it computes, for code digests: the same text for every layout and Python ≥ 3.11.

The syntax tree (AST) is written as text without comments, docstrings, annotations and texts of errors, and with
imported names resolved to what they stand for.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from nacbench.code_digest.imported_names import Names, bound_by, imported, is_type_checking

# Delimits the dotted name of an import in the text. `ascii` escapes NUL in all other text, so it cannot occur there.
MARK = "\0"

# Fields of the AST that compute nothing, or differ between versions of Python. msg: of assert; cause: of raise … from
_IGNORED = frozenset({"ctx", "kind", "type_comment", "annotation", "returns", "msg", "cause", "simple"})
# Annotations that change what a name in a dataclass is, and so do count.
_NO_FIELD = ("ClassVar", "InitVar", "KW_ONLY")
_IMPORTERS = ("importlib.import_module", "import_module", "__import__")
# What gives a plug-in of nacbench by its name, and the kind of plug-in; imported from wherever, or under no import.
_FINDERS = {"get_task": "task", "get_model": "model"}


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a module.

    Attributes:
        text: what it computes.
        binds: names of the module that it defines.
        mentions: names that it uses.
    """

    text: str
    binds: frozenset[str]
    mentions: frozenset[str]


@dataclass(frozen=True)
class Meaning:
    """What a file computes.

    Leaves out comments, docstrings, layout, annotations, texts of errors and warnings, descriptions of pydantic fields,
    blocks under ``if TYPE_CHECKING``, and import lines. Where an imported name is used, the text has the dotted name of
    what it stands for between two ``MARK`` characters; leading dots make it relative.

    Attributes:
        statements: statements of the module that compute something.
        imports: names that the module imports at its top level, and the dotted names that they stand for.
        reaches: dotted names of everything the file may import, including imports inside functions.
        plugins: kind (``task``, ``model``) and name of the plug-ins that it asks nacbench for by a literal name.
    """

    statements: Sequence[Statement]
    imports: Mapping[str, str]
    reaches: frozenset[str]
    plugins: frozenset[tuple[str, str]]

    @property
    def text(self) -> str:
        """Text of the whole file."""
        return "".join(statement.text for statement in self.statements)

    def definition(self, name: str) -> str | None:
        """Return the text that defines a name, with everything it uses from this module; None if it is not defined."""
        needed, taken = {name}, set[int]()
        while True:
            more = [
                number
                for number, statement in enumerate(self.statements)
                if number not in taken and needed & (statement.binds or statement.mentions)
            ]
            if not more:
                break
            taken.update(more)
            needed.update(*(self.statements[number].mentions for number in more))
        defined = any(name in self.statements[number].binds for number in taken)
        return "".join(self.statements[number].text for number in sorted(taken)) if defined else None


@cache
def meaning_of(code: bytes) -> Meaning:
    """Return what a file with this content computes.

    Raises:
        SyntaxError: if it is not Python.
        ValueError: if it contains null bytes.
    """
    tree = ast.parse(code)
    names = Names(tree)
    writer = _Writer(names)
    statements = [writer.statement(node) for node in writer.computing(tree.body)]
    reaches = writer.reached | {origin for found in names.origins.values() for origin in found}
    return Meaning(statements, names.at_top, frozenset(reaches), frozenset(writer.plugins))


class _Writer:
    """Write a syntax tree as text. Not by ``ast.unparse`` or ``ast.dump``: their output differs between Pythons."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._out: list[str] = []
        self._mentions: set[str] = set()
        self._binds: set[str] = set()
        self._in_class = False
        self.reached: set[str] = set()
        self.plugins: set[tuple[str, str]] = set()

    def statement(self, node: ast.stmt) -> Statement:
        """Return a top-level statement of the module."""
        self._out, self._mentions, self._binds = [], set(), set()
        self._write(node)
        own = {node.name} if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else self._binds
        return Statement("".join(self._out), frozenset(own), frozenset(self._mentions))

    def computing(self, body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
        """Yield the statements of a block that compute something."""
        for node in body:
            if isinstance(node, ast.Pass):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring, or the dots of an empty body
            if isinstance(node, ast.AnnAssign) and node.value is None and not self._in_class:
                continue
            if isinstance(node, ast.If) and is_type_checking(node.test):
                yield from self.computing(node.orelse)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.reached.update(_modules_of(node))
                if any(name not in self._names.standing for name, _ in imported(node)):
                    yield node
            else:
                yield node

    def _write(self, node: ast.AST) -> None:
        special = _SPECIAL.get(type(node))
        if special:
            special(self, node)
        else:
            self._fields(node)

    def _fields(self, node: ast.AST) -> None:
        """Write a node's class name and those of its fields that are set and compute something."""
        out = self._out
        kind = type(node)
        out.append(f"{kind.__name__}(")
        for field in kind._fields:
            if field in _IGNORED:
                continue
            value = getattr(node, field, None)
            if value is None:
                continue
            if isinstance(value, list):
                items = list(self.computing(value)) if field in _BLOCKS else value
                if not items:
                    continue
                out.append(f"{field}=[")
                for item in items:
                    if isinstance(item, ast.AST):
                        self._write(item)
                    else:  # a string (global x), or None (the key of **other in a dict)
                        out.append(ascii(item))
                    out.append(",")
                out.append("],")
            else:
                out.append(f"{field}=")
                if isinstance(value, ast.AST):
                    self._write(value)
                else:
                    out.append(ascii(value))
                out.append(",")
        out.append(")")

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        self._out.append(f"({hex(value) if type(value) is int else ascii(value)})")

    def _name(self, node: ast.Name) -> None:
        name = node.id
        origin = self._names.standing.get(name)
        if origin:
            self._out.append(f"{MARK}{origin}{MARK}")
            self.reached.add(origin)
            return
        self._mentions.add(name)
        if type(node.ctx) is not ast.Load:
            self._binds.add(name)
        self._out.append(f"Name({name!a})")

    def _attribute(self, node: ast.Attribute) -> None:
        """Write an attribute of an imported name as if it had been imported itself: ``np.sum`` as ``numpy.sum``."""
        base: ast.expr = node
        attributes: list[str] = []
        while isinstance(base, ast.Attribute):
            attributes.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name) and base.id in self._names.origins:
            dotted = ".".join(reversed(attributes))
            self.reached.update(f"{origin}.{dotted}" for origin in self._names.origins[base.id])
            if base.id in self._names.standing:
                self._out.append(f"{MARK}{self._names.standing[base.id]}.{dotted}{MARK}")
                return
        self._fields(node)

    def _origin_of(self, node: ast.expr) -> str:
        """Return the dotted name of a called function, or an empty string for other expressions."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._names.standing.get(node.id, node.id), *reversed(attributes)])

    def _call(self, node: ast.Call) -> None:
        origin = self._origin_of(node.func)
        if origin == "warnings.warn":
            self._write(node.func)
            return
        name, finder = _name_given(node), origin.rpartition(".")[2]
        if name and origin in _IMPORTERS:
            self.reached.add(name)
        elif name and finder in _FINDERS:
            self.plugins.add((_FINDERS[finder], name))
        if origin in ("pydantic.Field", "pydantic.fields.Field"):
            node = ast.Call(node.func, node.args, [word for word in node.keywords if word.arg != "description"])
        self._fields(node)

    def _raise(self, node: ast.Raise) -> None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        self._fields(ast.Raise(exc=raised))

    def _annotated(self, node: ast.AnnAssign) -> None:
        """Write an annotated assignment: as a plain one, unless it may be a field of a dataclass."""
        mark = _mark_of(node.annotation) if self._in_class else "ClassVar"
        if mark == "ClassVar" and node.value is not None:
            self._fields(ast.Assign(targets=[node.target], value=node.value))
            return
        self._out.append(f"Field({mark},")
        self._fields(node)
        self._out.append(")")

    def _class(self, node: ast.ClassDef) -> None:
        outside, self._in_class = self._in_class, True
        self._fields(node)
        self._binds.add(node.name)
        self._in_class = outside

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        outside, self._in_class = self._in_class, False
        self._fields(node)
        self._binds.update(bound_by(node))
        self._in_class = outside

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Write an import as an assignment, for names that are not replaced by what they stand for."""
        for name, origin in imported(node):
            if name not in self._names.standing:
                self._binds.add(name)
                self._out.append(f"Import({name!a}={MARK}{origin}{MARK})")


def _name_given(call: ast.Call) -> str | None:
    """Return the text that a call has as its first argument or as its argument ``name``, if it is written down."""
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "name")]
    return next((str(one.value) for one in given if isinstance(one, ast.Constant)), None)


def _modules_of(node: ast.AST) -> Iterator[str]:
    """Yield the modules that an import names: importing runs a module even if nothing of it is used."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


def _mark_of(annotation: ast.expr) -> str:
    """Return ``ClassVar``, ``InitVar`` or ``KW_ONLY`` if an annotation is one of these, otherwise an empty string."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):  # a quoted annotation
        return next((mark for mark in _NO_FIELD if mark in annotation.value.partition("[")[0]), "")
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    name = outer.attr if isinstance(outer, ast.Attribute) else outer.id if isinstance(outer, ast.Name) else ""
    return name if name in _NO_FIELD else ""


_BLOCKS = ("body", "orelse", "finalbody")
_SPECIAL: dict[type[ast.AST], Callable[[_Writer, Any], None]] = {
    ast.AnnAssign: _Writer._annotated,
    ast.AsyncFunctionDef: _Writer._function,
    ast.Attribute: _Writer._attribute,
    ast.Call: _Writer._call,
    ast.ClassDef: _Writer._class,
    ast.Constant: _Writer._constant,
    ast.FunctionDef: _Writer._function,
    ast.Import: _Writer._import,
    ast.ImportFrom: _Writer._import,
    ast.Lambda: _Writer._function,
    ast.Name: _Writer._name,
    ast.Raise: _Writer._raise,
}
