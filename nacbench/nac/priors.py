"""Graph priors: a loss that pulls the link probabilities of the processor modules towards a target graphon."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from nacbench.nac.kernel import log_link_probability
from nacbench.nac.options import OUTSIDE, Prior

INSIDE = 0.9  # p_in of graphs with clusters: link probability within a cluster (the authors')
NEIGHBOURS, REWIRED = 32, 0.4  # k and p of Watts and Strogatz (the authors')
NEAREST_STEPS, NEAREST_RATE = 600, 0.01  # Adam; the loss is then constant to three digits for every prior
COST_STEPS = 2**30  # costs of a matching are multiples of one over this: far coarser than the rounding of float64
DENSITY = 0.1  # link probability of Erdős and Rényi; our own choice, since the paper does not state one


def graphon(prior: Prior, modules: int, clusters: int, outside: float = OUTSIDE) -> Tensor:
    """Return the graphon of a prior: target link probabilities U×U, float64.

    Source: arXiv 2210.08031 and the settings that its authors published.

    Args:
        prior: a prior other than ``none``.
        modules: U.
        clusters: number of clusters, for planted partition and ring of cliques; must divide U.
        outside: p_out of these two, the link probability between clusters.

    Raises:
        ValueError: if ``clusters`` does not divide ``modules``.
    """
    if prior in ("planted-partition", "ring-of-cliques"):
        if modules % clusters:
            raise ValueError(f"prior_clusters = {clusters} must divide modules = {modules} for prior {prior!r}")
        size = modules // clusters
        member = torch.arange(modules) // size
        target = torch.where(member[:, None] == member, INSIDE, outside).double()
        return _with_ring(target, clusters, size) if prior == "ring-of-cliques" else target
    if prior == "scale-free":
        place = torch.arange(1, modules + 1, dtype=torch.float64)
        return (math.sqrt(modules) / (16 * torch.outer(place.sqrt(), place.sqrt()))).clamp(0, 1)
    if prior == "watts-strogatz":
        neighbours = min(NEIGHBOURS, modules // 2)  # circuits of fewer than 64 modules get a smaller k
        step = (torch.arange(modules)[:, None] - torch.arange(modules)).abs()
        near = torch.minimum(step, modules - step) <= neighbours // 2
        return torch.where(near, 1 - REWIRED, REWIRED * neighbours / modules).double()
    return torch.full((modules, modules), DENSITY, dtype=torch.float64)


def _with_ring(target: Tensor, clusters: int, size: int) -> Tensor:
    """Link the first module of each clique to all of its own clique and the next one, in place.

    The last clique has no next one: the ring stays open, as in the authors' reference values.
    """
    for cluster in range(clusters):
        first, end = cluster * size, min(cluster + 2, clusters) * size
        target[first, first:end] = 1.0
        target[first:end, first] = 1.0
    return target


def nearest_loss(prior: Prior, modules: int, clusters: int, signature_dim: int, outside: float = OUTSIDE) -> float:
    """Return the loss that a prior reaches when it alone is minimised: Adam from random signatures, as in a run.

    For sparse graphs it is far from zero. The sum of the cosines of U vectors over all pairs is at least zero, so the
    mean cosine of different modules is at least -1/(U-1), and, as the exponential is convex, the mean link probability
    is at least ``exp(-(1 + 1/(U-1)))``: 0.36 for 32 modules, however few links the prior has.

    Args:
        prior: a prior other than ``none``.
        modules: U.
        clusters: number of clusters, for planted partition and ring of cliques.
        signature_dim: S.
        outside: p_out of these two.
    """
    loss_of = GraphPrior(prior, modules, clusters, match_every=10, outside=outside)
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(modules, signature_dim, generator=draw) / math.sqrt(signature_dim)
    signatures = nn.Parameter(start)
    optimizer = torch.optim.Adam([signatures], lr=NEAREST_RATE)
    with torch.enable_grad():  # callers look at finished runs under no_grad
        for _ in range(NEAREST_STEPS):
            loss = loss_of(signatures)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return float(loss.detach())


def matching(target: Tensor, probability: Tensor) -> Tensor:
    """Match modules with rows of the graphon: modules are exchangeable, so their order must not matter.

    Solves the linear assignment problem (SciPy) with ``cost_ij = mean_k (G_ik - P_jk)²`` in steps of 2⁻³⁰. Of all
    assignments π of the same least cost it takes the one that leaves modules nearest to their own place, with the
    smallest ``sum_i (i - π_i)²``.

    Args:
        target: G, U×U.
        probability: P, U×U; float64, if the last digits of a matrix product are not to count.

    Returns:
        A permutation of length U, on the CPU: entry i is the module matched with row i of G.
    """
    from scipy.optimize import linear_sum_assignment

    # Modules of one clique are exchangeable, so assignments of equal cost are the rule. Whole numbers make equal costs
    # equal to the last digit, whatever the number of threads, and sums of them exact.
    cost = (costs(target, probability) * COST_STEPS).round().cpu().numpy().astype(np.int64)
    found = linear_sum_assignment(cost)[1]
    place = np.arange(len(cost))
    aside = (place[:, None] - place) ** 2
    # No sum of the terms of an assignment within the ties reaches this
    return torch.from_numpy(linear_sum_assignment(np.where(ties(cost, found), aside, len(cost) ** 3))[1])


def costs(target: Tensor, probability: Tensor) -> Tensor:
    """Return ``mean_k (G_ik - P_jk)²`` for each row i of G and each module j, U×U, in float64.

    Args:
        target: G, U×U.
        probability: P, U×U.
    """
    with torch.no_grad():
        # By default cdist expands the square into a matrix product, which loses half of the digits
        apart = torch.cdist(target.double(), probability.double(), compute_mode="donot_use_mm_for_euclid_dist")
        return apart.square() / len(target)


def ties(cost: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return which pairs an assignment of least cost may have: every assignment made of them alone is one.

    By complementary slackness these are the pairs without reduced cost. The potentials of the modules are the lengths
    of shortest paths (Bellman and Ford) from module to module through the rows that they are matched with.

    Args:
        cost: whole numbers, U×U.
        found: an assignment of least cost, U.

    Returns:
        Boolean, U×U.
    """
    dearer = cost - np.take_along_axis(cost, found[:, None], axis=1)  # than what the row is matched with
    potential = np.zeros(len(cost), dtype=cost.dtype)
    while True:
        shorter = np.minimum(potential, (potential[found][:, None] + dearer).min(axis=0))
        if np.array_equal(shorter, potential):
            return np.asarray(potential[found][:, None] + dearer == potential)
        potential = shorter


