"""Class numbers from class names: one order of the classes of a data set, whatever order a copy of it lists them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class GivenLabels:
    """The labels of a split as a copy of the data has them.

    Attributes:
        numbers: one for each example, unchecked.
        names: names of the classes by number; None if the copy has none.
    """

    numbers: Sequence[Any]
    names: Sequence[str] | None = None


def class_order(names: Iterable[str], makers: Sequence[str] = ()) -> list[str]:
    """Return class names in the order in which they are numbered, the same for all copies of a data set.

    It is the makers' order where that is stated, and otherwise that of the names: as numbers if all are whole numbers,
    as text if not.

    Args:
        names: the classes of a copy, in any order.
        makers: the order of the data set's makers; classes that it lacks come after its own.
    """
    names = list(names)
    if names and all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    rank = {name: position for position, name in enumerate(makers)}
    return sorted(names, key=lambda name: (rank.get(name, len(makers)), name))


def numbered_by_name(
    given: Mapping[str, GivenLabels], where: str, classes: int, makers: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], list[str] | None]:
    """Return the labels of each split, int16 N, as positions in one order of the classes, and the classes' names.

    Args:
        given: labels by split; the first one says which classes there are.
        where: the data set and its place, for errors.
        classes: number of classes, for copies without names.
        makers: see `class_order`.

    Returns:
        Labels by split, and the class names in their order; None for a copy without names, whose numbers are kept.

    Raises:
        UserError: names the split and what is wrong with its labels.
    """
    first = next(iter(given.values())).names
    placed = {}
    for split, labels in given.items():
        try:
            placed[split] = _placed(labels, first, classes, makers)
        except ValueError as error:
            raise UserError(f"{where}, split {split}, cannot be decoded: {error}") from error
    return placed, None if first is None else class_order(first, makers)


def _placed(labels: GivenLabels, first: Sequence[str] | None, classes: int, makers: Sequence[str]) -> np.ndarray:
    """Return the labels of one split as positions in the order of the first split's names."""
    import numpy as np

    names = labels.names
    found = whole_labels(labels.numbers, classes if names is None else len(names))
    if names is None or first is None:
        stated = names or first  # numbers without names can only be those of the usual order
        if stated is not None and list(stated) != class_order(stated, makers):
            raise ValueError("only some splits name their classes, and these are in another order than usual")
        return found
    position = {name: number for number, name in enumerate(class_order(first, makers))}
    strangers = [names[label] for label in np.unique(found) if names[label] not in position]
    if strangers:
        raise ValueError(f"its class {strangers[0]!r} is not among the training split's")
    return np.array([position.get(name, -1) for name in names], dtype=np.int16)[found]


def whole_labels(values: Any, classes: int) -> np.ndarray:
    """Check that labels are integers in [0, classes), and return them as int16.

    Raises:
        ValueError: names the first wrong label.
    """
    import numpy as np

    # Checked before the cast, which would wrap a wrong label into the range
    labels = np.asarray(values)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):  # text, lists, or a column with gaps
        strange = [(n, v) for n, v in enumerate(labels.tolist()) if not isinstance(v, int)] or [(0, labels[0])]
        # One missing label (None, or NaN, which differs from itself) turns all numbers into floats: name that one
        number, wrong = next(((n, v) for n, v in strange if v is None or v != v), strange[0])
        raise ValueError(
            f"label {shown(wrong)} is not a whole number; labels are 0 to {classes - 1} (example {number})"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        wrong = labels[outside[0]]
        raise ValueError(
            f"label {wrong} is not one of {classes} classes; labels are 0 to {classes - 1} (example {outside[0]})"
        )
    return labels.astype(np.int16)
