"""YAML files that build on others: ``extends: base.yaml`` takes the base's keys first, and then the file's own win.

What a file extends is read before it, in the order of its list. A file counts once, where it is first met: if two files
build on the same base, the second does not bring the base's values back over those of the first.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacbench.errors import UserError, shown
from nacbench.formats.yaml_text import Lines, read_with_lines

EXTENDS = "extends"
DEEPEST = 20  # files that extend one another
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")  # of a page; as a path it has one slash


@dataclass(frozen=True)
class Layer:
    """Settings from one place; later layers override earlier ones.

    Attributes:
        place: a file, or an option such as ``--set``, as users name it.
        settings: nested mappings.
        lines: of the keys of a file.
    """

    place: str
    settings: dict[str, Any]
    lines: Lines = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.place)

    def origin(self, key: tuple[str, ...]) -> str:
        """Return where a value comes from: the file with the line, or the option."""
        # the keys around it: a value that an alias repeats has no lines of its own
        line = next((self.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.lines), None)
        return f"{self.place}, line {line}" if line else self.place


def read_layers(
    paths: Sequence[Path],
    keys: Iterable[str],
    *,
    words: Sequence[str] = (EXTENDS,),
    find: Callable[[Path], Path] = lambda path: path,
) -> list[Layer]:
    """Read YAML files and what they extend; each layer comes after those that it extends.

    Args:
        paths: of the files; later ones override earlier ones.
        keys: allowed keys, for the error message if a file is not a mapping.
        words: keys that name what a file extends, of which it may have one.
        find: returns the file for what ``extends`` names, relative to the folder of the file that has it.

    Raises:
        UserError: if a file cannot be read or is not a mapping, if files extend one another in a circle or too deeply,
            or if a file is named after one that extends it, where it would change nothing.
    """
    reader = _Reader(list(keys), words, find)
    reader.read(paths, ())
    return list(reader.found.values())


@dataclass
class _Reader:
    keys: Sequence[str]
    words: Sequence[str]
    find: Callable[[Path], Path]
    found: dict[str, Layer] = field(default_factory=dict)  # by real path

    def read(self, paths: Sequence[Path], chain: tuple[Path, ...]) -> None:
        """Read files that one file extends, which is the last of a chain, or that the user named."""
        before = set(self.found)
        for path in paths:
            place = _real(path)
            if place not in self.found:
                self._read_one(path, chain)
            elif place not in before:
                by = f"{chain[-1]}: " if chain else ""
                raise UserError(
                    f"{by}{path} is there already, and would change nothing; name it once, before what extends it"
                )

    def _read_one(self, path: Path, chain: tuple[Path, ...]) -> None:
        whole = (*chain, path)
        if _real(path) in map(_real, chain):
            raise UserError(f"files extend one another in a circle: {' → '.join(map(str, whole))}; remove one of these")
        if len(chain) >= DEEPEST:
            raise UserError(f"more than {DEEPEST} files extend one another, from {chain[0]} to {path}; merge some")
        try:
            content, lines = self._content(path)
        except UserError as error:
            raise (type(error)(f"{error}; {chain[-1]} extends it") if chain else error) from None
        self.read(self._bases(content, path), whole)
        own = {key: value for key, value in content.items() if key not in self.words}
        self.found[_real(path)] = Layer(str(path), own, lines)

    def _content(self, path: Path) -> tuple[dict[str, Any], Lines]:
        if ADDRESS.match(str(path)):
            raise UserError(f"{path} is an address; download it, and name the file")
        return read_with_lines(path, (*self.keys, *self.words))

    def _bases(self, content: dict[str, Any], path: Path) -> list[Path]:
        given = [word for word in self.words if word in content]
        if len(given) > 1:
            raise UserError(f"{path}: {' and '.join(given)} mean the same; keep one of them")
        if not given:
            return []
        value = content[given[0]]
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise UserError(f"{path}: {given[0]} = {shown(value)}: write a file, or a list of files")
        return [Path(name) if ADDRESS.match(name) else self.find(path.parent / name) for name in names]


def _real(path: Path) -> str:
    return os.path.realpath(path)  # Path.resolve raises RuntimeError for a loop of links before Python 3.13
