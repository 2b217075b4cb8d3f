"""The learning curve on disk: one JSON object a line, cut back to the checkpoint when a run is resumed."""

import json
import os
from pathlib import Path
from typing import Any

from nacbench.files import write_text


class Curve:
    """Rows of a run's ``curve.jsonl``.

    Args:
        path: the file.
        keep: how many rows count; what was written after the last checkpoint is dropped, as it will be written again.
    """

    def __init__(self, path: Path, keep: int = 0) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines()[:keep] if keep and path.exists() else []
        self.rows = len(lines)
        write_text(path, "".join(f"{line}\n" for line in lines))
        # held open: a copy of this run that lives on elsewhere goes on writing to the file that was replaced
        self._file = path.open("a", encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Append a row."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rows += 1

    def close(self) -> None:
        """Bring what was written to the disk."""
        os.fsync(self._file.fileno())
        self._file.close()
