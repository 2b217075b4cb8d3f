"""Dotted keys (``training.lr``): nested mappings from them, to them, merged; and their values as text."""

import json
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

from nacbench.errors import UserError, shown

DEEPEST = 50  # parts of a key
# Names that other libraries use for a setting, where neither letters, words nor initials are those of ours
SYNONYMS = {
    "layers": "depth",
    "n_layers": "depth",
    "num_layers": "depth",
    "max_lr": "lr",
    "min_lr": "lr_end",
    "eta_min": "lr_end",
    "warmup_lr": "lr_start",
    "momentum": "beta1",
}

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


def unknown_key(kind: str, key: str, known: Iterable[str], most: int = 1) -> UserError:
    """Return the error for an unknown dotted key, with the known keys whose last part is most like its last part.

    The parts before the last say little: in ``training.learning_rate`` they are most of the letters, but the setting
    that is meant is ``training.lr``.

    Args:
        kind: what the key refers to, for example ``setting``.
        key: the unknown key.
        known: all valid keys.
        most: number of keys to name, if as many are similar; if none is, all are listed.
    """
    known = list(known)
    ranked = sorted(((_likeness(key, own), own) for own in known), key=lambda pair: (*(-x for x in pair[0]), pair[1]))
    near = [own for (likeness, _), own in ranked if likeness >= max(0.5, ranked[0][0][0] - 0.2)][:most]
    suggestion = f"did you mean {' or '.join(map(repr, near))}?"
    hint = suggestion if near else f"there are: {', '.join(sorted(known)) or 'none'}"
    return UserError(f"unknown {kind} {shown(key)}; {hint}")


def _likeness(key: str, known: str) -> tuple[float, float]:
    """Return how much the last parts of two keys are alike, from 0 to 1, and then the whole keys."""
    one, other = (own.rpartition(".")[2].lower() for own in (key, known))
    words, others = set(one.split("_")), set(other.split("_"))
    found = [SequenceMatcher(None, one, other).ratio()]
    if common := words & others:
        found.append(0.5 + 0.3 * len(common) / min(len(words), len(others)) + 0.05 * other.startswith(one))
    if other in (SYNONYMS.get(one), _initials(one)) or one == _initials(other):
        found.append(0.95)
    return max(found), SequenceMatcher(None, key, known).ratio()


def _initials(name: str) -> str:
    return "".join(word[:1] for word in name.split("_"))


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
