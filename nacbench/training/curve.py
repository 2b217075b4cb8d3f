"""Learning curve on disk (``curve.jsonl``): one JSON object per line, truncated to the checkpoint on resume."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nacbench.filesystem.files import append_to, write_text
from nacbench.formats.reading import read_text


class Curve:
    """Appends rows to a run's ``curve.jsonl``.

    Args:
        path: the file.
        keep: number of rows to keep; rows after the last checkpoint are dropped, since they will be written again.
        told: called with each row: first with those that are kept, then with each new one.
    """

    def __init__(self, path: Path, keep: int = 0, told: Callable[[Mapping[str, Any]], None] = lambda row: None) -> None:
        self.path = path
        self._told = told
        lines = read_text(path).splitlines()[:keep] if keep and path.exists() else []
        self.rows = len(lines)
        write_text(path, "".join(f"{line}\n" for line in lines))
        # Keep the file open: a stale copy of this run on another node then still appends to the file replaced above,
        # not to this one
        self._file = append_to(path)
        for line in lines:
            told(json.loads(line))

    def add(self, row: dict[str, Any]) -> None:
        """Append a row."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rows += 1
        self._told(row)

    def close(self) -> None:
        """Flush the file to disk (fsync) and close it."""
        os.fsync(self._file.fileno())
        self._file.close()
