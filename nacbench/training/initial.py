"""Begin training with given weights: which tensors a network takes, and a refusal of all that does not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nacbench.errors import BrokenFileError, UserError
from nacbench.nn.network import Network

NEW_HEAD = "--init-head new (init_from.head=new) draws the last layer anew"


@dataclass(frozen=True)
class Taken:
    """What a network has taken of given weights.

    Attributes:
        taken: number of tensors.
        new: names of the network's tensors that were drawn anew.
        left: names of the file's tensors that were not taken.
    """

    taken: int
    new: tuple[str, ...]
    left: tuple[str, ...]

    def besides(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return what was not taken, in words, with names of tensors."""
        return [("drawn anew", self.new), ("not taken", self.left)]


def tensors_of(content: bytes) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by their names in the network, on the CPU."""
    from safetensors.torch import load

    from nacbench.formats.weights_file import plain_names

    return plain_names(load(content))


def take_initial(net: Network, tensors: Mapping[str, Tensor], head: str, where: object) -> Taken:
    """Give a network the weights that it begins with.

    Every tensor of the network comes from the file and every one of the file is used, but for those of the last layer
    if ``head`` is ``new``: these keep what was drawn, and the file's are left.

    Args:
        net: gets them.
        tensors: by the names that they have in the network.
        head: ``keep`` or ``new``.
        where: the place they come from, for errors.

    Raises:
        UserError: if names, shapes or types differ elsewhere.
        BrokenFileError: if a value is not finite.
    """
    own = net.state_dict()
    fresh = set(net.head) if head == "new" else set()
    check_fit(own, tensors, where, fresh=fresh, head=net.head)
    taken = {name: tensors[name] for name in own if name not in fresh}
    net.load_state_dict({**own, **taken})
    left = tuple(name for name in tensors if name not in taken)
    return Taken(len(taken), tuple(name for name in own if name in fresh), left)


def check_fit(
    own: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    where: object,
    *,
    fresh: Collection[str] = (),
    head: Collection[str] = (),
) -> None:
    """Check that given tensors are those of a network: names, shapes, types, and finite values.

    Args:
        own: the network's, by name.
        tensors: the given ones, by name.
        where: the place they come from, for errors.
        fresh: names that need not fit.
        head: names of the last layer, of which the message says how to draw it anew.

    Raises:
        UserError: names the first tensor that does not fit.
        BrokenFileError: if a value is not finite.
    """
    wrong = [name for name in own if name not in fresh and _form(tensors.get(name)) != _form(own[name])]
    if wrong:
        name, way_out = wrong[0], f"; {NEW_HEAD}" if set(wrong) <= set(head) else ""
        forms = f"{_form(tensors.get(name))}, not {_form(own[name])}"
        raise UserError(f"{where} does not fit this network: {name} is {forms}{_more(wrong)}{way_out}")
    if extra := [name for name in tensors if name not in own and name not in fresh]:
        raise UserError(
            f"{where} does not fit this network, which has no {extra[0]}{_more(extra)}; is it of another model or size?"
        )
    for name, tensor in tensors.items():
        if name not in fresh and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BrokenFileError(f"{where} is broken: {name} has values that are not finite (NaN or infinite)")


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _form(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    return f"{'×'.join(map(str, tensor.shape)) or 'a number'} of {str(tensor.dtype).removeprefix('torch.')}"
