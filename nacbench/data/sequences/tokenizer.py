"""Sequences of symbols or bytes to tokens: an embedding, an optional strided convolution, and position channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.nn.positions import sinusoids


class SymbolTokenizer(nn.Module):
    """Each symbol becomes a token, or each ``stride`` of them in a row.

    With a stride above 1, a convolution over twice as many symbols as it advances makes a token, so that long inputs
    stay affordable. The symbol 0 is padding: it is embedded as zeros, and tokens that cover nothing else are masked.

    Args:
        vocabulary: number of symbols, padding included.
        width: of the embedding; tokens have ``2 * width + position_dim`` channels.
        position_dim: channels that say where a token lies (sinusoids), concatenated to it.
        max_length: the most symbols.
        stride: symbols a token.
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
        """Symbols B×length, integers, padded with 0 → tokens B×V×(2·width + position_dim) and their mask."""
        count = -(-symbols.shape[1] // self.stride)
        overlap = self.stride if self.stride > 1 else 0
        symbols = F.pad(symbols, (0, count * self.stride - symbols.shape[1] + overlap))
        embedded = self.embed(symbols).transpose(1, 2)  # B width symbols
        content = self.norm(F.gelu(self.convolution(embedded)).transpose(1, 2))
        there = (symbols != 0)[:, : count * self.stride].unflatten(1, (count, self.stride)).any(-1)
        position = self.position[:count].to(content.dtype).expand(len(content), -1, -1)
        return Tokens(torch.cat([content, position], dim=-1), there)
