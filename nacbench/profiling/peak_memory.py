"""How much memory tensors hold at once while a function runs, whatever the device."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Alive(TorchDispatchMode):
    """Counts the bytes of all storages that were made while it is on and still live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.add(leaf)
        return result

    def add(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is freed; one that is counted already is not counted again."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def peak_tensor_bytes(net: nn.Module, inputs: Mapping[str, Tensor]) -> int:
    """Most bytes that tensors hold at once in a forward pass in evaluation mode: weights, inputs and what is between.

    Scratch space inside a single operation is not seen. The number does not depend on the machine's memory allocator.

    Args:
        net: takes the inputs as keywords.
        inputs: of as many examples as shall be passed.
    """
    with torch.no_grad():
        return peak_during(partial(net, **inputs), (*net.parameters(), *net.buffers(), *inputs.values()))


def peak_during(work: Callable[[], object], held: Iterable[Tensor]) -> int:
    """Most bytes that tensors hold at once while a function runs, in this thread (on a CPU, backward passes included).

    Args:
        work: what runs.
        held: tensors that are there before, and count too.
    """
    alive = _Alive()
    for tensor in held:
        alive.add(tensor)
    with alive:
        work()
    return alive.most
