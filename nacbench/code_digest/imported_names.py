"""Names of a Python file, and what those that it imports stand for."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType


class Names:
    """Names of a file, and what imported ones stand for.

    A name that a file binds only by imports, all of the same object, is replaced by that object's dotted name wherever
    it is used. Any other imported name stays a name, and its import counts as an assignment: a name that is also an
    argument, a variable or another import anywhere in the file, that is imported in a ``try``, a ``with`` or a class
    body, or that is also a builtin. This is conservative: it needs no analysis of scopes, and two different programs
    never get the same text through shadowing.

    Args:
        tree: of the file.

    Attributes:
        origins: names that imports bind, ``*`` among them, and the dotted names of all that each may stand for.
        standing: names that are replaced, with the dotted names that they stand for.
        at_top: names that imports at the top level of the module bind, with their dotted names.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.origins: dict[str, set[str]] = defaultdict(set)
        self._other: set[str] = set()
        self._visit(tree, plain=True)
        stars = "*" in self.origins
        self.standing = {
            name: next(iter(found))
            for name, found in self.origins.items()
            if len(found) == 1 and name not in self._other and not _is_builtin(name) and not stars
        }
        tops = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        self.at_top = {name: origin for node in tops for name, origin in imported(node)}

    def _visit(self, node: ast.AST, *, plain: bool) -> None:
        """Collect the names that a node binds. ``plain``: imports only set a name here, not in a try, with or class."""
        if isinstance(node, ast.If) and is_type_checking(node.test):
            children: Iterable[ast.AST] = node.orelse
        else:
            children = ast.iter_child_nodes(node)
            self._note(node, plain=plain)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            plain = True
        elif isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith | ast.ClassDef):
            plain = False
        for child in children:
            self._visit(child, plain=plain)

    def _note(self, node: ast.AST, *, plain: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, origin in imported(node):
                self.origins[name].add(origin)
                if not plain:
                    self._other.add(name)
        elif isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                self._other.add(node.id)
        else:
            self._other.update(bound_by(node))


def _is_builtin(name: str) -> bool:
    """Return whether this is a builtin function or type; objects that notebooks add to the builtins do not count."""
    return isinstance(getattr(builtins, name, None), type | BuiltinFunctionType)


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yield names that a node binds without a Name node: functions, arguments, exceptions, patterns, type variables."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.MatchMapping):
        if node.rest:
            yield node.rest
    elif not isinstance(node, ast.alias):
        name = getattr(node, "name", None)
        if isinstance(name, str):
            yield name


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, each with the dotted name it stands for; ``*`` with its module."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (top, top)
    elif node.module != "__future__":
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            joint = "" if module.endswith(".") else "."
            yield alias.asname or alias.name, module if alias.name == "*" else f"{module}{joint}{alias.name}"


def is_type_checking(test: ast.expr) -> bool:
    """Return whether the condition of an ``if`` holds for type checkers alone."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
