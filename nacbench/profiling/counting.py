"""Parameters and operations of a network."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers in a network."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def forward_flops(net: nn.Module, inputs: Mapping[str, Tensor]) -> int:
    """Floating-point operations of a forward pass in evaluation mode, a multiply-add counted as two.

    What counts is what `torch.utils.flop_counter` knows: matrix products, convolutions and attention; element-wise
    work does not.

    Args:
        net: takes the inputs as keywords; its training mode is left as it was.
        inputs: of as many examples as shall be counted.
    """
    training = net.training
    net.eval()
    try:
        return _counted(partial(net, **inputs))
    finally:
        net.train(training)


def backward_flops(forward: Callable[[], Tensor], wanted: Sequence[Tensor]) -> int:
    """Floating-point operations of a backward pass, counted as `forward_flops` does; the forward pass is not.

    Args:
        forward: gives what there are gradients of.
        wanted: what they are for.
    """
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        total = forward().sum()
    return _counted(partial(torch.autograd.grad, total, wanted, allow_unused=True))


def _counted(work: Callable[[], object]) -> int:
    """Attention is counted by its matrix products, whatever kernel would run it; the counter's hooks stumble over views
    of parameters that were made without gradients."""
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
