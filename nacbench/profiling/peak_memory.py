"""Peak memory of tensors during a function, counted by a dispatch mode and so independent of device and allocator."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Alive(TorchDispatchMode):
    """Counts the bytes of all live storages that were created while the mode is active."""

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
        """Count a tensor's storage until it is freed; views of a storage that is counted already add nothing."""
        storage = tensor.untyped_storage()
        # PyTorch (2.1 and later) keeps one Python object per storage, so the finaliser runs when the storage is freed
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
    """Return the peak bytes of tensors in a forward pass without gradients: weights, inputs and activations.

    Scratch memory inside a single operation is not included. The number does not depend on the memory allocator.

    Args:
        net: takes the inputs as keywords; in evaluation mode.
        inputs: tensors B×….
    """
    with torch.no_grad():
        return peak_during(partial(net, **inputs), (*net.parameters(), *net.buffers(), *inputs.values()))


def peak_during(work: Callable[[], object], held: Iterable[Tensor]) -> int:
    """Return the peak bytes of tensors while a function runs.

    Only operations dispatched in this thread are seen. On a CPU this includes backward passes; on a GPU autograd runs
    them in a thread of its own.

    Args:
        work: the function.
        held: tensors that exist before and are included.
    """
    alive = _Alive()
    for tensor in held:
        alive.add(tensor)
    with alive:
        work()
    return alive.most
