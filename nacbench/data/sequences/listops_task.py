"""Base class of the ListOps tasks: data generated once and cached, or read from Long Range Arena's files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nacbench.contracts.numbers import Limit, Seed
from nacbench.contracts.task import DataFiles
from nacbench.data.array_task import differences
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.mirror.data_files import LocalFiles
from nacbench.data.sequences.task import SequenceTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

LRA = LocalFiles(
    name="listops-1000",
    forms="listops",
    needs=("basic_train.tsv", "basic_val.tsv", "basic_test.tsv"),
    how="unpack lra_release.gz and take its folder listops-1000",
    url="https://github.com/google-research/long-range-arena",
    terms="Apache-2.0",
)
LRA_SHORTER_THAN = 2000
LRA_SIZES = {"train": 96_000, "validation": 2000, "test": 2000}
LRA_FILES = {"train": "basic_train.tsv", "validation": "basic_val.tsv", "test": "basic_test.tsv"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListOpsTask(SequenceTask):
    """Expressions over lists of digits by the rules of Long Range Arena; the answer is a digit.

    Attributes:
        data: ``generated`` from ``data_seed``, or ``lra``: Long Range Arena's files, which must be in the mirror.
        data_seed: seed of the generated expressions.
        pool: number of training expressions to generate, of which ``train_examples`` are used; 0: those of ``counts``.
            Expressions are distinct, so that each depends on those before it, and the other splits on this number.
        counts: number of examples by split.
        longer_than, shorter_than: limits of an expression's length, both exclusive; a digit counts 1, an operator with
            its bracket 2.
    """

    modality: ClassVar[str] = "symbols"
    classes: ClassVar[int] = 10
    class_names: ClassVar[Sequence[str]] = tuple("0123456789")
    licence = "Apache-2.0 (Long Range Arena); generated data: CC0"
    citation = "Nangia and Bowman 2018, arXiv 1804.06028; Tay et al. 2021, Long Range Arena, arXiv 2011.04006"
    vocabulary: ClassVar[int] = 16
    counts: ClassVar[Mapping[str, int]]
    longer_than: ClassVar[int]
    shorter_than: ClassVar[int]

    data: Literal["generated", "lra"] = "generated"
    data_seed: Seed = 0
    pool: Limit = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data == "lra" and self.shorter_than != LRA_SHORTER_THAN:
            raise ValueError(
                f"task.data = 'lra': Long Range Arena's expressions are longer than {self.title} allows "
                f"({self.shorter_than - 1} tokens); use task listops"
            )

    def longest(self) -> int:
        return 2000 if self.data == "lra" else self.shorter_than - 1

    def spelled(self, symbols: np.ndarray) -> list[str]:
        from nacbench.data.sequences.listops_evaluation import VOCABULARY

        return [f"{VOCABULARY[number]} " for number in symbols.tolist()]

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return an expression such as ``[MAX 2 [SM 7 8 ] 4 ]`` (str or bytes) as it is stored.

        Long Range Arena's longer ones are cut, as its files' are; where expressions are generated, there are none.
        """
        import numpy as np

        from nacbench.data.sequences.listops import decode, evaluate, symbols_in
        from nacbench.data.sequences.raw import symbols_of, text_bytes

        content = symbols_in(text_bytes(raw))
        try:
            evaluate(decode(np.frombuffer(content, dtype=np.uint8)))
        except UserError as error:
            raise UserError(f"the expression has no value: {error}") from None
        if len(content) > self.longest() and self.data == "generated":
            raise UserError(
                f"the expression has {len(content):,} symbols (an operator with its bracket counts 2), and those of "
                f"{self.title} have at most {self.longest():,}"
            )
        return {"symbols": symbols_of(content, self.longest())}

    def data_files(self) -> Sequence[DataFiles]:
        return (LRA,) if self.data == "lra" else ()

    def arrays(self, data_root: Path) -> Arrays:
        if self.data == "lra":
            return self._read(data_root)
        limits = {"longer_than": self.longer_than, "shorter_than": self.shorter_than}
        stamp = f"{limits} {self._generated()} {self.data_seed} {self.version}"
        return cached_arrays(f"listops-{self.shorter_than - 1}", stamp, self._generate)

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        return differences(arrays, self.classes, LRA_SIZES) if self.data == "lra" else []

    def _generated(self) -> dict[str, int]:
        """Return the number of examples to generate, by split."""
        return {**self.counts, "train": min(self.pool or self.counts["train"], self.counts["train"])}

    def _generate(self) -> Mapping[str, np.ndarray]:
        """Generate all splits as one set of distinct expressions, so that no expression is in two splits."""
        from nacbench.data.sequences.listops import generate

        counts = self._generated()
        symbols, labels = generate(
            sum(counts.values()),
            longer_than=self.longer_than,
            shorter_than=self.shorter_than,
            seed=self.data_seed,
        )
        arrays: dict[str, np.ndarray] = {}
        first = 0
        for split, count in counts.items():
            part = slice(first, first + count)
            arrays |= {f"{split}_symbols": symbols[part], f"{split}_labels": labels[part]}
            first += count
        return arrays

    def _read(self, data_root: Path) -> Arrays:
        from nacbench.data.sequences.listops import read_tsv

        folder = LRA.require(data_root)

        def read() -> Mapping[str, np.ndarray]:
            arrays: dict[str, np.ndarray] = {}
            for split, name in LRA_FILES.items():
                symbols, labels = read_tsv(folder / name, self.longest())
                arrays |= {f"{split}_symbols": symbols, f"{split}_labels": labels}
            return arrays

        return cached_arrays("listops-lra", f"{self.longest()}", read, folder)
