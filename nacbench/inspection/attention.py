"""What a circuit looks at: the tokens that each module reads, and the way from them to the prediction."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from nacbench.data.array_task import ArrayTask
from nacbench.data.sequences.task import SequenceTask
from nacbench.errors import UserError
from nacbench.inspection.links import circuit_of, spelled_sentences, words_for
from nacbench.inspection.trained import TrainedRun

if TYPE_CHECKING:
    from torch import Tensor

    from nacbench.nn.network import Network


@dataclass(frozen=True)
class Shown:
    """One example as people see it.

    Attributes:
        kind: an image (height×width×channels, from 0 to 1), points (V×3), or pieces of text, one a token.
        content: that.
        grid: rows and columns of an image's tokens.
        title: label, prediction, and a sentence if there is one.
    """

    kind: Literal["image", "points", "text"]
    content: np.ndarray | Sequence[str]
    grid: tuple[int, int] | None
    title: str


@dataclass(frozen=True)
class Reading:
    """What a circuit looks at in some examples; see `nacbench.nac.flow.Flow`, with B for the examples.

    Attributes:
        examples: B of them.
        tokens: B×V, shares of the whole attention.
        reading: B×U×V.
        modules: (L+1)×U, links: L×U×U, readout: R×U: means over the examples.
    """

    examples: Sequence[Shown]
    tokens: np.ndarray
    reading: np.ndarray
    modules: np.ndarray
    links: np.ndarray
    readout: np.ndarray


def read(run: TrainedRun, data_root: Path, sentence: str | None = None, count: int = 3) -> Reading:
    """What a run's circuit looks at in some examples that are not the test's, one of each of the first classes.

    Args:
        run: of NAC.
        data_root: mirror of data sets.
        sentence: in place of the examples' own, where the circuit is made from one.
        count: examples.

    Raises:
        UserError: if the run has no circuit, or its task is not made of arrays of examples.
    """
    import torch

    from nacbench.nac.flow import attention_flow

    core = circuit_of(run)
    if not isinstance(run.task, ArrayTask):
        raise UserError(f"task {run.record.task} is not made of arrays of examples, so there is nothing to show")
    live = run.task.build(data_root, run.config.training)  # type: ignore[arg-type]  # a trained run's is a recipe
    split = live.splits.get("validation", live.splits["train"])
    positions = one_of_each_class(split.labels[split.indices], count)
    inputs, labels = split.take(positions)
    prepared = live.preparation.plain(inputs, 0)
    if sentence is not None:
        words = torch.from_numpy(words_for(run, sentence, data_root).astype(np.int64))
        prepared["sentence"] = words[:, : int((words > 0).sum())].expand(count, -1)
    with torch.no_grad():
        tokens = run.net.tokenizer(**prepared)
        circuit = core.circuit(tokens.condition, tokens.condition_mask) if core.conditional else core.circuit()
        flow = attention_flow(core, circuit, tokens.tokens, tokens.mask)
        predicted = run.net(**prepared).argmax(-1)
    titles = _titles(run, data_root, inputs, labels, predicted, sentence)
    shown = [_shown(run, prepared, index, title, tokens.tokens.shape[1]) for index, title in enumerate(titles)]
    return Reading(
        shown,
        flow.tokens.numpy(),
        flow.reading.numpy(),
        flow.modules.mean(1).numpy(),
        flow.links.mean(1).numpy(),
        flow.readout.mean(0).numpy(),
    )


def _titles(
    run: TrainedRun,
    data_root: Path,
    inputs: dict[str, Tensor],
    labels: Tensor,
    predicted: Tensor,
    sentence: str | None,
) -> list[str]:
    """What stands beside each example; a label belongs to its own sentence, and is left out with another one."""
    if sentence is not None:
        return [f"predicted {guess}" for guess in predicted.tolist()]
    pairs = zip(labels.tolist(), predicted.tolist(), strict=True)
    titles = [f"label {label}, predicted {guess}" for label, guess in pairs]
    if "sentences" not in inputs:
        return titles
    assert isinstance(run.task, ArrayTask)
    said = spelled_sentences(inputs["sentences"].numpy(), run.task.arrays(data_root).arrays["vocabulary"])
    return [f"{textwrap.fill(text, 24)}\n{title}" for text, title in zip(said, titles, strict=True)]


def one_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Positions of the first example of each class, class after class, then of the second, until there are enough."""
    order = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), dtype=np.int64)
    starts = np.searchsorted(labels[order], labels[order])
    rank[order] = np.arange(len(labels)) - starts
    return np.lexsort((labels, rank))[:count]


def _shown(run: TrainedRun, prepared: dict[str, Tensor], index: int, title: str, tokens: int) -> Shown:
    if "image" in prepared:
        image = prepared["image"][index].permute(1, 2, 0).numpy()
        image = (image - image.min()) / max(float(np.ptp(image)), 1e-9)
        return Shown("image", image, _grid(run.net), title)
    if "points" in prepared:
        return Shown("points", prepared["points"][index].numpy(), None, title)
    assert isinstance(run.task, SequenceTask)
    symbols = prepared["symbols"][index].numpy()
    spelled = run.task.spelled(symbols[symbols != 0])
    stride = run.task.stride
    pieces = ["".join(spelled[first : first + stride]) for first in range(0, len(spelled), stride)]
    return Shown("text", pieces[:tokens], None, title)


def _grid(net: Network) -> tuple[int, int]:
    from nacbench.data.images.tokenizer import ImageTokenizer

    tokenizer = next(part for part in net.tokenizer.modules() if isinstance(part, ImageTokenizer))
    rows, columns = tokenizer.position.shape[-2:]
    return rows, columns
