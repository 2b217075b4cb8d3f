"""Retrieval of Long Range Arena (arXiv 2011.04006): whether one paper cites the other, from the bytes of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.numbers import Count
from nacbench.contracts.recipe import Origin, Recipe
from nacbench.contracts.task import DataFiles
from nacbench.data.mirror.data_files import LocalFiles
from nacbench.data.sequences.task import SequenceTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class LraRetrieval(SequenceTask):
    """The input is both documents, one after the other, with a separator between them.

    In Long Range Arena a network reads each document by itself and a second one compares the results (two towers), so
    that neither sees the other. That is a network of a shape of its own. Here every model has one input and gives
    logits, so it reads both and may compare them anywhere: the task is as long as two documents, and easier for models
    that attend across. Scores are not comparable with those of two towers.

    Attributes:
        max_bytes: that are kept of each document; 4,000 in Long Range Arena.
    """

    title = "LRA Retrieval"
    modality: ClassVar[str] = "text"
    classes = 2
    class_names = ("does not cite", "cites")
    licence = "not stated by its makers; research use"
    citation = (
        "Radev et al. 2013, The ACL Anthology Network Corpus; Tay et al. 2021, Long Range Arena, arXiv 2011.04006"
    )
    provenance = "the folder tsv_data of Long Range Arena's release"
    vocabulary = 256
    full_sizes = {"train": 147_086, "validation": 18_090, "test": 17_437}
    example_name = "pairs"
    dataset = LocalFiles(
        name="aan-pairs",
        forms="document_pairs",
        needs=("new_aan_pairs.train.tsv", "new_aan_pairs.eval.tsv", "new_aan_pairs.test.tsv"),
        how="unpack lra_release.gz and take its folder tsv_data",
        url="https://github.com/google-research/long-range-arena",
        terms="research use",
    )
    presets = {
        "smoke": {
            "max_bytes": 256,
            "width": 16,
            "position_dim": 16,
            "stride": 16,
            "train_examples": 128,
            "test_examples": 64,
        },
        "mini": {"max_bytes": 1000, "width": 32, "position_dim": 32, "stride": 8},
        "paper": {},
    }
    recipes = {
        "smoke": Recipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": Recipe(epochs=1, batch_size=32, lr=1e-3, warmup_epochs=0.1, ema=0.998, ema_warmup=True),
        "paper": Recipe(
            epochs=20, batch_size=64, lr=5e-4, lr_start=0, lr_end=0, warmup_epochs=2, selection="best-validation"
        ),
    }
    origin = Origin(
        "ours",
        "epochs, batch, decay and schedule of state-spaces/s4 (configs/experiment/lra/s4-aan), not its rate of 0.01",
    )

    max_bytes: Count = 4000

    def longest(self) -> int:
        return 2 * self.max_bytes + 1

    def spelled(self, symbols: np.ndarray) -> list[str]:
        return [chr(byte) if 32 <= byte < 127 else "|" if byte == 255 else "·" for byte in symbols.tolist()]

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return two documents, a tuple of str or UTF-8 bytes, as they are stored; each is cut to ``max_bytes``."""
        from nacbench.data.sequences.document_pairs import SEPARATOR, joined
        from nacbench.data.sequences.raw import text_bytes

        if not isinstance(raw, tuple) or len(raw) != 2:
            raise UserError(f"an example of {self.title} is (document, document), a tuple, not {type(raw).__name__}")
        texts = [text_bytes(text) for text in raw]
        if any(SEPARATOR in text for text in texts):
            raise UserError(f"a document is not UTF-8 text (it has the byte {SEPARATOR})")
        return {"symbols": joined(texts, self.max_bytes)}

    def data_files(self) -> Sequence[DataFiles]:
        return (self.dataset,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.sequences.document_pairs import read_pairs

        return read_pairs(self.dataset.require(data_root), self.max_bytes, self)
