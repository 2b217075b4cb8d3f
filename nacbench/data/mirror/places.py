"""Where data and derived files lie on this machine."""

import os
from pathlib import Path

from nacbench.errors import UserError


def cache_folder() -> Path:
    """Derived files that can be deleted any time: ``NACBENCH_CACHE``, else ``nacbench`` in the user's cache folder."""
    base = os.environ.get("NACBENCH_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nacbench"


def default_data_root() -> Path:
    """The mirror of data sets: ``NACBENCH_DATA``, else a folder in the cache."""
    root = os.environ.get("NACBENCH_DATA")
    return Path(root) if root else cache_folder() / "data"


def data_root_of(named: Path | None, *, new: bool = False) -> Path:
    """Return the mirror to use.

    Args:
        named: what the user named; None: `default_data_root`.
        new: it may be one that does not exist yet, as it will be filled.

    Raises:
        UserError: if a folder was named that does not exist, or what was named is not a folder.
    """
    if named is None:
        return default_data_root()
    if not named.is_dir() and (named.exists() or not new):
        raise UserError(f"--data-root {named}: there is no such folder")
    return named
