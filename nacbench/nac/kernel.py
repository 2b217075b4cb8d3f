"""The stochastic kernel: which modules are linked, as a probability, as a sample, and as an attention bias."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Evaluation = Literal["expected", "sample", "threshold"]

BANDWIDTH = 1.0  # ε of the kernel, fixed
CLAMP = 1e-6  # how far a probability stays from 0 and 1 before its logit is taken


def log_link_probability(receivers: Tensor, senders: Tensor) -> Tensor:
    """The logarithm of the link probability ``P_uv = exp(-(1 - cos(s_u, s_v)) / ε)``, ε = 1.

    Args:
        receivers: signatures, U×S or B×U×S.
        senders: signatures, V×S or B×V×S.

    Returns:
        U×V or B×U×V, in [-2, 0] up to rounding.
    """
    cosine = F.normalize(receivers, dim=-1) @ F.normalize(senders, dim=-1).transpose(-1, -2)
    return (cosine - 1) / BANDWIDTH


def mean_degrees(probability: Tensor) -> Tensor:
    """Expected number of other modules that each module is linked to.

    Args:
        probability: P between modules of one set, U×U or B×U×U.

    Returns:
        U; where there is a batch axis, the mean over it.
    """
    degrees = probability.sum(-1) - probability.diagonal(dim1=-2, dim2=-1)
    return degrees if degrees.dim() == 1 else degrees.mean(0)


def logit_of(probability: Tensor) -> Tensor:
    """The logit of a probability clamped to [1e-6, 1 - 1e-6], whose gradient ignores the clamp."""
    clamped = probability + (probability.clamp(CLAMP, 1 - CLAMP) - probability).detach()
    return torch.logit(clamped)


def relaxed_link_logit(probability: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """The logit of a relaxed Bernoulli link: ``(logit P + logit n) / τ``.

    Args:
        probability: link probabilities in [0, 1], …×U×V.
        uniform: the noise n in [0, 1), B×U×V; its exact zeros count as the smallest positive number.
        temperature: τ > 0; towards 0 the link becomes a hard 0 or 1.

    Returns:
        B×U×V; its sigmoid is the link K. Source: Maddison et al. 2017 (arXiv 1611.00712), section 3.
    """
    noise = torch.logit(uniform, eps=torch.finfo(uniform.dtype).tiny)
    return torch.add(logit_of(probability) / temperature, noise, alpha=1 / temperature)


def attention_bias(log_probability: Tensor, batch: int, mode: Evaluation, temperature: float) -> Tensor:
    """What is added to the attention scores so that links weigh the attention: ``log K``.

    Args:
        log_probability: log P, U×V or B×U×V.
        batch: B, the number of examples that draw links of their own where ``mode`` samples.
        mode: ``expected``: K = P. ``sample``: a relaxed Bernoulli link for each example (always so in training).
            ``threshold``: a link with P ≥ 1/2 is kept with weight 1, any other is dropped.
        temperature: τ of the relaxed Bernoulli link.

    Returns:
        1×1×U×V or B×1×U×V (the same for all heads): log K, or for ``threshold`` a boolean mask, true where linked.
    """
    if log_probability.dim() == 2:
        log_probability = log_probability.unsqueeze(0)
    if mode == "expected":
        bias = log_probability
    elif mode == "threshold":
        bias = log_probability >= math.log(0.5)
    else:
        uniform = torch.rand(
            batch, *log_probability.shape[-2:], dtype=log_probability.dtype, device=log_probability.device
        )
        bias = F.logsigmoid(relaxed_link_logit(log_probability.exp(), uniform, temperature))
    return bias.unsqueeze(1)
