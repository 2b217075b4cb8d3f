"""Read and write YAML by the core schema of YAML 1.2: text, numbers, true, false and null, in mappings and lists.

Unlike YAML 1.1, which PyYAML reads on its own, ``12:00:00``, ``yes`` and ``2026-11-28`` are text, ``010`` is ten and
``1e-3`` is a number. Tags and merge keys (``<<``) are refused, and aliases, nesting and numbers are bounded.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import yaml

from nacbench.errors import BrokenFileError, shown
from nacbench.formats.reading import read_text

LARGEST = 2**20  # bytes of a file; PyYAML reads about 100 kB/s
MOST_NODES = 100_000  # values of a file, counted again wherever an alias repeats them
DEEPEST = 50  # mappings and lists inside one another
INT64 = range(-(2**63), 2**63)
Lines = dict[tuple[str, ...], int]  # of keys, by their own names and those of the mappings around them

NOT_TEXT = re.compile(r"[\0\ud800-\udfff]")  # neither a file's name nor UTF-8 can hold these


def _integer(digits: str, base: int) -> int:
    # first the length: Python's own conversion takes quadratic time, and refuses thousands of digits
    value = int(digits, base) if len(digits) <= 70 else None
    if value is None or value not in INT64:
        raise ValueError(f"the number {shown(digits)} does not fit into 64 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"the number {shown(digits)} is too large")
    return value


# Tag, form and value of plain (unquoted) scalars that are not text: section 10.3.2 of the YAML 1.2.2 specification
CORE: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("null", r"~|null|Null|NULL|", lambda text: None),
    ("bool", r"true|True|TRUE", lambda text: True),
    ("bool", r"false|False|FALSE", lambda text: False),
    ("int", r"[-+]?[0-9]+", lambda text: _integer(text, 10)),
    ("int", r"0o[0-7]+", lambda text: _integer(text[2:], 8)),
    ("int", r"0x[0-9a-fA-F]+", lambda text: _integer(text[2:], 16)),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", _finite),
    ("float", r"[-+]?\.(?:inf|Inf|INF)", lambda text: float(text.replace(".", "").lower())),
    ("float", r"\.(?:nan|NaN|NAN)", lambda text: math.nan),
)
FORMS = [(re.compile(form), value) for _, form, value in CORE]


def parse_yaml(text: str, where: object) -> Any:
    """Parse one YAML document. Keys are text, as written; an empty document is None.

    Args:
        text: the document.
        where: the place it comes from, for errors.

    Raises:
        BrokenFileError: if it is not such YAML; the message starts with the place and gives line and column.
    """
    return parse_with_lines(text, where)[0]


def parse_with_lines(text: str, where: object) -> tuple[Any, Lines]:
    """Parse one YAML document as `parse_yaml`; return its value, and the line of each key of nested mappings."""
    document = _Document(text)
    try:
        return document.content(), document.lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BrokenFileError(f"{where} is not valid YAML{place}: {str(error.problem)[:200]}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        problem = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise BrokenFileError(f"{where} is not valid YAML at line {line}, column {column}: {problem}") from None
    except (ValueError, OverflowError):  # from chr, of which PyYAML does not say the place
        raise BrokenFileError(f"{where} is not valid YAML: an escape such as \\U00110000 names no character") from None


def read_mapping(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Read the mapping in a YAML file.

    Args:
        path: the file.
        keys: allowed keys, for the error message if the file is not a mapping.

    Raises:
        UserError: if the file cannot be read, is not YAML, or is not a mapping.
    """
    return read_with_lines(path, keys)[0]


def read_with_lines(path: Path, keys: Iterable[str]) -> tuple[dict[str, Any], Lines]:
    """Read the mapping in a YAML file as `read_mapping`; return it with the line of each key, as `parse_with_lines`."""
    content, lines = parse_with_lines(read_text(path, largest=LARGEST), path)
    if not isinstance(content, dict):
        raise BrokenFileError(f"{path} holds no settings; it should be a mapping with the keys {', '.join(keys)}")
    return content, lines


def as_yaml(content: Any, *, width: int = 80) -> str:
    """Return plain data as YAML, which `parse_yaml` and readers of YAML 1.1 read as equal data."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=width))


class _Document:
    """Build the value of a document from PyYAML's events, which do not interpret scalars yet."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.lines: Lines = {}
        self._inside: tuple[str, ...] = ()  # keys of the mappings around
        self._nodes = 0
        self._anchored: dict[str, tuple[Any, int]] = {}  # with the number of nodes

    def content(self) -> Any:
        """Return the value of the only document."""
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), 1)
        next(self._events)  # the end of the document
        if isinstance(after := next(self._events), yaml.DocumentStartEvent):
            _refuse("a second document starts here; keep one", after)
        return value

    def _value(self, event: yaml.Event, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        before = self._nodes
        self._count(1, event)
        if event.tag is not None:
            _refuse(f"the tag {shown(event.tag)} is not read; write the plain value", event)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif depth > DEEPEST:
            _refuse(f"more than {DEEPEST} mappings and lists inside one another", event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        else:
            value = self._mapping(depth + 1)
        if event.anchor is not None:
            self._anchored[event.anchor] = value, self._nodes - before
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = _key(event)
            if key in lines:
                _refuse(f"key {shown(key)} is given a second time, after line {lines[key]}; keep one of them", event)
            lines[key] = _mark(event).line + 1
            self._inside = (*self._inside, key)
            self.lines.setdefault(self._inside, lines[key])
            value[key] = self._value(next(self._events), depth)
            self._inside = self._inside[:-1]
        return value

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        return takewhile(lambda event: not isinstance(event, end), self._events)

    def _repeated(self, event: yaml.AliasEvent) -> Any:
        if event.anchor not in self._anchored:  # which a value inside itself is not yet, either
            _refuse(f"no complete value before this has the anchor {shown(event.anchor)}", event)
        value, nodes = self._anchored[event.anchor]
        self._count(nodes, event)
        return value

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            _refuse(f"more than {MOST_NODES:,} values", event)


def _key(event: yaml.Event) -> str:
    if not isinstance(event, yaml.ScalarEvent) or event.tag is not None or event.anchor is not None:
        _refuse("a key must be text, without a tag, an anchor or an alias", event)
    if event.value == "<<" and event.implicit[0]:
        _refuse("YAML 1.2 has no merge key <<; write out the keys that it stands for", event)
    return _text(event)


def _scalar(event: yaml.ScalarEvent) -> Any:
    if event.implicit[0]:  # not quoted
        for form, value in FORMS:
            if form.fullmatch(event.value):
                try:
                    return value(event.value)
                except ValueError as error:
                    _refuse(str(error), event)
    return _text(event)


def _text(event: yaml.ScalarEvent) -> str:
    if wrong := NOT_TEXT.search(event.value):
        _refuse(f"the character U+{ord(wrong[0]):04X} is not allowed", event)
    return str(event.value)


def _refuse(problem: str, event: yaml.Event) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=_mark(event))


def _mark(event: yaml.Event) -> yaml.Mark:
    assert isinstance(event.start_mark, yaml.Mark)  # which every event of a text has
    return event.start_mark


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.2's core schema would not read as text, beside what YAML 1.1 would not."""

    # PyYAML tries the forms under None for every scalar
    yaml_implicit_resolvers = {
        **yaml.SafeDumper.yaml_implicit_resolvers,
        None: [(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{form})\Z")) for kind, form, _ in CORE],
    }
