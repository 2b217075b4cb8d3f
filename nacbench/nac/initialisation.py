"""Initialise signatures to a random graph: draw the graph (networkx), then fit signatures whose links are its edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.nac.kernel import log_link_probability
from nacbench.nac.options import OUTSIDE, Prior
from nacbench.nac.priors import DENSITY, INSIDE, NEIGHBOURS, REWIRED

if TYPE_CHECKING:
    import networkx as nx

THRESHOLD = 0.9  # on the distance 1 - cos: linked modules are nearer, others farther; the authors' value
MARGIN = 0.05  # how far beyond the threshold pairs are pushed; with 0.1 up to 6 % of the non-edges are lost
NEW_EDGES = 2  # m of Barabási and Albert: edges of each new module; the authors' value, at every size
STEPS, RATE = 300, 0.05  # Adam; 320 modules of width 64 take half a second


def random_graph(kind: Prior, modules: int, clusters: int, seed: int, outside: float = OUTSIDE) -> nx.Graph:
    """Draw a random graph of the family of a prior, with the authors' settings where they have some.

    Args:
        kind: a prior other than ``none``.
        modules: U, the number of nodes.
        clusters: number of clusters, for planted partition and ring of cliques; must divide U.
        seed: of the random graph.
        outside: p_out of the planted partition, the link probability between clusters.
    """
    import networkx as nx

    if kind == "scale-free":
        if modules <= NEW_EDGES:
            return nx.complete_graph(modules)
        return nx.barabasi_albert_graph(modules, NEW_EDGES, seed=seed)
    if kind == "planted-partition":
        return nx.planted_partition_graph(clusters, modules // clusters, INSIDE, outside, seed=seed)
    if kind == "ring-of-cliques":
        return _ring_of_cliques(modules, clusters)
    if kind == "watts-strogatz":
        return nx.watts_strogatz_graph(modules, min(NEIGHBOURS, modules // 2), REWIRED, seed=seed)
    return nx.gnp_random_graph(modules, DENSITY, seed=seed)


def _ring_of_cliques(modules: int, clusters: int) -> nx.Graph:
    """Return networkx's ring of cliques, which needs at least two cliques of two nodes, or its limit for fewer."""
    import networkx as nx

    size = modules // clusters
    if clusters > 1 and size > 1:
        return nx.ring_of_cliques(clusters, size)
    return nx.complete_graph(modules) if clusters == 1 else nx.cycle_graph(modules)


def signatures_of(linked: Tensor, signature_dim: int) -> Tensor:
    """Fit signatures to a graph: distances below the threshold for linked modules, above it for all other pairs.

    Adam minimises a hinge loss on the distances from an orthogonal start. The start is drawn from torch's global
    generator.

    Args:
        linked: adjacency matrix U×U, boolean and symmetric; the diagonal is ignored.
        signature_dim: S.

    Returns:
        U×S, float32, rows of unit length.
    """
    modules = len(linked)
    # Rows are orthogonal if U ≤ S; otherwise only the columns are
    start, _ = torch.linalg.qr(torch.randn(max(modules, signature_dim), signature_dim))
    signatures = F.normalize(start[:modules], dim=-1).requires_grad_()
    pairs = ~torch.eye(modules, dtype=torch.bool)
    side = torch.where(linked, 1.0, -1.0)
    edges, others = (linked & pairs).sum().clamp(min=1), (~linked & pairs).sum().clamp(min=1)
    # Edges and non-edges get half of the weight each: a sparse graph would otherwise be fitted best by no links at all
    weight = torch.where(linked, 0.5 / edges, 0.5 / others) * pairs
    optimizer = torch.optim.Adam([signatures], lr=RATE)
    for _ in range(STEPS):
        loss = (weight * F.relu(side * (distance(signatures) - THRESHOLD) + MARGIN)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return F.normalize(signatures.detach(), dim=-1)


def distance(signatures: Tensor) -> Tensor:
    """Return the distance 1 - cos between all pairs: U×S → U×U."""
    return -log_link_probability(signatures, signatures)


def start_as_graph(signatures: Tensor, kind: Prior, clusters: int, outside: float = OUTSIDE) -> None:
    """Replace signatures U×S by signatures fitted to a random graph, seeded from torch's global generator."""
    if signatures.is_meta:  # built on the meta device for its shapes only: there is nothing to fill
        return
    modules, dim = signatures.shape
    seed = int(torch.randint(2**31, ()))
    import networkx as nx

    linked = torch.from_numpy(nx.to_numpy_array(random_graph(kind, modules, clusters, seed, outside)) > 0)
    with torch.enable_grad():  # the network may be built under no_grad or inference_mode
        found = signatures_of(linked, dim)
    with torch.no_grad():
        signatures.copy_(found)
