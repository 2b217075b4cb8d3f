"""A Transformer layer whose feed-forward part is another module, for mixtures of experts."""

from torch import Tensor, nn


class AttentionBlock(nn.Module):
    """A pre-norm Transformer layer: x + attention(norm(x)), then x + feed_forward(x).

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.1, with the norm before each part.

    Args:
        width: C.
        heads: of the attention.
        feed_forward: takes states B×V×C and a boolean mask B×V or None, has its own norm, and returns B×V×C.
    """

    def __init__(self, width: int, heads: int, feed_forward: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return states B×V×C; padding, false in the mask, is attended by none."""
        y = self.norm(x)
        padding = None if mask is None else ~mask
        x = x + self.attention(y, y, y, key_padding_mask=padding, need_weights=False)[0]
        return x + self.feed_forward(x, mask)


class DenseFeedForward(nn.Module):
    """The usual feed-forward part with its norm: norm, C → m·C, GELU, m·C → C.

    Args:
        width: C.
        mult: m.
    """

    def __init__(self, width: int, mult: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(nn.Linear(width, mult * width), nn.GELU(), nn.Linear(mult * width, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return states B×V×C."""
        out: Tensor = self.layers(self.norm(x))
        return out
