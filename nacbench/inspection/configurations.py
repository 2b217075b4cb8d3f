"""A t-SNE map of the circuits generated from sentences, and which attributes of sentences nearest neighbours share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nacbench.data.sentences.scene_language import BOXES, COLOURS, SHAPES
from nacbench.data.unreadable import unreadable_skipped
from nacbench.errors import UserError
from nacbench.inspection.links import circuits_of, sentence_task, spelled_sentences
from nacbench.inspection.resampled import Share, resampled
from nacbench.inspection.sentences import word_counts
from nacbench.inspection.trained import before_training

if TYPE_CHECKING:
    from nacbench.inspection.trained import TrainedRun

FEWEST = 10  # sentences of a map
NAMED = {"colour": COLOURS, "shape": SHAPES, "box": BOXES}  # words of both NLVR data sets, by what they name
NONE, SEVERAL = "none", "several"  # labels of sentences that name nothing of the kind, or more than one
SAME = 1e-6  # relative difference below which distances count as equal


@dataclass(frozen=True)
class Agreement:
    """Nearest-neighbour agreement: how often a sentence and its nearest neighbour have the same label, in [0, 1].

    Attributes:
        circuits: with distances (Euclidean) between link probabilities of the trained network.
        untrained: between those of the same network before training.
        words: between word counts of the sentences, without any network.
        chance: share of all pairs of sentences that have the same label.
    """

    circuits: Share
    untrained: Share
    words: Share
    chance: float


@dataclass(frozen=True)
class Configurations:
    """Circuits of N sentences.

    Attributes:
        points: N×2; similar circuits are near each other.
        attributes: label of each sentence, by attribute: the kind of statement (without kinds, whether it is true of
            its first picture), and what it names. Attributes of which all sentences have one label are left out.
        agreement: by attribute.
        sentences: decoded from the vocabulary of the run's task, N.
    """

    points: np.ndarray
    attributes: Mapping[str, Sequence[str]]
    agreement: Mapping[str, Agreement]
    sentences: Sequence[str]


def configurations(run: TrainedRun, data_root: Path, count: int = 400) -> Configurations:
    """Map the circuits of test sentences to two dimensions: t-SNE of their link probabilities.

    Args:
        run: a run with a conditional circuit.
        data_root: mirror of data sets.
        count: maximum number of distinct sentences, in the order of the test split.

    Raises:
        UserError: if the circuit is not conditional, or there are fewer than ten distinct sentences, or fewer are asked
            for.
    """
    from sklearn.manifold import TSNE

    task = sentence_task(run)
    if count < FEWEST:
        raise UserError(f"a map of {count} sentences says nothing; ask for {FEWEST} or more")
    with unreadable_skipped(run.config.skip_unreadable):
        arrays = task.arrays(data_root).arrays
    different, first = np.unique(np.asarray(arrays["test_sentences"]), axis=0, return_index=True)
    order = np.argsort(first)[:count]
    words, places = different[order], np.sort(first)[:count]
    if len(words) < FEWEST:
        raise UserError(
            f"the test split of {run.record.task} has {len(words)} different sentences; a map needs {FEWEST}"
        )
    links, before = circuits_of(run, words).links, circuits_of(before_training(run), words).links
    perplexity = min(30.0, (len(words) - 1) / 3)  # scikit-learn's default; it must be less than the number of points
    points = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(links)
    sentences = spelled_sentences(words, arrays["vocabulary"])
    found = {**_kinds(arrays, places), **{name: named(sentences, own) for name, own in NAMED.items()}}
    attributes = {name: labels for name, labels in found.items() if len(set(labels)) > 1}
    counted = word_counts(words, len(arrays["vocabulary"]))
    agreement = {
        name: Agreement(
            circuits=neighbours_agree(links, labels),
            untrained=neighbours_agree(before, labels),
            words=neighbours_agree(counted, labels),
            chance=_chance(labels),
        )
        for name, labels in attributes.items()
    }
    return Configurations(points, attributes, agreement, sentences)


def neighbours_agree(vectors: np.ndarray, labels: Sequence[str]) -> Share:
    """Return how often the nearest other vector (Euclidean) has the same label; of ties the share that has it.

    Args:
        vectors: N×F, N at least two.
        labels: N.
    """
    from scipy.spatial.distance import cdist

    apart = cdist(vectors, vectors)
    np.fill_diagonal(apart, np.inf)
    own = np.asarray(labels)
    nearest = apart <= apart.min(1, keepdims=True) * (1 + SAME)
    same = own[:, None] == own
    return resampled((nearest & same).sum(1) / nearest.sum(1))


def named(sentences: Iterable[str], words: Sequence[str]) -> list[str]:
    """Return which of these words each sentence has, also in the plural: one of them, ``none`` or ``several``."""
    found = []
    for sentence in sentences:
        own = {word.removesuffix("s") for word in sentence.split()}
        here = [word for word in words if word in own]
        found.append(SEVERAL if len(here) > 1 else here[0] if here else NONE)
    return found


def _kinds(arrays: Mapping[str, np.ndarray], places: np.ndarray) -> dict[str, list[str]]:
    """Return each sentence's kind of statement, if the data has kinds; otherwise whether it is true."""
    from nacbench.data.sentences.scenes import TOPICS

    if "test_topics" in arrays:
        return {"statement": [TOPICS[number] for number in np.asarray(arrays["test_topics"])[places]]}
    return {"answer": ["true" if label else "false" for label in np.asarray(arrays["test_labels"])[places]]}


def _chance(labels: Sequence[str]) -> float:
    own = np.asarray(labels)
    return float(((own[:, None] == own).sum() - len(own)) / (len(own) * (len(own) - 1)))
