"""Do conditional circuits depend on the sentence's meaning? Two checks: paraphrases, and shuffled sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.sentences.words import UNKNOWN, encode
from nacbench.data.unreadable import unreadable_skipped
from nacbench.errors import UserError
from nacbench.inspection.links import circuits_of, sentence_task
from nacbench.inspection.resampled import Share, resampled
from nacbench.inspection.trained import before_training
from nacbench.seeds import seed_for

if TYPE_CHECKING:
    from nacbench.inspection.trained import TrainedRun

Pair = tuple[str, str]


@dataclass(frozen=True)
class Check:
    """Results of both checks.

    Attributes:
        links, codes: how often the circuit of a paraphrase is nearer than that of another sentence, by link
            probabilities and by codes; half of the time by chance.
        untrained_links, untrained_codes: the same before training, as paraphrases share words.
        words: the same by how often each word occurs in the sentences, without any network.
        accuracy: on validation examples (training examples if there are none), with their own sentences.
        shuffled: on the same examples, each with another example's sentence.
        examples: number of examples.
        left_out: number of pairs of which a sentence has no word of the task's vocabulary.
    """

    links: Share
    codes: Share
    untrained_links: Share
    untrained_codes: Share
    words: Share
    accuracy: float
    shuffled: float
    examples: int
    left_out: int = 0


def check(run: TrainedRun, data_root: Path, pairs: Sequence[Pair], examples: int = 2000) -> Check:
    """Compare circuits of paraphrases with those of other sentences, and accuracy with right and shuffled sentences.

    Args:
        run: a run with a conditional circuit.
        data_root: mirror of data sets.
        pairs: sentences with their paraphrases; different pairs have different meanings.
        examples: maximum number of examples for the accuracies.

    Raises:
        UserError: if the circuit is not conditional, or fewer than three pairs have words of the task's vocabulary.
    """
    task = sentence_task(run)
    with unreadable_skipped(run.config.skip_unreadable):
        vocabulary = task.arrays(data_root).arrays["vocabulary"]
    longest = task.spec().condition_tokens
    first, second = (encode([pair[side] for pair in pairs], vocabulary, longest) for side in (0, 1))
    known = (first > UNKNOWN).any(1) & (second > UNKNOWN).any(1)
    if known.sum() < 3:
        raise UserError(
            f"{int(known.sum())} pairs of sentences have words of the vocabulary of {run.record.task}; at least 3 are "
            "needed"
        )
    accuracy, shuffled, count = _accuracies(run, data_root, examples)
    pair = first[known], second[known]
    (links, codes), before = _nearness(run, *pair), _nearness(before_training(run), *pair)
    near = links, codes, *before, nearness(*(word_counts(words, len(vocabulary)) for words in pair))
    return Check(*near, accuracy, shuffled, count, left_out=int((~known).sum()))


def _nearness(run: TrainedRun, first: np.ndarray, second: np.ndarray) -> tuple[Share, Share]:
    """Return nearness by link probabilities and by codes."""
    ours, theirs = circuits_of(run, first), circuits_of(run, second)
    return nearness(ours.links, theirs.links), nearness(ours.codes, theirs.codes)


def word_counts(words: np.ndarray, vocabulary: int) -> np.ndarray:
    """Return how often each word occurs in a sentence (bag of words).

    Args:
        words: word numbers N×W, padded with 0.
        vocabulary: number of known words V.

    Returns:
        N×(V+2), by word number: column 0, of the padding, is 0, column 1 has unknown words.
    """
    counts = np.zeros((len(words), vocabulary + UNKNOWN + 1))
    np.add.at(counts, (np.arange(len(words))[:, None], words), words > 0)
    return counts


def nearness(first: np.ndarray, second: np.ndarray) -> Share:
    """Return how often the distance to one's partner is smaller than to another's partner; ties count as half.

    Args:
        first: N×F, a vector of each sentence's circuit.
        second: N×F, the same of its paraphrase's circuit.
    """
    from scipy.spatial.distance import cdist

    apart = cdist(first, second)
    own = np.diag(apart)[:, None]
    others = ~np.eye(len(apart), dtype=bool)
    wins = np.where(others, (apart > own) + 0.5 * (apart == own), 0.0).sum(1) / (len(apart) - 1)
    return resampled(wins)  # sentences, not comparisons: the N - 1 of a sentence share its circuit


def made_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Generate pairs of paraphrases from synthetic NLVR; different pairs have different meanings.

    Args:
        count: maximum number of pairs, spread evenly over the forms of statements.
        seed: of the random numbers.
    """
    from nacbench.data.sentences.scenes import FORMS

    rng = np.random.default_rng(seed_for("paraphrases", seed))
    forms = list(dict.fromkeys(FORMS))
    pairs: dict[str, Pair] = {}
    for number in range(20 * count):  # bounded, since some forms have fewer different statements than asked for
        statement, _ = forms[number % len(forms)](rng)
        plain, other = statement.sentences()
        pairs.setdefault(plain, (plain, other))
        if len(pairs) == count:
            break
    return list(pairs.values())


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs from a text file: on each line a sentence, a tab and its paraphrase; blank lines are skipped.

    Raises:
        UserError: if the file cannot be read, or a line has another format; names the file and the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise UserError(f"{path}, line {number}: expected a sentence, a tab and its paraphrase, not {line[:60]!r}")
        pairs.append((parts[0], parts[1]))
    return pairs


def _accuracies(run: TrainedRun, data_root: Path, examples: int) -> tuple[float, float, int]:
    import torch

    from nacbench.data.classification import classification_scores
    from nacbench.data.live import Split, score

    recipe: Any = run.config.training
    with unreadable_skipped(run.config.skip_unreadable):
        live = sentence_task(run).build(data_root, recipe)
    split = live.splits.get("validation", live.splits["train"]).spread(examples)
    own = {name: np.asarray(array[split.indices]) for name, array in split.inputs.items()}
    # Rolling by half the split gives every example another one's sentence (a permutation could leave some in place). In
    # random order, because neighbours in a split often share their sentence.
    order = np.random.default_rng(0).permutation(len(split))
    partner = np.empty(len(split), dtype=np.int64)
    partner[order] = np.roll(order, len(order) // 2)
    other = {**own, "sentences": own["sentences"][partner]}
    labels = split.labels[split.indices]
    found = []
    with torch.no_grad():
        for inputs in (own, other):
            logits = score(run.net, Split(inputs, labels), live.preparation, recipe.batch_size)
            found.append(classification_scores(*logits).metrics["accuracy"])
    return found[0], found[1], len(split)
