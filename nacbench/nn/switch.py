"""Switch Transformer without capacity: each token passes the one expert that its router finds most probable.

Source: Fedus, Zoph and Shazeer 2022, arXiv 2101.03961, section 2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.nn.blocks import AttentionBlock, DenseFeedForward
from nacbench.nn.masks import mean_token


class SwitchFeedForward(nn.Module):
    """Feed-forward part with experts: y = p_i(x)·E_i(x), with i the expert of the largest probability p(x).

    Equations 1 and 2 of the paper: p = softmax(W x). The loss that balances the load is, by equations 4 to 6,
    N · Σ_i f_i · P_i, with f_i the share of tokens that expert i gets and P_i the mean of p_i, over all tokens of the
    batch that are not padding; it is 1 if both are uniform. No token is dropped, however many choose the same expert.

    Args:
        width: C.
        mult: hidden width of an expert, in multiples of C.
        experts: N.
    """

    def __init__(self, width: int, mult: int, experts: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, mult * width), nn.GELU(), nn.Linear(mult * width, width))
            for _ in range(experts)
        )
        self._imbalance: Tensor | None = None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return states B×V×C; zeros for padding, which passes no expert."""
        y = self.norm(x)
        rows = y.flatten(0, 1) if mask is None else y[mask]
        # In float32: which expert is the first may hang on a digit that bf16 does not have (section 2.4)
        with torch.autocast(x.device.type, enabled=False):
            probabilities = self.router(rows.to(self.router.weight.dtype)).softmax(dim=-1)
        weight, choice = probabilities.max(dim=-1)
        if self.training:
            share = F.one_hot(choice, len(self.experts)).to(probabilities.dtype).mean(dim=0)
            self._imbalance = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        out = torch.zeros_like(rows)
        for index, expert in enumerate(self.experts):
            # Also with no rows, so that every parameter has a gradient in every process
            (own,) = (choice == index).nonzero(as_tuple=True)
            out = out.index_add(0, own, (expert(rows[own]) * weight[own, None]).to(out.dtype))
        if mask is None:
            return out.view_as(x)
        return torch.zeros_like(y).masked_scatter(mask.unsqueeze(-1), out)

    def take_imbalance(self) -> Tensor:
        """Return the balancing loss of the last pass in training mode, once: its graph is freed with the pass."""
        assert self._imbalance is not None, "there was no pass in training mode"
        taken, self._imbalance = self._imbalance, None
        return taken


class SwitchTransformer(nn.Module):
    """Pre-norm Transformer of which every second layer has experts; the mean over tokens gives the logits.

    Not ``capturable``: the number of tokens of an expert depends on the data.

    Args:
        token_dim: T, width of a token.
        classes: number of logits.
        width: C.
        depth: number of layers.
        heads: of attention.
        ffn_mult: hidden width of a feed-forward part or expert, in multiples of C.
        experts: N.
        balance: α, weight of the balancing loss of each layer.
    """

    def __init__(
        self,
        *,
        token_dim: int,
        classes: int,
        width: int,
        depth: int,
        heads: int,
        ffn_mult: int,
        experts: int,
        balance: float,
    ) -> None:
        super().__init__()
        self.balance = balance
        self.embed = nn.Linear(token_dim, width)
        self.layers = nn.ModuleList(
            AttentionBlock(
                width,
                heads,
                SwitchFeedForward(width, ffn_mult, experts) if index % 2 else DenseFeedForward(width, ffn_mult),
            )
            for index in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.logits = nn.Linear(width, classes)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits B×classes for tokens B×V×T and a mask B×V, true for tokens."""
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, mask)
        logits: Tensor = self.logits(mean_token(self.norm(x), mask))
        return logits

    def auxiliary_loss(self) -> Tensor | None:
        """Return α times the sum of the layers' balancing losses of the last pass, or None without experts."""
        losses = [part.take_imbalance() for part in self.modules() if isinstance(part, SwitchFeedForward)]
        return self.balance * torch.stack(losses).sum() if losses else None
