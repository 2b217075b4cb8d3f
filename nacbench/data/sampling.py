"""Sampler: the examples of a training step as a pure function of seed and step, for shuffling with exact resume."""

from functools import lru_cache

import numpy as np

from nacbench.errors import UserError
from nacbench.seeds import seed_for


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of complete batches per epoch; an incomplete last batch is dropped.

    Raises:
        UserError: if there are fewer examples than a batch needs.
    """
    if batch_size > examples:
        raise UserError(f"training.batch_size = {batch_size} is more than the {examples} training examples; lower it")
    return examples // batch_size


def evenly_spaced(size: int, count: int) -> np.ndarray:
    """Return the positions of at most ``count`` of ``size`` examples, evenly spaced and ascending."""
    return np.linspace(0, size, min(count, size), endpoint=False).astype(np.int64)


def step_indices(examples: int, batch_size: int, seed: int, step: int, repeats: int = 1) -> np.ndarray:
    """Return the indices of a step's examples.

    Args:
        examples: number of examples N.
        batch_size: B.
        seed: of the run.
        step: from 0, counted over all epochs.
        repeats: copies of each example side by side; an epoch then visits N / repeats examples (repeated augmentation,
            Hoffer et al. 2020).

    Returns:
        Indices B in [0, N).
    """
    epoch, position = divmod(step, steps_per_epoch(examples, batch_size))
    order = _epoch_order(examples, seed, epoch)
    first = position * batch_size
    return order[np.arange(first, first + batch_size) // repeats]


# A permutation of N takes longer than a step of a small network, so it is kept for all steps of its epoch
@lru_cache(maxsize=2)
def _epoch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(seed_for(seed, "order", epoch)).permutation(examples)
