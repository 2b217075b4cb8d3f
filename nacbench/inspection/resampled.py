"""Means over sentences with bootstrap intervals: numbers of one sentence hang together, those of two do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000  # bootstrap samples


@dataclass(frozen=True)
class Share:
    """A share of sentences, or a mean over sentences of shares.

    Attributes:
        share: in [0, 1].
        low, high: ends of the 95 % bootstrap interval over sentences.
        sentences: their number.
    """

    share: float
    low: float
    high: float
    sentences: int

    def text(self) -> str:
        """``96.0 % (95.4 to 96.7)``."""
        return f"{100 * self.share:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def resampled(values: np.ndarray) -> Share:
    """Return the mean over sentences with its percentile bootstrap interval (Efron 1979), of 2,000 samples.

    Args:
        values: N, one for each sentence, in [0, 1].
    """
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Share(float(values.mean()), float(low), float(high), len(values))
