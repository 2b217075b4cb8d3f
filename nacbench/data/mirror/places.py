"""Where data and derived files lie on this machine."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Derived files that can be deleted any time: ``NACBENCH_CACHE``, else ``nacbench`` in the user's cache folder."""
    base = os.environ.get("NACBENCH_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nacbench"


def default_data_root() -> Path:
    """The mirror of data sets: ``NACBENCH_DATA``, else a folder in the cache."""
    root = os.environ.get("NACBENCH_DATA")
    return Path(root) if root else cache_folder() / "data"
