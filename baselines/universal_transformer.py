"""Universal Transformer (Dehghani et al. 2019, arXiv 1807.03819): one encoder layer, applied again and again."""

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
class UniversalTransformer(Model):
    """The baseline ``transformer`` with tied layers and a signal of the step.

    Before each step a sinusoidal embedding of its number is added to every state. The paper adds a second one of the
    position: here the tokens bring their positions, and a set of points has none. Every token takes the same number of
    steps (the paper's model without adaptive computation time). As in the baseline ``transformer``, layers are
    pre-norm, where the paper normalises after each residual: so the two differ in tying alone.

    One layer has the parameters of all of the ``transformer``'s, so it is wider, and computes more.

    Attributes:
        width: C, of a token; must be even and a multiple of the heads.
        depth: steps: how often the one layer is applied.
        heads: of the attention.
        ffn_mult: hidden width of the feed-forward layers as a multiple of the width.
    """

    title = "Universal Transformer"
    citation = "Dehghani, Gouws, Vinyals, Uszkoreit, Kaiser 2019, arXiv 1807.03819; layer of torch.nn"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 136, "depth": 3, "heads": 2},
        "mini": {"width": 200, "depth": 4, "heads": 4},
        "paper": {},
    }

    width: Annotated[int, Field(ge=2, multiple_of=2)] = 1728
    depth: Count = 6
    heads: Count = 12
    ffn_mult: Count = 4

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        embed = product(tokens, spec.token_dim, self.width)
        states = tokens + 1  # the class token's, too
        attention = product(states, self.width, 4 * self.width) + 2 * product(states, self.width, states)
        step = attention + product(states, self.width, 2 * self.ffn_mult * self.width)
        return Operations(example=embed + self.depth * step + product(1, self.width, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        import torch.nn.functional as F
        from torch import nn

        from nacbench.nn.positions import sinusoids

        class Classifier(nn.Module):
            """One layer over class token and tokens, ``depth`` times; the class token's last state gives the logits."""

            no_weight_decay = ("class_token",)
            capturable = True
            steps: Tensor

            def __init__(self, width: int, depth: int, heads: int, hidden: int) -> None:
                super().__init__()
                self.embed = nn.Linear(spec.token_dim, width)
                self.class_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
                # Not persistent: it follows from the options
                self.register_buffer("steps", sinusoids(depth, width), persistent=False)
                self.layer = nn.TransformerEncoderLayer(
                    width, heads, hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
                )
                for part in self.layer.modules():  # as in the baseline ``transformer``
                    if isinstance(part, nn.Linear):
                        nn.init.xavier_uniform_(part.weight)
                self.norm = nn.LayerNorm(width)
                self.logits = nn.Linear(width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                x = torch.cat([self.class_token.expand(len(tokens), -1, -1), self.embed(tokens)], dim=1)
                padding = None if mask is None else ~F.pad(mask, (1, 0), value=True)
                for step in self.steps:
                    x = self.layer(x + step, src_key_padding_mask=padding)
                logits: Tensor = self.logits(self.norm(x[:, 0]))
                return logits

        return Classifier(self.width, self.depth, self.heads, self.ffn_mult * self.width)
