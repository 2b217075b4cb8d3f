"""Count the parameters and floating-point operations (FLOPs) of a network."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from nacbench.contracts.model import Operations
from nacbench.kernels.path import path_of_run


def count_parameters(net: nn.Module) -> int:
    """Return the number of trainable parameters of a network."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def forward_flops(net: nn.Module, inputs: Mapping[str, Tensor]) -> int:
    """Return the FLOPs of a forward pass in evaluation mode; a multiply-add counts as two.

    Counts what `torch.utils.flop_counter` knows: matrix products, convolutions and attention, but no element-wise work.

    Args:
        net: takes the inputs as keywords; its training mode is restored afterwards.
        inputs: tensors B×…; the result is for all B examples.
    """
    training = net.training
    net.eval()
    try:
        return _counted(partial(net, **inputs))
    finally:
        net.train(training)


def forward_operations(net: nn.Module, inputs: Mapping[str, Tensor]) -> Operations:
    """Return the FLOPs of a forward pass by what they belong to: each example, or the pass; counted as `forward_flops`.

    Args:
        net: takes the inputs as keywords.
        inputs: tensors 1×…, of one example.
    """
    return by_example(partial(forward_flops, net), inputs)


def by_example(count: Callable[[Mapping[str, Tensor]], int], inputs: Mapping[str, Tensor]) -> Operations:
    """Return the FLOPs of an example and of a pass, from those of one example and of the same example twice.

    Args:
        count: the FLOPs of a pass over some inputs.
        inputs: tensors 1×…, of one example.
    """
    one = count(inputs)
    two = count({name: torch.cat([tensor, tensor]) for name, tensor in inputs.items()})
    # Within bounds, since a model of a package may do work that is not linear in the examples
    once = min(one, max(0, 2 * one - two))
    return Operations(example=one - once, once=once)


def backward_flops(forward: Callable[[], Tensor], wanted: Sequence[Tensor]) -> int:
    """Return the FLOPs of a backward pass alone, counted as in `forward_flops`.

    Args:
        forward: computes the outputs, whose sum is differentiated.
        wanted: tensors to compute gradients for; those that the outputs do not depend on are ignored.
    """
    with torch.enable_grad(), path_of_run(), sdpa_kernel(SDPBackend.MATH):
        total = forward().sum()
    return _counted(partial(torch.autograd.grad, total, wanted, allow_unused=True))


def _counted(work: Callable[[], object]) -> int:
    """Run ``work`` and return its FLOPs."""
    # SDPBackend.MATH: FlopCounterMode (torch 2.14) counts fused attention on a CPU as 0, and its matrix products
    # correctly. enable_grad: the counter's hooks fail on views of parameters that were made without gradients.
    own = {torch.ops.aten.convolution_backward: _convolution_backward}
    counter = FlopCounterMode(display=False, custom_mapping=own)
    # path_of_run: on PyTorch's path, as products inside of own kernels are not seen
    with torch.enable_grad(), path_of_run(), sdpa_kernel(SDPBackend.MATH), counter:
        work()
    return int(counter.get_total_flops())


def _convolution_backward(
    out: Sequence[int], x: Sequence[int], weight: Sequence[int], *given: Any, out_shape: object = None, **_: Any
) -> int:
    """Return the FLOPs of a convolution's gradients, from shapes: as many as its forward pass, for each of the two.

    torch 2.14's own formula counts a convolution of many groups as one of a single group.
    """
    *_settings, transposed, _output_padding, _groups, wanted = given
    return sum(wanted[:2]) * conv_flop_count(list(x), list(weight), list(out), transposed)
