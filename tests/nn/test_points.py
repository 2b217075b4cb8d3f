"""Farthest and nearest points against slow, obvious versions, and what point networks promise."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.errors import UserError
from nacbench.nn.network import Network, Raw, build_network
from nacbench.nn.points import edges, farthest_points, nearest_points
from nacbench.registry import MODELS, TASKS
from nacbench.running.resolve import resolve
from nacbench.running.runner import unsupported

OF_POINTS = ["pointnet", "pointnet2", "dgcnn", "point-transformer"]


def clouds(kind: str, seed: int = 0, batch: int = 4, count: int = 23) -> Tensor:
    """Random points, points of a small grid (of which many are equally far, and some equal), or one point repeated."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "random":
        return torch.randn(batch, count, 3, generator=generator)
    return torch.randint(3 if kind == "grid" else 1, (batch, count, 3), generator=generator).float()


def masked(batch: int = 4, count: int = 23) -> Tensor:
    """A mask that leaves 1, 2, 8 … points, not the first ones."""
    mask = torch.zeros(batch, count, dtype=torch.bool)
    for row, points in enumerate([1, 2, 8, count][:batch]):
        mask[row, torch.randperm(count, generator=torch.Generator().manual_seed(row))[:points]] = True
    return mask


def square(a: Sequence[float], b: Sequence[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def slow_farthest(points: Any, real: Sequence[bool], count: int) -> list[int]:
    """In Python's float64, one point at a time."""
    left = [place for place in range(len(points)) if real[place]]
    mean = [sum(points[p][axis] for p in left) / len(left) for axis in range(3)]
    chosen: list[int] = []
    while left and len(chosen) < count:
        others = [points[place] for place in chosen] or [mean]
        chosen.append(max(left, key=lambda place: (min(square(points[place], o) for o in others), -place)))
        left.remove(chosen[-1])
    return chosen


def slow_nearest(query: Any, points: Any, real: Sequence[bool], count: int) -> list[int]:
    left = [place for place in range(len(points)) if real[place]]
    return sorted(left, key=lambda place: (square(query, points[place]), place))[:count]


def kept(index: Tensor, there: Tensor | None) -> list[int]:
    indices: list[int] = (index if there is None else index[there]).tolist()
    return indices


@pytest.mark.parametrize("kind", ["random", "grid", "one"])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("count", [1, 6, 23, 30])
def test_farthest_points_are_those_of_the_slow_version(kind: str, with_mask: bool, count: int) -> None:
    points, mask = clouds(kind), masked() if with_mask else None
    index, there = farthest_points(points, count, mask)
    assert index.shape == (4, count)
    for row in range(4):
        real = [True] * 23 if mask is None else mask[row].tolist()
        own = None if there is None else there[row]
        assert kept(index[row], own) == slow_farthest(points[row].double().tolist(), real, count)


@pytest.mark.parametrize("kind", ["random", "grid", "one"])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("count", [1, 6, 23, 30])
def test_nearest_points_are_those_of_the_slow_version(kind: str, with_mask: bool, count: int) -> None:
    points, mask = clouds(kind), masked() if with_mask else None
    queries = clouds(kind, seed=1, count=5)
    index, there = nearest_points(queries, points, count, mask)
    for row in range(4):
        real = [True] * 23 if mask is None else mask[row].tolist()
        for query in range(5):
            expected = slow_nearest(queries[row, query].double().tolist(), points[row].double().tolist(), real, count)
            assert kept(index[row, query], None if there is None else there[row, query]) == expected


def test_a_neighbour_outside_the_radius_is_the_nearest_once_more() -> None:
    points = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 0, 0]]])
    index, _ = nearest_points(points, points, 3, radius=1.0)
    assert index.tolist() == [[[0, 1, 0], [1, 0, 2], [2, 1, 2], [3, 3, 3]]]


def test_edges_count_the_rows_of_all_examples_and_leave_padding_out() -> None:
    near = torch.tensor([[[0, 2], [1, 0]], [[2, 1], [0, 1]]])
    assert edges(near, None, None, 3).tolist() == [[0, 2, 1, 0, 5, 4, 3, 4], [0, 0, 1, 1, 2, 2, 3, 3]]
    found = torch.tensor([[[True, False], [True, True]], [[True, True], [True, True]]])
    asked = torch.tensor([[True, True], [True, False]])
    assert edges(near, found, asked, 3).tolist() == [[0, 1, 0, 5, 4], [0, 1, 1, 2, 2]]


