"""Minimal baseline: the mean of the tokens, and two linear layers."""

from dataclasses import dataclass

from nacbench import Model, TaskSpec


@dataclass(frozen=True, kw_only=True)
class MeanToken(Model):
    title = "Mean token"
    presets = {"tiny": {"width": 64}, "mini": {}, "paper": {"width": 2048}}

    width: int = 512

    def build(self, spec: TaskSpec):
        from torch import nn

        class Net(nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                sizes = nn.Linear(spec.token_dim, width), nn.GELU(), nn.Linear(width, spec.classes)
                self.mlp = nn.Sequential(*sizes)

            def forward(self, tokens, mask=None):
                if mask is None:
                    return self.mlp(tokens.mean(dim=1))
                weight = mask.unsqueeze(-1).to(tokens.dtype)
                return self.mlp((tokens * weight).sum(dim=1) / weight.sum(dim=1))

        return Net(self.width)
