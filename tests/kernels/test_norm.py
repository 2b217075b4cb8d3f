"""Layer norm with gains against the formula written out in float64, by itself and with the layers that read it."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.kernels.norm import fits_norm_gains, norm_gains, norm_gains_gradients
from nacbench.nac import modfc
from nacbench.nac.modfc import Gains, ModFC, read_normal
from nacbench.profiling.peak_memory import peak_during
from tests.kernels.formulas import ERROR, TYPES, both, distance

pytestmark = pytest.mark.usefixtures("own_kernels")

EPS = 1e-5


def own_products(x: Tensor, weight: Tensor, bias: Tensor, *gains: Tensor) -> Tensor:
    return torch.stack(norm_gains(x, weight, bias, gains, EPS)[0])


def obvious_products(x: Tensor, weight: Tensor, bias: Tensor, *gains: Tensor) -> Tensor:
    """((x - mean) / σ · weight + bias) · gain."""
    off = x - x.mean(-1, keepdim=True)
    normal = off / (off.square().mean(-1, keepdim=True) + EPS).sqrt() * weight + bias
    return torch.stack([normal * gain for gain in gains])


def drawn(x: Sequence[int], count: int, wide: torch.dtype, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """States, weight, bias and gains."""
    torch.manual_seed(0)
    vectors = 1 + 0.3 * torch.randn(x[-1]), torch.randn(x[-1])
    gains = (1 + 0.3 * torch.randn(x[1:]) for _ in range(count))
    return (2 + 3 * torch.randn(*x)).to(wide), *vectors, *(gain.to(dtype) for gain in gains)


# -- the operator ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wide", "dtype"), [(torch.float32, torch.float32), (torch.float32, torch.bfloat16), (torch.bfloat16,) * 2]
)
@pytest.mark.parametrize(
    ("shape", "count"), [((64, 32, 64), 3), ((37, 5, 17), 2), ((3, 1, 7), 1), ((1, 40, 33), 3), ((40, 19, 16), 1)]
)
def test_products_and_gradients_are_those_of_the_formula(
    shape: tuple[int, ...], count: int, wide: torch.dtype, dtype: torch.dtype
) -> None:
    inputs = drawn(shape, count, wide, dtype)
    exact = tuple(tensor.double().requires_grad_() for tensor in inputs)
    leaves = tuple(tensor.clone().requires_grad_() for tensor in inputs)
    products, right = own_products(*leaves), obvious_products(*exact)
    seed = torch.randn(products.shape).to(dtype)
    found = torch.autograd.grad(products, leaves, seed)
    formula = torch.autograd.grad(right, exact, seed.double())
    assert products.dtype == dtype
    for own, true in zip((products, *found), (right, *formula), strict=True):
        assert distance(own, true) < ERROR[own.dtype]


def test_variance_is_right_far_from_zero() -> None:
    """The mean of squares less the square of the mean would have no correct digit."""
    x = 1e4 + torch.randn(3, 5, 64)
    x[0, 0, 0] = 3e4
    inputs = x, torch.ones(64), torch.zeros(64), torch.ones(5, 64)
    assert distance(own_products(*inputs), obvious_products(*(tensor.double() for tensor in inputs))) < 1e-3


def test_gradients_do_not_depend_on_the_number_of_threads() -> None:
    inputs = drawn((100, 37, 130), 2, torch.float32, torch.float32)
    seeds = [torch.randn(100, 37, 130) for _ in range(2)]
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            products, statistics = norm_gains(inputs[0], inputs[1], inputs[2], inputs[3:], EPS)
            of_x, of_weight, of_bias, of_gains, again = norm_gains_gradients(
                seeds, inputs[0], statistics, inputs[1], inputs[2], inputs[3:]
            )
            found.append([*products, of_x, of_weight, of_bias, *of_gains])
            assert all(map(torch.equal, again, products))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


@pytest.mark.parametrize(("examples", "modules"), [(0, 3), (2, 0)])
def test_nothing_gives_nothing(examples: int, modules: int) -> None:
    inputs = torch.randn(examples, modules, 8), torch.randn(8), torch.randn(8), torch.randn(modules, 8)
    (_, _), (of_x, _), *vectors, (of_gain, _) = both(own_products, obvious_products, inputs)
    assert of_x.shape == (examples, modules, 8)
    assert all(torch.equal(of_vector, torch.zeros(8)) for of_vector, _ in vectors)
    assert torch.equal(of_gain, torch.zeros(modules, 8))


def test_views_give_what_copies_give() -> None:
    x, gain = torch.randn(10, 4, 6).transpose(0, 2), torch.randn(10, 4).t()
    vectors = torch.randn(20)[::2], torch.randn(10)
    assert not x.is_contiguous()
    views = own_products(x, *vectors, gain)
    assert torch.equal(views, own_products(x.contiguous(), vectors[0].contiguous(), vectors[1], gain.contiguous()))


def test_pytorch_finds_no_fault_with_the_operator() -> None:
    x, weight, bias, *gains = (tensor.requires_grad_() for tensor in drawn((4, 3, 8), 2, torch.float32, torch.float32))
    torch.library.opcheck(torch.ops.nacbench.norm_gains.default, (x, weight, bias, gains, EPS))


def test_wrong_shapes_are_refused_in_one_line() -> None:
    with pytest.raises(RuntimeError, match="norm_gains takes examples x rows x width"):
        norm_gains(torch.randn(4, 3, 8), torch.ones(8), torch.ones(8), [torch.ones(2, 8)], EPS)


# -- with the layers that read it --------------------------------------------------------------------------------------


def layers_of(count: int) -> tuple[nn.LayerNorm, list[ModFC]]:
    torch.manual_seed(1)
    norm, layers = nn.LayerNorm(16), [ModFC(16, 12, 8, bias=index == 0) for index in range(count)]
    for parameter in nn.ModuleList([norm, *layers]).parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return norm, layers


def outputs_and_gradients(
    x: Tensor, gains: Sequence[Tensor], norm: nn.LayerNorm, layers: Sequence[ModFC], seeds: Sequence[Tensor]
) -> list[Tensor]:
    """What the layers return, and the gradients of states, gains and parameters."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (x, *gains)]
    outs = read_normal(leaves[0], norm, layers, dict(zip(layers, leaves[1:], strict=True)))
    parameters = [*norm.parameters(), *(p for layer in layers for p in (layer.weight, layer.bias) if p is not None)]
    gradients = torch.autograd.grad(outs, [*leaves, *parameters], [seed.to(outs[0].dtype) for seed in seeds])
    return [*outs, *gradients]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "gain"),
    [((20, 5, 16), (5, 16)), ((20, 5, 16), (20, 5, 16)), ((20, 5, 16), ()), ((5, 16), (5, 16))],
    ids=["shared", "for each example", "plain", "codes"],
)
def test_layers_on_normalised_states_are_the_formula(shape: tuple[int, ...], gain: tuple[int, ...], count: int) -> None:
    norm, layers = layers_of(count)
    x, gains = torch.randn(shape), [1 + 0.3 * torch.randn(gain) for _ in layers]
    assert fits_norm_gains(x, norm.weight, norm.bias, gains)
    seeds = [torch.randn(*shape[:-1], 12) for _ in layers]
    found = outputs_and_gradients(x, gains, norm, layers, seeds)
    exact_norm, exact_layers = norm.double(), [layer.double() for layer in layers]
    exact = outputs_and_gradients(x.double(), [g.double() for g in gains], exact_norm, exact_layers, seeds)
    # The 1 of a plain layer has no gradient; as a sum of all, with both signs, it would have few digits
    assert all(distance(own, true) < 3e-6 for own, true in zip(found, exact, strict=True) if own.numel() > 1)


