"""Texts that users have, as the tasks store them: bytes, padded with 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacbench.errors import UserError


def encoded(text: str) -> bytes:
    """Return a text as UTF-8; what UTF-8 cannot express (half a surrogate pair) becomes a question mark."""
    return text.encode(errors="replace")


def symbols_of(content: bytes, longest: int) -> np.ndarray:
    """Return bytes as symbols, uint8 of length ``longest``, cut or padded with 0, which in a text becomes a space."""
    kept = content[:longest].replace(b"\0", b" ")
    return np.frombuffer(kept.ljust(longest, b"\0"), dtype=np.uint8)


def text_bytes(raw: Any) -> bytes:
    """Return the bytes of a text that a user has.

    Args:
        raw: str, or the bytes themselves.

    Raises:
        UserError: if it is something else, or empty.
    """
    if not isinstance(raw, str | bytes):
        raise UserError(f"a text is str or bytes, not {type(raw).__name__}")
    if not raw.strip():
        raise UserError("the text is empty")
    return encoded(raw) if isinstance(raw, str) else raw
