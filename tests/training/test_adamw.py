"""A step over flat parameters against the slow, obvious one: torch's AdamW, clipping and average for each parameter."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nacbench.contracts.recipe import Recipe
from nacbench.nn.flat import FlatLayout
from nacbench.training.checkpoint import load_optimizer, load_tensors, optimizer_tensors, save_tensors
from nacbench.training.optim import AveragedWeights, make_optimizer, undecayed

RECIPE = Recipe(epochs=1, batch_size=8, lr=0.05, weight_decay=0.1, clip_norm=0.5, ema=0.7)


class Net(nn.Module):
    """A convolution in channels last, a tied weight, a frozen one, and one that is used in every other step only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3).to(memory_format=torch.channels_last)
        self.one = nn.Linear(6, 6)
        self.two = nn.Linear(6, 6)
        self.two.weight = self.one.weight
        self.frozen = nn.Linear(6, 6).requires_grad_(False)
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.sometimes = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor, step: int = 1) -> Tensor:
        y = self.conv(x).mean((2, 3)).tanh()
        y = self.scale * self.two(self.frozen(self.one(y)).tanh())
        return y @ self.sometimes if step % 2 else y


def step_of(step: int) -> int:
    return step


def obvious(net: Net, steps: int, used: Callable[[int], int]) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and their average after some steps, with torch's own loops over the parameters."""
    spared = undecayed(net)
    parameters = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p], "weight_decay": 0.0 if name in spared else RECIPE.weight_decay}
        for name, p in net.named_parameters()
        if p.requires_grad
    ]
    optimizer = torch.optim.AdamW(groups, lr=RECIPE.lr, betas=(RECIPE.beta1, RECIPE.beta2), foreach=False)
    average = [p.detach().clone() for p in net.parameters()]
    for step in range(steps):
        gradients(net, step, used)
        nn.utils.clip_grad_norm_(parameters, RECIPE.clip_norm, foreach=False)
        optimizer.step()
        optimizer.zero_grad()
        weights = [p.detach() for p in net.parameters()]
        average = [RECIPE.ema * a + (1 - RECIPE.ema) * w for a, w in zip(average, weights, strict=True)]
    return [p.detach() for p in net.parameters()], average


def flat(net: Net, steps: int, used: Callable[[int], int]) -> tuple[list[Tensor], list[Tensor]]:
    """The same as training does it."""
    optimizer = make_optimizer(net, RECIPE)
    assert optimizer.flat is not None
    average = AveragedWeights(net, RECIPE.ema, flat=optimizer.flat)
    for group in optimizer.param_groups:
        group["lr"] = RECIPE.lr
    for step in range(steps):
        gradients(net, step, used)
        optimizer.clip(RECIPE.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(net)
    assert optimizer.flat.is_whole
    return [p.detach() for p in net.parameters()], [p.detach() for p in average.module.parameters()]


def gradients(net: Net, step: int, used: Callable[[int], int] = step_of) -> None:
    """Compute the gradients of a loss that is large enough to be clipped."""
    x = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(step), dtype=net.scale.dtype)
    (3 * net(x, used(step)) - 1).square().sum().backward()


def assert_close(actual: list[Tensor], expected: list[Tensor], dtype: torch.dtype) -> None:
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("used", [lambda step: 1, step_of], ids=["all parameters", "one in every other step only"])
def test_flat_steps_equal_those_of_each_parameter(dtype: torch.dtype, used: Callable[[int], int]) -> None:
    first, second = Net().to(dtype), Net().to(dtype)
    frozen = second.frozen.weight.clone()
    for actual, expected in zip(flat(second, 7, used), obvious(first, 7, used), strict=True):
        assert_close(actual, expected, dtype)
    assert torch.equal(second.frozen.weight, frozen)
    assert second.two.weight is second.one.weight
    assert second.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_parameter_without_gradient_keeps_value_and_moments() -> None:
    net = Net()
    optimizer = make_optimizer(net, RECIPE)
    gradients(net, 1)
    optimizer.step()
    optimizer.zero_grad()
    value, state = net.sometimes.detach().clone(), copy.deepcopy(optimizer.state[net.sometimes])
    gradients(net, 2)
    optimizer.step()
    assert torch.equal(net.sometimes, value)
    assert all(torch.equal(tensor, state[name]) for name, tensor in optimizer.state[net.sometimes].items())
    assert optimizer.state[net.scale]["step"] == 2


