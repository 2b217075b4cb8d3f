"""Benchmark of graph priors: cost of the Hungarian matching per training step, and effect of matching less often.

    python benchmarks/matching.py [MODULES]

Graphs are trained on the prior's loss alone, where the matching matters most, from the same start. "Distance" is the
final loss under a new matching, divided by the initial loss.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from nacbench.contracts.model import spec_for
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.kernel import log_link_probability
from nacbench.nac.options import Prior
from nacbench.nac.priors import GraphPrior, matching
from nacbench.registry import MODELS, TASKS

CLUSTERS, EVERY, BATCH, STEPS = 10, 10, 8, 300
KINDS: tuple[Prior, ...] = ("scale-free", "planted-partition", "ring-of-cliques", "watts-strogatz", "erdos-renyi")


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call in seconds, after a warm-up call."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return median(times[1:])


def training_step(modules: int) -> Callable[[], object]:
    """Return a training step with the paper's settings for Tiny-ImageNet, without a prior."""
    task = TASKS.training("tiny-imagenet").configured("task", "paper", {})
    model = MODELS.get("nac").configured("model", "paper", {"modules": modules, "prior": "none"})
    spec = spec_for(model, task.spec())
    core = model.build(spec)
    assert isinstance(core, NeuralAttentiveCircuit)
    optimizer = torch.optim.AdamW(core.parameters())
    tokens = torch.randn(BATCH, spec.max_tokens, spec.token_dim)
    labels = torch.randint(spec.classes, (BATCH,))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(core(tokens), labels).backward()
        optimizer.step()

    return step


def trained(kind: Prior, start: torch.Tensor, every: int) -> tuple[float, torch.Tensor]:
    """Train signatures U×S on a prior; return the relative loss that remains, and the link probabilities U×U."""
    prior = GraphPrior(kind, len(start), CLUSTERS, every)
    signatures = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([signatures], lr=0.02)
    for _ in range(STEPS):
        optimizer.zero_grad()
        prior(signatures).backward()
        optimizer.step()
    measure, found = GraphPrior(kind, len(start), CLUSTERS), signatures.detach()
    return float(measure(found) / measure(start)), log_link_probability(found, found).exp()


def main() -> None:
    """Print both tables."""
    modules = int(sys.argv[1]) if len(sys.argv) > 1 else 320
    torch.manual_seed(0)
    start = torch.randn(modules, 64)
    step = seconds(training_step(modules), 3)
    print(f"a training step, {modules} modules, batch {BATCH}, {torch.get_num_threads()} threads: {step:.3f} s")
    print(f"{'prior':<18} {'matching':>10} {'of a step':>10} {f'every {EVERY}':>10}   distance every 1, every {EVERY}")
    for kind in KINDS:
        prior = GraphPrior(kind, modules, CLUSTERS)
        probability = log_link_probability(start, start).exp()
        cost = seconds(lambda p=prior, q=probability: matching(p.target, q), 10)  # type: ignore[misc]
        (always, often), (seldom, rare) = (trained(kind, start, every) for every in (1, EVERY))
        degrees = [np.sort(links.sum(1).numpy()) for links in (often, rare)]
        apart = float(np.abs(degrees[0] - degrees[1]).mean() / degrees[0].mean())
        shares = f"{cost / step:>10.2%} {cost / step / EVERY:>10.2%}"
        print(f"{kind:<18} {1e3 * cost:>7.1f} ms {shares}   {always:.3f}, {seldom:.3f}; degrees {apart:.1%} apart")


if __name__ == "__main__":
    main()
