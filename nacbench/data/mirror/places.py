"""Folders of data sets and of the cache on this machine (NACBENCH_DATA, NACBENCH_CACHE)."""

import os
from pathlib import Path

from nacbench.errors import UserError


def cache_folder() -> Path:
    """Return the folder of derived files, which can be deleted at any time.

    It is ``NACBENCH_CACHE`` or, if that is not set, ``nacbench`` in the user's cache folder.

    Raises:
        UserError: if neither that is set nor the user has a home folder.
    """
    base = os.environ.get("NACBENCH_CACHE")
    if base:
        return Path(base)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nacbench"
    except RuntimeError:  # from pathlib
        raise UserError("this user has no home folder: name a folder for the cache with NACBENCH_CACHE") from None


def default_data_root() -> Path:
    """Return the mirror of data sets: ``NACBENCH_DATA`` or, if that is not set, ``data`` in the cache folder."""
    root = os.environ.get("NACBENCH_DATA")
    return Path(root) if root else cache_folder() / "data"


def data_root_of(named: Path | None, *, new: bool = False) -> Path:
    """Return the mirror to use.

    Args:
        named: the folder that the user named; None for `default_data_root`.
        new: accept a folder that does not exist yet, as it will be filled.

    Raises:
        UserError: if the folder that is named, or set by ``NACBENCH_DATA``, does not exist or is not a folder.
    """
    root = default_data_root() if named is None else named
    source = "NACBENCH_DATA=" if named is None else "--data-root "
    is_given = named is not None or bool(os.environ.get("NACBENCH_DATA"))
    if is_given and not root.is_dir() and (root.exists() or not new):
        raise UserError(f"{source}{root}: no such folder")
    return root
