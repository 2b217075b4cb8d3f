"""Weights of a finished run, for all that uses its network: compared with the digest in its record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.errors import BrokenFileError
from nacbench.recording.record import RunRecord
from nacbench.recording.store import WEIGHTS, damage

if TYPE_CHECKING:
    from torch import Tensor


def weights_of(folder: Path, record: RunRecord) -> dict[str, Tensor]:
    """Return the weights of a finished run's network by parameter, on the CPU.

    Args:
        folder: the run's folder.
        record: its record.

    Raises:
        BrokenFileError: if the file is missing, damaged, or not the one that the run wrote.
    """
    from nacbench.training.checkpoint import load_tensors, part

    path = folder / WEIGHTS
    way_out = f"copy it again, or delete {folder} to train the network again"
    if problem := damage(path, record.files.get(WEIGHTS)):
        raise BrokenFileError(f"{problem}; {way_out}")
    tensors, meta = load_tensors(path)
    if (owner := meta.get("run_id")) != record.run_id:  # the record has no digest of it
        raise BrokenFileError(f"{path} belongs to run {owner}; {way_out}")
    return part(tensors, "model")
