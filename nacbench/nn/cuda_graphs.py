"""Forward and backward passes on a GPU as CUDA graphs: launched at once, where launching a small network's hundreds of
kernels one after the other takes many times as long as they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from nacbench.contracts.spec import Batch

WARM_UP = 3  # passes before one is captured, in which libraries choose and allocate
TOLERANCE = 0.01  # between the gradients of a graph and of the pass itself, by their norm; bf16 and atomics round

Shapes = tuple[tuple[torch.Size, torch.dtype], ...]


def seed_draws(seed: int, device: str) -> None:
    """Seed what a network draws from; `torch.manual_seed` would also queue up a seed for every kind of GPU.

    Args:
        seed: of torch's generators.
        device: ``cpu`` or ``cuda``.
    """
    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed(seed)


@dataclass(frozen=True)
class Captured:
    """A pass that was captured, with the memory that it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    loss: Tensor
    gradients: Sequence[Tensor | None]

    def replay(self, batch: Batch, parameters: Sequence[Parameter]) -> Tensor:
        """Compute the parameters' gradients on another batch of the same shapes; returns the loss."""
        for own, new in zip(_tensors(self.batch), _tensors(batch), strict=True):
            own.copy_(new, non_blocking=True)
        self.graph.replay()
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.loss.clone()


class GraphedPass:
    """Computes gradients by a CUDA graph of the pass, once that has given what the pass gives.

    A graph repeats the kernels of the pass that was captured. It is right where every pass launches the same ones,
    which a network must say of itself (``capturable``, see `nacbench.contracts.model.Model.build`). Two mistakes in
    that are found here: a pass that waits for the GPU, as it must to choose by data, is never captured; and the graph,
    captured under another seed, must come to the gradients of the pass itself, which it does not if Python draws what
    matters.

    Batches of other shapes than the one that was captured are computed without a graph.

    Args:
        work: computes the parameters' gradients, which are None before, on a batch; returns its loss.
        parameters: that have gradients.
        say: is told if passes are not captured after all, and why.
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
        """Whether passes are launched as a graph by now."""
        return self._captured is not None

    def __call__(self, batch: Batch, seed: int) -> Tensor:
        """The gradients of a batch on the GPU, with draws by this seed; returns the loss."""
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
        """The pass itself, which counts; then its graph, which is kept if it gives the same."""
        try:
            with _waiting_is_an_error():
                loss = self._pass(batch, seed)
        except RuntimeError as error:
            self._say(f"steps are launched without CUDA graphs, as one waits for the GPU ({_first_line(error)})")
            return self._pass(batch, seed)
        gradients = [parameter.grad for parameter in self._parameters]
        self._set_gradients([None] * len(gradients))
        seed_draws(seed + 1, "cuda")
        try:
            captured = capture(self._work, batch, self._parameters)
            seed_draws(seed, "cuda")
            apart = _apart(gradients, loss, captured.gradients, captured.replay(batch, self._parameters))
        except torch.cuda.OutOfMemoryError:
            self._say("steps are launched without CUDA graphs, for which there is not enough memory")
        else:
            if apart <= TOLERANCE:
                self._captured, self._shapes = captured, _shapes(batch)
            else:
                self._say(
                    "steps are launched without CUDA graphs, as theirs gave other gradients than the step itself "
                    f"(relative difference {apart:.2g})"
                )
        self._set_gradients(gradients)
        return loss

    def _set_gradients(self, gradients: Sequence[Tensor | None]) -> None:
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient


def capture(work: Callable[[Batch], Tensor], batch: Batch, parameters: Sequence[Parameter]) -> Captured:
    """Capture a pass on a batch of these shapes; nothing is computed yet.

    Args:
        work: computes the parameters' gradients on a batch and returns its loss, a scalar, without waiting for the GPU.
        batch: on the GPU; its tensors are copied.
        parameters: that have gradients, which are None.

    Raises:
        torch.cuda.OutOfMemoryError: if there is no room for a second set of what lies between the layers.
        RuntimeError: by CUDA, if the pass does what a graph cannot; the process is then of no more use.
    """
    own = Batch({name: tensor.clone() for name, tensor in batch.inputs.items()}, batch.target.clone())
    graph = torch.cuda.CUDAGraph()
    # thread_local: the thread that pins batches may allocate meanwhile
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        loss = work(own)
    return Captured(graph, own, loss, [parameter.grad for parameter in parameters])


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Whatever waits for the GPU raises RuntimeError: a capture that meets it would leave the process unusable."""
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
    """How far losses and gradients are apart, over the size of the first ones; infinite where one has none."""
    pairs = [(one, other) for one, other in zip(gradients, others, strict=True) if one is not None or other is not None]
    differences, lengths = [], []
    for one, other in pairs:
        if one is None or other is None:
            return float("inf")
        differences.append(torch.linalg.vector_norm(one - other))
        lengths.append(torch.linalg.vector_norm(one))
    relative = [torch.stack(differences).norm() / torch.stack(lengths).norm(), (loss - other_loss).abs() / loss.abs()]
    return float(torch.stack(relative).nan_to_num(nan=float("inf")).max())
