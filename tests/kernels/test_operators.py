"""The kernels against the same formulas written out in float64: values and gradients."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nacbench.kernels.links import log_links
from nacbench.kernels.operators import biased_softmax, fits_biased_softmax, fits_geglu, geglu
from nacbench.kernels.path import in_use
from nacbench.nac.attention import attend
from nacbench.nac.modfc import _ModulatedGEGLU, modulated_geglu

pytestmark = pytest.mark.usefixtures("own_kernels")

TYPES = (torch.float32, torch.bfloat16)
# Error of a value of size 1: float32 rounds some ten times, bfloat16 once at the end
ERROR = {torch.float32: 2e-6, torch.bfloat16: 2**-8}


def obvious_geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    """a · b · Φ(b) · g, with Φ by the error function."""
    width = hidden.shape[-1] // 2
    a, b = hidden[..., :width] + bias[:width], hidden[..., width:] + bias[width:]
    return a * b * 0.5 * torch.erfc(-b / math.sqrt(2)) * gain


def pytorch_geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    """What computes without own kernels, but for a product that has its bias already."""
    out: Tensor = _ModulatedGEGLU.apply(hidden + bias.to(hidden.dtype), gain)
    return out


def obvious_softmax(scores: Tensor, bias: Tensor) -> Tensor:
    """exp(s / 4 + c), divided by the sum of the row."""
    weights = (0.25 * scores + bias).exp()
    return weights / weights.sum(-1, keepdim=True)


def quarter_softmax(scores: Tensor, bias: Tensor) -> Tensor:
    return biased_softmax(scores, bias, 0.25)


def results(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], seed: Tensor) -> list[Tensor]:
    """The value and the gradients of the inputs."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    out = function(*leaves)
    return [out, *torch.autograd.grad(out, leaves, seed.to(out.dtype))]


def distance(found: Tensor, exact: Tensor) -> float:
    """|found - exact| / |exact|; 0 for nothing at all."""
    return float((found.detach().double() - exact.detach()).norm() / exact.detach().norm().clamp(min=1e-300))


def both(kernel: Any, formula: Any, inputs: tuple[Tensor, ...]) -> list[tuple[Tensor, Tensor]]:
    """Pairs of what a kernel and what the formula in float64 gives, for the same inputs."""
    exact = tuple(tensor.double() for tensor in inputs)
    seed = torch.randn_like(formula(*exact)).to(inputs[0].dtype)
    found = results(kernel, inputs, seed)
    assert [tensor.dtype for tensor in found[1:]] == [tensor.dtype for tensor in inputs]
    return list(zip(found, results(formula, exact, seed), strict=True))


