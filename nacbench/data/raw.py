"""Raw inputs of users that are arrays of numbers, for tasks such as tables and waves."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacbench.errors import UserError


def raw_numbers(raw: Any, shape: tuple[int, ...], what: str = "an example") -> np.ndarray:
    """Return the numbers of one example as float64.

    Args:
        raw: an array of whole or floating-point numbers.
        shape: that it must have.
        what: it is called, for errors.

    Raises:
        UserError: if it is no such array, has another shape, or a number is not finite.
    """
    sides = "×".join(map(str, shape))
    if not isinstance(raw, np.ndarray) or raw.dtype.kind not in "fiu":
        kind = f"an array of {raw.dtype}" if isinstance(raw, np.ndarray) else type(raw).__name__
        raise UserError(f"{what} is an array of {sides} numbers, not {kind}")
    if raw.shape != shape:
        found = "×".join(map(str, raw.shape)) or "a single number"
        raise UserError(f"{what} is an array of {sides} numbers, not {found}")
    wrong = np.argwhere(~np.isfinite(raw))
    if len(wrong):
        place = tuple(int(index) for index in wrong[0])
        raise UserError(f"{what} has {raw[place]} at {', '.join(map(str, place))}; numbers must be finite")
    return raw.astype(np.float64)
