"""Which examples a training step sees: a pure function of the seed and the step."""

from functools import lru_cache

import numpy as np

from nacbench.errors import UserError
from nacbench.seeds import seed_for


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Whole batches in one pass; an incomplete last batch is left out.

    Raises:
        UserError: if there is not even one.
    """
    if batch_size > examples:
        raise UserError(f"training.batch_size = {batch_size} is more than the {examples} training examples")
    return examples // batch_size


def step_indices(examples: int, batch_size: int, seed: int, step: int, repeats: int = 1) -> np.ndarray:
    """The examples of one step, as indices.

    Args:
        examples: how many there are.
        batch_size: how many a step takes.
        seed: of the run.
        step: from 0, counted through all epochs.
        repeats: how often an example comes in an epoch, side by side; an epoch then visits only so small a part of
            the examples (repeated augmentation, Hoffer et al. 2020).
    """
    epoch, position = divmod(step, steps_per_epoch(examples, batch_size))
    order = _epoch_order(examples, seed, epoch)
    first = position * batch_size
    return order[np.arange(first, first + batch_size) // repeats]


@lru_cache(maxsize=2)
def _epoch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(seed_for(seed, "order", epoch)).permutation(examples)
