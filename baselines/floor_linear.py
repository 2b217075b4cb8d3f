"""Floor: a linear layer on the mean token. It shows what the task's tokenizer and one matrix can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class FloorLinear(Model):
    """Softmax regression on the mean of an example's tokens, for any modality; order and relations of tokens are lost.

    All sizes are the same.
    """

    title = "Floor: linear"
    presets = {"tiny": {}, "mini": {}, "paper": {}}

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        return Operations(example=product(1, spec.token_dim, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        from torch import nn

        class Classifier(nn.Module):
            """Logits of the mean over tokens; padding does not count."""

            capturable = True

            def __init__(self) -> None:
                super().__init__()
                self.logits = nn.Linear(spec.token_dim, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                if mask is None:
                    mean = tokens.mean(dim=1)
                else:
                    there = mask.unsqueeze(-1).to(tokens.dtype)
                    # where, not a product: padding may hold anything, and 0 times NaN is NaN
                    kept = torch.where(mask.unsqueeze(-1), tokens, 0)
                    mean = kept.sum(dim=1) / there.sum(dim=1).clamp(min=1)
                logits: Tensor = self.logits(mean)
                return logits

        return Classifier()
