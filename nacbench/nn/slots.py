"""Slot attention with a mask, computed with the parameters of slot-attention's module, whose own pass takes none.

Source: Locatello et al. 2020, arXiv 2006.15055, algorithm 1.
"""

from typing import Any

import torch
from torch import Tensor


def compete(parts: Any, tokens: Tensor, noise: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the slots B×S×C after all rounds of competition for the tokens.

    In each round the softmax of the scores is over slots, and each slot gets the mean of the tokens weighted by its
    shares of them; a gated recurrent unit and a residual feed-forward part then change the slot.

    Args:
        parts: a ``slot_attention.SlotAttention``: norms, projections, ``gru``, ``mlp``, ``slots_mu``,
            ``slots_logsigma``, ``iters``, ``eps`` and ``scale``.
        tokens: B×V×C.
        noise: standard normal B×S×C, of which the first slots are made: μ + σ · noise.
        mask: boolean B×V, true for tokens; padding has no share.
    """
    inputs = parts.norm_input(tokens)
    keys, values = parts.to_k(inputs), parts.to_v(inputs)
    if mask is not None:
        # Padding may hold anything, and 0 times NaN is NaN
        keys, values = (torch.where(mask.unsqueeze(-1), part, 0) for part in (keys, values))
    slots = parts.slots_mu + parts.slots_logsigma.exp() * noise
    for _ in range(parts.iters):
        queries = parts.to_q(parts.norm_slots(slots))
        share = (queries @ keys.transpose(1, 2) * parts.scale).softmax(dim=1) + parts.eps
        if mask is not None:
            share = share * mask.unsqueeze(1)
        # At least eps, so that slots without any token stay as they are told by a mean of zeros
        means = share / share.sum(dim=-1, keepdim=True).clamp(min=parts.eps) @ values
        slots = parts.gru(means.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
        slots = slots + parts.mlp(parts.norm_pre_ff(slots))
    return slots
