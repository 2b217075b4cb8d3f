"""Attention with a bias between few rows against the formula in float64, by itself and in a circuit's layer."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nacbench.kernels.attention import biased_attention, fits_biased_attention
from nacbench.nac import attention
from nacbench.nac.attention import KernelAttention, attend
from nacbench.nac.modfc import gains_of, modulated_layers
from tests.kernels.formulas import ERROR, TYPES, both, distance, results

pytestmark = pytest.mark.usefixtures("own_kernels")

Attention = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def own(heads: int) -> Attention:
    return lambda query, key, value, bias: biased_attention(query, key, value, bias, heads)


def obvious(heads: int) -> Attention:
    """Head by head: exp(q · k / √D + c), divided by the sum of the row, times v."""

    def formula(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        parts = []
        for q, k, v in zip(*(x.chunk(heads, dim=-1) for x in (query, key, value)), strict=True):
            weights = (q @ k.mT / math.sqrt(q.shape[-1]) + bias[:, 0]).exp()
            parts.append(weights / weights.sum(-1, keepdim=True) @ v)
        return torch.cat(parts, dim=-1)

    return formula


def separate(heads: int) -> Attention:
    """Products and softmax one after another, as where there are many rows."""

    def function(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
        return attend(q, k, v, bias).transpose(1, 2).flatten(2)

    return function


def drawn(
    batch: int, rows: int, columns: int, heads: int, depth: int, biases: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Query, key, value and bias."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(batch, count, heads * depth).to(dtype) for count in (rows, columns, columns))
    return query, key, value, 2 * torch.randn(biases, 1, rows, columns)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("batch", "rows", "columns", "heads", "depth", "biases"),
    [
        (64, 32, 32, 4, 16, 64),
        (64, 32, 32, 4, 16, 1),
        (20, 8, 32, 1, 16, 20),  # a read-out
        (3, 5, 19, 2, 7, 3),  # nothing fills whole vectors
        (40, 9, 1, 3, 33, 1),  # one sender
        (37, 1, 17, 2, 1, 1),
    ],
)
def test_attention_is_the_formula(
    batch: int, rows: int, columns: int, heads: int, depth: int, biases: int, dtype: torch.dtype
) -> None:
    inputs = drawn(batch, rows, columns, heads, depth, biases, dtype)
    for found, exact in both(own(heads), obvious(heads), inputs):
        # One weight is 1 whatever the score: its gradient is zero, and rounding leaves something
        assert distance(found, exact) < ERROR[dtype] or float((found - exact).detach().abs().max()) < ERROR[dtype]


@pytest.mark.parametrize("biases", [1, 64])
def test_attention_in_bfloat16_errs_less_than_separate_products(biases: int) -> None:
    inputs = drawn(64, 16, 24, 2, 16, biases, torch.bfloat16)
    seed = torch.randn(64, 16, 32).bfloat16()
    exact = results(obvious(2), tuple(tensor.double() for tensor in inputs), seed)
    ours, theirs = (results(function(2), inputs, seed) for function in (own, separate))
    for mine, other, right in zip(ours, theirs, exact, strict=True):
        assert distance(mine, right) < 0.8 * distance(other, right)


def test_a_row_without_any_link_is_nan_and_touches_no_other() -> None:
    query, key, value, bias = drawn(2, 4, 20, 2, 8, 1, torch.float32)
    bias[..., 5:] = -math.inf
    bias[..., 2, :] = -math.inf
    out = biased_attention(query, key, value, bias, 2)
    assert out[:, 2].isnan().all()
    linked = biased_attention(query, key[:, :5], value[:, :5], bias[..., :5], 2)
    torch.testing.assert_close(out, linked, equal_nan=True)


def test_large_scores_do_not_overflow() -> None:
    query, key = torch.tensor([[[1.0], [math.nan]]]), torch.tensor([[[-3e38], [0.0], [300.0], [301.0]]])
    value, bias = torch.arange(4.0).view(1, 4, 1), torch.zeros(1, 1, 2, 4)
    out = biased_attention(query, key, value, bias, 1)
    torch.testing.assert_close(out, (query @ key.mT).softmax(-1) @ value, equal_nan=True)


def test_gradients_do_not_depend_on_the_number_of_threads() -> None:
    inputs, seed = drawn(100, 7, 9, 2, 5, 1, torch.float32), torch.randn(100, 7, 10)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(results(own(2), inputs, seed))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_views_give_what_copies_give() -> None:
    """The query of a read-out is one for all examples."""
    query, key, value, bias = drawn(6, 4, 5, 2, 3, 6, torch.float32)
    views = query[:1].expand(6, -1, -1), key.mT.contiguous().mT, value[:1].expand(6, -1, -1), bias.mT.contiguous().mT
    seed = torch.randn(6, 6, 4).mT
    copies = tuple(view.contiguous() for view in views)
    assert not any(view.is_contiguous() for view in views)
    of_views, of_copies = (results(own(2), given, seed) for given in (views, copies))
    assert all(torch.equal(a, b) for a, b in zip(of_views, of_copies, strict=True))


@pytest.mark.parametrize(("batch", "rows"), [(0, 3), (2, 0)])
def test_attention_of_nothing_is_nothing(batch: int, rows: int) -> None:
    inputs = drawn(batch, rows, 4, 2, 5, 1, torch.float32)
    out, query, key, _, bias = results(own(2), inputs, torch.ones(batch, rows, 10))
    assert out.shape == query.shape == (batch, rows, 10)
    assert torch.equal(key, torch.zeros(batch, 4, 10))
    assert torch.equal(bias, torch.zeros(1, 1, rows, 4))


# -- in a circuit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same_modules", [True, False], ids=["propagator", "read-out"])
@pytest.mark.parametrize("biases", [1, 6])
def test_a_layer_computes_the_same_with_separate_products(
    same_modules: bool, biases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = KernelAttention(16, 4, heads=2, head_dim=5, same_modules=same_modules)
    rows = 7 if same_modules else 3
    receivers, senders = torch.randn(6, 7, 16) if same_modules else torch.randn(3, 16), torch.randn(6, 7, 16)
    codes, bias, seed = torch.randn(7, 4), torch.randn(biases, 1, rows, 7), torch.randn(6, rows, 16)
    readers = () if same_modules else (layer.query, layer.out)
    found = []
    for fits in (fits_biased_attention, lambda *tensors: False):
        monkeypatch.setattr(attention, "fits_biased_attention", fits)
        leaves = [tensor.clone().requires_grad_() for tensor in (receivers, senders, bias)]
        senders_own = [part for part in modulated_layers(layer) if part not in readers]
        gains = {**gains_of(codes, senders_own), **gains_of(codes[:rows], readers)}
        out = layer(*leaves[:2], gains, leaves[2])
        wanted = [*leaves, *layer.parameters()]
        found.append([out, *torch.autograd.grad(out, wanted, seed, materialize_grads=True)])
    for mine, other in zip(*found, strict=True):
        assert distance(mine, other.double()) < 1e-5


def test_what_is_large_is_computed_by_separate_products() -> None:
    """There the matrix units of a processor are faster."""
    fits = {
        (rows, columns, depth): fits_biased_attention(*drawn(2, rows, columns, 2, depth, 2, torch.bfloat16), 2)
        for rows, columns, depth in [(32, 32, 16), (64, 64, 16), (64, 64, 17), (1, 65, 1), (32, 32, 64), (2, 2, 65)]
    }
    assert list(fits.values()) == [True, True, False, False, True, False]


def test_what_does_not_fit_is_computed_by_pytorch() -> None:
    query, key, value, bias = drawn(3, 4, 5, 2, 6, 3, torch.float32)
    assert fits_biased_attention(query, key, value, bias, 2)
    assert not fits_biased_attention(query.bfloat16(), key, value, bias, 2)
    assert not fits_biased_attention(query.double(), key.double(), value.double(), bias, 2)
    assert not fits_biased_attention(query, key, value, bias[:2], 2)
    assert not fits_biased_attention(query, key, value, bias > 0, 2)  # thresholded links


def test_pytorch_finds_no_fault_with_the_operator() -> None:
    query, key, value, bias = (x.requires_grad_() for x in drawn(4, 3, 5, 2, 6, 4, torch.float32))
    torch.library.opcheck(torch.ops.nacbench.biased_attention.default, (query, key, value, bias.squeeze(1), 2))


def test_wrong_shapes_are_refused_in_one_line() -> None:
    query, key, value, bias = drawn(3, 4, 5, 2, 6, 3, torch.float32)
    for given in ((query, key[:, :4], value, bias), (query, key, value, bias[:2]), (query[:2], key, value, bias)):
        with pytest.raises(RuntimeError, match="biased_attention takes B x U x H D"):
            biased_attention(*given, 2)
