"""Positional encodings: sinusoids for sequences and Fourier features for coordinates."""

import math

import torch
from torch import Tensor


def sinusoids(count: int, width: int) -> Tensor:
    """Return sinusoidal position features count×width, with wavelengths from 2π to 2π · 10,000.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5; sines first, then cosines.

    Args:
        count: number of positions, from 0.
        width: number of features, even.
    """
    # max(1, …): width 2 has a single frequency, and the spacing would divide by zero
    rates = torch.exp(torch.arange(width // 2) * (-math.log(10_000) / max(1, width // 2 - 1)))
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def fourier_features(x: Tensor, bands: int, highest: float) -> Tensor:
    """Return Fourier features of coordinates: …×D in [-1, 1] → …×D·(2·bands + 1), the coordinate itself included.

    The angles are π f x, with ``bands`` frequencies f spread evenly from 1 to ``highest``/2 (the Nyquist frequency if
    ``highest`` is the sampling rate).

    Source: Jaegle et al. 2021 (Perceiver), arXiv 2103.03206, section 3.2.
    """
    rates = torch.linspace(1.0, highest / 2, bands, device=x.device, dtype=x.dtype) * math.pi
    angles = x.unsqueeze(-1) * rates
    return torch.cat([x.unsqueeze(-1), angles.sin(), angles.cos()], dim=-1).flatten(-2)
