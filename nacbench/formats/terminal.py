"""Write to a terminal: the one way out for text of the command line and of jobs, which may have names of others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from nacbench.formats.escape import terminal_json, visible

if TYPE_CHECKING:
    from rich.console import Console


_passed: set[str] = set()


@contextmanager
def passing(text: str) -> Iterator[None]:
    """Show on a terminal what takes a while, on standard error, until it is done; then the line is empty again.

    Each text is shown once in a process: what is done again and again, while other output stands there, stays quiet.
    """
    if text in _passed or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    _passed.add(text)
    line = visible(text)
    sys.stderr.write(f"{line}\r")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write(f"{' ' * len(line)}\r")
        sys.stderr.flush()


def say(*lines: str, err: bool = False, stream: TextIO | None = None) -> None:
    r"""Write lines, in which all but tabs is made visible: a name cannot move the cursor, add a line or hide one.

    Args:
        lines: each becomes one line; a line break inside is shown as ``\n``.
        err: write to standard error instead of standard output.
        stream: to write to instead of both.
    """
    out = stream or (sys.stderr if err else sys.stdout)
    text = "".join(f"{visible(line, keep=chr(9))}\n" for line in lines)
    encoding = out.encoding or "utf-8"  # in the C locale a terminal may have ASCII only
    out.write(text.encode(encoding, "backslashreplace").decode(encoding))
    out.flush()


def say_text(text: str, *, err: bool = False) -> None:
    """Write text of several lines, such as a table or a traceback; see `say`."""
    say(*text.split("\n"), err=err)


def say_json(data: Any) -> None:
    """Write data as indented JSON to standard output."""
    say_text(terminal_json(data))


def console(*, err: bool = False) -> "Console":
    """Return rich's console for tables and progress bars, which takes no text for markup.

    rich's own codes for colours must pass, so what is printed there has to be made ``visible`` before.
    """
    from rich.console import Console

    return Console(stderr=err, highlight=False, markup=False, emoji=False)
