"""Symbol and byte tokenizer: embedding, optional strided convolution, and sinusoidal position channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.nn.positions import sinusoids


class StridedConv(nn.Conv1d):
    """Convolution with a window of two strides, or of one symbol if the stride is 1, as a product with all windows.

    A convolution would be compiled again for each length of a batch, until the compiler gives up (torch 2.14).

    Args:
        width: C.
        out: O.
        stride: s, symbols from a window to the next.
    """

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__(width, out, kernel_size=2 * stride if stride > 1 else 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x: B×((V + 1)·s)×C, or B×V×C if s is 1, to B×V×O."""
        (stride,) = self.stride
        strides = x.unflatten(1, (x.shape[1] // stride, stride)).flatten(2)
        windows = torch.cat([strides[:, :-1], strides[:, 1:]], dim=-1) if stride > 1 else strides
        # symbol and channel of a window in one axis, in this order
        return F.linear(windows, self.weight.transpose(1, 2).flatten(1), self.bias)


class SymbolTokenizer(nn.Module):
    """One token per symbol, or per ``stride`` symbols.

    With a stride above 1, a convolution with a window of 2·stride symbols makes the tokens, so that long inputs stay
    affordable. Symbol 0 is padding: it is embedded as zeros, and tokens that cover only padding are masked.

    Args:
        vocabulary: number of symbols, including padding.
        width: of the embedding; tokens have ``2 * width + position_dim`` channels.
        position_dim: number of sinusoidal position channels, concatenated to each token.
        max_length: maximum number of symbols.
        stride: symbols per token.
    """

    position: Tensor

    def __init__(self, vocabulary: int, width: int, position_dim: int, max_length: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.embed = nn.Embedding(vocabulary, width, padding_idx=0)
        self.convolution = StridedConv(width, 2 * width, stride)
        self.norm = nn.LayerNorm(2 * width)
        tokens = -(-max_length // stride)
        self.register_buffer("position", sinusoids(tokens, position_dim), persistent=False)

    def forward(self, symbols: Tensor) -> Tokens:
        """Return tokens B×V×(2·width + position_dim) and mask B×V for integer symbols B×length, padded with 0."""
        count = -(-symbols.shape[1] // self.stride)  # rounded up
        # Pad to whole strides, and by one more for the last window; so trimming a batch changes no token
        overlap = self.stride if self.stride > 1 else 0
        symbols = F.pad(symbols, (0, count * self.stride - symbols.shape[1] + overlap))
        content = self.norm(F.gelu(self.convolution(self.embed(symbols))))
        there = (symbols != 0)[:, : count * self.stride].unflatten(1, (count, self.stride)).any(-1)
        position = self.position[:count].to(content.dtype).expand(len(content), -1, -1)
        return Tokens(torch.cat([content, position], dim=-1), there)
