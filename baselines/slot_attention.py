"""Slot Attention baseline (Locatello et al. 2020, arXiv 2006.15055): slots that compete for the tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.baselines.transformer import encoder_layer
from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class SlotAttention(Model):
    """Transformer layers among the tokens, then slots that compete for them in a few rounds; their mean is read.

    The layers stand in the place of the paper's convolutional encoder. Layers among the slots instead would learn far
    more slowly: first slots are noise, and tokens that do not know of each other say little through it.
    The parameters are those of slot-attention's module, whose forward pass takes no mask; the equations are computed
    here, with one (`nacbench.nn.slots`). First slots are drawn anew in training, for each example. In evaluation they
    are those that were drawn when the network was made, so that a score does not depend on chance.

    Attributes:
        width: C, of tokens and slots.
        depth: Transformer layers among the tokens.
        heads: of the attention; must divide the width.
        ffn_mult: hidden width of the feed-forward layers as a multiple of the width.
        slots: number of slots.
        rounds: in which slots compete for the tokens.
    """

    title = "Slot Attention"
    idea = "attention among the tokens, then slots that compete for them in rounds"
    citation = "Locatello et al. 2020, arXiv 2006.15055; slot-attention by Phil Wang"
    library = "slot-attention"
    kept_by = "Phil Wang"
    extra = "rivals"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 72, "depth": 2, "heads": 2, "slots": 8},
        "mini": {"width": 96, "depth": 3, "heads": 4, "slots": 8},
        "paper": {},
    }

    width: Count = 564
    depth: Count = 8
    heads: Count = 6
    ffn_mult: Count = 4
    slots: Count = 16
    rounds: Count = 3

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        c, slots = self.width, self.slots
        read = product(tokens, spec.token_dim, c) + product(tokens, c, 2 * c)
        # queries, scores and means, the two halves of a gated recurrent unit, and the feed-forward part
        one = product(slots, c, c) + 2 * product(slots, c, tokens) + product(slots, c, (6 + 2 * self.ffn_mult) * c)
        layers = self.depth * encoder_layer(tokens, c, self.ffn_mult)
        return Operations(example=read + self.rounds * one + layers + product(1, c, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import slot_attention
        import torch
        from torch import nn

        from nacbench.nn.blocks import AttentionBlock, DenseFeedForward
        from nacbench.nn.slots import compete

        parts = slot_attention.SlotAttention(
            self.slots, self.width, iters=self.rounds, hidden_dim=self.ffn_mult * self.width
        )
        parts.no_weight_decay = ("slots_mu", "slots_logsigma")

        class Classifier(nn.Module):
            """Layers among embedded tokens, slot attention over them, and the logits of the slots' mean."""

            capturable = True
            drawn: Tensor

            def __init__(self, width: int, depth: int, heads: int, ffn_mult: int) -> None:
                super().__init__()
                self.embed = nn.Linear(spec.token_dim, width)
                self.parts = parts
                self.register_buffer("drawn", torch.randn(1, parts.num_slots, width))
                self.layers = nn.ModuleList(
                    AttentionBlock(width, heads, DenseFeedForward(width, ffn_mult)) for _ in range(depth)
                )
                self.norm = nn.LayerNorm(width)
                self.logits = nn.Linear(width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                noise = self.drawn.expand(len(tokens), -1, -1)
                if self.training:
                    noise = torch.randn_like(noise, memory_format=torch.contiguous_format)
                x = self.embed(tokens)
                for layer in self.layers:
                    x = layer(x, mask)
                slots = compete(self.parts, x, noise, mask)
                logits: Tensor = self.logits(self.norm(slots).mean(dim=1))
                return logits

        return Classifier(self.width, self.depth, self.heads, self.ffn_mult)
