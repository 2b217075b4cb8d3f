"""What every reader of foreign bytes promises: an answer or one clear line, soon, and no file outside its place."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from nacbench.errors import UserError

from ..conftest import FUZZING

SLOW = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]
# Few inputs in the usual suite, the same each time; very many new ones by `make fuzz`
QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)
MANY = settings(max_examples=FUZZING or 1, deadline=None, suppress_health_check=SLOW, print_blob=True)
MOST_SECONDS = 1.0  # of this process's own time, so that a busy machine does not matter
LONGEST_LINE = 2001


def fuzz(**strategies: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with many inputs, as hypothesis' ``given``; with how many depends on `FUZZING`."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        run: Callable[..., None] = (MANY if FUZZING else QUICK)(given(**strategies)(test))
        return run

    return decorate


def read_or_refused(read: Callable[[], object], place: Path) -> bool:
    """Read something; fail on any error but a `UserError` of one line, on a hang, and on a file outside of a folder.

    Args:
        read: reads.
        place: the only folder in which files may appear; its parent has nothing else.

    Returns:
        Whether it was read.
    """
    began = time.process_time()
    try:
        read()
        accepted = True
    except UserError as refusal:
        accepted = False
        line = str(refusal)
        assert line and len(line) < LONGEST_LINE, f"a message of {len(line)} characters"
        assert len(line.splitlines()) == 1, f"more than one line: {line!r}"
    seconds = time.process_time() - began
    assert seconds < MOST_SECONDS, f"it took {seconds:.1f} s"
    assert os.listdir(place.parent) == [place.name], "a file appeared outside of its place"  # noqa: PTH208
    return accepted


def of_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], bool]:
    """Return a check of a reader of a file with this name; it takes the file's content and its folder."""

    def check(content: bytes, place: Path) -> bool:
        file = place / name
        file.write_bytes(content)
        return read_or_refused(lambda: read(file), place)

    return check
