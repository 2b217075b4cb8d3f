"""PointNet baseline (Qi et al. 2017, arXiv 1612.00593): an MLP per token, then max pooling; no attention."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class PointNet(Model):
    """PointNet without its learned alignment networks (T-nets), made of torch-geometric's layers.

    Tokens interact only in the max pooling, so its score shows how much of a task needs no attention.
    """

    title = "PointNet"
    citation = "Qi et al. 2017, arXiv 1612.00593; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    library = "torch-geometric"
    kept_by = "the PyG developers"
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

        with warnings.catch_warnings():  # torch-geometric 2.8.1 calls it on import
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
            from torch_geometric.nn import MLP
            from torch_geometric.nn.aggr import MaxAggregation

        def mlp(*widths: int) -> nn.Module:
            # mode "node": by default torch-geometric's LayerNorm normalises over all rows together, so that a token
            # would depend on all other tokens of the batch
            net: nn.Module = MLP(list(widths), act="gelu", norm="layer_norm", norm_kwargs={"mode": "node"})
            return net

        class Classifier(nn.Module):
            """Flattens all tokens of a batch to one list without padding, and pools it by example.

            Not ``capturable``: with a mask the number of tokens depends on the data.
            """

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
