"""Checks of the scores that a task gives: metrics, predictions, details; and whether the network has diverged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from nacbench.contracts.given import described, kind_of, named
from nacbench.contracts.numbers import LARGEST
from nacbench.contracts.task import Evaluation
from nacbench.errors import DivergedError, UserError, shown

if TYPE_CHECKING:
    from nacbench.contracts.metric import Metric
    from nacbench.contracts.task import ScoredTask

SMALLER = "try a smaller training.lr"


def checked_evaluation(live: ScoredTask, split: str, given: Any, metric: str | None, net: Any = None) -> Evaluation:
    """Return what ``evaluate()`` gave, with plain numbers.

    Args:
        live: the task with its data.
        split: name of the split.
        given: what it gave.
        metric: the main metric, which must be among the metrics; None if it need not.
        net: the network, to tell one that has diverged from a task that computes wrongly.

    Raises:
        UserError: if it is no ``Evaluation``, or part of it has another type or length.
        DivergedError: if a metric is not finite because the network's outputs or weights are not.
    """
    import numpy as np

    where = f"{named(live)}.evaluate() on {split}"
    if not isinstance(given, Evaluation):
        raise UserError(
            f"{where} gives {kind_of(given)}, and should give nacbench.Evaluation(metrics=…, predictions=…)"
        )
    columns = given.predictions
    if not isinstance(columns, Mapping) or not columns:
        raise UserError(f"{where} gives {kind_of(columns)} as predictions, and should map names to arrays")
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    size = live.split_sizes[split]
    for name, array in arrays.items():
        if not isinstance(name, str) or array.dtype.kind not in "biufSU" or array.ndim not in (1, 2):
            raise UserError(f"{where} gives predictions {shown(name)} {described(array)}, and should give a column")
        if len(array) != size:
            raise UserError(f"{where} gives {len(array):,} {name} in predictions, and the split has {size:,} examples")
    broken = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    metrics = checked_numbers(where, "metrics", given.metrics, [metric] if metric else [], finite=False)
    for name, value in metrics.items():
        if not is_usable(value):
            if broken or (net is not None and not has_finite_weights(net)):
                raise DivergedError(f"the network has diverged: {name} on {split} is {value}; {SMALLER}")
            raise UserError(f"{where} gives {name} = {value} in metrics, and should give a finite number")
    return Evaluation(
        metrics=metrics,
        predictions=arrays,
        details=_checked_details(where, given.details),
        measured=checked_numbers(where, "measured", given.measured),
    )


def checked_numbers(
    where: str, what: str, given: Any, needed: Iterable[str] = (), *, finite: bool = True
) -> dict[str, float]:
    """Return a mapping from names to numbers as plain floats.

    Args:
        where: plug-in and method, for messages.
        what: what the mapping is, for messages.
        given: the mapping.
        needed: names it must have.
        finite: refuse NaN, infinity, and what is beyond ``nacbench.contracts.numbers.LARGEST``.

    Raises:
        UserError: if it is no such mapping.
    """
    if not isinstance(given, Mapping):
        raise UserError(f"{where} gives {kind_of(given)} as {what}, and should map names to numbers")
    for name, value in given.items():
        good = isinstance(name, str) and name and isinstance(value, Real) and not isinstance(value, bool)
        if not good or (finite and not is_usable(value)):
            raise UserError(f"{where} gives {shown(name)}: {shown(value)} in {what}, and should give finite numbers")
    for name in needed:
        if name not in given:
            raise UserError(f"{where} gives {what} {', '.join(given) or 'without any name'}, and lacks {name}")
    return {name: float(value) for name, value in given.items()}


def is_usable(value: Any) -> bool:
    """Return whether a number is finite, and its square, too."""
    return bool(-LARGEST <= value <= LARGEST)  # false for NaN


def check_ranges(where: str, metrics: Mapping[str, float], described: Iterable[Metric]) -> None:
    """Check that numbers lie where the task says that they can.

    Args:
        where: plug-in and method, for messages.
        metrics: values by name.
        described: what the task says of its metrics.

    Raises:
        UserError: names the first that does not.
    """
    for metric in described:
        value = metrics.get(metric.name)
        if value is not None and not metric.allows(value):
            raise UserError(
                f"{where} gives {metric.name} = {value:g}, but by the task's metrics it lies between {metric.least:g} "
                f"and {metric.most:g}"
            )


def _checked_details(where: str, given: Any) -> Mapping[str, Any]:
    try:
        plain = json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{where} gives details that JSON cannot hold: {error}") from None
    if not isinstance(plain, dict):
        raise UserError(f"{where} gives {kind_of(given)} as details, and should map names to facts")
    return plain


def has_finite_weights(net: Any) -> bool:
    """Whether no parameter or buffer of a network is NaN or infinite."""
    import torch

    floating = [tensor for tensor in net.state_dict().values() if tensor.is_floating_point()]
    return all(bool(torch.isfinite(tensor).all()) for tensor in floating)
