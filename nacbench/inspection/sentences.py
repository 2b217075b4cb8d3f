"""Whether a circuit that is made from a sentence depends on what the sentence means: two checks with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.sentences.words import UNKNOWN, encode
from nacbench.errors import UserError
from nacbench.inspection.links import circuits_of, sentence_task
from nacbench.seeds import seed_for

if TYPE_CHECKING:
    from nacbench.inspection.trained import TrainedRun

RESAMPLES = 2000
Pair = tuple[str, str]


@dataclass(frozen=True)
class Nearness:
    """How often a sentence's circuit is nearer to that of its paraphrase than to that of another sentence.

    Attributes:
        share: of all such comparisons, a half by chance.
        low, high: ends of its 95 % interval, by the bootstrap over sentences.
        sentences: that were compared, each with its paraphrase and with every other sentence.
    """

    share: float
    low: float
    high: float
    sentences: int


@dataclass(frozen=True)
class Check:
    """The outcome of both checks.

    Attributes:
        links, codes: nearness in what the circuit's modules are linked to, and in what they compute.
        accuracy: on validation examples (where there are none, on training examples), each with its own sentence.
        shuffled: on the same, each with the sentence of another one.
        examples: how many.
    """

    links: Nearness
    codes: Nearness
    accuracy: float
    shuffled: float
    examples: int


def check(run: TrainedRun, data_root: Path, pairs: Sequence[Pair], examples: int = 2000) -> Check:
    """Compare circuits of paraphrases with those of other sentences, and accuracy with and without the right sentence.

    Args:
        run: of a conditional circuit.
        data_root: mirror of data sets.
        pairs: sentences with their paraphrases; no two pairs mean the same.
        examples: for the accuracies.

    Raises:
        UserError: if the circuit does not depend on a sentence, or there are fewer than three pairs of known words.
    """
    task = sentence_task(run)
    vocabulary = task.arrays(data_root).arrays["vocabulary"]
    longest = task.spec().condition_tokens
    first, second = (encode([pair[side] for pair in pairs], vocabulary, longest) for side in (0, 1))
    known = (first > UNKNOWN).any(1) & (second > UNKNOWN).any(1)
    if known.sum() < 3:
        raise UserError(f"{int(known.sum())} pairs of sentences have a word that the run's task knows; give at least 3")
    ours, theirs = circuits_of(run, first[known]), circuits_of(run, second[known])
    accuracy, shuffled, count = _accuracies(run, data_root, examples)
    return Check(nearness(ours.links, theirs.links), nearness(ours.codes, theirs.codes), accuracy, shuffled, count)


def nearness(first: np.ndarray, second: np.ndarray) -> Nearness:
    """How often the distance to the partner is smaller than to another one's; ties count as half.

    Args:
        first: N×F, something of each sentence's circuit.
        second: N×F, of its paraphrase's.
    """
    from scipy.spatial.distance import cdist

    apart = cdist(first, second)
    own = np.diag(apart)[:, None]
    others = ~np.eye(len(apart), dtype=bool)
    wins = np.where(others, (apart > own) + 0.5 * (apart == own), 0.0).sum(1) / (len(apart) - 1)
    rng = np.random.default_rng(0)
    means = wins[rng.integers(len(wins), size=(RESAMPLES, len(wins)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Nearness(float(wins.mean()), float(low), float(high), len(wins))


def made_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Statements of synthetic NLVR, each said in two ways; all of them mean something else.

    Args:
        count: at most so many, evenly over the forms of statements.
        seed: of the draw.
    """
    from nacbench.data.sentences.scenes import FORMS

    rng = np.random.default_rng(seed_for("paraphrases", seed))
    forms = list(dict.fromkeys(FORMS))
    pairs: dict[str, Pair] = {}
    for number in range(20 * count):
        statement, _ = forms[number % len(forms)](rng)
        plain, other = statement.sentences()
        pairs.setdefault(plain, (plain, other))
        if len(pairs) == count:
            break
    return list(pairs.values())


def read_pairs(path: Path) -> list[Pair]:
    """Pairs from a text file: a sentence, a tab and its paraphrase in each line.

    Raises:
        UserError: naming the file and the line that is not like that.
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
            raise UserError(
                f"{path}, line {number}: a sentence, a tab and its paraphrase are wanted, not {line[:60]!r}"
            )
        pairs.append((parts[0], parts[1]))
    return pairs


def _accuracies(run: TrainedRun, data_root: Path, examples: int) -> tuple[float, float, int]:
    import torch

    from nacbench.data.classification import classification_scores
    from nacbench.data.live import Split, score

    recipe: Any = run.config.training
    live = sentence_task(run).build(data_root, recipe)
    split = live.splits.get("validation", live.splits["train"]).spread(examples)
    own = {name: np.asarray(array[split.indices]) for name, array in split.inputs.items()}
    # every example gets the sentence of one half the split away: whatever order they come in, it is another one's
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
