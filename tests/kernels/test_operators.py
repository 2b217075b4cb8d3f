"""The kernels as operators of PyTorch."""

import pytest
import torch

from nacbench.kernels.geglu import geglu
from nacbench.kernels.links import log_links
from nacbench.kernels.softmax import biased_softmax

pytestmark = pytest.mark.usefixtures("own_kernels")


def test_gradients_of_gradients_are_refused_and_not_zero() -> None:
    hidden, gain = (torch.randn(2, 3, width, requires_grad=True) for width in (8, 4))
    scores, bias = torch.randn(2, 2, 3, 4, requires_grad=True), torch.randn(1, 1, 3, 4, requires_grad=True)
    for out, given in (
        (geglu(hidden, torch.zeros(8), gain), hidden),
        (biased_softmax(scores, bias, 0.5), scores),
        (log_links(hidden, torch.rand(2, 3, 8), 0.5), hidden),
    ):
        (gradient,) = torch.autograd.grad(out.square().sum(), given, create_graph=True)
        with pytest.raises(NotImplementedError, match="no gradients of gradients"):
            gradient.square().sum().backward()


def test_pytorch_finds_no_fault_with_the_operators() -> None:
    """Schema, autograd, fake tensors, and a compiled graph with changing shapes."""
    shapes = (4, 3, 8), (8,), (3, 4)
    inputs = tuple(torch.randn(shape, requires_grad=True) for shape in shapes)
    torch.library.opcheck(torch.ops.nacbench.geglu.default, inputs)
    scores, bias = torch.randn(4, 2, 3, 5, requires_grad=True), torch.randn(4, 3, 5, requires_grad=True)
    torch.library.opcheck(torch.ops.nacbench.biased_softmax.default, (scores, bias, 0.5))


def test_wrong_shapes_are_refused_in_one_line() -> None:
    with pytest.raises(RuntimeError, match="geglu takes examples x rows x 2 width"):
        torch.ops.nacbench.geglu(torch.randn(4, 3, 8), torch.randn(8), torch.randn(3, 5))
    with pytest.raises(RuntimeError, match="biased_softmax takes B x H x U x V"):
        torch.ops.nacbench.biased_softmax(torch.randn(4, 2, 3, 5), torch.randn(2, 3, 5), 1.0)
