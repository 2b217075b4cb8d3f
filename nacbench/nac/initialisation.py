"""Signatures that start as a given graph: a random graph of a known kind, and signatures whose links are its edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.nac.kernel import log_link_probability
from nacbench.nac.options import Prior
from nacbench.nac.priors import DENSITY, INSIDE, NEIGHBOURS, OUTSIDE, REWIRED

if TYPE_CHECKING:
    import networkx as nx

THRESHOLD = 0.9  # of the distance 1 - cos: linked modules are nearer, others farther
MARGIN = 0.05  # how far beyond the threshold a pair is pushed; more of it fits fewer pairs
STEPS, RATE = 300, 0.05  # of Adam


def random_graph(kind: Prior, modules: int, clusters: int, seed: int) -> nx.Graph:
    """A random graph of the kind that a prior stands for, about as dense as the prior's graphon.

    Args:
        kind: but not ``none``.
        modules: U, its nodes.
        clusters: of planted partition and ring of cliques; must divide U.
        seed: of the draw.
    """
    import networkx as nx

    if kind == "scale-free":  # the graphon's mean degree is about √U / 4, a Barabási-Albert graph's twice its m
        return nx.barabasi_albert_graph(modules, max(1, round(math.sqrt(modules) / 8)), seed=seed)
    if kind == "planted-partition":
        return nx.planted_partition_graph(clusters, modules // clusters, INSIDE, OUTSIDE, seed=seed)
    if kind == "ring-of-cliques":
        return _ring_of_cliques(modules, clusters)
    if kind == "watts-strogatz":
        return nx.watts_strogatz_graph(modules, min(NEIGHBOURS, modules // 2), REWIRED, seed=seed)
    return nx.gnp_random_graph(modules, DENSITY, seed=seed)


def _ring_of_cliques(modules: int, clusters: int) -> nx.Graph:
    """networkx's, which knows neither a single clique nor cliques of one module."""
    import networkx as nx

    size = modules // clusters
    if clusters > 1 and size > 1:
        return nx.ring_of_cliques(clusters, size)
    return nx.complete_graph(modules) if clusters == 1 else nx.cycle_graph(modules)


def signatures_of(linked: Tensor, signature_dim: int) -> Tensor:
    """Signatures whose distances follow a graph: below the threshold where two modules are linked, above it elsewhere.

    They start orthogonal, as far as there is room, and Adam lowers a hinge loss on the distances; edges and non-edges
    weigh the same in all, however few edges there are. Draws come from torch's global generator.

    Args:
        linked: U×U, boolean and symmetric; the diagonal does not count.
        signature_dim: S.

    Returns:
        U×S, float32, of unit length.
    """
    modules = len(linked)
    start, _ = torch.linalg.qr(torch.randn(max(modules, signature_dim), signature_dim))
    signatures = F.normalize(start[:modules], dim=-1).requires_grad_()
    pairs = ~torch.eye(modules, dtype=torch.bool)
    side = torch.where(linked, 1.0, -1.0)
    edges, others = (linked & pairs).sum().clamp(min=1), (~linked & pairs).sum().clamp(min=1)
    weight = torch.where(linked, 0.5 / edges, 0.5 / others) * pairs
    optimizer = torch.optim.Adam([signatures], lr=RATE)
    for _ in range(STEPS):
        loss = (weight * F.relu(side * (distance(signatures) - THRESHOLD) + MARGIN)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return F.normalize(signatures.detach(), dim=-1)


def distance(signatures: Tensor) -> Tensor:
    """1 - cos between all pairs: U×S → U×U."""
    return -log_link_probability(signatures, signatures)


def start_as_graph(signatures: torch.nn.Parameter, kind: Prior, clusters: int) -> None:
    """Replace signatures U×S by those of a random graph; the draw is torch's global generator's."""
    if signatures.is_meta:  # only shapes are asked for
        return
    modules, dim = signatures.shape
    seed = int(torch.randint(2**31, ()))
    import networkx as nx

    linked = torch.from_numpy(nx.to_numpy_array(random_graph(kind, modules, clusters, seed)) > 0)
    with torch.enable_grad():
        found = signatures_of(linked, dim)
    with torch.no_grad():
        signatures.copy_(found)
