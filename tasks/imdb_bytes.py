"""IMDb sentiment classification on bytes, as in Long Range Arena (arXiv 2011.04006)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.numbers import Count
from nacbench.contracts.recipe import Origin, Recipe
from nacbench.contracts.task import DataFiles
from nacbench.data.class_order import GivenLabels, numbered_by_name
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.mirror.hub import HubFiles
from nacbench.data.sequences.task import SequenceTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

LONGEST = 4000


def in_order(arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return ``…_symbols`` (N×length) and ``…_labels`` (N) of each split in the order of label and text.

    The hub has the files in the order of the makers' archive, which an unpacked copy does not keep.
    """
    import numpy as np

    ordered = dict(arrays)
    for name in arrays:
        if name.endswith("_symbols"):
            split = name.removesuffix("_symbols")
            symbols, labels = arrays[name], arrays[f"{split}_labels"]
            texts = symbols.view(f"S{symbols.shape[1]}")[:, 0]
            order = np.lexsort((texts, labels))
            ordered |= {name: symbols[order], f"{split}_labels": labels[order]}
    return ordered


@dataclass(frozen=True, kw_only=True)
class ImdbBytes(SequenceTask):
    """The input is a review's UTF-8 text as bytes, truncated to ``max_bytes``.

    Byte 0 marks padding, so a zero byte in a text is replaced by a space. Reviews are in the order of their labels and
    texts, the same for all copies.

    Attributes:
        max_bytes: largest number of bytes of an input, at most 4,000, the length in Long Range Arena.
    """

    title = "IMDb bytes"
    version = 2
    modality: ClassVar[str] = "text"
    classes = 2
    licence = "not stated by its makers; research use"
    citation = "Maas et al. 2011, Learning Word Vectors for Sentiment Analysis, ACL; as in Long Range Arena"
    provenance = "huggingface.co/datasets/stanfordnlp/imdb"
    vocabulary = 256
    class_names = ("neg", "pos")
    full_sizes = {"train": 25_000, "test": 25_000}
    example_name = "reviews"
    dataset = HubFiles(
        name="stanfordnlp/imdb",
        forms="imdb",
        revision="e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
        splits={"train": "plain_text/train-*.parquet", "test": "plain_text/test-*.parquet"},
    )
    presets = {
        "smoke": {
            "max_bytes": 256,
            "width": 16,
            "position_dim": 16,
            "stride": 8,
            "train_examples": 128,
            "test_examples": 64,
        },
        "mini": {"max_bytes": 512, "width": 48, "position_dim": 32, "stride": 4},
        "paper": {},
    }
    recipes = {
        "smoke": Recipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": Recipe(
            epochs=4, batch_size=32, lr=1e-3, warmup_epochs=0.25, label_smoothing=0.1, ema=0.998, ema_warmup=True
        ),
        "paper": Recipe(epochs=32, batch_size=16, lr=3e-4, lr_start=0, lr_end=0, warmup_epochs=3.2),
    }
    origin = Origin(
        "ours",
        "epochs, batch, decay and schedule of Gu et al. 2022, arXiv 2111.00396 (S4), but not its rate of 0.01",
    )

    max_bytes: Count = LONGEST

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_bytes > LONGEST:
            raise ValueError(f"task.max_bytes = {self.max_bytes}: at most {LONGEST} are kept of a review")

    def longest(self) -> int:
        return self.max_bytes

    def spelled(self, symbols: np.ndarray) -> list[str]:
        return [chr(byte) if 32 <= byte < 127 else "·" for byte in symbols.tolist()]

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return a text (str, or its UTF-8 bytes) as it is stored; what is longer than ``max_bytes`` is cut off."""
        from nacbench.data.sequences.raw import symbols_of, text_bytes

        return {"symbols": symbols_of(text_bytes(raw), self.max_bytes)}

    def data_files(self) -> Sequence[DataFiles]:
        return (self.dataset,)

    def arrays(self, data_root: Path) -> Arrays:
        folder = self.dataset.require(data_root)
        whole = cached_arrays("imdb-bytes", "", lambda: in_order(self._encode(data_root)), folder)
        cut = {name: a[:, : self.max_bytes] if name.endswith("symbols") else a for name, a in whole.arrays.items()}
        return Arrays(cut, whole.fingerprint)

    def _encode(self, data_root: Path) -> Mapping[str, np.ndarray]:
        import numpy as np

        from nacbench.data.sequences.raw import encoded, symbols_of

        arrays: dict[str, np.ndarray] = {}
        given = {}
        for split in self.dataset.splits:
            symbols = np.zeros((self.dataset.count(data_root, split), LONGEST), dtype=np.uint8)
            numbers = []
            rows = self.dataset.rows(data_root, split, ("text", "label"))
            for number, (where, (text, label)) in enumerate(rows):
                if not isinstance(text, str):
                    raise UserError(f"{where} has no text")
                symbols[number] = symbols_of(encoded(text), LONGEST)
                numbers.append(label)
            arrays[f"{split}_symbols"] = symbols
            given[split] = GivenLabels(numbers, self.dataset.class_names(data_root, split, "label"))
        labels, _ = numbered_by_name(given, f"{self.dataset.name} in {data_root}", self.classes)
        return arrays | {f"{split}_labels": own for split, own in labels.items()}
