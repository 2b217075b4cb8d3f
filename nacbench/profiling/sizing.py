"""Sizing a baseline to NAC: the options with which it has as many parameters or operations, or takes as long."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from nacbench.contracts.model import Model, Operations, input_shape, spec_for
from nacbench.errors import UserError
from nacbench.profiling.counting import count_parameters, forward_operations

if TYPE_CHECKING:
    from nacbench.contracts.spec import TaskSpec
    from nacbench.contracts.task import Task

TOLERANCE = 0.02


@dataclass(frozen=True)
class Sized:
    """A size that was found.

    Attributes:
        options: depth and width.
        ratio: what it has over what it should have.
    """

    options: dict[str, Any]
    ratio: float

    @property
    def near(self) -> bool:
        """Whether it is within 2 %."""
        return abs(self.ratio - 1) <= TOLERANCE


def size_to(
    model: Model, spec: TaskSpec, ratio: Callable[[Model], float], depths: Iterable[int] | None = None
) -> Sized:
    """The depth and width at which a model costs what it should, with its shape as little changed as possible.

    Args:
        model: where the search begins; its ``resized_by`` says what may change.
        spec: of the task, as the model is told it.
        ratio: what a model costs over what it should; grows with its width.
        depths: to try; None: from half as many layers to twice as many.

    Returns:
        Among all sizes within 2 %, the one that is most like the first in depth and width; else the nearest.

    Raises:
        UserError: if the model does not say what may be changed of it.
    """
    if model.resized_by is None:
        raise UserError(f"{model.title} cannot be resized: its class names no options in `resized_by`")
    depth_name, width_name = model.resized_by
    depth, width = getattr(model, depth_name), getattr(model, width_name)

    def resized(new_depth: int, new_width: int) -> Model:
        return dataclasses.replace(model, **{depth_name: new_depth, width_name: new_width})

    step = _step(lambda new_width: resized(depth, new_width), spec, width)
    found: list[tuple[Sized, float]] = []
    for new_depth in depths or range(max(1, depth // 2), 2 * depth + 1):
        ratio_at = cache(lambda units, layers=new_depth: ratio(resized(layers, units * step)))
        units = _bisected(ratio_at, max(1, width // step))
        change = abs(math.log(new_depth / depth)) + abs(math.log(units * step / width))
        found.append((Sized({depth_name: new_depth, width_name: units * step}, ratio_at(units)), change))
    near = [item for item in found if item[0].near]
    best, _ = min(near, key=lambda item: item[1]) if near else min(found, key=lambda item: abs(math.log(item[0].ratio)))
    return best


def _step(resized: Callable[[int], Model], spec: TaskSpec, width: int) -> int:
    """What the width must be a multiple of: most models ask for that of their heads."""
    for step in (n for n in range(1, width + 1) if width % n == 0):
        try:
            if resized(width + step).unsupported(spec) is None:
                return step
        except ValueError:
            continue
    return width


def _bisected(ratio_at: Callable[[int], float], start: int) -> int:
    """The width, in steps, whose ratio is nearest to one."""
    low = high = start
    while ratio_at(high) < 1:
        low, high = high, 2 * high
    while low > 1 and ratio_at(low) > 1:
        low, high = max(1, low // 2), low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ratio_at(middle) < 1 else (low, middle)
    return min((low, high), key=lambda units: abs(math.log(ratio_at(units))))


def parameters_of(model: Model, task: Task) -> int:
    """Parameters of tokenizer and core, counted without any memory for them."""
    return sum(count_parameters(part) for part in _parts(model, task))


def operations_of(model: Model, task: Task) -> Operations:
    """Operations of the core's forward pass over examples with all the tokens that they may have.

    By the model's formula where it has one; else counted.
    """
    spec = spec_for(model, task.spec())
    formula = model.operations(spec, spec.max_tokens, spec.condition_tokens)
    if formula is not None:
        return formula
    shape = input_shape(model, spec)
    if shape is None:
        raise UserError(f"{model.title} does not support the task: {model.unsupported(spec)}")
    return forward_operations(_parts(model, task)[0], {"tokens": torch.empty(1, *shape, device="meta")})


def _parts(model: Model, task: Task) -> list[Any]:
    with torch.device("meta"):
        core = model.build(spec_for(model, task.spec()))
        return [core, task.tokenizer()] if model.reads == "tokens" else [core]
