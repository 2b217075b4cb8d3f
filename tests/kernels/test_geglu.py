"""GEGLU with bias and gain against the formula in float64."""

import math

import pytest
import torch
from torch import Tensor

from nacbench.kernels.geglu import fits_geglu, geglu
from nacbench.nac.modfc import _ModulatedGEGLU, modulated_geglu
from tests.kernels.formulas import ERROR, TYPES, both, distance, results

pytestmark = pytest.mark.usefixtures("own_kernels")


def obvious_geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    """a · b · Φ(b) · g, with Φ by the error function."""
    width = hidden.shape[-1] // 2
    a, b = hidden[..., :width] + bias[:width], hidden[..., width:] + bias[width:]
    return a * b * 0.5 * torch.erfc(-b / math.sqrt(2)) * gain


def pytorch_geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    """What computes without own kernels, but for a product that has its bias already."""
    out: Tensor = _ModulatedGEGLU.apply(hidden + bias.to(hidden.dtype), gain)
    return out


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
