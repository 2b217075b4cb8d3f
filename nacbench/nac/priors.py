"""Graph priors: what kind of graph the processor modules shall form, as a loss on their link probabilities."""

import math

import torch
from torch import Tensor, nn

from nacbench.nac.kernel import log_link_probability
from nacbench.nac.options import Prior

INSIDE, OUTSIDE = 0.9, 0.05  # link probabilities within a cluster and between clusters
NEIGHBOURS, REWIRED = 32, 0.4  # of Watts and Strogatz: k and p
NEAREST_STEPS, NEAREST_RATE = 600, 0.01  # after which the loss stands still to three digits, for every prior
DENSITY = 0.1  # of Erdős and Rényi; our own choice, as the paper's is not stated


def graphon(prior: Prior, modules: int, clusters: int) -> Tensor:
    """The target link probabilities U×U of a kind of graph, float64; NAC.md, "Graph priors".

    Args:
        prior: but not ``none``.
        modules: U.
        clusters: of planted partition and ring of cliques; must divide U.

    Raises:
        ValueError: if it does not.
    """
    if prior in ("planted-partition", "ring-of-cliques"):
        if modules % clusters:
            raise ValueError(f"prior_clusters = {clusters} must divide modules = {modules} for prior {prior!r}")
        size = modules // clusters
        member = torch.arange(modules) // size
        target = torch.where(member[:, None] == member, INSIDE, OUTSIDE).double()
        return _with_ring(target, clusters, size) if prior == "ring-of-cliques" else target
    if prior == "scale-free":
        place = torch.arange(1, modules + 1, dtype=torch.float64)
        return (math.sqrt(modules) / (16 * torch.outer(place.sqrt(), place.sqrt()))).clamp(0, 1)
    if prior == "watts-strogatz":
        neighbours = min(NEIGHBOURS, modules // 2)  # a small circuit cannot have so many
        step = (torch.arange(modules)[:, None] - torch.arange(modules)).abs()
        near = torch.minimum(step, modules - step) <= neighbours // 2
        return torch.where(near, 1 - REWIRED, REWIRED * neighbours / modules).double()
    return torch.full((modules, modules), DENSITY, dtype=torch.float64)


def _with_ring(target: Tensor, clusters: int, size: int) -> Tensor:
    """The first module of each clique is linked to all of its own clique and of the next; the last has no next one."""
    for cluster in range(clusters):
        first, end = cluster * size, min(cluster + 2, clusters) * size
        target[first, first:end] = 1.0
        target[first:end, first] = 1.0
    return target


def nearest_loss(prior: Prior, modules: int, clusters: int, signature_dim: int) -> float:
    """How low the prior's loss gets when signatures follow nothing else: Adam from short random ones, as in a run.

    It is far from zero for sparse graphs. The cosines of U vectors sum to no less than zero over all pairs, so their
    mean between different modules is at least -1/(U-1), and, the exponential being convex, the mean link probability
    at least ``exp(-(1 + 1/(U-1)))``: 0.36 for 32 modules, however few links the prior has.

    Args:
        prior: but not ``none``.
        modules: U.
        clusters: of planted partition and ring of cliques.
        signature_dim: S.
    """
    loss_of = GraphPrior(prior, modules, clusters, match_every=10)
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(modules, signature_dim, generator=draw) / math.sqrt(signature_dim)
    signatures = nn.Parameter(start)
    optimizer = torch.optim.Adam([signatures], lr=NEAREST_RATE)
    with torch.enable_grad():
        for _ in range(NEAREST_STEPS):
            loss = loss_of(signatures)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return float(loss.detach())


def matching(target: Tensor, probability: Tensor) -> Tensor:
    """Which module takes the place of each of the graphon's: modules are exchangeable, so their order must not matter.

    The Hungarian assignment (SciPy) of ``cost_ij = mean_k (G_ik - P_jk)²``.

    Args:
        target: G, U×U.
        probability: P, U×U.

    Returns:
        A permutation U, on the CPU.
    """
    from scipy.optimize import linear_sum_assignment

    with torch.no_grad():
        g, p = target.double(), probability.double()
        cost = (g.square().mean(1)[:, None] + p.square().mean(1)) - 2 / len(g) * (g @ p.T)
    return torch.from_numpy(linear_sum_assignment(cost.cpu().numpy())[1])


class GraphPrior(nn.Module):
    """The mean squared error between a graphon and the matched link probabilities.

    Signatures move little in a step, so the matching of a few steps ago serves as well as a new one, and costs nothing
    (``benchmarks/matching.py`` shows both). It is kept with the weights, so that a resumed run goes on with the same.

    Args:
        prior: but not ``none``.
        modules: U.
        clusters: of planted partition and ring of cliques.
        match_every: losses that share one matching.
    """

    target: Tensor

    def __init__(self, prior: Prior, modules: int, clusters: int, match_every: int = 1) -> None:
        super().__init__()
        self.register_buffer("target", graphon(prior, modules, clusters), persistent=False)
        self.match_every = match_every
        self._age = 0
        self._order = torch.arange(modules, device="cpu")

    def forward(self, signatures: Tensor) -> Tensor:
        """Processor signatures U×S → the loss, a scalar; no gradient flows through the matching."""
        with torch.autocast(signatures.device.type, enabled=False):
            probability = log_link_probability(signatures, signatures).exp()
            if self._age % self.match_every == 0:
                self._order = matching(self.target, probability)
                self._age = 0
            self._age += 1
            self._order = order = self._order.to(signatures.device)
            return (self.target.to(probability.dtype) - probability[order][:, order]).square().mean()

    def get_extra_state(self) -> Tensor:
        """The losses since the last matching, and that matching."""
        return torch.cat([torch.tensor([self._age], device="cpu"), self._order.cpu()])

    def set_extra_state(self, state: Tensor) -> None:
        """Go on with a matching that was stored."""
        self._age, self._order = int(state[0]), state[1:].clone()
