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
def test_fitted_signatures_reproduce_the_graph_at_paper_size(kind: Prior) -> None:
    torch.manual_seed(0)
    linked = torch.from_numpy(nx.to_numpy_array(random_graph(kind, 320, 10, 0)) > 0)
    found = distance(signatures_of(linked, 64)) < THRESHOLD
    pairs = ~torch.eye(320, dtype=torch.bool)
    assert found[linked & pairs].float().mean() >= 0.95
    assert (~found)[~linked & pairs].float().mean() >= 0.95


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ring-of-cliques"])
def test_random_graph_has_about_the_density_of_its_prior(kind: Prior) -> None:
    target = graphon(kind, 320, 10).fill_diagonal_(0)
    graph = random_graph(kind, 320, 10, 0)
    degree = 2 * graph.number_of_edges() / 320
    assert degree == pytest.approx(float(target.sum(1).mean()), rel=0.35)


@pytest.mark.parametrize("modules", [640, 320, 32, 3])
def test_scale_free_graph_is_of_barabasi_and_albert_with_two_new_edges(modules: int) -> None:
    assert random_graph("scale-free", modules, 1, 0).number_of_edges() == 2 * (modules - 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("modules", [1, 2])
def test_graph_of_very_few_modules_is_drawn(kind: Prior, modules: int) -> None:
    assert random_graph(kind, modules, 1, 0).number_of_nodes() == modules


@pytest.mark.parametrize(("size", "length"), [("paper", 8), ("mini", 1)])
def test_signatures_start_as_unit_normals_as_published_and_with_length_one_at_mini(size: str, length: float) -> None:
    core = MODELS.get("nac").configured("model", size, {}).build(TASKS.training("digits")().spec())
    signatures = core.get_parameter("circuit.processor.signatures")
    assert float(signatures.detach().norm(dim=1).mean()) == pytest.approx(length, rel=0.05)


def test_ring_of_cliques_has_cliques_in_a_ring() -> None:
    graph = random_graph("ring-of-cliques", 24, 4, 0)
    assert nx.is_connected(graph)
    assert sorted(len(clique) for clique in nx.find_cliques(graph))[-4:] == [6] * 4
    assert nx.is_isomorphic(random_graph("ring-of-cliques", 5, 1, 0), nx.complete_graph(5))
    assert nx.is_isomorphic(random_graph("ring-of-cliques", 5, 5, 0), nx.cycle_graph(5))


def test_initial_graph_follows_the_seed() -> None:
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


def test_initial_graph_works_in_inference_mode() -> None:
    task = TASKS.training("digits").configured("task", "smoke", {})
    with torch.no_grad():
        model = MODELS.get("nac").configured("model", "tiny", {"initial_graph": "erdos-renyi"})
        build_network(task, task.spec(), model, 0)
