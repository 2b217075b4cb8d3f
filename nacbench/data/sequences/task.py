"""Base class of sequence classification tasks: symbols or bytes, padded with 0."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.given_arrays import Form
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec
from nacbench.data.array_task import ArrayTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nacbench.data.live import Inputs, Preparation


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceTask(ArrayTask):
    """A classification task on sequences; a concrete task provides its ``symbols`` (N×length, 0: padding).

    Attributes:
        stride: symbols per token; above 1, a convolution makes tokens of overlapping windows.
        width: of the symbol embedding; tokens have twice as many channels plus the position channels.
        position_dim: number of position channels of a token; even.
        vocabulary: number of symbols, including padding.
    """

    inputs: ClassVar[tuple[str, ...]] = ("symbols",)
    vocabulary: ClassVar[int]

    stride: Count = 1
    width: Count = 96
    position_dim: Count = 64

    def __post_init__(self) -> None:
        if self.position_dim % 2:
            raise ValueError(f"task.position_dim = {self.position_dim}: it must be even (sines and cosines)")

    def longest(self) -> int:
        """Return the maximum number of symbols of an example."""
        raise UserError(f"{type(self).__name__} must define longest()")

    def spelled(self, symbols: np.ndarray) -> list[str]:
        """Return the text of each symbol, for figures."""
        return [str(number) for number in symbols.tolist()]

    def spec(self) -> TaskSpec:
        return TaskSpec(
            modality=self.modality,
            classes=self.classes,
            targets=self.targets,
            max_tokens=-(-self.longest() // self.stride),  # rounded up
            token_dim=2 * self.width + self.position_dim,
        )

    def forms(self) -> Mapping[str, Form | None]:
        return {**super().forms(), "symbols": Form("iu", (None,), self.vocabulary)}

    def tokenizer(self) -> nn.Module:
        from nacbench.data.sequences.tokenizer import SymbolTokenizer

        return SymbolTokenizer(self.vocabulary, self.width, self.position_dim, self.longest(), self.stride)

    def preparation(self, recipe: Any, spec: TaskSpec) -> Preparation:
        return Trimmed()


class Trimmed:
    """Removes the padding that no example of the batch needs; see `nacbench.data.live.Preparation`."""

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        return self.plain(inputs, 0), labels

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return {"symbols": trim(inputs["symbols"])}


def trim(symbols: Tensor) -> Tensor:
    """Cut a batch of symbols B×length (any integer type) to its longest example; return int64."""
    there = (symbols != 0).any(dim=0).nonzero()
    longest = int(there.max()) + 1 if len(there) else 1  # at least one column, for a batch of empty examples
    return symbols[:, :longest].long()
