"""Symbol and byte tokenizer: embedding, optional strided convolution, and sinusoidal position channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.nn.positions import sinusoids


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
        self.convolution = nn.Conv1d(width, 2 * width, kernel_size=2 * stride if stride > 1 else 1, stride=stride)
        self.norm = nn.LayerNorm(2 * width)
        tokens = -(-max_length // stride)
        self.register_buffer("position", sinusoids(tokens, position_dim), persistent=False)

    def forward(self, symbols: Tensor) -> Tokens:
        """Return tokens B×V×(2·width + position_dim) and mask B×V for integer symbols B×length, padded with 0."""
        count = -(-symbols.shape[1] // self.stride)  # rounded up
        # Pad to whole strides, and by one more for the last window; so trimming a batch changes no token
        overlap = self.stride if self.stride > 1 else 0
        symbols = F.pad(symbols, (0, count * self.stride - symbols.shape[1] + overlap))
        embedded = self.embed(symbols).transpose(1, 2)  # B width symbols
        content = self.norm(F.gelu(self.convolution(embedded)).transpose(1, 2))
        there = (symbols != 0)[:, : count * self.stride].unflatten(1, (count, self.stride)).any(-1)
        position = self.position[:count].to(content.dtype).expand(len(content), -1, -1)
        return Tokens(torch.cat([content, position], dim=-1), there)
