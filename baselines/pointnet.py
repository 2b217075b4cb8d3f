"""PointNet: every token through the same small network, then the maximum over tokens; no attention at all."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model
from nacbench.contracts.plugin import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class PointNet(Model):
    """Without PointNet's learned alignments. Tokens meet only in the maximum, so it shows how much of a task needs no
    attention. Layers and pooling are torch-geometric's."""

    title = "PointNet"
    citation = "Qi et al. 2017, arXiv 1612.00593; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    presets = {
        "tiny": {"width": 208, "pooled_width": 376},
        "mini": {"width": 288, "pooled_width": 576},
        "paper": {},
    }

    width: Count = 2560
    pooled_width: Count = 4928

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        from torch import nn

        with warnings.catch_warnings():  # torch-geometric still uses it while it is imported
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
            from torch_geometric.nn import MLP
            from torch_geometric.nn.aggr import MaxAggregation

        def mlp(*widths: int) -> nn.Module:
            net: nn.Module = MLP(list(widths), act="gelu", norm="layer_norm", norm_kwargs={"mode": "node"})
            return net

        class Classifier(nn.Module):
            """Tokens that are there are gathered into one long list, and pooled by the example that they belong to."""

            def __init__(self, width: int, pooled_width: int) -> None:
                super().__init__()
                self.each = mlp(spec.token_dim, width, width, pooled_width)
                self.pool = MaxAggregation()
                self.logits = mlp(pooled_width, width, width // 2, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                batch, count = tokens.shape[:2]
                example = torch.arange(batch, device=tokens.device).repeat_interleave(count)
                flat = tokens.flatten(0, 1)
                if mask is not None:
                    there = mask.flatten()
                    flat, example = flat[there], example[there]
                pooled = self.pool(self.each(flat), example, dim_size=batch)
                logits: Tensor = self.logits(pooled)
                return logits

        return Classifier(self.width, self.pooled_width)