# -- GEGLU with gain ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("hidden", "gain"),
    [
        ((64, 32, 512), (32, 256)),
        ((3, 5, 14), (5, 7)),
        ((37, 1, 34), (1, 17)),  # one module
        ((2, 3, 5, 66), (5, 33)),
        ((4, 5, 14), (4, 5, 7)),  # a circuit for each example
        ((4, 5, 14), ()),  # a plain layer
        ((40, 2, 2), (2, 1)),
    ],
)
def test_geglu_is_the_formula(hidden: tuple[int, ...], gain: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    inputs = (
        (3 * torch.randn(hidden)).to(dtype),
        torch.randn(hidden[-1]),
        (1 + 0.3 * torch.randn(gain)).to(dtype),
    )
    pairs = both(geglu, obvious_geglu, inputs)
    # The 1 of a plain layer has no gradient; as a sum of all, with both signs, it would have few digits
    for found, exact in pairs if gain else pairs[:3]:
        assert distance(found, exact) < ERROR[dtype]


def test_each_value_of_gelu_is_right_to_seven_digits() -> None:
    """Also in the tail, where gelu is 1e-20."""
    gate = torch.linspace(-9, 30, 100_001)
    hidden = torch.stack([torch.ones_like(gate), gate], dim=-1)[:, None, :]
    pairs = both(geglu, obvious_geglu, (hidden, torch.zeros(2), torch.ones(1, 1)))
    (value, exact), (slope, exact_slope) = pairs[:2]
    torch.testing.assert_close(value.double(), exact, rtol=5e-6, atol=0)
    torch.testing.assert_close(slope.double(), exact_slope, rtol=5e-6, atol=1e-7)


@pytest.mark.parametrize("batch", [64, 2048])
def test_geglu_in_bfloat16_errs_less_than_pytorch(batch: int) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(batch, 8, 64).bfloat16(), torch.randn(64), (1 + 0.1 * torch.randn(8, 32)).bfloat16()
    seed = torch.randn(batch, 8, 32).bfloat16()
    exact = results(obvious_geglu, tuple(tensor.double() for tensor in inputs), seed)
    own, pytorch = (results(function, inputs, seed) for function in (geglu, pytorch_geglu))
    for ours, theirs, right in zip(own, pytorch, exact, strict=True):
        assert distance(ours, right) < distance(theirs, right)


def test_the_gradients_of_gain_and_bias_do_not_depend_on_the_number_of_threads() -> None:
    torch.manual_seed(0)
    inputs, seed = (torch.randn(100, 7, 130), torch.randn(130), torch.randn(7, 65)), torch.randn(100, 7, 65)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(results(geglu, inputs, seed))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_views_give_what_copies_give() -> None:
    torch.manual_seed(0)
    hidden, gain = torch.randn(10, 4, 6).transpose(0, 2), torch.randn(5, 4).t()[:, :5]
    seed = torch.randn(5, 4, 6).permute(2, 1, 0)
    assert not hidden.is_contiguous()
    assert not gain.is_contiguous()
    bias = torch.randn(20)[::2]
    views = results(geglu, (hidden, bias, gain), seed)
    copies = results(geglu, (hidden.contiguous(), bias.contiguous(), gain.contiguous()), seed.contiguous())
    assert all(torch.equal(a, b) for a, b in zip(views, copies, strict=True))


@pytest.mark.parametrize(("examples", "modules"), [(0, 3), (2, 0)])
def test_nothing_gives_nothing(examples: int, modules: int) -> None:
    inputs = torch.randn(examples, modules, 8), torch.randn(8), torch.randn(modules, 4)
    out, hidden, bias, gain = results(geglu, inputs, torch.ones(examples, modules, 4))
    assert out.shape == (examples, modules, 4)
    assert hidden.shape == (examples, modules, 8)
    assert torch.equal(bias, torch.zeros(8))
    assert torch.equal(gain, torch.zeros(modules, 4))


@pytest.mark.parametrize("dtype", TYPES)
def test_nan_stays_nan_and_touches_nothing_else(dtype: torch.dtype) -> None:
    hidden = torch.ones(1, 1, 80, dtype=dtype)
    hidden[0, 0, 3] = hidden[0, 0, 40 + 7] = math.nan
    out = geglu(hidden, torch.zeros(80), torch.ones(1, 40, dtype=dtype))
    assert out.isnan().nonzero()[:, 2].tolist() == [3, 7]


def test_what_does_not_fit_is_computed_by_pytorch() -> None:
    hidden, gain = torch.randn(2, 3, 8), torch.randn(3, 4)
    assert fits_geglu(hidden, gain)
    assert not fits_geglu(hidden.double(), gain.double())
    assert not fits_geglu(hidden, gain.bfloat16())
    assert not fits_geglu(hidden, gain[:1])
    bias = torch.randn(8)
    exact = obvious_geglu(hidden.double(), bias.double(), gain[:1].double())
    torch.testing.assert_close(modulated_geglu(hidden, gain[:1], bias).double(), exact)


# -- softmax with a bias -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("scores", "biases"), [((64, 4, 32, 32), 64), ((64, 4, 32, 32), 1), ((3, 2, 1, 17), 3), ((40, 1, 5, 1), 1)]
)
def test_softmax_is_the_formula(scores: tuple[int, ...], biases: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    inputs = (3 * torch.randn(scores)).to(dtype), 2 * torch.randn(biases, 1, *scores[2:])
    for found, exact in both(quarter_softmax, obvious_softmax, inputs):
        # One weight is 1 whatever the score: its gradient is zero, and rounding leaves something
        assert distance(found, exact) < 2 * ERROR[dtype] or float((found - exact).detach().abs().max()) < ERROR[dtype]


def test_links_that_are_cut_have_no_weight() -> None:
    scores, bias = torch.randn(2, 3, 4, 20), torch.zeros(1, 1, 4, 20)
    bias[..., 5:] = -math.inf
    bias[..., 2, :] = -math.inf  # no link at all
    weights = biased_softmax(scores, bias, 1.0)
    torch.testing.assert_close(weights, (scores + bias).softmax(-1), equal_nan=True)
    assert weights[:, :, 2].isnan().all()
    assert torch.equal(weights[:, :, [0, 1, 3], 5:], torch.zeros(2, 3, 3, 15))


def test_large_scores_do_not_overflow() -> None:
    scores = torch.tensor([[[[-3e38, 0.0, 300.0, 301.0], [math.nan, 0.0, 0.0, 0.0]]]])
    weights = biased_softmax(scores, torch.zeros(1, 1, 2, 4), 1.0)
    torch.testing.assert_close(weights, scores.softmax(-1), equal_nan=True)


def test_softmax_of_nothing_is_nothing() -> None:
    out, scores, bias = results(
        quarter_softmax, (torch.randn(0, 2, 3, 4), torch.randn(1, 1, 3, 4)), torch.ones(0, 2, 3, 4)
    )
    assert out.shape == scores.shape == (0, 2, 3, 4)
    assert torch.equal(bias, torch.zeros(1, 1, 3, 4))


def test_attention_is_the_formula() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(3, 2, 5, 8), torch.randn(3, 2, 7, 8), torch.randn(3, 2, 7, 8), torch.randn(3, 1, 5, 7)
    assert fits_biased_softmax(inputs[0], inputs[1], inputs[3])
    assert in_use(inputs[0])

    def obvious(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        return (query @ key.transpose(-1, -2) / math.sqrt(8) + bias).softmax(-1) @ value

    for found, exact in both(attend, obvious, inputs):
        assert distance(found, exact) < 2e-6


# -- as operators of PyTorch -------------------------------------------------------------------------------------------


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
