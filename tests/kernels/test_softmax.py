"""Softmax with a bias against the formula in float64."""

import math

import pytest
import torch
from torch import Tensor

from nacbench.kernels.path import in_use
from nacbench.kernels.softmax import biased_softmax, fits_biased_softmax
from nacbench.nac.attention import attend
from tests.kernels.formulas import ERROR, TYPES, both, distance, results

pytestmark = pytest.mark.usefixtures("own_kernels")


def obvious_softmax(scores: Tensor, bias: Tensor) -> Tensor:
    """exp(s / 4 + c), divided by the sum of the row."""
    weights = (0.25 * scores + bias).exp()
    return weights / weights.sum(-1, keepdim=True)


def quarter_softmax(scores: Tensor, bias: Tensor) -> Tensor:
    return biased_softmax(scores, bias, 0.25)


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
