"""Signatures that start as a graph."""

from typing import get_args

import networkx as nx
import pytest
import torch

from nacbench.nac.initialisation import THRESHOLD, distance, random_graph, signatures_of
from nacbench.nac.options import Prior
from nacbench.nac.priors import graphon
from nacbench.nn.network import build_network
from nacbench.registry import MODELS, TASKS

KINDS = [prior for prior in get_args(Prior) if prior != "none"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_comes_back_at_full_size(kind: Prior) -> None:
    torch.manual_seed(0)
    linked = torch.from_numpy(nx.to_numpy_array(random_graph(kind, 320, 8, 0)) > 0)
    found = distance(signatures_of(linked, 64)) < THRESHOLD
    pairs = ~torch.eye(320, dtype=torch.bool)
    assert found[linked & pairs].float().mean() >= 0.95
    assert (~found)[~linked & pairs].float().mean() >= 0.95


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ring-of-cliques"])
def test_a_random_graph_is_about_as_dense_as_its_prior(kind: Prior) -> None:
    target = graphon(kind, 320, 8).fill_diagonal_(0)
    graph = random_graph(kind, 320, 8, 0)
    degree = 2 * graph.number_of_edges() / 320
    assert degree == pytest.approx(float(target.sum(1).mean()), rel=0.35)


def test_a_ring_of_cliques_is_one() -> None:
    graph = random_graph("ring-of-cliques", 24, 4, 0)
    assert nx.is_connected(graph)
    assert sorted(len(clique) for clique in nx.find_cliques(graph))[-4:] == [6] * 4
    assert nx.is_isomorphic(random_graph("ring-of-cliques", 5, 1, 0), nx.complete_graph(5))
    assert nx.is_isomorphic(random_graph("ring-of-cliques", 5, 5, 0), nx.cycle_graph(5))


def test_a_network_starts_as_the_graph_and_as_the_same_one_for_a_seed() -> None:
    task = TASKS.training("digits").configured("task", "smoke", {})

    def signatures(seed: int, **options: str) -> torch.Tensor:
        model = MODELS.get("nac").configured("model", "mini", {"modules": 32, **options})
        net = build_network(task, task.spec(), model, seed)
        return net.get_parameter("core.circuit.processor.signatures").detach()

    started = signatures(0, initial_graph="planted-partition")
    assert torch.equal(started, signatures(0, initial_graph="planted-partition"))
    assert not torch.equal(started, signatures(1, initial_graph="planted-partition"))
    near = distance(started) < THRESHOLD
    cluster = torch.arange(32) // 4
    same = cluster[:, None] == cluster
    assert near[same].float().mean() > 0.85 > 0.2 > near[~same].float().mean()
    assert started.norm(dim=1).mean() == pytest.approx(1, rel=1e-3)


def test_it_starts_as_a_graph_in_inference_mode_too() -> None:
    task = TASKS.training("digits").configured("task", "smoke", {})
    with torch.no_grad():
        model = MODELS.get("nac").configured("model", "tiny", {"initial_graph": "erdos-renyi"})
        build_network(task, task.spec(), model, 0)
