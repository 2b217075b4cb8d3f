"""GRU baseline (Cho et al. 2014, arXiv 1406.1078): PyTorch's recurrent layers in both directions, on NAC's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class GRU(Model):
    """Gated recurrent units that read the tokens forwards and backwards; the mean of their states gives the logits.

    Its order of tokens is that of the task's tokenizer, also where it means nothing, as among points. ``width`` is that
    of each direction.

    Attributes:
        width: of a state in each direction.
        depth: number of layers, each in both directions.
    """

    title = "GRU"
    idea = "a recurrent network that reads the tokens forwards and backwards"
    citation = "Cho et al. 2014, arXiv 1406.1078; torch.nn.GRU"
    library = "torch"
    kept_by = "the PyTorch developers"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 85, "depth": 2},
        "mini": {"width": 127, "depth": 2},
        "paper": {},
    }

    width: Count = 736
    depth: Count = 4

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        c = self.width
        inputs = product(tokens, spec.token_dim, c) + product(tokens, c, 6 * c)
        inputs += (self.depth - 1) * product(tokens, 2 * c, 6 * c)
        steps = 2 * self.depth * product(tokens, c, 3 * c)
        # the first state of each layer and direction is zeros, of which no gradient is asked
        raw = 2 * self.depth * product(1, c, 3 * c)
        return Operations(example=inputs + steps + product(1, 2 * c, spec.classes), raw=raw)

    def build(self, spec: TaskSpec) -> nn.Module:
        from torch import nn
        from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

        from nacbench.nn.masks import mean_token, padding_last

        class Classifier(nn.Module):
            """Recurrent layers over the tokens; padding is packed away, so that no state passes through it.

            Not ``capturable``: with a mask the host must know the lengths.
            """

            def __init__(self, width: int, depth: int) -> None:
                super().__init__()
                self.embed = nn.Linear(spec.token_dim, width)
                self.layers = nn.GRU(width, width, depth, batch_first=True, bidirectional=True)
                self.logits = nn.Linear(2 * width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                if mask is None:
                    states, _ = self.layers(self.embed(tokens))
                else:
                    tokens, mask = padding_last(tokens, mask)
                    # An empty example is read as one token of zeros, since a packed sequence has at least one
                    lengths = mask.sum(dim=1).clamp(min=1).cpu()
                    packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
                    states, _ = pad_packed_sequence(
                        self.layers(packed)[0], batch_first=True, total_length=tokens.shape[1]
                    )
                logits: Tensor = self.logits(mean_token(states, mask))
                return logits

        return Classifier(self.width, self.depth)
