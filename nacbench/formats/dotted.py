"""Dotted keys (``training.lr``): nested mappings from them, to them, merged; and their values as text."""

import json
from collections.abc import Mapping
from typing import Any

from nacbench.errors import UserError, shown

DEEPEST = 50  # parts of a key
PLAIN = (str, int, float, list, type(None))


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return ``{"training": {"lr": 3e-4}}`` for the dotted key ``training.lr`` and its value.

    Raises:
        UserError: if the key has an empty part, or more parts than any setting has.
    """
    parts = [part.strip() for part in key.split(".")]
    if not all(parts):
        raise UserError(f"setting {shown(key)} has an empty part between dots; write it as in training.lr")
    if len(parts) > DEEPEST:
        raise UserError(f"setting {shown(key)} has more than {DEEPEST} parts between dots; write it as in training.lr")
    for part in reversed(parts):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return two nested mappings merged recursively; if both have a value, that of ``over`` is taken."""
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merge(out[key], value) if both else value
    return out


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten nested mappings to dotted keys, with values as text."""
    return {key: as_text(value) for key, value in leaves(tree, prefix).items()}


def leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to dotted keys, with unchanged values."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        # first the usual types: asking whether something is a Mapping takes ten times as long
        if not isinstance(value, PLAIN) and isinstance(value, Mapping):
            flat |= leaves(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def as_text(value: Any) -> str:
    """Return a value as text. A string is quoted only if it could be mistaken for another value, such as ``"7"``."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        return json.dumps(value) if json.dumps(json.loads(value)) == value else value
    except ValueError:
        return value
