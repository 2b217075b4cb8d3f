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
    idea = "a linear layer on the mean token"
    presets = {"tiny": {}, "mini": {}, "paper": {}}

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        return Operations(example=product(1, spec.token_dim, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        from torch import nn

        from nacbench.nn.masks import mean_token

        class Classifier(nn.Module):
            """Logits of the mean over tokens; padding does not count."""

            capturable = True

            def __init__(self) -> None:
                super().__init__()
                self.logits = nn.Linear(spec.token_dim, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                logits: Tensor = self.logits(mean_token(tokens, mask))
                return logits

        return Classifier()
