"""Example of a baseline: attention pooling. Each token passes one layer; their weighted mean passes a few more."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from nacbench import Count, Model, Operations, TaskSpec, product


@dataclass(frozen=True, kw_only=True)
class AttentionPooling(Model):
    """Baseline whose tokens interact only in the mean, to show how much of a task needs more interaction.

    Attributes:
        width: channels of the hidden layers.
        depth: number of hidden layers after the mean.
        dropout: probability of drop-out before the last layer, in [0, 1).
    """

    title = "Attention pooling"
    citation = "Ilse et al. 2018, Attention-based Deep Multiple Instance Learning, arXiv 1802.04712"
    presets = {
        "tiny": {"width": 320, "depth": 2},
        "mini": {"width": 448, "depth": 2},
        "paper": {},
    }
    resized_by = ("depth", "width")

    width: Count = 2944
    depth: Count = 4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        w = self.width
        read = product(tokens, spec.token_dim, w) + product(tokens, w, 1) + product(1, tokens, w)
        rest = self.depth * product(1, w, w) + product(1, w, spec.classes)
        return Operations(example=read + rest)

    def build(self, spec: TaskSpec):
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self, width, depth, dropout):
                super().__init__()
                self.embed = nn.Sequential(nn.Linear(spec.token_dim, width), nn.GELU())
                self.score = nn.Linear(width, 1, bias=False)
                layers = [nn.LayerNorm(width)]
                for _ in range(depth):
                    layers += [nn.Linear(width, width), nn.GELU()]
                self.rest = nn.Sequential(*layers, nn.Dropout(dropout))
                self.logits = nn.Linear(width, spec.classes)

            def forward(self, tokens, mask=None):  # B×V×T, B×V (true: a token) → B×classes
                hidden = self.embed(tokens)
                scores = self.score(hidden).squeeze(-1)  # B V
                if mask is not None:
                    scores = scores.masked_fill(~mask, -torch.inf)
                mean = (scores.softmax(-1).unsqueeze(1) @ hidden).squeeze(1)
                return self.logits(self.rest(mean))

        return Net(self.width, self.depth, self.dropout)
