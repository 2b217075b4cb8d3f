"""Flat parameters: a network's trainable parameters as views of one tensor, so that one operation is for all of them.

A step of a small network spends more time on starting an operation for each of its hundred parameters than on the
numbers in them (docs/speed.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import Parameter

# Elements that every parameter begins at a multiple of: 64 bytes in bf16, for vector loads and for the compiler, which
# copies inputs that are not aligned. What lies between two parameters is zero, and stays zero: it has no gradient.
ALIGNMENT = 32


@dataclass(frozen=True)
class Place:
    """Where a parameter lies in the flat tensor; offset and strides in elements."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class FlatLayout:
    """Where the trainable parameters of a network lie in one tensor.

    The same layout serves for a copy of the network, for the gradients and for an optimiser's moments.

    Attributes:
        places: of the parameters.
        bounds: first element of each group, and the end.
        dtype: of all parameters.
    """

    places: tuple[Place, ...]
    bounds: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, net: nn.Module, groups: Sequence[Sequence[str]]) -> FlatLayout | None:
        """Return a layout in which each group of parameters is one range, or None if parameters must stay apart.

        They can be flat if there are any, and if every one is a `torch.nn.Parameter` and no subclass, is dense, has the
        dtype and the device of the others, fills its memory, and shares it with no other tensor of the network (the
        weights of a recurrent layer on a GPU do: cuDNN wants them side by side).

        Args:
            net: the network.
            groups: names of parameters, each once.
        """
        parameters = dict(net.named_parameters())
        members = [parameters[name] for group in groups for name in group]
        if not members or not all(_is_plain(parameter, members[0]) for parameter in members) or _shares_memory(net):
            return None
        places, bounds, offset = [], [0], 0
        for group in groups:
            for name in group:
                own = parameters[name]
                places.append(Place(name, tuple(own.shape), own.stride(), offset))
                offset += -(-own.numel() // ALIGNMENT) * ALIGNMENT
            bounds.append(offset)
        return cls(tuple(places), tuple(bounds), members[0].dtype)

    def empty(self, device: torch.device) -> Tensor:
        """Return a flat tensor of zeros."""
        return torch.zeros(self.bounds[-1], dtype=self.dtype, device=device)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return the views of a flat tensor that have the parameters' shapes and strides, in the order of places."""
        return [flat.as_strided(place.shape, place.strides, place.offset) for place in self.places]

    def ranges(self, flat: Tensor) -> list[Tensor]:
        """Return the part of a flat tensor for each group of parameters; a group without any has an empty one."""
        return [flat[begin:end] for begin, end in zip(self.bounds, self.bounds[1:], strict=False)]


class FlatParameters:
    """The parameters of a network, moved into one tensor, of which they are views from then on.

    They stay the same objects with the same names, shapes and strides. What changes a parameter in place changes the
    flat tensor, and the other way round.

    Args:
        net: the network, on its device.
        layout: of this network, or of one that it is a copy of.
    """

    def __init__(self, net: nn.Module, layout: FlatLayout) -> None:
        named = dict(net.named_parameters())
        self.layout = layout
        self.parameters: list[Parameter] = [named[place.name] for place in layout.places]
        inside = {place.name for place in layout.places}
        self.others: list[Parameter] = [parameter for name, parameter in named.items() if name not in inside]
        self.tensor = layout.empty(self.parameters[0].device)
        views = layout.views(self.tensor)
        with torch.no_grad():
            torch._foreach_copy_(views, list[Tensor](self.parameters))
        for parameter, view in zip(self.parameters, views, strict=True):
            parameter.data = view
        self._lying = [_lying(view) for view in views]
        # Looked up in the modules' own tables: to list a network's parameters takes longer than all else in a step here
        self._tables = [(module._parameters, dict(module._parameters)) for module in net.modules()]

    @property
    def is_whole(self) -> bool:
        """Whether the network still has the same parameters, as the same views of the flat tensor.

        A network can replace a parameter by another, and give one other memory.
        """
        same = all(
            len(table) == len(known) and all(table.get(name) is parameter for name, parameter in known.items())
            for table, known in self._tables
        )
        return same and list(map(_lying, self.parameters)) == self._lying

    def changed(self) -> None:
        """Tell PyTorch that the parameters have changed: of a change of the flat tensor they know nothing.

        Autograd counts changes in place to find values that it had saved, caches to find values that are out of date.
        """
        torch.autograd.graph.increment_version(self.parameters)


def _is_plain(parameter: Parameter, first: Parameter) -> bool:
    return (
        type(parameter) is Parameter
        and parameter.layout == torch.strided
        and parameter.dtype == first.dtype
        and parameter.device == first.device
        and parameter.untyped_storage().nbytes() == parameter.numel() * parameter.element_size()
        and _is_dense(parameter)
    )


def _lying(tensor: Tensor) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return where and how a tensor lies in memory: a transposed one begins where it began before."""
    return tensor.data_ptr(), tensor.shape, tensor.stride()


def _is_dense(tensor: Tensor) -> bool:
    """Whether a tensor's elements fill its memory without gaps and overlaps, in any order of its axes."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _shares_memory(net: nn.Module) -> bool:
    """Whether two tensors that a network holds lie in the same memory; a tied parameter is one tensor."""
    held = {id(tensor): tensor for module in net.modules() for tensor in _held(module)}
    places = [tensor.untyped_storage().data_ptr() for tensor in held.values() if tensor.numel()]
    return len(set(places)) < len(places)


def _held(module: nn.Module) -> list[Tensor]:
    """Return a module's own parameters, buffers, and the tensors among its other attributes."""
    return list(_tensors_in(vars(module)))


def _tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the tensors in a value, which may hold them in lists, tuples and mappings, also in circles."""
    waiting, seen = [value], set[int]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, Mapping | list | tuple) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(part.values() if isinstance(part, Mapping) else part)
