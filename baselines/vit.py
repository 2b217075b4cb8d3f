"""Vision Transformer baseline (Dosovitskiy et al. 2021, arXiv 2010.11929): torchvision's, on raw images."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from nacbench.baselines.transformer import Transformer, encoder_layer
from nacbench.contracts.model import Operations, product
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class ViT(Transformer):
    """torchvision's Vision Transformer, with as many patches as other models have tokens."""

    title = "ViT"
    idea = "a Transformer over patches of the raw image"
    citation = "Dosovitskiy et al. 2021, arXiv 2010.11929; torchvision's VisionTransformer"
    library = "torchvision"
    kept_by = "the PyTorch developers"
    reads = "image"
    presets = {
        "tiny": {"width": 80, "depth": 3, "heads": 2},
        "mini": {"width": 96, "depth": 5, "heads": 4},
        "paper": {},
    }

    def unsupported(self, spec: TaskSpec) -> str | None:
        if reason := super().unsupported(spec) or unpatchable(spec):
            return reason
        assert spec.image_shape is not None
        return "it takes 1 or 3 channels" if spec.image_shape[0] not in (1, 3) else None

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        assert spec.image_shape is not None
        side = spec.image_shape[1] // isqrt(spec.max_tokens)
        embed = product(spec.max_tokens, 3 * side * side, self.width)
        layers = self.depth * encoder_layer(spec.max_tokens + 1, self.width, self.ffn_mult)
        return Operations(example=embed + layers + product(1, self.width, spec.classes), raw=embed)

    def build(self, spec: TaskSpec) -> nn.Module:
        from torch import nn
        from torchvision.models import VisionTransformer

        assert spec.image_shape is not None
        side = spec.image_shape[1]

        class Classifier(VisionTransformer):
            """Takes the image B×channels×side×side in place of tokens; grey images are repeated to three channels."""

            no_weight_decay = ("class_token",)
            capturable = True

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                logits: Tensor = super().forward(tokens.expand(-1, 3, -1, -1))
                return logits

        net = Classifier(
            image_size=side,
            patch_size=side // isqrt(spec.max_tokens),
            num_layers=self.depth,
            num_heads=self.heads,
            hidden_dim=self.width,
            mlp_dim=self.ffn_mult * self.width,
            num_classes=spec.classes,
            dropout=self.dropout,
        )
        net.encoder.no_weight_decay = ("pos_embedding",)
        nn.init.trunc_normal_(net.heads.head.weight, std=0.02)  # torchvision's own start is zero
        return net


def unpatchable(spec: TaskSpec) -> str | None:
    """Return why square patches, one for each token, do not cover a task's images, or None."""
    assert spec.image_shape is not None
    _, height, width = spec.image_shape
    side = isqrt(spec.max_tokens)
    if height != width or side * side != spec.max_tokens or height % side:
        return f"it cannot cut {height}×{width} pixels into {spec.max_tokens} square patches"
    return None
