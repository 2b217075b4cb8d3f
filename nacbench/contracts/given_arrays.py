"""Checks of the arrays of examples that a task gives: names, types, shapes, lengths and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.contracts.given import checked_fingerprint, described, kind_of, named
from nacbench.contracts.spec import TaskSpec
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

ROWS = 4096  # of an array that are looked at together, so that a memory map is not read into memory as a whole


@dataclass(frozen=True)
class Form:
    """What an array of examples must hold.

    Attributes:
        kinds: NumPy's letters for kinds of types: ``f`` floating point, ``iu`` whole numbers.
        shape: of one example; None for any length.
        below: whole numbers must be at least 0 and less than this; None: any.
        size: bytes of a number; None for any.
    """

    kinds: str
    shape: tuple[int | None, ...]
    below: int | None = None
    size: int | None = None

    def __str__(self) -> str:
        kind = {"f": "floating-point numbers", "iu": "whole numbers"}.get(self.kinds, "bytes (uint8)")
        sides = "×".join(["N", *("…" if side is None else str(side) for side in self.shape)])
        return f"{kind} {sides}" + (f" from 0 to {self.below - 1}" if self.below is not None else "")

    def fits(self, array: np.ndarray) -> bool:
        """Whether an array has this type and shape; its values are not looked at."""
        sides = array.shape[1:]
        return (
            array.dtype.kind in self.kinds
            and self.size in (None, array.dtype.itemsize)
            and len(sides) == len(self.shape)
            and all(wanted in (None, side) for wanted, side in zip(self.shape, sides, strict=True))
        )


def checked_arrays(owner: object, given: Any) -> Any:
    """Return what ``arrays()`` gave, of which nothing but the kind is looked at.

    Raises:
        UserError: if it is no `nacbench.data.mirror.cache.Arrays`, or its fingerprint is no text.
    """
    if not isinstance(getattr(given, "arrays", None), Mapping) or not hasattr(given, "fingerprint"):
        raise UserError(
            f"{named(owner)}.arrays() gives {kind_of(given)}, and should give Arrays, as cached_arrays() returns them"
        )
    checked_fingerprint(owner, given.fingerprint)
    return given


def check_arrays(owner: object, arrays: Mapping[str, Any], inputs: Mapping[str, Form | None], labels: Form) -> None:
    """Check the arrays of examples: their names, types, shapes, lengths and values.

    Args:
        owner: the task.
        arrays: by name: ``train_labels``, ``train_<input>`` …
        inputs: what each input must hold; None if nothing is known of it.
        labels: what the labels must hold, see `form_of_labels`.

    Raises:
        UserError: names the first array that is wrong.
    """
    where = f"{named(owner)}.arrays()"
    for split in ("train", "validation", "test"):
        if f"{split}_labels" not in arrays and split != "validation":
            raise UserError(f"{where} has no {split}_labels; it has {', '.join(map(str, arrays)) or 'nothing'}")
        if f"{split}_labels" not in arrays:
            continue
        _check_array(where, f"{split}_labels", arrays, labels)
        count = len(arrays[f"{split}_labels"])
        for name, form in inputs.items():
            _check_array(where, f"{split}_{name}", arrays, form)
            found = len(arrays[f"{split}_{name}"])
            if found != count:
                raise UserError(f"{where} gives {count:,} {split}_labels, but {found:,} {split}_{name}")
            _check_alike(where, arrays, f"train_{name}", f"{split}_{name}", form)


def form_of_labels(spec: TaskSpec) -> Form:
    """Return what an array of labels must hold: classes N, labels N×classes of 0 and 1, or values N×classes."""
    if spec.targets == "classes":
        return Form("iu", (), spec.classes)
    return Form("iu", (spec.classes,), 2) if spec.targets == "labels" else Form("f", (spec.classes,))


def _check_array(where: str, name: str, arrays: Mapping[str, Any], form: Form | None) -> None:
    import numpy as np

    if name not in arrays:
        raise UserError(f"{where} has no {name}; it has {', '.join(map(str, arrays))}")
    array = arrays[name]
    # not only NumPy's: images of a folder are decoded when they are indexed
    if not isinstance(getattr(array, "dtype", None), np.dtype) or not hasattr(array, "__getitem__"):
        raise UserError(f"{where} gives {kind_of(array)} as {name}, and should give a NumPy array")
    if isinstance(array, np.ndarray) and form is not None and not form.fits(array):
        raise UserError(f"{where} gives {name} {described(array)}, and should give {form}")
    if isinstance(array, np.ndarray) and not array.ndim:
        raise UserError(f"{where} gives a single number as {name}, and should give one per example")
    if not len(array):
        raise UserError(f"{where} gives no {name}: the array is empty")
    if isinstance(array, np.ndarray):
        _check_values(where, name, array, form)


def _check_alike(where: str, arrays: Mapping[str, Any], first: str, other: str, form: Form | None) -> None:
    """Check that a network which is trained on the first array can be given the other one."""
    import numpy as np

    ours, theirs = arrays[first], arrays[other]
    if not (isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray)):
        return
    # a form that leaves the length of a side open is of a task that takes any
    shapes_differ = ours.shape[1:] != theirs.shape[1:] and form is None
    if shapes_differ or ours.dtype != theirs.dtype:
        way = "; a task that takes examples of several shapes says so in forms()" if shapes_differ else ""
        raise UserError(f"{where} gives {first} {described(ours)}, but {other} {described(theirs)}{way}")


def _check_values(where: str, name: str, array: np.ndarray, form: Form | None) -> None:
    import numpy as np

    below = form.below if form else None
    for first, part in _parts(array):
        wrong = np.empty((0, 1), dtype=np.int64)
        if array.dtype.kind == "f":
            wrong = np.argwhere(~np.isfinite(part))
        elif below is not None and (part.min(initial=0) < 0 or part.max(initial=0) >= below):
            wrong = np.argwhere((part < 0) | (part >= below))
        if len(wrong):
            place = tuple(wrong[0])
            expected = "finite numbers" if below is None else f"whole numbers from 0 to {below - 1}"
            raise UserError(
                f"{where} gives {part[place]} in {name}, example {first + int(place[0])}, and should give {expected}"
            )


def _parts(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for first in range(0, len(array), ROWS):
        yield first, array[first : first + ROWS]