@pytest.mark.parametrize("used", [lambda step: 1, step_of], ids=["flat", "parameter by parameter"])
def test_optimizer_continues_from_a_checkpoint_bit_for_bit(tmp_path: Path, used: Callable[[int], int]) -> None:
    def steps(net: Net, optimizer: torch.optim.Optimizer, which: range) -> None:
        for step in which:
            gradients(net, step, used)
            optimizer.step()
            optimizer.zero_grad()

    whole = Net()
    steps(whole, make_optimizer(whole, RECIPE), range(1, 6))
    net = Net()
    optimizer = make_optimizer(net, RECIPE)
    steps(net, optimizer, range(1, 4))
    save_tensors(tmp_path / "o.safetensors", optimizer_tensors(optimizer), {})
    resumed = Net()
    resumed.load_state_dict(net.state_dict())
    optimizer = make_optimizer(resumed, RECIPE)
    load_optimizer(optimizer, load_tensors(tmp_path / "o.safetensors")[0])
    steps(resumed, optimizer, range(4, 6))
    assert [
        name for name, weight in whole.state_dict().items() if not torch.equal(weight, resumed.state_dict()[name])
    ] == []


def test_the_state_is_that_of_torch_s_optimiser() -> None:
    one, other = Net(), Net()
    optimizer = make_optimizer(one, RECIPE)
    torchs = torch.optim.AdamW([p for group in make_optimizer(other, RECIPE).param_groups for p in group["params"]])
    for net, own in ((one, optimizer), (other, torchs)):
        gradients(net, 1)
        own.step()
    shapes = [
        {name: (tensor.shape, tensor.stride()) for name, tensor in optimizer_tensors(own).items()}
        for own in (optimizer, torchs)
    ]
    assert shapes[0] == shapes[1]
    load_optimizer(optimizer, optimizer_tensors(torchs))
    for index, state in torchs.state_dict()["state"].items():
        assert all(torch.equal(optimizer.state_dict()["state"][index][name], tensor) for name, tensor in state.items())


def test_a_state_that_is_loaded_replaces_the_one_before() -> None:
    net = Net()
    optimizer = make_optimizer(net, RECIPE)
    fresh = copy.deepcopy(optimizer.state_dict())
    gradients(net, 1)
    optimizer.step()
    now = copy.deepcopy(optimizer.state_dict())
    optimizer.load_state_dict(optimizer.state_dict())
    torch.testing.assert_close(optimizer.state_dict()["state"], now["state"], rtol=0, atol=0)
    optimizer.load_state_dict({**fresh, "state": {}})  # as torch's AdamW has it before the first step
    torch.testing.assert_close(optimizer.state_dict()["state"], fresh["state"], rtol=0, atol=0)


def test_memory_that_is_given_to_a_parameter_later_is_what_is_trained() -> None:
    """A module may set ``parameter.data``, for example when it learns from a batch."""
    net, other = Net(), Net()
    optimizer = make_optimizer(net, RECIPE)
    average = AveragedWeights(net, RECIPE.ema, flat=optimizer.flat)
    net.one.weight.data = torch.ones(6, 6)
    other.one.weight.data = torch.ones(6, 6)
    expected = obvious(other, 1, lambda step: 1)
    for group in optimizer.param_groups:
        group["lr"] = RECIPE.lr
    average.module.load_state_dict(net.state_dict())  # obvious() begins with the weights as they are
    gradients(net, 0, lambda step: 1)
    optimizer.clip(RECIPE.clip_norm)
    optimizer.step()
    average.update_parameters(net)
    assert_close([p.detach() for p in net.parameters()], expected[0], torch.float32)
    assert_close([p.detach() for p in average.module.parameters()], expected[1], torch.float32)