def test_layers_in_bfloat16_err_no_more_than_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    norm, layers = layers_of(3)
    x, gains = torch.randn(64, 8, 16), [(1 + 0.3 * torch.randn(8, 16)).bfloat16() for _ in layers]
    seeds, found = [torch.randn(64, 8, 12).bfloat16() for _ in layers], []
    for fits in (fits_norm_gains, lambda *tensors: False):
        monkeypatch.setattr(modfc, "fits_norm_gains", fits)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(outputs_and_gradients(x, gains, norm, layers, seeds))
    exact_layers = [layer.double() for layer in layers]
    exact = outputs_and_gradients(x.double(), [g.double() for g in gains], norm.double(), exact_layers, seeds)
    own, pytorch = ([distance(a, b) for a, b in zip(one, exact, strict=True)] for one in found)
    assert [tensor.dtype for tensor in found[0]] == [tensor.dtype for tensor in found[1]]
    assert sum(own) < sum(pytorch)
    assert all(ours < 1.1 * theirs for ours, theirs in zip(own, pytorch, strict=True))


def test_frozen_layers_get_no_gradient() -> None:
    norm, (first, second) = layers_of(2)
    first.requires_grad_(False)
    x, gains = torch.randn(4, 5, 16, requires_grad=True), [torch.randn(5, 16), torch.randn(5, 16)]
    outs = read_normal(x, norm, [first, second], dict(zip([first, second], gains, strict=True)))
    torch.stack(outs).sum().backward()
    assert first.weight.grad is None
    assert second.weight.grad is not None
    assert x.grad is not None


def test_neither_normalised_states_nor_products_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    norm, layer, x = nn.LayerNorm(64), ModFC(64, 64, 8, bias=False), torch.randn(16, 32, 64, requires_grad=True)
    gains: Gains = {layer: torch.randn(32, 64, requires_grad=True)}

    def ten_layers() -> None:
        state = x
        for _ in range(10):
            (state,) = read_normal(state, norm, [layer], gains)
        state.sum().backward()

    def peak() -> int:
        return peak_during(ten_layers, [x, gains[layer], *norm.parameters(), layer.weight])

    own = peak()
    monkeypatch.setattr(modfc, "fits_norm_gains", lambda *tensors: False)
    assert own < 0.75 * peak()


@pytest.mark.parametrize("dtype", TYPES)
def test_what_does_not_fit_is_computed_by_pytorch(dtype: torch.dtype) -> None:
    x, vector, gain = torch.randn(2, 3, 8), torch.ones(8), torch.randn(3, 8).to(dtype)

    def fits(*changed: Any) -> bool:
        return fits_norm_gains(*changed)

    assert fits(x, vector, vector, [gain])
    assert fits(x, vector, vector, [gain[0, 0]])
    assert not fits(x, vector, vector, [gain] * 4)
    assert not fits(x, vector, vector, [gain, gain[0, 0]])
    assert not fits(x, vector, vector, [gain[:1]])
    assert not fits(x.double(), vector, vector, [gain])
    assert not fits(x, vector.bfloat16(), vector, [gain])
    assert not fits(x, vector, vector[:4], [gain])
    assert not fits(x, vector, vector, [gain.half()])
    layer, norm = ModFC(8, 4, 8), nn.LayerNorm(8)
    (out,) = read_normal(x, norm, [layer], {layer: torch.ones(1, 8)})
    torch.testing.assert_close(out, F.linear(norm(x), layer.weight, layer.bias))


def test_gradients_of_gradients_are_refused() -> None:
    torch.manual_seed(0)
    x, layer = torch.randn(4, 1, 8, requires_grad=True), ModFC(8, 5, None)
    (out,) = read_normal(x, nn.LayerNorm(8), [layer], {layer: torch.ones(1, 8)})
    (gradient,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
