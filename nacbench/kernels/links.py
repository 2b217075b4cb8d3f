"""The kernel of sampled links as a PyTorch operator."""

from typing import Any

import torch
from torch import Tensor
from torch.library import define, register_autograd, register_fake

from nacbench.kernels.operators import no_second_gradients

define("nacbench::log_links", "(Tensor logit, Tensor uniform, float temperature) -> Tensor")
define("nacbench::log_links_backward", "(Tensor grad, Tensor links, float temperature, int logits) -> Tensor")


def log_links(logit: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Return ``log K = log sigmoid((logit P + logit n) / τ)`` of relaxed Bernoulli links.

    The gradient of logit P is ``dy (1 - K) / τ``, summed over the batch if that shares one, in an order that does not
    depend on the number of threads. Arithmetic is in float32. Nothing is kept for the backward pass but log K.

    Source: Maddison et al. 2017, arXiv 1611.00712, section 3.

    Args:
        logit: logit P, (1 or B)×U×V, float32, finite.
        uniform: the noise n in [0, 1), B×U×V, float32; zeros are replaced by the smallest positive normal number.
        temperature: τ > 0.

    Returns:
        B×U×V.
    """
    out: Tensor = torch.ops.nacbench.log_links(logit, uniform, temperature)
    return out


def fits_log_links(logit: Tensor, uniform: Tensor) -> bool:
    """Whether `log_links` takes these tensors."""
    same = logit.dtype == uniform.dtype == torch.float32 and logit.device == uniform.device
    return same and logit.shape in (uniform.shape, (1, *uniform.shape[1:]))


def _empty_links(logit: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    return uniform.new_empty(uniform.shape)


def _empty_gradient(grad: Tensor, links: Tensor, temperature: float, logits: int) -> Tensor:
    return links.new_empty(logits, *links.shape[1:])


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
    ctx.save_for_backward(output)
    ctx.logits, ctx.temperature = len(inputs[0]), inputs[2]


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    (links,) = ctx.saved_tensors
    of_logit: Tensor = torch.ops.nacbench.log_links_backward(grad, links, ctx.temperature, ctx.logits)
    return of_logit, None, None


register_fake("nacbench::log_links", _empty_links)
register_fake("nacbench::log_links_backward", _empty_gradient)
register_autograd("nacbench::log_links", _gradients, setup_context=_keep)
register_autograd("nacbench::log_links_backward", no_second_gradients)
