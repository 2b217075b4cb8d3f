"""Attention maps of a trained circuit on examples: what each module reads, and attention rollout to the prediction."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from nacbench.data.array_task import ArrayTask
from nacbench.data.sampling import evenly_spaced
from nacbench.data.sequences.task import SequenceTask
from nacbench.data.unreadable import unreadable_skipped
from nacbench.errors import UserError
from nacbench.formats.escape import figure_text
from nacbench.inspection.links import circuit_of, spelled_sentences, words_for
from nacbench.inspection.trained import TrainedRun

if TYPE_CHECKING:
    from torch import Tensor

    from nacbench.nn.network import Network


@dataclass(frozen=True)
class Shown:
    """One example, ready for drawing.

    Attributes:
        kind: ``image``, ``points`` or ``text``.
        content: an image height×width×channels in [0, 1], points V×3, or pieces of text, one per token.
        grid: rows and columns of an image's tokens; None for the other kinds.
        title: label, prediction, and the sentence if there is one; escaped for a figure.
    """

    kind: Literal["image", "points", "text"]
    content: np.ndarray | Sequence[str]
    grid: tuple[int, int] | None
    title: str


@dataclass(frozen=True)
class Reading:
    """Attention of a circuit on B examples; see `nacbench.nac.flow.Flow`.

    Attributes:
        examples: the B examples.
        tokens: share of every token in the prediction, B×V.
        reading: attention of every module over the tokens, B×U×V.
        modules: (L+1)×U, mean over the examples.
        links: L×U×U, mean over the examples.
        readout: R×U, mean over the examples.
    """

    examples: Sequence[Shown]
    tokens: np.ndarray
    reading: np.ndarray
    modules: np.ndarray
    links: np.ndarray
    readout: np.ndarray


def read(run: TrainedRun, data_root: Path, sentence: str | None = None, count: int = 3) -> Reading:
    """Compute the attention of a run's circuit on validation (or training) examples of different classes.

    Args:
        run: a run of NAC.
        data_root: mirror of data sets.
        sentence: replaces the examples' sentences, if the circuit is conditional.
        count: number of examples.

    Raises:
        UserError: if the run has no circuit, or its task does not consist of arrays of examples.
    """
    import torch

    from nacbench.nac.flow import attention_flow

    core = circuit_of(run)
    if not isinstance(run.task, ArrayTask):
        raise UserError(
            f"run {run.record.run_id}: task {run.record.task} has no arrays of examples to show; "
            "name a run of the task that its network was trained on"
        )
    with unreadable_skipped(run.config.skip_unreadable):
        live = run.task.build(data_root, run.config.training)  # type: ignore[arg-type]  # a trained run's is a recipe
    split = live.splits.get("validation", live.splits["train"])  # test examples are for scoring only
    stored = split.labels[split.indices]
    positions = one_of_each_class(stored, count) if stored.ndim == 1 else evenly_spaced(len(split), count)
    inputs, labels = split.take(positions)
    prepared = live.preparation.plain(inputs, 0)
    if sentence is not None:
        words = torch.from_numpy(words_for(run, sentence, data_root).astype(np.int64))
        prepared["sentence"] = words[:, : int((words > 0).sum())].expand(count, -1)
    with torch.no_grad():
        tokens = run.net.tokenizer(**prepared)
        circuit = core.circuit(tokens.condition, tokens.condition_mask) if core.conditional else core.circuit()
        flow = attention_flow(core, circuit, tokens.tokens, tokens.mask)
        predicted = live.objective.answers(run.net(**prepared))
    titles = _titles(run, data_root, inputs, live.objective.right(labels), predicted, sentence)
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
    labels: list[str],
    predicted: list[str],
    sentence: str | None,
) -> list[str]:
    """Return each example's title; without its label if the sentence was replaced, since the label is the old one's."""
    if sentence is not None:
        return [f"predicted {guess}" for guess in predicted]
    pairs = zip(labels, predicted, strict=True)
    titles = [f"label {label}, predicted {guess}" for label, guess in pairs]
    if "sentences" not in inputs:
        return titles
    assert isinstance(run.task, ArrayTask)
    with unreadable_skipped(run.config.skip_unreadable):
        said = spelled_sentences(inputs["sentences"].numpy(), run.task.arrays(data_root).arrays["vocabulary"])
    told = [textwrap.fill(figure_text(text, 200), 24) for text in said]
    return [f"{text}\n{title}" for text, title in zip(told, titles, strict=True)]


def one_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of ``count`` examples: the first of each class, then the second of each class, and so on."""
    order = np.argsort(labels, kind="stable")  # stable: NumPy's default sort may reorder examples of a class
    rank = np.empty(len(labels), dtype=np.int64)
    starts = np.searchsorted(labels[order], labels[order])
    rank[order] = np.arange(len(labels)) - starts
    return np.lexsort((labels, rank))[:count]


def _shown(run: TrainedRun, prepared: dict[str, Tensor], index: int, title: str, tokens: int) -> Shown:
    if "image" in prepared:
        image = prepared["image"][index].permute(1, 2, 0).numpy()
        image = (image - image.min()) / max(float(np.ptp(image)), 1e-9)  # undoes the normalisation, up to contrast
        return Shown("image", image, _grid(run.net), title)
    if "points" in prepared:
        return Shown("points", prepared["points"][index].numpy(), None, title)
    if not isinstance(run.task, SequenceTask):  # a modality of a plug-in: its tokens have numbers only
        return Shown("text", [f"{number} " for number in range(tokens)], None, title)
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
