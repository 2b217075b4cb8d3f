"""Readings of tokens of which some are padding, for models whose layers take no mask."""

import torch
from torch import Tensor


def mean_token(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over an example's tokens, B×C for tokens B×V×C; padding does not count, and may hold anything.

    Args:
        tokens: B×V×C.
        mask: boolean B×V, true for tokens; None if nothing is padding. An example of nothing but padding gives zeros.
    """
    if mask is None:
        return tokens.mean(dim=1)
    there = mask.unsqueeze(-1)
    # where, not a product: padding may hold anything, and 0 times NaN is NaN
    kept = torch.where(there, tokens, 0)
    return kept.sum(dim=1) / there.to(tokens.dtype).sum(dim=1).clamp(min=1)


def padding_last(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return tokens B×V×C and mask B×V with each example's tokens first, in their order, and zeros for padding.

    Padding stands between tokens where a sentence is appended to others; a recurrent layer would read through it.
    """
    order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)
    first = torch.where(mask.unsqueeze(-1), tokens, 0).gather(1, order.unsqueeze(-1).expand_as(tokens))
    return first, mask.gather(1, order)
