"""Profile a model on a task: parameters, FLOPs, time, memory and energy, measured on the task's own examples."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from nacbench.nn.cuda_graphs import WARM_UP, GraphedPass
from nacbench.nn.kernels import kernels_with_gradients
from nacbench.nn.network import Network
from nacbench.profiling.counting import backward_flops, by_example, count_parameters, forward_operations
from nacbench.profiling.energy import energy_meter
from nacbench.profiling.peak_memory import peak_during
from nacbench.profiling.timing import Timing, time_side_by_side

if TYPE_CHECKING:
    from torch import Tensor

    from nacbench.contracts.model import Model
    from nacbench.contracts.spec import Batch, Tokens
    from nacbench.contracts.task import LiveTask

ENERGY_SECONDS = 3.0  # of work per measurement: a GPU's energy counter is updated about ten times a second


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Machine-independent cost. FLOPs are those of a pass over a batch, divided by its examples; a multiply-add counts
    as two.

    Attributes:
        parameters: trainable parameters, including the tokenizer's.
        batch: examples of the batch.
        tokenizer_flops: of the tokenizer's forward pass, counted.
        core_flops: of the core's forward pass, counted.
        once_flops: the part of a forward pass of the core that is done once, however many examples it has; not divided.
        backward_flops: of the core's backward pass, counted.
        core_formula, backward_formula: ``core_flops`` and ``backward_flops`` by the model's own formula; None without
            one.
    """

    parameters: int
    batch: int
    tokenizer_flops: int
    core_flops: int
    once_flops: int
    backward_flops: int
    core_formula: int | None
    backward_formula: int | None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measured cost of passes over a batch.

    Attributes:
        what: ``inference``, or ``training step`` (forward, backward, optimiser).
        batch: batch size B.
        seconds: median time of a call.
        fast, slow: lower and upper quartile of the time.
        examples_per_second: B over the median time.
        peak_bytes: peak bytes of tensors; on a GPU, of torch's allocator.
        joules_per_example: by the GPU's energy counter; None without one.
    """

    what: str
    batch: int
    seconds: float
    fast: float
    slow: float
    examples_per_second: float
    peak_bytes: int
    joules_per_example: float | None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network to profile, with its task and training settings.

    Attributes:
        model: the plug-in that the network was built from.
        net: on its device.
        live: the task with its data.
        update: makes, for a network, what a training step does with its gradients: clipping, optimiser, average.
        precision: ``fp32`` or ``bf16``.
        device: ``cpu`` or ``cuda``.
    """

    model: Model
    net: Network
    live: LiveTask
    update: Callable[[Network], Callable[[], None]]
    precision: str
    device: str

    def batch(self, size: int) -> Batch:
        """Return a training batch of this size, on the device.

        Raises:
            UserError: if there are fewer training examples.
        """
        return self.live.train_batches(size, 0)[0].to(self.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the autocast context of the precision, as in training."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def inference(self, batch: Batch) -> Callable[[], object]:
        """Return a function that runs a forward pass in evaluation mode."""
        net = copy.deepcopy(self.net).eval()

        def work() -> None:
            # not inference_mode: with autocast and a dispatch mode, recurrent layers then fail in bf16 (torch 2.14)
            with torch.no_grad(), self.autocast():
                net(**batch.inputs)

        return work

    def training_step(self, batch: Batch) -> Callable[[], object]:
        """Return a function that makes a training step on a copy of the network, as ``nacbench run`` does.

        It includes clipping and averaged weights, and replays a CUDA graph on a GPU if the network is ``capturable``.
        """
        net = copy.deepcopy(self.net).train()
        update = self.update(net)
        own: Any = getattr(net, "auxiliary_loss", None)
        tokens = self.live.spec.joined().max_tokens

        def gradients(batch: Batch) -> torch.Tensor:
            with self.autocast(), kernels_with_gradients(self.device, tokens):
                loss = self.live.loss(net, batch)
                auxiliary = None if graphs or own is None else own()
                if auxiliary is not None:
                    loss = loss + auxiliary
            loss.backward()
            return loss.detach()

        graphs = self.device == "cuda" and net.capturable
        graphed = GraphedPass(gradients, list(net.parameters()), warnings.warn) if graphs else None

        def work() -> None:
            if graphed is None:
                gradients(batch)
            else:
                graphed(batch, 0)
                with self.autocast():
                    auxiliary = own() if own else None
                if auxiliary is not None:
                    auxiliary.backward()
            update()

        for _ in range(WARM_UP + 1 if graphs else 0):  # the warm-up passes and the capture are not to be measured
            work()
        return work


def count(subject: Subject, batch: int) -> Counts:
    """Return parameters, and FLOPs of an example in a batch of this size."""
    from nacbench.contracts.model import Operations, spec_for

    model, net = subject.model, copy.deepcopy(subject.net).eval()
    one = subject.batch(1).inputs
    with torch.no_grad():
        tokens: Tokens = net.tokenizer(**one)
    tokenizer, whole = (forward_operations(part, one) for part in (net.tokenizer, net))
    core = Operations(example=whole.example - tokenizer.example, once=whole.once - tokenizer.once)
    backward = by_example(partial(_core_backward, net, raw=model.reads != "tokens"), one)
    spec = spec_for(model, subject.live.spec)
    words = 0 if tokens.condition is None else tokens.condition.shape[1]
    seen = spec.max_tokens if model.reads == "image" else tokens.tokens.shape[1]
    if not spec.condition_tokens:  # an unconditional model gets the words appended to the tokens
        seen, words = seen + words, 0
    formula = model.operations(spec, seen, words)
    return Counts(
        parameters=count_parameters(net),
        batch=batch,
        tokenizer_flops=tokenizer.per_example(batch),
        core_flops=core.per_example(batch),
        once_flops=core.once,
        backward_flops=backward.per_example(batch),
        core_formula=None if formula is None else formula.per_example(batch),
        backward_formula=None if formula is None else round(formula.backward(batch) / batch),
    )


def _core_backward(net: Network, inputs: Mapping[str, Tensor], *, raw: bool) -> int:
    """Return the FLOPs of the core's backward pass, including gradients of tokens (needed to train the tokenizer).

    With ``raw`` the input is what the task gives, an image or points, which needs no gradient.
    """
    with torch.no_grad():
        tokens: Tokens = net.tokenizer(**inputs)
    tokens = tokens._replace(tokens=tokens.tokens.clone().requires_grad_(not raw))
    if tokens.condition is not None:
        tokens = tokens._replace(condition=tokens.condition.clone().requires_grad_())
    read = [tensor for tensor in (tokens.tokens, tokens.condition) if tensor is not None and tensor.requires_grad]
    return backward_flops(partial(net.read, tokens), [*net.core.parameters(), *read])


def measure(subject: Subject, sizes: Sequence[int], seconds: float) -> Iterator[Measured]:
    """Measure inference and training steps for each batch size.

    Args:
        subject: the network to measure.
        sizes: batch sizes.
        seconds: approximate time for each measurement.
    """
    for size in sizes:
        batch = subject.batch(size)
        for what, make in (("inference", subject.inference), ("training step", subject.training_step)):
            work = make(batch)
            (timing,) = time_side_by_side([work], subject.device, seconds)
            yield Measured(
                what=what,
                batch=len(batch),
                seconds=timing.seconds,
                fast=timing.fast,
                slow=timing.slow,
                examples_per_second=len(batch) / timing.seconds,
                peak_bytes=_peak(subject, make, batch),
                joules_per_example=_joules(work, timing, subject.device, len(batch)),
            )


def _peak(subject: Subject, make: Callable[[Batch], Callable[[], object]], batch: Batch) -> int:
    """Return the peak bytes from scratch: network, gradients, optimiser state and activations."""

    def from_scratch() -> None:
        work = make(batch)
        for _ in range(2):  # the optimiser allocates its state in the first step, after the pass
            work()

    if subject.device == "cuda":
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        from_scratch()
        return torch.cuda.max_memory_allocated() - before
    return peak_during(from_scratch, batch.inputs.values())


def _joules(work: Callable[[], object], timing: Timing, device: str, examples: int) -> float | None:
    meter = energy_meter(device)
    if meter is None:
        return None
    calls = max(10, round(ENERGY_SECONDS / timing.seconds))
    torch.cuda.synchronize()
    before = meter()
    for _ in range(calls):
        work()
    torch.cuda.synchronize()
    time.sleep(0.1)  # wait for the counter's next update
    return (meter() - before) / calls / examples


def slower_than(reference: Subject, subject: Subject, size: int, seconds: float = 2.0) -> float:
    """Return the forward pass's time as a multiple of the reference's, with the two measured in turn."""
    things = [own.inference(own.batch(size)) for own in (reference, subject)]
    _, timing = time_side_by_side(things, subject.device, seconds)
    return 1 / timing.ratio