# -- networks ----------------------------------------------------------------------------------------------------------


def core(name: str, points: int = 23, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    spec = TaskSpec(modality="points", classes=5, max_tokens=points, token_dim=9, point_shape=(points, 3))
    return MODELS.get(name).configured("model", "tiny", options).build(spec).double().eval()


@pytest.mark.parametrize("name", OF_POINTS)
@pytest.mark.parametrize("with_mask", [False, True])
def test_a_row_depends_on_nothing_but_its_own_points_in_any_order(name: str, with_mask: bool) -> None:
    net, points, mask = core(name), clouds("random").double(), masked() if with_mask else None
    with torch.no_grad():
        logits = net(points, mask)
        order = torch.randperm(23, generator=torch.Generator().manual_seed(5))
        mixed = net(points[:, order], None if mask is None else mask[:, order])
        alone = torch.cat([net(points[i : i + 1], None if mask is None else mask[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(mixed, logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(alone, logits, rtol=0, atol=1e-12)
    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", OF_POINTS)
def test_padding_counts_for_nothing_whatever_it_holds_and_wherever_it_is(name: str) -> None:
    net, points, mask = core(name), clouds("random").double(), masked()
    with torch.no_grad():
        alone = torch.cat([net(points[i][mask[i]][None]) for i in range(4)])
        for garbage in (1e3 * torch.rand(4, 23, 3).double(), torch.tensor(torch.nan)):
            logits = net(torch.where(mask[..., None], points, garbage), mask)
            torch.testing.assert_close(logits, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OF_POINTS)
def test_a_cloud_without_any_point_spoils_no_training_step(name: str) -> None:
    net, points, mask = core(name), clouds("random").double(), masked()
    mask[2] = False
    logits = net(points, mask)
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", OF_POINTS)
def test_equal_points_give_finite_logits_and_gradients(name: str) -> None:
    net = core(name)
    points = clouds("one").double().requires_grad_()
    net(points).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in [points, *net.parameters()])


@pytest.mark.parametrize("name", OF_POINTS)
def test_a_network_of_points_gets_coordinates_and_no_tokens(name: str) -> None:
    task = TASKS.training("parametric-shapes").configured("task", "smoke", {})
    net: Network = build_network(task, task.spec(), MODELS.get(name).configured("model", "tiny", {}), 0).eval()
    assert isinstance(net.tokenizer, Raw)
    points, mask = clouds("random", count=128), masked(count=128)
    batch = Batch({"points": points, "mask": mask}, torch.zeros(4))
    with torch.no_grad():
        assert torch.equal(net(**batch.inputs), net.core(points, mask))
        assert not torch.allclose(net(points=points), net.core(points, mask))


@pytest.mark.parametrize("name", OF_POINTS)
@pytest.mark.parametrize("task", ["digits", "listops-short", "nlvr-synthetic", "digits-c"])
def test_what_has_no_points_is_refused_in_a_few_words(name: str, task: str) -> None:
    assert unsupported(resolve({"task": task, "model": name, "scale": "smoke"})) == "it takes points only"


@pytest.mark.parametrize("name", OF_POINTS)
@pytest.mark.parametrize(("scale", "size"), [("smoke", "tiny"), ("mini", "mini"), ("paper", "paper")])
def test_point_networks_have_as_many_parameters_as_nac(name: str, scale: Any, size: str) -> None:
    from nacbench.profiling.sizing import parameters_of

    task = TASKS.training("modelnet40").configured("task", scale, {})
    own, nac = (parameters_of(MODELS.get(n).configured("model", size, {}), task) for n in (name, "nac"))
    assert own / nac == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        *[("pointnet2", option, value) for option, value in [("radius", 0.0), ("radius", float("nan")), ("width", 0)]],
        *[("pointnet2", "depth", depth) for depth in (0, 9)],
        ("dgcnn", "depth", 9),
        ("point-transformer", "stages", 25),  # 2²⁴ times the width, which would fill the memory of any machine
        ("resnet", "stages", 9),
    ],
)
def test_wrong_options_are_refused(name: str, option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"model.{option} = {value}: input should be"):
        MODELS.get(name).configured("model", "tiny", {option: value})
