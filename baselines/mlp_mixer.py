"""MLP-Mixer baseline (Tolstikhin et al. 2021, arXiv 2105.01601): timm's, on raw images."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from nacbench.baselines.vit import unpatchable
from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class MLPMixer(Model):
    """Two small networks in turn: one among the patches, the same for each channel, one among a patch's channels.

    It has no attention, and as many patches as other models have tokens. The hidden widths are those of the paper: half
    the width among patches, four times the width among channels.

    Attributes:
        width: channels of a patch.
        depth: number of blocks, each with both networks.
    """

    title = "MLP-Mixer"
    idea = "two small networks in turn, one among patches and one among channels"
    citation = "Tolstikhin et al. 2021, arXiv 2105.01601; timm's MlpMixer"
    library = "timm"
    kept_by = "Ross Wightman and Hugging Face"
    extra = "rivals"
    reads = "image"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 92, "depth": 3},
        "mini": {"width": 128, "depth": 4},
        "paper": {},
    }

    width: Count = 672
    depth: Count = 10

    def unsupported(self, spec: TaskSpec) -> str | None:
        return super().unsupported(spec) or unpatchable(spec)

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        assert spec.image_shape is not None
        channels, side, _ = spec.image_shape
        patches, c = spec.max_tokens, self.width
        patch = side // isqrt(patches)
        embed = product(patches, channels * patch * patch, c)
        layer = product(c, patches, 2 * (c // 2)) + product(patches, c, 8 * c)
        return Operations(example=embed + self.depth * layer + product(1, c, spec.classes), raw=embed)

    def build(self, spec: TaskSpec) -> nn.Module:
        from timm.models.mlp_mixer import MlpMixer
        from torch import nn

        assert spec.image_shape is not None
        channels, side, _ = spec.image_shape

        class Classifier(MlpMixer):
            """Takes the image B×channels×side×side in place of tokens."""

            capturable = True
            head: nn.Linear

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                logits: Tensor = super().forward(tokens)
                return logits

        net = Classifier(
            num_classes=spec.classes,
            img_size=side,
            in_chans=channels,
            patch_size=side // isqrt(spec.max_tokens),
            num_blocks=self.depth,
            embed_dim=self.width,
        )
        assert isinstance(net.head, nn.Linear)
        nn.init.trunc_normal_(net.head.weight, std=0.02)  # timm's own start is zero, of which no check would tell much
        return net
