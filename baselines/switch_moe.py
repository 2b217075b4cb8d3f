"""Switch Transformer baseline (Fedus et al. 2022, arXiv 2101.03961): one expert for each token, without capacity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nacbench.baselines.transformer import encoder_layer
from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class SwitchMoE(Model):
    """A Transformer in which every second layer has experts, of which a router chooses one for each token.

    There is no capacity: no token is dropped because others of the batch chose the same expert, so that an example does
    not depend on its batch. The libraries that have such a layer cut it at a capacity, or draw in evaluation; so the
    layer is ours (`nacbench.nn.switch`). ``balance`` is the paper's α, the weight of the loss that spreads tokens over
    experts.

    Attributes:
        width: C, of a token.
        depth: number of layers, of which every second one has experts.
        heads: of the attention; must divide the width.
        ffn_mult: hidden width of the feed-forward layers as a multiple of the width, those of an expert, too.
        experts: of each layer that has some.
        balance: weight of the loss that spreads tokens evenly over experts.
    """

    title = "Switch MoE"
    idea = "a Transformer with experts, of which a router chooses one for each token"
    citation = "Fedus, Zoph, Shazeer 2022, arXiv 2101.03961"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 68, "depth": 2, "heads": 2, "experts": 4},
        "mini": {"width": 72, "depth": 4, "heads": 4, "experts": 4},
        "paper": {},
    }

    width: Count = 336
    depth: Count = 8
    heads: Count = 6
    ffn_mult: Count = 4
    experts: Count = 8
    balance: Annotated[float, Field(ge=0, le=1)] = 0.01

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        c, routed = self.width, self.depth // 2
        layers = self.depth * encoder_layer(tokens, c, self.ffn_mult) + routed * product(tokens, c, self.experts)
        return Operations(example=product(tokens, spec.token_dim, c) + layers + product(1, c, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        from nacbench.nn.switch import SwitchTransformer

        return SwitchTransformer(
            token_dim=spec.token_dim,
            classes=spec.classes,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            ffn_mult=self.ffn_mult,
            experts=self.experts,
            balance=self.balance,
        )
