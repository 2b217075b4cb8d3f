"""Stochastic kernel of the circuit: link probabilities, relaxed Bernoulli samples and the attention bias log K."""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.kernels import links
from nacbench.kernels.path import in_use

Evaluation = Literal["expected", "sample", "threshold"]

BANDWIDTH = 1.0  # ε of the kernel; fixed by the paper
CLAMP = 1e-6  # probabilities are clamped to [CLAMP, 1 - CLAMP] before the logit: P is exactly 1 on the diagonal


def log_link_probability(receivers: Tensor, senders: Tensor) -> Tensor:
    """Return log P for the link probability ``P_uv = exp(-(1 - cos(s_u, s_v)) / ε)``, ε = 1.

    Args:
        receivers: signatures, U×S or B×U×S.
        senders: signatures, V×S or B×V×S.

    Returns:
        U×V or B×U×V, in [-2, 0] up to rounding.
    """
    cosine = F.normalize(receivers, dim=-1) @ F.normalize(senders, dim=-1).transpose(-1, -2)
    return (cosine - 1) / BANDWIDTH


def mean_degrees(probability: Tensor) -> Tensor:
    """Return each module's expected degree: the number of other modules that it is linked to.

    Args:
        probability: P between modules of one set, U×U or B×U×U.

    Returns:
        U; averaged over the batch axis if there is one.
    """
    degrees = probability.sum(-1) - probability.diagonal(dim1=-2, dim2=-1)
    return degrees if degrees.dim() == 1 else degrees.mean(0)


def logit_of(probability: Tensor) -> Tensor:
    """Return the logit of a probability clamped to [1e-6, 1 - 1e-6]; the gradient ignores the clamp."""
    # Straight-through estimator: clamp() alone would cut the gradient where P reaches a bound
    clamped = probability + (probability.clamp(CLAMP, 1 - CLAMP) - probability).detach()
    return torch.logit(clamped)


def relaxed_link_logit(probability: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Return the logit of a relaxed Bernoulli link: ``(logit P + logit n) / τ``.

    Source: Maddison et al. 2017 (arXiv 1611.00712), section 3.

    Args:
        probability: link probabilities in [0, 1], …×U×V.
        uniform: the noise n in [0, 1), B×U×V; exact zeros are replaced by the smallest positive normal number.
        temperature: τ > 0; as it goes to 0, links become hard 0 or 1.

    Returns:
        B×U×V; its sigmoid is the link K.
    """
    noise = torch.logit(uniform, eps=torch.finfo(uniform.dtype).tiny)  # rand() can return 0, whose logit is -inf
    # P is divided by τ before it is broadcast over the batch; the noise is scaled inside the one addition
    return torch.add(logit_of(probability) / temperature, noise, alpha=1 / temperature)


def log_sigmoid(x: Tensor) -> Tensor:
    """Return log(sigmoid(x)), keeping only x for the backward pass; torch's own keeps another tensor of its size."""
    if torch.compiler.is_compiling():  # the compiler chooses what to keep by itself
        return F.logsigmoid(x)
    result: Tensor = _LogSigmoid.apply(x)
    return result


class _LogSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.logsigmoid(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x.neg().sigmoid_().mul_(grads[0])


def relaxed_log_link(probability: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Return log K of relaxed Bernoulli links, B×U×V; arguments as `relaxed_link_logit`."""
    if in_use(uniform) and links.fits_log_links(probability, uniform):
        return links.log_links(logit_of(probability), uniform, temperature)
    # logsigmoid instead of log(sigmoid): K of an unlikely link may underflow, log K does not
    return log_sigmoid(relaxed_link_logit(probability, uniform, temperature))


def attention_bias(log_probability: Tensor, batch: int, mode: Evaluation, temperature: float) -> Tensor:
    """Return the term ``log K`` to add to attention scores, or a boolean mask.

    Args:
        log_probability: log P, U×V or B×U×V.
        batch: B, the number of examples; with ``sample`` each draws its own links.
        mode: ``expected``: K = P. ``sample``: relaxed Bernoulli links (always used in training). ``threshold``: links
            with P ≥ 1/2 are kept with weight 1, all others dropped.
        temperature: τ of the relaxed Bernoulli links.

    Returns:
        1×1×U×V or B×1×U×V (the same for all heads): log K, or for ``threshold`` a boolean mask, true where linked.
    """
    if log_probability.dim() == 2:
        log_probability = log_probability.unsqueeze(0)
    if mode == "expected":
        bias = log_probability  # log K = log P directly: no exp, log or clamp in between
    elif mode == "threshold":
        bias = log_probability >= math.log(0.5)
    else:
        uniform = torch.rand(
            batch, *log_probability.shape[-2:], dtype=log_probability.dtype, device=log_probability.device
        )
        bias = relaxed_log_link(log_probability.exp(), uniform, temperature)
    return bias.unsqueeze(1)
