"""Graph priors against the reference cases, and against what they mean."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from nacbench.errors import UserError
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.options import Prior
from nacbench.nac.priors import GraphPrior, graphon, matching, nearest_loss, ties
from nacbench.nn.network import build_network
from nacbench.registry import MODELS, TASKS
from nacbench.running.resolve import resolve

from .test_parity import CASES, Case, assert_close

KINDS = [prior for prior in get_args(Prior) if prior != "none"]


@pytest.mark.parametrize("name", ["scale_free", "planted_partition", "ring_of_cliques"])
@pytest.mark.parametrize("path", CASES)
def test_graphon_loss_and_gradient_equal_the_reference(path: Path, name: str) -> None:
    case = Case(path)
    clusters, modules = case.config["num_clusters"], case.config["modules"]
    signatures = case.tensors["param/circuit.processor.signatures"].clone().requires_grad_()
    kind: Prior = name.replace("_", "-")  # type: ignore[assignment]
    prior = GraphPrior(kind, modules, clusters)
    loss = prior(signatures)
    loss.backward()
    assert signatures.grad is not None
    assert_close(prior.target, case.tensors[f"prior/{name}.graphon"], "graphon", absolute=1e-6)
    if name != "scale_free":  # its reference graphon went through float32
        assert_close(loss.detach(), case.tensors[f"prior/{name}.loss"], "loss")
        assert_close(signatures.grad, case.tensors[f"prior/{name}.grad_signatures"], "gradient")
    else:
        prior.target = case.tensors[f"prior/{name}.graphon"]
        signatures.grad = None
        loss = prior(signatures)
        loss.backward()
        assert_close(loss.detach(), case.tensors[f"prior/{name}.loss"], "loss")
        assert_close(signatures.grad, case.tensors[f"prior/{name}.grad_signatures"], "gradient")


def test_published_clusters_are_ten_of_32_modules() -> None:
    nac = MODELS.get("nac").configured("model", "paper", {"prior": "planted-partition"})
    core = nac.build(TASKS.training("tiny-imagenet")().spec())
    assert isinstance(core, NeuralAttentiveCircuit)
    assert core.prior is not None
    inside = core.prior.target > 0.5
    assert inside.sum(1).tolist() == [32] * 320
    assert len(inside.unique(dim=0)) == 10
    assert core.prior.match_every == 1


@pytest.mark.parametrize("kind", KINDS)
def test_graphons_are_symmetric_probabilities(kind: Prior) -> None:
    target = graphon(kind, 40, 5)
    assert torch.equal(target, target.T)
    assert 0 <= target.min() <= target.max() <= 1


def test_watts_strogatz_wraps_around() -> None:
    target = graphon("watts-strogatz", 320, 8)
    assert target[0, 319] == target[0, 16] == pytest.approx(0.6)
    assert target[0, 17] == target[0, 160] == pytest.approx(0.4 * 32 / 320)


def test_matching_has_the_lowest_cost_of_all_permutations() -> None:
    from itertools import permutations

    rng = np.random.default_rng(0)
    g, p = (torch.from_numpy(rng.random((5, 5))) for _ in range(2))
    cost = ((g[:, None, :] - p[None, :, :]) ** 2).mean(-1)
    best = min(permutations(range(5)), key=lambda order: float(sum(cost[i, j] for i, j in enumerate(order))))
    assert matching(g, p).tolist() == list(best)


def test_equal_costs_leave_modules_at_their_place() -> None:
    """The order of exchangeable modules hangs neither on SciPy nor on the last digits of the costs."""
    target = graphon("planted-partition", 12, 3)
    assert matching(target, target).tolist() == list(range(12))
    noise = 1e-13 * torch.randn(12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert matching(target, target + noise).tolist() == list(range(12))


def test_ties_are_the_pairs_of_all_assignments_of_least_cost() -> None:
    from itertools import permutations

    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.integers(0, 3, (5, 5))
        orders = np.array(list(permutations(range(5))))
        sums = cost[np.arange(5), orders].sum(1)
        least = orders[sums == sums.min()]
        inside = ties(cost, least[0])
        pairs = {(row, int(module)) for order in least for row, module in enumerate(order)}
        assert pairs <= {(int(row), int(module)) for row, module in zip(*inside.nonzero(), strict=True)}
        made = [order.tolist() for order in orders if inside[np.arange(5), order].all()]
        assert made == least.tolist()


@pytest.mark.parametrize("kind", ["planted-partition", "ring-of-cliques", "scale-free"])
def test_matching_is_the_same_for_any_number_of_threads_and_order_of_equal_rows(kind: Prior) -> None:
    torch.manual_seed(0)
    signatures = torch.randn(120, 16)
    signatures[60:] = signatures[:60]  # pairs of modules that nothing tells apart
    prior, threads = GraphPrior(kind, 120, 10), torch.get_num_threads()
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            prior(signatures)
            found.append(prior.get_extra_state())
    finally:
        torch.set_num_threads(threads)
    swapped = torch.arange(120).roll(60)
    prior(signatures[swapped])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], prior.get_extra_state())


@pytest.mark.parametrize("kind", KINDS)
def test_training_on_a_prior_lowers_its_loss(kind: Prior) -> None:
    torch.manual_seed(0)
    prior, signatures = GraphPrior(kind, 24, 4), torch.randn(24, 16, requires_grad=True)
    first = float(prior(signatures).detach())
    optimizer = torch.optim.Adam([signatures], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        prior(signatures).backward()
        optimizer.step()
    assert float(prior(signatures).detach()) < 0.9 * first


def test_nearest_loss_of_erdos_renyi_is_that_of_a_simplex() -> None:
    """All cosines -1/(U-1): the links are as improbable as the kernel allows, and far from the prior's 0.1."""
    links = math.exp(-(1 + 1 / 15))
    closed_form = (15 * (links - 0.1) ** 2 + 0.9**2) / 16
    assert nearest_loss("erdos-renyi", 16, 4, 16) == pytest.approx(closed_form, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_nearest_loss_equals_the_loss_after_long_training(kind: Prior) -> None:
    torch.manual_seed(1)
    prior, signatures = GraphPrior(kind, 24, 4), torch.randn(24, 16, requires_grad=True)
    optimizer = torch.optim.Adam([signatures], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        prior(signatures).backward()
        optimizer.step()
    assert nearest_loss(kind, 24, 4, 16) == pytest.approx(float(prior(signatures).detach()), rel=0.03)


def test_prior_is_part_of_the_training_loss_only() -> None:
    task = TASKS.training("digits").configured("task", "smoke", {})
    sizes = {"prior": "planted-partition", "prior_clusters": 4, "prior_weight": 0.1}
    net = build_network(task, task.spec(), MODELS.get("nac").configured("model", "tiny", sizes), 0)
    auxiliary = net.auxiliary_loss()
    assert auxiliary is not None
    signatures = net.get_parameter("core.circuit.processor.signatures")
    assert float(auxiliary.detach()) == pytest.approx(
        0.1 * float(GraphPrior("planted-partition", 16, 4)(signatures).detach())
    )
    plain = build_network(task, task.spec(), MODELS.get("nac").configured("model", "tiny", {}), 0)
    assert plain.auxiliary_loss() is None
    assert net.state_dict().keys() - plain.state_dict().keys() == {"core.prior._extra_state"}  # the matching


def test_clusters_must_divide_the_modules() -> None:
    with pytest.raises(UserError, match="prior_clusters = 5 must divide modules = 16"):
        resolve(
            {
                "task": {"name": "digits"},
                "model": {"name": "nac", "prior": "ring-of-cliques", "prior_clusters": 5},
                "scale": "smoke",
            }
        )


def _train(prior: GraphPrior, signatures: torch.Tensor, steps: int) -> torch.Tensor:
    signatures = signatures.clone().requires_grad_()
    optimizer = torch.optim.Adam([signatures], lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        prior(signatures).backward()
        optimizer.step()
    return signatures.detach()


@pytest.mark.parametrize("kind", KINDS)
def test_shared_matching_reaches_the_same_loss(kind: Prior) -> None:
    torch.manual_seed(0)
    start = torch.randn(48, 32)
    always, seldom = (_train(GraphPrior(kind, 48, 4, every), start, 200) for every in (1, 10))
    measure = GraphPrior(kind, 48, 4)
    before, best, found = (float(measure(signatures)) for signatures in (start, always, seldom))
    assert found - best < 0.05 * (before - best)


def test_matching_is_saved_and_restored() -> None:
    torch.manual_seed(0)
    signatures = torch.randn(24, 16)
    first = GraphPrior("scale-free", 24, 4, match_every=3)
    first(signatures)
    second = GraphPrior("scale-free", 24, 4, match_every=3)
    second.load_state_dict(first.state_dict())
    moved = torch.randn(24, 16)
    assert [float(first(moved)) for _ in range(4)] == [float(second(moved)) for _ in range(4)]


def test_matching_is_recomputed_every_match_every_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    import nacbench.nac.priors as module

    made = []

    def counted(target: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
        made.append(1)
        return matching(target, probability)

    monkeypatch.setattr(module, "matching", counted)
    prior, signatures = GraphPrior("erdos-renyi", 12, 4, match_every=3), torch.randn(12, 8)
    for _ in range(7):
        prior(signatures)
    assert len(made) == 3
