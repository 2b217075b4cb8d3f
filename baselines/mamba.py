"""Mamba baseline (Gu and Dao 2023, arXiv 2312.00752): mambapy's layers in plain PyTorch, on NAC's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Mamba(Model):
    """A selective state-space model that reads the tokens from first to last; the mean of its states gives the logits.

    It reads in one direction, as the published model does; the mean over all positions lets early tokens count as much
    as late ones. Its order of tokens is that of the task's tokenizer, also where it means nothing, as among points.
    With ``recompute`` each layer is computed again in the backward pass, as the published implementation does (section
    3.3.2): otherwise a layer keeps the states of all tokens, three times V · 2C · ``state_dim`` numbers an example.

    Attributes:
        width: C, of a token.
        depth: number of layers.
        state_dim: N, numbers of the state for each channel.
        expand: inner width as a multiple of the width.
        conv: tokens that the convolution before the state sees.
        recompute: compute layers again in the backward pass: less memory, more time, same numbers.
    """

    title = "Mamba"
    idea = "a state-space model whose recurrence depends on the token that it reads"
    citation = "Gu and Dao 2023, arXiv 2312.00752; mambapy by Alexandre TL"
    library = "mambapy"
    kept_by = "Alexandre TL"
    extra = "rivals"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 84, "depth": 4, "recompute": False},
        "mini": {"width": 104, "depth": 6, "recompute": False},
        "paper": {},
    }

    width: Count = 528
    depth: Count = 20
    state_dim: Count = 16
    expand: Count = 2
    conv: Count = 4
    recompute: bool = True

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        c, inner, n = self.width, self.expand * self.width, self.state_dim
        rank = ceil(c / 16)
        projections = product(tokens, c, 3 * inner) + product(tokens, inner, 2 * rank + 2 * n)
        # padded on both sides and cut afterwards: conv - 1 positions more than tokens
        convolution = product(tokens + self.conv - 1, self.conv, inner)
        layer = projections + convolution + product(tokens * inner, n, 1)
        return Operations(example=product(tokens, spec.token_dim, c) + self.depth * layer + product(1, c, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import mambapy.mamba
        import torch
        from torch import nn
        from torch.utils.checkpoint import checkpoint

        from nacbench.nn.masks import mean_token, padding_last

        core = mambapy.mamba.Mamba(
            mambapy.mamba.MambaConfig(
                d_model=self.width,
                n_layers=self.depth,
                d_state=self.state_dim,
                expand_factor=self.expand,
                d_conv=self.conv,
            )
        )
        for layer in core.layers:
            layer.mixer.no_weight_decay = ("A_log",)  # as in the library's own training

        class Classifier(nn.Module):
            """The layers over embedded tokens. They read forwards only, so padding behind the tokens is not seen."""

            capturable = True

            def __init__(self, width: int, *, recompute: bool) -> None:
                super().__init__()
                self.recompute = recompute
                self.embed = nn.Linear(spec.token_dim, width)
                self.core = core
                self.norm = mambapy.mamba.RMSNorm(width)
                self.logits = nn.Linear(width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                if mask is not None:
                    tokens, mask = padding_last(tokens, mask)
                x = self.embed(tokens)
                for layer in self.core.layers:
                    # no random number is drawn in a layer, so that none has to be drawn again
                    again = self.recompute and torch.is_grad_enabled()
                    x = checkpoint(layer, x, use_reentrant=False, preserve_rng_state=False) if again else layer(x)
                logits: Tensor = self.logits(mean_token(self.norm(x), mask))
                return logits

        return Classifier(self.width, recompute=self.recompute)