class GraphPrior(nn.Module):
    """Mean squared error between a graphon and the matched link probabilities.

    The authors match at every step. Signatures move little in a step, so a matching that is a few steps old is as good
    as a new one and costs nothing (measured by ``benchmarks/matching.py``). The matching is stored with the weights, so
    that a resumed run continues with the same one.

    Args:
        prior: a prior other than ``none``.
        modules: U.
        clusters: number of clusters, for planted partition and ring of cliques.
        match_every: number of losses that share one matching.
        outside: p_out of graphs with clusters.
    """

    target: Tensor

    def __init__(
        self, prior: Prior, modules: int, clusters: int, match_every: int = 1, outside: float = OUTSIDE
    ) -> None:
        super().__init__()
        # Not persistent: it follows from the options, and a checkpoint need not hold U×U numbers of float64
        self.register_buffer("target", graphon(prior, modules, clusters, outside), persistent=False)
        self.match_every = match_every
        self._age = 0  # losses since the last matching
        # device="cpu" explicitly: on the meta device (see nacbench.nn.network.head_parameters) it would have no values
        self._order = torch.arange(modules, device="cpu")

    def forward(self, signatures: Tensor) -> Tensor:
        """Return the loss, a scalar, for processor signatures U×S; no gradient flows through the matching."""
        with torch.autocast(signatures.device.type, enabled=False):  # link probabilities are always float32
            probability = log_link_probability(signatures, signatures).exp()
            if self._age % self.match_every == 0:
                exact = signatures.detach().double()
                self._order = matching(self.target, log_link_probability(exact, exact).exp())
                self._age = 0
            self._age += 1
            self._order = order = self._order.to(signatures.device)
            return (self.target.to(probability.dtype) - probability[order][:, order]).square().mean()

    def get_extra_state(self) -> Tensor:
        """Return the number of losses since the last matching, and the matching, as one integer tensor."""
        return torch.cat([torch.tensor([self._age], device="cpu"), self._order.cpu()])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore a stored matching."""
        self._age, self._order = int(state[0]), state[1:].clone()
