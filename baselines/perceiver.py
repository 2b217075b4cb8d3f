"""Perceiver baseline (Jaegle et al. 2021, arXiv 2103.03206): perceiver-pytorch's class, on NAC's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Perceiver(Model):
    """The original Perceiver: latents read the tokens again in every layer, and their mean gives the logits.

    With ``weight_tie_layers`` all layers but the first share their weights, as in the paper's experiments on ImageNet.
    The tokens bring their positions, so that no Fourier features are added here.

    Attributes:
        latents: number of latents.
        latent_dim: C, width of a latent.
        depth: number of layers, each of which reads the tokens again.
        heads: of the attention among latents.
        head_dim: D, of these heads.
        cross_heads: heads of the attention that reads the tokens.
        cross_head_dim: D, of these heads.
        self_per_cross: layers of attention among latents after each reading.
        weight_tie_layers: whether all layers have the same weights.
    """

    title = "Perceiver"
    citation = "Jaegle et al. 2021, arXiv 2103.03206; perceiver-pytorch by Phil Wang"
    resized_by = ("depth", "latent_dim")
    presets = {
        "tiny": {"latents": 16, "latent_dim": 48, "depth": 3, "heads": 2, "head_dim": 24, "cross_head_dim": 24},
        "mini": {"latents": 32, "latent_dim": 64, "depth": 4, "heads": 4, "head_dim": 16, "cross_head_dim": 16},
        "paper": {},
    }

    latents: Count = 320
    latent_dim: Count = 384
    depth: Count = 8
    heads: Count = 6
    head_dim: Count = 64
    cross_heads: Count = 1
    cross_head_dim: Count = 64
    self_per_cross: Count = 1
    weight_tie_layers: bool = False

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        n, c = self.latents, self.latent_dim
        width, cross = self.heads * self.head_dim, self.cross_heads * self.cross_head_dim
        feed_forward = product(n, c, 12 * c)  # up to 8C (GEGLU halves it), down from 4C
        read_in = product(n, c, 2 * cross) + product(tokens, spec.token_dim, 2 * cross) + 2 * product(n, cross, tokens)
        mix = product(n, c, 4 * width) + 2 * product(n, width, n) + feed_forward
        layer = read_in + feed_forward + self.self_per_cross * mix
        return Operations(example=self.depth * layer + product(1, c, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import perceiver_pytorch
        from torch import nn

        core = perceiver_pytorch.Perceiver(
            num_freq_bands=0,
            max_freq=0.0,
            fourier_encode_data=False,
            input_axis=1,
            input_channels=spec.token_dim,
            depth=self.depth,
            num_latents=self.latents,
            latent_dim=self.latent_dim,
            cross_heads=self.cross_heads,
            latent_heads=self.heads,
            cross_dim_head=self.cross_head_dim,
            latent_dim_head=self.head_dim,
            num_classes=spec.classes,
            weight_tie_layers=self.weight_tie_layers,
            self_per_cross_attn=self.self_per_cross,
        )

        class Classifier(nn.Module):
            """The library's Perceiver; its latents decay, as those of its Perceiver IO do."""

            capturable = True

            def __init__(self) -> None:
                super().__init__()
                self.core = core

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                logits: Tensor = self.core(tokens, mask=mask)
                return logits

        return Classifier()
