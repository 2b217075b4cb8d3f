"""Perceiver IO baseline (Jaegle et al. 2022, arXiv 2107.14795): perceiver-pytorch's class, on NAC's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

PUBLISHED = {"depth": 8, "query_decays": True}  # of the authors' setting; the rest are the defaults


@dataclass(frozen=True, kw_only=True)
class PerceiverIO(Model):
    """Perceiver IO, NAC's strongest non-modular baseline.

    All sizes have as many latents as NAC's of the same scale has modules. ``published`` is that of the paper's own
    comparison, with fewer parameters than NAC, whose layers have a code projection for each weight. ``matched``, at
    scale ``paper``, has NAC's parameters by greater depth, as ``tiny`` and ``mini`` do. The others stand beside NAC's
    sizes of the authors' release; of Perceiver IO it has ``chonker`` alone.

    Attributes:
        latents: number of latents.
        latent_dim: C, width of a latent.
        depth: number of layers of attention among latents.
        heads: of the attention among latents.
        head_dim: D, of these heads.
        cross_heads: heads of the attention that reads the tokens, and of the one that reads the latents.
        cross_head_dim: D, of these heads.
        decoder_ff: whether a feed-forward layer follows the attention that reads the latents.
        weight_tie_layers: whether all layers have the same weights.
        query_decays: whether weight decay acts on the learned query, too.
    """

    title = "Perceiver IO"
    idea = "latents read the tokens, attend to each other, and are read by one query"
    citation = "Jaegle et al. 2022, arXiv 2107.14795; perceiver-pytorch by Phil Wang"
    library = "perceiver-pytorch"
    kept_by = "Phil Wang"
    resized_by = ("depth", "latent_dim")
    presets = {
        "tiny": {"latents": 16, "latent_dim": 48, "depth": 4, "heads": 2, "head_dim": 24, "cross_head_dim": 24},
        "mini": {"latents": 32, "latent_dim": 64, "depth": 6, "heads": 4, "head_dim": 16, "cross_head_dim": 16},
        "published": {**PUBLISHED},
        "matched": {"depth": 14},
        "chonker": {**PUBLISHED, "latents": 640, "heads": 8},
        "heckinchonker": {**PUBLISHED, "latents": 960, "latent_dim": 512, "heads": 8},
        "heftychonk": {**PUBLISHED, "latents": 1120, "latent_dim": 512, "heads": 8},
        "superchonker": {**PUBLISHED, "latents": 1280, "latent_dim": 768, "heads": 12},
    }

    latents: Count = 320
    latent_dim: Count = 384
    depth: Count = 8
    heads: Count = 6
    head_dim: Count = 64
    cross_heads: Count = 1
    cross_head_dim: Count = 64
    decoder_ff: bool = True
    weight_tie_layers: bool = False
    query_decays: bool = False

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        n, c = self.latents, self.latent_dim
        width, cross = self.heads * self.head_dim, self.cross_heads * self.cross_head_dim
        feed_forward = product(1, c, 12 * c)  # of one latent: up to 8C (GEGLU halves it), down from 4C
        read_in = product(n, c, 2 * cross) + product(tokens, spec.token_dim, 2 * cross) + 2 * product(n, cross, tokens)
        layer = product(n, c, 4 * width) + 2 * product(n, width, n) + n * feed_forward
        decoder = product(1, c, 2 * cross) + product(n, c, 2 * cross) + 2 * product(1, cross, n)
        if self.decoder_ff:
            decoder += feed_forward
        return Operations(
            example=read_in + n * feed_forward + self.depth * layer + decoder + product(1, c, spec.classes)
        )

    def build(self, spec: TaskSpec) -> nn.Module:
        import perceiver_pytorch
        import torch
        from torch import nn

        core = perceiver_pytorch.PerceiverIO(
            depth=self.depth,
            dim=spec.token_dim,
            queries_dim=self.latent_dim,
            logits_dim=spec.classes,
            num_latents=self.latents,
            latent_dim=self.latent_dim,
            cross_heads=self.cross_heads,
            latent_heads=self.heads,
            cross_dim_head=self.cross_head_dim,
            latent_dim_head=self.head_dim,
            weight_tie_layers=self.weight_tie_layers,
            decoder_ff=self.decoder_ff,
        )

        class Classifier(nn.Module):
            """PerceiverIO with one learned query, whose output is the logits."""

            capturable = True

            def __init__(self, *, query_decays: bool) -> None:
                super().__init__()
                self.core = core
                self.no_weight_decay = () if query_decays else ("query",)
                # Unit normals, as perceiver-pytorch initialises its latents
                self.query = nn.Parameter(torch.randn(1, core.to_logits.in_features))

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                logits: Tensor = self.core(tokens, mask=mask, queries=self.query)
                return logits.squeeze(1)

        return Classifier(query_decays=self.query_decays)
