"""CUDA graphs: replay a training step's forward and backward pass with a single launch.

Small networks are launch-bound on a GPU: launching their hundreds of kernels takes many times longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from nacbench.contracts.spec import Batch

# Eager passes before the capture. cuBLAS, cuDNN and autograd create handles, pick algorithms and allocate workspaces in
# the first passes, which a capture forbids.
WARM_UP = 3
# Largest relative difference (L2 norm) between the graph's gradients and the eager pass's. They are not bit-identical:
# bf16 rounds, and atomic additions have no fixed order.
TOLERANCE = 0.01

Shapes = tuple[tuple[torch.Size, torch.dtype], ...]


def seed_draws(seed: int, device: str) -> None:
    """Seed the random number generators that a network draws from.

    Args:
        seed: for torch's default generator on the CPU and, if used, on the current GPU.
        device: ``cpu`` or ``cuda``.
    """
    # Not torch.manual_seed: it is called every micro-batch, and it also queues a seed for each other kind of device.
    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed(seed)


@dataclass(frozen=True)
class Captured:
    """A captured graph with the static tensors that it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    loss: Tensor
    gradients: Sequence[Tensor | None]

    def replay(self, batch: Batch, parameters: Sequence[Parameter]) -> Tensor:
        """Compute the gradients on a batch of the captured shapes, set them on the parameters and return the loss."""
        for own, new in zip(_tensors(self.batch), _tensors(batch), strict=True):
            own.copy_(new, non_blocking=True)
        self.graph.replay()
        # zero_grad() has set .grad to None since, but the graph always writes to the tensors of its capture
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.loss.clone()  # the next replay overwrites self.loss


class GraphedPass:
    """Computes gradients with a CUDA graph, once the graph has been checked against an eager pass.

    A graph replays the kernels that were captured. This is correct only if every pass launches the same kernels, which
    a network declares with ``capturable`` (see `nacbench.contracts.model.Model.build`). Two kinds of wrong declaration
    are detected here: a pass that synchronises with the GPU, as any data-dependent branch must, is never captured; and
    a graph that was captured under another seed must reproduce the eager gradients, which fails if Python code (for
    example ``random``) draws numbers that matter.

    Batches whose shapes differ from those of the capture, such as a partial last batch, run eagerly.

    Args:
        work: computes the parameters' gradients on a batch (``.grad`` is None before) and returns the loss.
        parameters: the parameters that get gradients.
        say: receives one line if passes are not captured, with the reason.
    """

    def __init__(
        self, work: Callable[[Batch], Tensor], parameters: Sequence[Parameter], say: Callable[[str], None]
    ) -> None:
        self._work = work
        self._parameters = parameters
        self._say = say
        self._passes = 0
        self._shapes: Shapes = ()
        self._captured: Captured | None = None

    @property
    def is_used(self) -> bool:
        """Whether passes are replayed from a graph by now."""
        return self._captured is not None

    def __call__(self, batch: Batch, seed: int) -> Tensor:
        """Compute the gradients of a batch on the GPU, with random numbers of this seed; return the loss."""
        if self._captured and _shapes(batch) == self._shapes:
            seed_draws(seed, "cuda")
            return self._captured.replay(batch, self._parameters)
        self._passes += 1
        return self._capturing(batch, seed) if self._passes == WARM_UP + 1 else self._pass(batch, seed)

    def _pass(self, batch: Batch, seed: int) -> Tensor:
        self._set_gradients([None] * len(self._parameters))
        seed_draws(seed, "cuda")
        return self._work(batch)

    def _capturing(self, batch: Batch, seed: int) -> Tensor:
        """Run the pass eagerly (its gradients are the result), then capture it and keep the graph if the two agree."""
        try:
            with _synchronising_is_an_error():
                loss = self._pass(batch, seed)
        except RuntimeError as error:
            self._say(f"training without CUDA graphs: a step synchronises with the GPU ({_first_line(error)})")
            return self._pass(batch, seed)
        gradients = [parameter.grad for parameter in self._parameters]
        self._set_gradients([None] * len(gradients))
        # Capture under another seed and replay under this one: if the gradients agree, the draws follow the generator's
        # seed in each replay instead of being frozen into the graph.
        seed_draws(seed + 1, "cuda")
        try:
            captured = capture(self._work, batch, self._parameters)
            seed_draws(seed, "cuda")
            apart = _apart(gradients, loss, captured.gradients, captured.replay(batch, self._parameters))
        except torch.cuda.OutOfMemoryError:
            self._say("training without CUDA graphs: not enough GPU memory for the graph's own tensors")
        else:
            if apart <= TOLERANCE:
                self._captured, self._shapes = captured, _shapes(batch)
            else:
                self._say(
                    "training without CUDA graphs: the graph's gradients differ from the eager step's "
                    f"(relative difference {apart:.2g}, tolerance {TOLERANCE:g})"
                )
        self._set_gradients(gradients)  # the eager ones, so that this step does not depend on whether a graph is kept
        return loss

    def _set_gradients(self, gradients: Sequence[Tensor | None]) -> None:
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient


def capture(work: Callable[[Batch], Tensor], batch: Batch, parameters: Sequence[Parameter]) -> Captured:
    """Capture a pass on a batch of these shapes as a CUDA graph; a capture records kernels and computes nothing.

    Args:
        work: computes the parameters' gradients on a batch and returns the scalar loss, without synchronising.
        batch: on the GPU; its tensors are copied.
        parameters: the parameters that get gradients; their ``.grad`` is None.

    Raises:
        torch.cuda.OutOfMemoryError: if the graph's own activations do not fit into GPU memory.
        RuntimeError: if CUDA graph capture fails; the CUDA context is then unusable.
    """
    own = Batch({name: tensor.clone() for name, tensor in batch.inputs.items()}, batch.target.clone())
    graph = torch.cuda.CUDAGraph()
    # "thread_local" because the data loader's pin-memory thread allocates meanwhile, which "global" mode would reject
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        loss = work(own)
    return Captured(graph, own, loss, [parameter.grad for parameter in parameters])


@contextmanager
def _synchronising_is_an_error() -> Iterator[None]:
    """Make every synchronisation with the GPU raise RuntimeError.

    It is checked in an eager pass because a synchronisation during capture leaves the CUDA context unusable.
    """
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _tensors(batch: Batch) -> list[Tensor]:
    return [*(batch.inputs[name] for name in sorted(batch.inputs)), batch.target]


def _shapes(batch: Batch) -> Shapes:
    return tuple((tensor.shape, tensor.dtype) for tensor in _tensors(batch))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _apart(
    gradients: Sequence[Tensor | None], loss: Tensor, others: Sequence[Tensor | None], other_loss: Tensor
) -> float:
    """Return the larger of the relative differences of gradients (L2 norm over all) and losses.

    Infinite if only one of the two has a gradient for some parameter, or if anything is NaN.
    """
    pairs = [(one, other) for one, other in zip(gradients, others, strict=True) if one is not None or other is not None]
    differences, lengths = [], []
    for one, other in pairs:
        if one is None or other is None:
            return float("inf")
        differences.append(torch.linalg.vector_norm(one - other))
        lengths.append(torch.linalg.vector_norm(one))
    # one transfer to the host instead of one per parameter
    relative = [torch.stack(differences).norm() / torch.stack(lengths).norm(), (loss - other_loss).abs() / loss.abs()]
    return float(torch.stack(relative).nan_to_num(nan=float("inf")).max())
