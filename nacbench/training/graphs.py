"""Forward and backward passes on a GPU as CUDA graphs: launched at once, where launching a small network's hundreds of
kernels one after the other takes many times as long as they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from nacbench.task import Batch

WARM_UP = 3  # passes before one is captured, in which libraries choose and allocate
MOST_SHAPES = 4  # of batches: each has a graph of its own
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
        for own, new in zip(batch_tensors(self.batch), batch_tensors(batch), strict=True):
            own.copy_(new, non_blocking=True)
        self.graph.replay()
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.loss.clone()


class GraphedPass:
    """Computes gradients by a CUDA graph of the pass, once it has been seen to give what the pass gives.

    A graph repeats the kernels of the pass that was captured. It is right where every pass launches the same ones: no
    choice is made on the host, of its draws, counters or data. Reading data there is an error while it is captured. A
    draw is found out: the graph is captured under another seed than the pass that its gradients are compared with. A
    counter is not; so a network says itself that it is ``capturable`` (see `nacbench.model.Model.build`).

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
        self._seen: Counter[Shapes] = Counter()
        self._captured: dict[Shapes, Captured] = {}
        self._gave_up = False

    def __call__(self, batch: Batch, seed: int) -> Tensor:
        """The gradients of a batch on the GPU, with draws by this seed; returns the loss."""
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in batch_tensors(batch))
        if captured := self._captured.get(shapes):
            seed_draws(seed, "cuda")
            return captured.replay(batch, self._parameters)
        self._seen[shapes] += 1
        if not self._gave_up and self._seen[shapes] > WARM_UP and len(self._captured) < MOST_SHAPES:
            return self._captured_pass(shapes, batch, seed)
        return self._pass(batch, seed)

    def _pass(self, batch: Batch, seed: int) -> Tensor:
        for parameter in self._parameters:
            parameter.grad = None
        seed_draws(seed, "cuda")
        return self._work(batch)

    def _captured_pass(self, shapes: Shapes, batch: Batch, seed: int) -> Tensor:
        """Capture the pass, and keep the graph if it gives what the pass itself gives, which is what counts here."""
        for parameter in self._parameters:
            parameter.grad = None
        seed_draws(seed + 1, "cuda")
        try:
            captured = capture(self._work, batch, self._parameters)
        except RuntimeError as error:
            self._give_up(f"a step cannot be captured as a CUDA graph ({str(error).splitlines()[0]})")
            return self._pass(batch, seed)
        seed_draws(seed, "cuda")
        replayed = captured.replay(batch, self._parameters)
        loss = self._pass(batch, seed)
        apart = max(_apart(self._parameters, captured.gradients), float((replayed - loss).abs() / loss.abs()))
        if apart <= TOLERANCE:
            self._captured[shapes] = captured
        else:
            self._give_up(f"a step's CUDA graph gives other gradients than the step (relative difference {apart:.2g})")
        return loss

    def _give_up(self, why: str) -> None:
        self._gave_up = True
        self._say(f"{why}: going on without graphs")


def capture(work: Callable[[Batch], Tensor], batch: Batch, parameters: Sequence[Parameter]) -> Captured:
    """Capture a pass on a batch of these shapes; nothing is computed yet.

    Raises:
        RuntimeError: by CUDA, if the pass does what a graph cannot: wait for the device, above all.
    """
    own = Batch({name: tensor.clone() for name, tensor in batch.inputs.items()}, batch.target.clone())
    graph = torch.cuda.CUDAGraph()
    # thread_local: the thread that pins batches may allocate meanwhile
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        loss = work(own)
    return Captured(graph, own, loss, [parameter.grad for parameter in parameters])


def batch_tensors(batch: Batch) -> list[Tensor]:
    """All tensors of a batch, in an order that does not change."""
    return [*(batch.inputs[name] for name in sorted(batch.inputs)), batch.target]


def _apart(parameters: Sequence[Parameter], gradients: Sequence[Tensor | None]) -> float:
    """How far the parameters' gradients and others are apart, over the length of the former; 0 or more, or infinite."""
    differences, lengths = [], []
    for parameter, other in zip(parameters, gradients, strict=True):
        if (parameter.grad is None) != (other is None):
            return float("inf")
        if parameter.grad is not None and other is not None:
            differences.append(torch.linalg.vector_norm(parameter.grad - other))
            lengths.append(torch.linalg.vector_norm(parameter.grad))
    length = float(torch.stack(lengths).norm())
    return float(torch.stack(differences).norm()) / length if length else float("inf")
