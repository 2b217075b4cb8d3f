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
from nacbench.seeds import seed_for

if TYPE_CHECKING:
    from nacbench.inspection.trained import TrainedRun

RESAMPLES = 2000  # bootstrap samples
Pair = tuple[str, str]


@dataclass(frozen=True)
class Nearness:
    """How often a sentence's circuit is nearer to its paraphrase's circuit than to another sentence's.

    Attributes:
        share: of all comparisons, in [0, 1]; 0.5 by chance.
        low, high: ends of the 95 % bootstrap interval over sentences.
        sentences: number of sentences, each compared with its paraphrase and all others.
    """

    share: float
    low: float
    high: float
    sentences: int


@dataclass(frozen=True)
class Check:
    """Results of both checks.

    Attributes:
        links, codes: nearness by link probabilities, and by codes.
        accuracy: on validation examples (training examples if there are none), with their own sentences.
        shuffled: on the same examples, each with another example's sentence.
        examples: number of examples.
    """

    links: Nearness
    codes: Nearness
    accuracy: float
    shuffled: float
    examples: int


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
    ours, theirs = circuits_of(run, first[known]), circuits_of(run, second[known])
    accuracy, shuffled, count = _accuracies(run, data_root, examples)
    return Check(nearness(ours.links, theirs.links), nearness(ours.codes, theirs.codes), accuracy, shuffled, count)


def nearness(first: np.ndarray, second: np.ndarray) -> Nearness:
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
    # Resample sentences, not comparisons: the N - 1 comparisons of a sentence share its circuit
    rng = np.random.default_rng(0)
    means = wins[rng.integers(len(wins), size=(RESAMPLES, len(wins)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Nearness(float(wins.mean()), float(low), float(high), len(wins))


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
