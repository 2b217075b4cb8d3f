"""Start Python processes of ours: with this very package, and nothing from the working folder."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import nacbench

PACKAGE = Path(nacbench.__file__).resolve().parent


def worker_environment() -> dict[str, str]:
    """Return the variables that a worker needs in its environment, beside those of this process.

    ``PYTHONSAFEPATH`` keeps the working folder off its path: a ``yaml.py`` there would be imported for the library.
    """
    folder = folder_to_hand_over()
    given = {"PYTHONSAFEPATH": "1"}
    if folder is not None:
        given["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return given


@cache
def folder_to_hand_over() -> Path | None:
    """Return the folder that ``PYTHONPATH`` must start with, so that a worker imports this very package.

    None where it does so anyway; the folder of this package in a clone that is not installed, for example.
    """
    # asked, not computed from sys.path: which of its entries a new interpreter has is decided by .pth files and more
    command = [sys.executable, "-P", "-c", "import nacbench; print(nacbench.__file__)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own interpreter)
    # a folder called nacbench without __init__.py is imported as a package, too; its __file__ is None
    found = done.returncode == 0 and Path(done.stdout.strip()).resolve().parent == PACKAGE
    return None if found else PACKAGE.parent
