"""Checks of what plug-ins give, where it enters: fingerprints, specs, modules, tokens, logits and losses.

Runs and ``nacbench check`` use the same checks. Each message names the plug-in's class and method, what it gave, and
what is expected. These look at types and shapes only; `nacbench.contracts.given_arrays` and
`nacbench.contracts.given_scores` look at values, once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, get_args

from nacbench.contracts.spec import Targets, TaskSpec, Tokens
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np

LONGEST_FINGERPRINT = 200  # characters, as of `nacbench.recording.bounded.Name`

# -- before anything is computed ---------------------------------------------------------------------------------------


def checked_fingerprint(owner: object, given: Any) -> str:
    """Return what ``fingerprint()`` gave.

    Raises:
        UserError: if it is no text, empty, or longer than a record's names may be.
    """
    if not (isinstance(given, str) and 1 <= len(given) <= LONGEST_FINGERPRINT):
        raise UserError(
            f"{named(owner)}.fingerprint() gives {shown(given)}, and should give text of 1 to {LONGEST_FINGERPRINT} "
            "characters, such as a digest"
        )
    return given


def checked_spec(owner: object, given: Any, method: str = "spec()") -> TaskSpec:
    """Return what ``spec()`` gave.

    Raises:
        UserError: if it is no ``TaskSpec``, or one of its numbers is out of range.
    """
    where = f"{named(owner)}.{method}"
    if not isinstance(given, TaskSpec):
        raise UserError(f"{where} gives {shown(given)}, and should give a TaskSpec")
    if not (isinstance(given.modality, str) and given.modality):
        raise UserError(f"{where} gives modality = {shown(given.modality)}, and should give text that is not empty")
    if given.targets not in get_args(Targets):
        known = " or ".join(get_args(Targets))
        raise UserError(f"{where} gives targets = {shown(given.targets)}, and should give {known}")
    fewest = 2 if given.targets == "classes" else 1
    for name, least in (("classes", fewest), ("max_tokens", 1), ("token_dim", 1), ("condition_tokens", 0)):
        value = getattr(given, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"{where} gives {name} = {shown(value)}, and should give a whole number from {least} on")
    declared = getattr(owner, "classes", given.classes)
    if given.classes > declared:
        raise UserError(f"{where} gives classes = {given.classes}, and {named(owner)} declares classes = {declared}")
    for name, sides_ in (("image_shape", "(channels, height, width)"), ("point_shape", "(points, coordinates)")):
        value = getattr(given, name)
        whole = isinstance(value, tuple) and len(value) == len(sides_.split(",")) and all(map(_is_count, value))
        if value is not None and not whole:
            raise UserError(f"{where} gives {name} = {shown(value)}, and should give None or {sides_}")
    return given


def checked_data_files(owner: object, given: Any) -> Sequence[Any]:
    """Return what ``data_files()`` gave.

    Raises:
        UserError: if it is no sequence of `nacbench.contracts.task.DataFiles`.
    """
    if not isinstance(given, Sequence) or not all(hasattr(files, "missing") for files in given):
        raise UserError(f"{named(owner)}.data_files() gives {shown(given)}, and should give a list of DataFiles")
    return given


def checked_reason(owner: object, method: str, given: Any) -> str | None:
    """Return what ``unsupported()`` or ``unsuited()`` gave.

    Raises:
        UserError: if it is neither text nor None.
    """
    if given is not None and not (isinstance(given, str) and given):
        raise UserError(f"{named(owner)}.{method}() gives {shown(given)}, and should give None or a reason as text")
    return given


def checked_options(owner: object, given: Any) -> dict[str, Any]:
    """Return what ``options()`` gave.

    Raises:
        UserError: if it is no mapping from names to values that JSON has: a run's id is made from them.
    """
    try:
        if isinstance(given, dict) and all(isinstance(name, str) for name in given):
            json.dumps(given, allow_nan=False)
            return given
        reason = "names mapped to values"
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"numbers, text, lists and mappings ({error})"
    raise UserError(f"{named(owner)}.options() gives {shown(given)}, and should give {reason}")


def checked_module(owner: object, method: str, given: Any) -> Any:
    """Return what ``tokenizer()`` or ``build()`` gave.

    Raises:
        UserError: if it is no `torch.nn.Module`.
    """
    from torch import nn

    if not isinstance(given, nn.Module):
        raise UserError(f"{named(owner)}.{method}() gives {shown(given)}, and should give a torch.nn.Module")
    return given


def checked_live(owner: object, method: str, live: Any, *, trains: bool) -> Any:
    """Return what ``build()`` or ``build_on()`` of a task gave: spec, splits, notes, and the methods of its kind.

    Args:
        owner: the task.
        method: its method.
        live: what it gave.
        trains: whether it must train a network, and so have the splits ``train`` and ``test``.

    Raises:
        UserError: if something is missing or of another type.
    """
    where = f"{named(owner)}.{method}()"
    for name in ("spec", "split_sizes", "notes", "partial", "evaluate", *(("train_batches", "loss") if trains else ())):
        if not hasattr(live, name):
            raise UserError(
                f"{where} gives {kind_of(live)}, which has no {name}; see nacbench.contracts.task.ScoredTask"
            )
    checked_spec(owner, live.spec, f"{method}().spec")
    sizes = live.split_sizes
    if not isinstance(sizes, Mapping) or not sizes:
        raise UserError(f"{where}: split_sizes is {shown(sizes)}, and should map names of splits to numbers")
    for name, size in sizes.items():
        if not (isinstance(name, str) and name and _is_count(size)):
            raise UserError(f"{where}: split {shown(name)} has {shown(size)} examples, and should have one at least")
    missing = [name for name in ("train", "test") if trains and name not in sizes]
    if missing:
        raise UserError(f"{where} has the splits {', '.join(sizes)}, and lacks {missing[0]}")
    if not [name for name in sizes if name != "train"]:
        raise UserError(f"{where} has no split to evaluate a network on")
    for name in ("notes", "partial"):
        lines = getattr(live, name)
        if isinstance(lines, str) or not (isinstance(lines, Sequence) and all(isinstance(one, str) for one in lines)):
            raise UserError(f"{where}: {name} is {shown(lines)}, and should be a list of sentences")
    return live


# -- tensors: types and shapes only, as a value would have to be fetched from the device -------------------------------


def check_tokens(owner: object, given: Any, spec: TaskSpec) -> None:
    """Check the output of a task's tokenizer against the task's spec.

    Raises:
        UserError: if it is no ``Tokens``, or tokens, mask or condition have another type or shape.
    """
    where = f"{named(owner)}.forward()"
    if not isinstance(given, Tokens):
        raise UserError(f"{where} gives {kind_of(given)}, and should give nacbench.Tokens(tokens, mask)")
    if (given.condition is not None) != (spec.condition_tokens > 0):
        there = "a" if given.condition is not None else "no"
        raise UserError(f"{where} gives {there} condition, but the spec has condition_tokens = {spec.condition_tokens}")
    _check_sequence(where, "tokens", given.tokens, given.mask, spec.max_tokens, spec.token_dim)
    if given.condition is not None:
        width = spec.token_dim
        _check_sequence(where, "condition", given.condition, given.condition_mask, spec.condition_tokens, width)


def _check_sequence(where: str, name: str, tokens: Any, mask: Any, most: int, width: int) -> None:
    import torch

    if not isinstance(tokens, torch.Tensor) or not tokens.is_floating_point():
        raise UserError(f"{where} gives {kind_of(tokens)} as {name}, and should give floating-point numbers B×V×T")
    if tokens.dim() != 3 or tokens.shape[1] > most or tokens.shape[2] != width:
        raise UserError(f"{where} gives {name} {sides(tokens.shape)}, and the spec says B×{most}×{width} at most")
    if mask is not None and not (
        isinstance(mask, torch.Tensor) and mask.dtype == torch.bool and mask.shape == tokens.shape[:2]
    ):
        raise UserError(f"{where} gives {kind_of(mask)} as the mask of the {name}, and should give None or boolean B×V")


def check_logits(owner: object, given: Any, rows: int, classes: int) -> None:
    """Check the output of a model's network.

    Args:
        owner: the network.
        given: its output.
        rows: number of examples it was given.
        classes: number of classes in the spec it was built for.

    Raises:
        UserError: if it is no tensor of floating-point numbers rows×classes.
    """
    import torch

    if not isinstance(given, torch.Tensor) or not given.is_floating_point() or given.shape != (rows, classes):
        raise UserError(
            f"{named(owner)}.forward() gives {kind_of(given)}, and should give logits, floating-point numbers "
            f"B×classes: {rows}×{classes}"
        )


def check_targets(owner: object, given: Any, spec: TaskSpec) -> None:
    """Check the targets of a training batch that is still on the CPU: type, shape and range.

    Args:
        owner: the preparation that made them.
        given: what it gave: classes B (int64), or probabilities, labels or values B×classes (floating point).
        spec: of the task.

    Raises:
        UserError: if they are not what `nacbench.contracts.spec.Batch` says.
    """
    import torch

    where, wide = f"{named(owner)}.train()", ("B", spec.classes)
    is_tensor, numbered = isinstance(given, torch.Tensor), spec.targets == "classes"
    if is_tensor and given.is_floating_point() and given.shape[1:] == wide[1:]:
        return
    if not (is_tensor and numbered and given.dtype == torch.int64 and given.dim() == 1):
        expected = "class numbers (int64) B, or probabilities" if numbered else "floating-point numbers"
        raise UserError(f"{where} gives {kind_of(given)} as targets, and should give {expected} {sides(wide)}")
    wrong = given[(given < 0) | (given >= spec.classes)]
    if len(wrong):
        raise UserError(
            f"{where} gives the class {int(wrong[0])} as a target, and should give classes from 0 to {spec.classes - 1}"
        )


def check_loss(owner: object, given: Any, method: str = "loss") -> None:
    """Check a training loss. Whether it is finite is looked at when it is logged.

    Raises:
        UserError: if it is no scalar tensor of floating-point numbers with a gradient.
    """
    import torch

    if not isinstance(given, torch.Tensor) or given.dim() != 0 or not given.is_floating_point():
        raise UserError(f"{named(owner)}.{method}() gives {kind_of(given)}, and should give a scalar tensor")
    if not given.requires_grad:
        raise UserError(
            f"{named(owner)}.{method}() gives a tensor without a gradient: it does not depend on the weights"
        )


# -- words -------------------------------------------------------------------------------------------------------------


def named(owner: object) -> str:
    """Return the name of a plug-in's class, for messages."""
    return (owner if isinstance(owner, type) else type(owner)).__name__


def sides(shape: Iterable[int | str]) -> str:
    """Return a shape as ``3×32×32``."""
    return "×".join(map(str, shape)) or "without a dimension"


def kind_of(given: Any) -> str:
    """Return what something is, in a few words: ``a tensor int64 3×5``, ``a list``, ``None``."""
    shape, dtype = getattr(given, "shape", None), getattr(given, "dtype", None)
    if shape is not None and dtype is not None:
        word = "a tensor" if type(given).__module__.startswith("torch") else "an array"
        return f"{word} {str(dtype).removeprefix('torch.')} {sides(shape)}"
    if given is None or isinstance(given, int | float | str):
        return shown(given)
    kind = type(given).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def described(array: np.ndarray) -> str:
    """Return type and shape of an array: ``of float64, 10×3``."""
    return f"of {array.dtype}, {sides(array.shape)}"


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
