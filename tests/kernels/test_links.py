"""Sampled links against the formula in float64, and against PyTorch's functions with the same noise."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.kernels import links
from nacbench.kernels.links import fits_log_links, log_links
from nacbench.nac.kernel import attention_bias
from tests.kernels.formulas import both, distance

pytestmark = pytest.mark.usefixtures("own_kernels")


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(
    ("noise", "logits"), [((64, 32, 32), 1), ((64, 32, 32), 64), ((37, 1, 17), 1), ((1, 3, 5), 1), ((3, 70, 90), 3)]
)
def test_links_are_the_formula(noise: tuple[int, ...], logits: int, temperature: float) -> None:
    torch.manual_seed(0)
    logit, uniform = 3 * torch.randn(logits, *noise[1:]), torch.rand(noise)

    def own(logit: Tensor) -> Tensor:
        return log_links(logit, uniform, temperature)

    def obvious(logit: Tensor) -> Tensor:
        """log(1 / (1 + exp(-x)))."""
        exact = uniform.double().clamp(min=torch.finfo(torch.float32).tiny)
        return -(-(logit + (exact / (1 - exact)).log()) / temperature).exp().log1p()

    for found, exact in both(own, obvious, (logit,)):
        assert distance(found, exact) < 1e-6


def test_each_link_is_right_to_six_digits() -> None:
    """Also where K is 1e-30, or 1 up to 1e-30."""
    logit, uniform = torch.linspace(-34, 34, 100_001).view(1, 1, -1), torch.full((1, 1, 100_001), 0.5)
    leaf = logit.clone().requires_grad_()
    found = log_links(leaf, uniform, 0.5)
    (slope,) = torch.autograd.grad(found.sum(), leaf)
    torch.testing.assert_close(found.double(), F.logsigmoid(2 * logit.double()), rtol=2e-6, atol=0)
    torch.testing.assert_close(slope.double(), 2 * torch.sigmoid(-2 * logit.double()), rtol=2e-5, atol=0)


def test_noise_is_right_to_the_last_numbers_that_can_be_drawn() -> None:
    step = 2.0**-24  # of torch.rand
    uniform = torch.tensor([[[0.0, step, 2 * step, 0.5 - step, 0.5, 0.5 + step, 1 - 2 * step, 1 - step]]])
    found = log_links(torch.zeros(1, 1, 8), uniform, 1.0)
    exact = uniform.double().clamp(min=torch.finfo(torch.float32).tiny).log()  # log sigmoid(logit n) is log n
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=0)


def test_what_is_not_a_number_stays_so() -> None:
    found = log_links(torch.tensor([[[math.nan, 0.0]]]), torch.full((3, 1, 2), 0.5), 1.0)
    assert found.isnan()[..., 0].all()
    assert found.isfinite()[..., 1].all()


@pytest.mark.parametrize("batched", [False, True], ids=["one circuit", "a circuit for each example"])
def test_a_circuit_draws_the_same_links_on_both_paths(batched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, gradients, and the numbers that are drawn next; P is 1 on the diagonal."""
    torch.manual_seed(0)
    log_probability, seed, found = -2 * torch.rand(*([20] if batched else []), 7, 7), torch.randn(20, 1, 7, 7), []
    log_probability.diagonal(dim1=-2, dim2=-1).zero_()
    for fits in (fits_log_links, lambda *tensors: False):
        monkeypatch.setattr(links, "fits_log_links", fits)
        leaf = log_probability.clone().requires_grad_()
        torch.manual_seed(1)
        bias = attention_bias(leaf, 20, "sample", 0.5)
        found.append([bias, *torch.autograd.grad(bias, leaf, seed), torch.rand(1)])
    for own, pytorch in zip(*found, strict=True):
        assert distance(own, pytorch.double()) < 1e-6


def test_gradients_do_not_depend_on_the_number_of_threads() -> None:
    uniform, seed, before, found = torch.rand(100, 70, 80), torch.randn(100, 70, 80), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            leaf = torch.zeros(1, 70, 80, requires_grad=True)
            found.append(torch.autograd.grad(log_links(leaf, uniform, 0.5), leaf, seed)[0])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_links_of_nothing_are_nothing() -> None:
    leaf = torch.zeros(1, 3, 4, requires_grad=True)
    out = log_links(leaf, torch.rand(0, 3, 4), 0.5)
    assert out.shape == (0, 3, 4)
    assert torch.equal(torch.autograd.grad(out.sum(), leaf)[0], torch.zeros(1, 3, 4))


def test_what_does_not_fit_is_computed_by_pytorch() -> None:
    logit, uniform = torch.zeros(1, 3, 4), torch.rand(5, 3, 4)
    assert fits_log_links(logit, uniform)
    assert fits_log_links(logit.expand(5, 3, 4), uniform)
    assert not fits_log_links(logit.expand(2, 3, 4), uniform)
    assert not fits_log_links(logit[:, :1], uniform)
    assert not fits_log_links(logit.double(), uniform.double())
    assert attention_bias(logit.double(), 5, "sample", 0.5).dtype == torch.float64


def test_pytorch_finds_no_fault_with_the_operator() -> None:
    logit = torch.randn(1, 3, 5, requires_grad=True)
    torch.library.opcheck(torch.ops.nacbench.log_links.default, (logit, torch.rand(4, 3, 5), 0.5))


def test_wrong_shapes_are_refused_in_one_line() -> None:
    with pytest.raises(RuntimeError, match="log_links takes"):
        log_links(torch.zeros(2, 3, 4), torch.rand(5, 3, 4), 0.5)
