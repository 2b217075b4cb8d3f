"""Transformer baseline (Vaswani et al. 2017, arXiv 1706.03762): encoder with a class token, on NAC's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Transformer(Model):
    """A pre-norm Transformer encoder with a class token, for any modality.

    Attributes:
        width: C, of a token.
        depth: number of layers.
        heads: of the attention; must divide the width.
        ffn_mult: hidden width of the feed-forward layers as a multiple of the width.
        dropout: probability with which a number is dropped in training.
    """

    title = "Transformer"
    idea = "every token attends to every other, and a class token gives the logits"
    citation = "Vaswani et al. 2017, arXiv 1706.03762; pre-norm, as torch.nn.TransformerEncoder has it"
    library = "torch"
    kept_by = "the PyTorch developers"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 80, "depth": 3, "heads": 2},
        "mini": {"width": 96, "depth": 4, "heads": 4},
        "paper": {},
    }

    width: Count = 384
    depth: Count = 20
    heads: Count = 6
    ffn_mult: Count = 4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        embed = product(tokens, spec.token_dim, self.width)
        layers = self.depth * encoder_layer(tokens + 1, self.width, self.ffn_mult)
        return Operations(example=embed + layers + product(1, self.width, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        import torch.nn.functional as F
        from torch import nn

        layer = nn.TransformerEncoderLayer(
            self.width,
            self.heads,
            dim_feedforward=self.ffn_mult * self.width,
            dropout=self.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )

        class Classifier(nn.Module):
            """Encoder over class token and tokens; the class token's last state gives the logits."""

            no_weight_decay = ("class_token",)
            capturable = True

            def __init__(self, width: int, depth: int) -> None:
                super().__init__()
                self.embed = nn.Linear(spec.token_dim, width)
                self.class_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
                # enable_nested_tensor=False: PyTorch's nested fast path does not support norm_first, and would warn
                self.encoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
                # TransformerEncoder deep-copies one layer: without this all layers would start with equal weights
                for block in self.encoder.layers:
                    for part in block.modules():
                        if isinstance(part, nn.Linear):
                            nn.init.xavier_uniform_(part.weight)
                    nn.init.xavier_uniform_(block.self_attn.in_proj_weight)
                self.logits = nn.Linear(width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                x = torch.cat([self.class_token.expand(len(tokens), -1, -1), self.embed(tokens)], dim=1)
                padding = None if mask is None else ~F.pad(mask, (1, 0), value=True)
                logits: Tensor = self.logits(self.encoder(x, src_key_padding_mask=padding)[:, 0])
                return logits

        return Classifier(self.width, self.depth)


def attention_layer(tokens: int, width: int) -> int:
    """Return the FLOPs of self-attention: four projections, scores, and weighted means."""
    return product(tokens, width, 4 * width) + 2 * product(tokens, width, tokens)


def encoder_layer(tokens: int, width: int, ffn_mult: int) -> int:
    """Return the FLOPs of one Transformer layer: attention and feed-forward."""
    return attention_layer(tokens, width) + product(tokens, width, 2 * ffn_mult * width)
