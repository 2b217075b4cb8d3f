"""The working folder, to which the paths of a command line are relative."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def working_folder_kept() -> Iterator[None]:
    """Put the working folder back after a block that loads code of others.

    Plug-ins change to their own folder to find their files. All relative paths of a command, such as ``--out``, would
    lead there from then on, and what is written would be where nobody looks for it.
    """
    try:
        before = os.getcwd()  # noqa: PTH109 (text, as it is compared)
    except OSError:  # it was deleted
        yield
        return
    try:
        yield
    finally:
        if _is_elsewhere(before):
            os.chdir(before)


def _is_elsewhere(before: str) -> bool:
    try:
        return os.getcwd() != before  # noqa: PTH109
    except OSError:
        return True