def test_weights_that_are_transposed_later_are_trained_as_they_lie_then() -> None:
    nets = [nn.Linear(3, 3, bias=False) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = make_optimizer(nets[0], RECIPE), torch.optim.AdamW(nets[1].parameters(), weight_decay=0.1)
    for net, optimizer in zip(nets, optimizers, strict=True):
        optimizer.param_groups[0]["lr"] = RECIPE.lr
        net.weight.data = net.weight.data.T
        (net.weight * torch.arange(9.0).view(3, 3)).square().sum().backward()
        optimizer.step()
    assert_close([nets[0].weight.detach()], [nets[1].weight.detach()], torch.float32)


@pytest.mark.parametrize("trained", [True, False])
def test_a_parameter_that_takes_the_place_of_another_is_averaged(trained: bool) -> None:
    """A module may replace a parameter, for example its codebook, when it learns from a batch."""
    net = nn.Linear(3, 3)
    net.code = nn.Parameter(torch.zeros(3), requires_grad=trained)
    optimizer = make_optimizer(net, RECIPE)
    average = AveragedWeights(net, RECIPE.ema, flat=optimizer.flat)
    net.code = nn.Parameter(torch.ones(3), requires_grad=trained)
    average.update_parameters(net)
    expected = torch.full((3,), 1 - RECIPE.ema)
    assert_close([average.module.get_parameter("code").detach()], [expected], torch.float32)


def test_a_step_is_counted_as_a_change_of_each_parameter() -> None:
    net = Net()
    optimizer = make_optimizer(net, RECIPE)
    average = AveragedWeights(net, RECIPE.ema, flat=optimizer.flat)
    own = next(average.module.parameters())
    before, averaged = net.scale._version, own._version
    gradients(net, 1)
    optimizer.step()
    average.update_parameters(net)
    assert net.scale._version > before
    assert own._version > averaged


def on_one_of_two(rank: int, folder: str) -> None:
    """Train on half of each batch, and keep the weights."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    net = Net()
    optimizer = make_optimizer(net, RECIPE)
    parallel = nn.parallel.DistributedDataParallel(net)
    for step in range(3):
        loss_of(parallel, step, slice(4 * rank, 4 * rank + 4)).backward()
        optimizer.clip(RECIPE.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
    assert optimizer.flat is not None
    assert optimizer.flat.is_whole
    torch.save(net.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def loss_of(forward: Any, step: int, part: slice = slice(None)) -> Tensor:
    x = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(step))[part]
    loss: Tensor = (3 * forward(x) - 1).square().mean()
    return loss


def test_two_processes_have_the_weights_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(on_one_of_two, (str(tmp_path),), nprocs=2)  # type: ignore[attr-defined, no-untyped-call]
    net = Net()
    optimizer = make_optimizer(net, RECIPE)
    for step in range(3):
        loss_of(net, step).backward()
        optimizer.clip(RECIPE.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.testing.assert_close(first, dict(net.state_dict()), rtol=1e-4, atol=1e-5)


def names(net: nn.Module) -> list[list[str]]:
    return [[name for name, _ in net.named_parameters()]]


def test_parameters_that_cannot_be_flat_stay_as_they_are() -> None:
    plain = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    assert FlatLayout.of(plain, names(plain)) is not None
    mixed = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5).double())
    assert FlatLayout.of(mixed, names(mixed)) is None
    shared = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    shared[1].weight.data = shared[0].weight.data
    assert FlatLayout.of(shared, names(shared)) is None
    kept = nn.Linear(3, 3)
    kept.remembered = kept.weight.detach()
    assert FlatLayout.of(kept, names(kept)) is None
    cached = nn.Linear(3, 3)
    remembered: dict[str, Any] = {"weights": [cached.weight.detach()]}
    remembered["self"] = remembered
    cached.remembered = remembered  # type: ignore[assignment]  # nn.Module takes any attribute
    assert FlatLayout.of(cached, names(cached)) is None
    large = torch.ones(2, 3, 3)
    row = nn.Linear(3, 3)
    row.weight = nn.Parameter(large[0])
    assert FlatLayout.of(row, names(row)) is None
    spread = nn.Linear(3, 3)
    spread.weight.data = torch.ones(3, 6)[:, ::2]
    assert FlatLayout.of(spread, names(spread)) is None
    assert FlatLayout.of(nn.GELU(), [[]]) is None
    assert make_optimizer(shared, RECIPE).flat is None


def test_the_norm_of_many_gradients_is_exact() -> None:
    """In one sum, the squares of 20 million numbers are off by a thousandth."""
    net = nn.Linear(5_000, 4_000, bias=False)
    optimizer = make_optimizer(net, RECIPE)
    gradient = torch.randn(4_000, 5_000, generator=torch.Generator().manual_seed(0))
    net.weight.grad = gradient.clone()
    optimizer.clip(1.0)
    assert float(net.weight.grad.double().norm()) == pytest.approx(1.0, abs=1e-5)
