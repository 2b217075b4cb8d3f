"""Set Transformer baseline (Lee et al. 2019, arXiv 1810.00825): torch-geometric's aggregation, on NAC's tokens."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class SetTransformer(Model):
    """Attention among the tokens as a set, then pooling by learned seeds that attend to them.

    The layers are those of torch-geometric's ``SetTransformerAggregation``: ``depth`` set attention blocks, pooling by
    multi-head attention into ``seeds`` vectors, and ``decoder_depth`` blocks among these.

    Attributes:
        width: C, of an element; must be a multiple of the heads.
        depth: blocks of attention among the tokens.
        heads: of the attention.
        seeds: learned vectors that read the tokens.
        decoder_depth: blocks of attention among what the seeds have read.
    """

    title = "Set Transformer"
    idea = "attention among the tokens as a set, then pooling by learned seeds that attend to them"
    citation = "Lee et al. 2019, arXiv 1810.00825; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    library = "torch-geometric"
    kept_by = "the PyG developers"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 100, "depth": 2, "heads": 4},
        "mini": {"width": 124, "depth": 4, "heads": 4},
        "paper": {},
    }

    width: Count = 928
    depth: Count = 6
    heads: Count = 8
    seeds: Count = 1
    decoder_depth: Count = 1

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        c, seeds = self.width, self.seeds
        embed = product(tokens, spec.token_dim, c)
        pooling = product(tokens, c, 3 * c) + product(seeds, c, 3 * c) + 2 * product(seeds, c, tokens)
        blocks = self.depth * _block(tokens, c) + self.decoder_depth * _block(seeds, c)
        return Operations(example=embed + blocks + pooling + product(1, seeds * c, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        from torch import nn

        with warnings.catch_warnings():  # torch-geometric 2.8.1 calls it on import
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
            from torch_geometric.nn.aggr import SetTransformerAggregation

        aggregation = SetTransformerAggregation(
            self.width,
            num_seed_points=self.seeds,
            num_encoder_blocks=self.depth,
            num_decoder_blocks=self.decoder_depth,
            heads=self.heads,
            layer_norm=True,  # as in the paper; without it deep ones do not train
        )
        aggregation.pma.no_weight_decay = ("seed",)

        class Classifier(nn.Module):
            """The aggregation's blocks in its own order, on tokens that are dense already.

            Its ``forward`` takes all tokens of a batch as one list, and makes a dense batch of them first: copies, and
            on a GPU a wait for their number.
            """

            capturable = True

            def __init__(self, width: int) -> None:
                super().__init__()
                self.embed = nn.Linear(spec.token_dim, width)
                self.aggregation = aggregation
                self.logits = nn.Linear(aggregation.num_seed_points * width, spec.classes)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                x = self.embed(tokens)
                for block in self.aggregation.encoders:
                    x = block(x, mask)
                x = self.aggregation.pma(x, mask)
                for block in self.aggregation.decoders:
                    x = block(x)
                logits: Tensor = self.logits(x.flatten(1))
                return logits

        return Classifier(self.width)


def _block(rows: int, width: int) -> int:
    """Return the operations of a set attention block: four projections, attention, and one linear layer."""
    return product(rows, width, 5 * width) + 2 * product(rows, width, rows)
