"""Soft mixture of experts (Puigcerver et al. 2024, arXiv 2308.00951): soft-moe-pytorch's layer in a Transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.baselines.transformer import attention_layer, encoder_layer
from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class SoftMoE(Model):
    """A Transformer whose second half has experts: each works on slots, which are weighted means of all tokens.

    The modular rival of today: differentiable, no token is dropped, and an example does not depend on its batch. As in
    the paper the first half of the layers is dense, and the class is read from the mean over tokens. The number of
    slots is fixed, and does not grow with that of tokens.

    Attributes:
        width: C, of a token.
        depth: number of layers, of which the second half has experts.
        heads: of the attention; must divide the width.
        ffn_mult: hidden width of the feed-forward layers as a multiple of the width, those of an expert, too.
        experts: of each layer that has some.
        slots: of each expert.
    """

    title = "Soft MoE"
    idea = "a Transformer with experts, each of which works on weighted means of all tokens"
    citation = "Puigcerver et al. 2024, arXiv 2308.00951; soft-moe-pytorch by Phil Wang"
    library = "soft-moe-pytorch"
    kept_by = "Phil Wang"
    extra = "rivals"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 68, "depth": 2, "heads": 2, "experts": 4, "slots": 4},
        "mini": {"width": 72, "depth": 4, "heads": 4, "experts": 4, "slots": 8},
        "paper": {},
    }

    width: Count = 336
    depth: Count = 8
    heads: Count = 6
    ffn_mult: Count = 4
    experts: Count = 8
    slots: Count = 16

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        c, slots = self.width, self.experts * self.slots
        dense = self.depth // 2
        # of a layer with experts: logits, slots, experts, and what tokens get of these
        routed = 3 * product(tokens, c, slots) + product(slots, c, 2 * self.ffn_mult * c)
        layers = dense * encoder_layer(tokens, c, self.ffn_mult)
        layers += (self.depth - dense) * (attention_layer(tokens, c) + routed)
        return Operations(example=product(tokens, spec.token_dim, c) + layers + product(1, c, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import soft_moe_pytorch
        from torch import nn

        from nacbench.nn.blocks import AttentionBlock, DenseFeedForward
        from nacbench.nn.masks import mean_token

        def experts(width: int) -> nn.Module:
            layer: nn.Module = soft_moe_pytorch.SoftMoE(
                width,
                num_experts=self.experts,
                num_slots=self.slots,  # by the number of tokens it would be 0 for short inputs, and all outputs zero
                expert_mult=self.ffn_mult,
                is_distributed=False,  # otherwise it would gather the examples of all processes
                offload_unused_experts_to_cpu=False,
            )
            layer.no_weight_decay = ("slot_embeds",)  # type: ignore[assignment]  # learned queries
            return layer

        def block(width: int, heads: int, *, dense: bool) -> nn.Module:
            return AttentionBlock(width, heads, DenseFeedForward(width, self.ffn_mult) if dense else experts(width))

        class Classifier(nn.Module):
            """Dense layers, then layers with experts; the mean over tokens gives the logits."""

            capturable = True

            def __init__(self, width: int, depth: int, heads: int) -> None:
                super().__init__()
                self.embed = nn.Linear(spec.token_dim, width)
                self.layers = nn.ModuleList(block(width, heads, dense=i < depth // 2) for i in range(depth))
                self.norm = nn.LayerNorm(width)
                self.logits = nn.Linear(width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                x = self.embed(tokens)
                for layer in self.layers:
                    x = layer(x, mask)
                logits: Tensor = self.logits(mean_token(self.norm(x), mask))
                return logits

        return Classifier(self.width, self.depth, self.heads)
