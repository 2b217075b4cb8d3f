"""Graph priors against the reference cases, and against what they mean."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from nacbench.errors import UserError
from nacbench.nac.options import Prior
from nacbench.nac.priors import GraphPrior, graphon, matching, nearest_loss
from nacbench.nn.network import build_network
from nacbench.registry import MODELS, TASKS
from nacbench.running.config import resolve

from .test_parity import CASES, Case, assert_close

KINDS = [prior for prior in get_args(Prior) if prior != "none"]


@pytest.mark.parametrize("name", ["scale_free", "planted_partition", "ring_of_cliques"])
@pytest.mark.parametrize("path", CASES)
def test_reference(path: Path, name: str) -> None:
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


@pytest.mark.parametrize("kind", KINDS)
def test_graphons_are_symmetric_probabilities(kind: Prior) -> None:
    target = graphon(kind, 40, 5)
    assert torch.equal(target, target.T)
    assert 0 <= target.min() <= target.max() <= 1


def test_watts_strogatz_wraps_around() -> None:
    target = graphon("watts-strogatz", 320, 8)
    assert target[0, 319] == target[0, 16] == pytest.approx(0.6)
    assert target[0, 17] == target[0, 160] == pytest.approx(0.4 * 32 / 320)


def test_the_matching_is_the_cheapest_of_all() -> None:
    from itertools import permutations

    rng = np.random.default_rng(0)
    g, p = (torch.from_numpy(rng.random((5, 5))) for _ in range(2))
    cost = ((g[:, None, :] - p[None, :, :]) ** 2).mean(-1)
    best = min(permutations(range(5)), key=lambda order: float(sum(cost[i, j] for i, j in enumerate(order))))
    assert matching(g, p).tolist() == list(best)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_pulls_the_graph_towards_its_kind(kind: Prior) -> None:
    torch.manual_seed(0)
    prior, signatures = GraphPrior(kind, 24, 4), torch.randn(24, 16, requires_grad=True)
    first = float(prior(signatures).detach())
    optimizer = torch.optim.Adam([signatures], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        prior(signatures).backward()
        optimizer.step()
    assert float(prior(signatures).detach()) < 0.9 * first


def test_the_nearest_graph_to_an_even_prior_is_a_simplex() -> None:
    """All cosines -1/(U-1): the links are as improbable as the kernel allows, and far from the prior's 0.1."""
    links = math.exp(-(1 + 1 / 15))
    closed_form = (15 * (links - 0.1) ** 2 + 0.9**2) / 16
    assert nearest_loss("erdos-renyi", 16, 4, 16) == pytest.approx(closed_form, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_no_signatures_come_nearer_to_a_prior_than_the_nearest(kind: Prior) -> None:
    torch.manual_seed(1)
    prior, signatures = GraphPrior(kind, 24, 4), torch.randn(24, 16, requires_grad=True)
    optimizer = torch.optim.Adam([signatures], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        prior(signatures).backward()
        optimizer.step()
    assert nearest_loss(kind, 24, 4, 16) == pytest.approx(float(prior(signatures).detach()), rel=0.03)


def test_the_loss_is_part_of_training_and_only_of_training() -> None:
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


def test_clusters_that_do_not_divide_the_modules_are_refused() -> None:
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
def test_a_matching_that_is_shared_by_steps_gives_the_same_kind_of_graph(kind: Prior) -> None:
    torch.manual_seed(0)
    start = torch.randn(48, 32)
    always, seldom = (_train(GraphPrior(kind, 48, 4, every), start, 200) for every in (1, 10))
    measure = GraphPrior(kind, 48, 4)
    before, best, found = (float(measure(signatures)) for signatures in (start, always, seldom))
    assert found - best < 0.05 * (before - best)


def test_the_matching_is_stored_and_taken_up_again() -> None:
    torch.manual_seed(0)
    signatures = torch.randn(24, 16)
    first = GraphPrior("scale-free", 24, 4, match_every=3)
    first(signatures)
    second = GraphPrior("scale-free", 24, 4, match_every=3)
    second.load_state_dict(first.state_dict())
    moved = torch.randn(24, 16)
    assert [float(first(moved)) for _ in range(4)] == [float(second(moved)) for _ in range(4)]


def test_a_shared_matching_is_made_anew_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
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
