"""Link probabilities of a finished run's circuit: its graph, how well it fits its prior, its change with a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nacbench.data.array_task import ArrayTask
from nacbench.data.sentences.words import UNKNOWN, encode, words_of
from nacbench.data.unreadable import unreadable_skipped
from nacbench.errors import UserError
from nacbench.inspection.trained import TrainedRun

if TYPE_CHECKING:
    from nacbench.nac.executor import NeuralAttentiveCircuit
    from nacbench.nac.generator import Circuit


@dataclass(frozen=True)
class Links:
    """Link probabilities of one circuit.

    Attributes:
        processor: U×U (row: receiver).
        readout: R×U.
        prior: name of the graph prior that the run was trained with, or ``none``.
        target: the prior's graphon U×U, or None.
    """

    processor: np.ndarray
    readout: np.ndarray
    prior: str
    target: np.ndarray | None

    @property
    def degrees(self) -> np.ndarray:
        """Expected number of other processor modules that each module receives from, U."""
        degrees: np.ndarray = self.processor.sum(1) - np.diag(self.processor)
        return degrees


def circuit_of(run: TrainedRun) -> NeuralAttentiveCircuit:
    """Return the NAC of a run's network.

    Raises:
        UserError: if the run's model is not NAC.
    """
    from nacbench.nac.executor import NeuralAttentiveCircuit

    if not isinstance(run.net.core, NeuralAttentiveCircuit):
        raise UserError(f"run {run.record.run_id} is of {run.record.model}, which has no circuit; name a run of nac")
    return run.net.core


def learned_links(run: TrainedRun) -> Links:
    """Return the links of an unconditional circuit.

    Raises:
        UserError: if the circuit is conditional.
    """
    core = circuit_of(run)
    if core.conditional:
        raise UserError(f"run {run.record.run_id} makes a circuit from each sentence; name one with --condition")
    return _links(run, core.circuit())


@dataclass(frozen=True)
class PriorFit:
    """Comparison of a trained circuit's graph with that of the same network before training.

    Attributes:
        trained, untrained: the prior's loss after and before training (mean squared error between graphon and matched
            link probabilities); NaN without a prior.
        nearest: the lowest loss that signatures can reach (see `nacbench.nac.priors.nearest_loss`); NaN without one.
        degree_shift: Kolmogorov–Smirnov statistic between the degrees before and after training.
        p: two-sided p-value of that statistic (``scipy.stats.ks_2samp``).
    """

    trained: float
    untrained: float
    nearest: float
    degree_shift: float
    p: float

    @property
    def way(self) -> float:
        """Share of the reachable improvement that training made: 0 for the untrained graph, 1 for the nearest one."""
        return (self.untrained - self.trained) / (self.untrained - self.nearest)


def prior_fit(run: TrainedRun) -> PriorFit:
    """Compare a run's graph with its untrained graph and its prior; of a conditional circuit, the learned base."""
    import torch
    from scipy.stats import ks_2samp

    from nacbench.inspection.trained import untrained
    from nacbench.nac.kernel import mean_degrees
    from nacbench.nac.priors import GraphPrior, nearest_loss

    core = circuit_of(run)
    before = untrained(run.config, run.record.data.classes).core
    assert isinstance(before, type(core))
    with torch.no_grad():
        degrees = [mean_degrees(own.log_links(own.learned())[0].exp()).numpy() for own in (core, before)]
    losses = [math.nan] * 3
    options = run.config.model.options
    if core.prior is not None:
        kind, clusters, outside = options["prior"], int(options["prior_clusters"]), float(options["prior_outside"])
        prior = GraphPrior(kind, core.module_count, clusters, outside=outside)
        signatures = [own.learned.processor.signatures.detach() for own in (core, before)]
        with torch.no_grad():
            losses = [float(prior(own)) for own in signatures]
        losses.append(nearest_loss(kind, core.module_count, clusters, signatures[0].shape[1], outside))
    test = ks_2samp(degrees[0], degrees[1])
    trained, start, nearest = losses
    return PriorFit(trained, start, nearest, float(test.statistic), float(test.pvalue))


def links_for(run: TrainedRun, sentence: str, data_root: Path) -> Links:
    """Return the links of the circuit for a sentence.

    Raises:
        UserError: if the run's circuit is not conditional, or no word of the sentence is in its vocabulary.
    """
    return _links(run, _circuit(run, words_for(run, sentence, data_root)), first=True)


def words_for(run: TrainedRun, sentence: str, data_root: Path) -> np.ndarray:
    """Encode a sentence as word numbers 1×W.

    Raises:
        UserError: if the run's circuit is not conditional, or no word of the sentence is in its vocabulary.
    """
    task = sentence_task(run)
    with unreadable_skipped(run.config.skip_unreadable):
        vocabulary = task.arrays(data_root).arrays["vocabulary"]
    words = encode([sentence], vocabulary, task.spec().condition_tokens)
    if not (words > UNKNOWN).any():
        named = ", ".join(words_of(sentence))
        problem = f"none of {named} is known to the run's task" if named else "there is no word in it"
        raise UserError(f"{sentence!r}: {problem}")
    return words


def unknown_words(run: TrainedRun, sentence: str, data_root: Path) -> list[str]:
    """Return the words of a sentence, without punctuation, that are not in the vocabulary of the run's task.

    They are all encoded as the same unknown word.

    Raises:
        UserError: if the run's circuit is not conditional.
    """
    with unreadable_skipped(run.config.skip_unreadable):
        vocabulary = sentence_task(run).arrays(data_root).arrays["vocabulary"]
    known = {word.decode() for word in vocabulary}
    return [word for word in dict.fromkeys(words_of(sentence)) if word.isalnum() and word not in known]


def words_cut(run: TrainedRun, sentence: str) -> list[str]:
    """Return the words of a sentence beyond as many as the run's task takes.

    Raises:
        UserError: if the run's circuit is not conditional.
    """
    return words_of(sentence)[sentence_task(run).spec().condition_tokens :]


@dataclass(frozen=True)
class Circuits:
    """Circuits of N sentences as flat vectors: link probabilities N×(U·U + R·U), and codes N×((2·U + R)·Z)."""

    links: np.ndarray
    codes: np.ndarray


def circuits_of(run: TrainedRun, words: np.ndarray) -> Circuits:
    """Return the circuits for sentences given as word numbers N×W."""
    import torch

    links, codes = [], []
    # A hundred at a time, to bound memory: a circuit has U×U links
    for begin in range(0, len(words), 100):
        circuit = _circuit(run, words[begin : begin + 100])
        with torch.no_grad():
            processor, readout = circuit_of(run).log_links(circuit)
        links.append(torch.cat([processor.flatten(1), readout.flatten(1)], dim=1).exp())
        parts = (circuit.read_in_codes, circuit.processor_codes, circuit.readout_codes)
        codes.append(torch.cat([part.flatten(1) for part in parts], dim=1))
    return Circuits(torch.cat(links).numpy(), torch.cat(codes).numpy())


def _circuit(run: TrainedRun, words: np.ndarray) -> Circuit:
    import torch

    from nacbench.data.sentences.tokenizer import SentenceImageTokenizer

    tokenizer = run.net.tokenizer
    assert isinstance(tokenizer, SentenceImageTokenizer)
    longest = int((words > 0).sum(1).max())
    with torch.no_grad():
        tokens = tokenizer.sentence(torch.from_numpy(words[:, :longest].astype(np.int64)))
        circuit: Circuit = circuit_of(run).circuit(tokens.tokens + tokenizer.kind[1], tokens.mask)
    return circuit


def _links(run: TrainedRun, circuit: Circuit, *, first: bool = False) -> Links:
    import torch

    from nacbench.nac.priors import graphon

    core = circuit_of(run)
    with torch.no_grad():
        processor, readout = (links.exp().numpy() for links in core.log_links(circuit))
    if first:
        processor, readout = processor[0], readout[0]
    options = run.config.model.options
    prior = str(options.get("prior", "none"))
    target = None
    if prior != "none":
        clusters, outside = int(options["prior_clusters"]), float(options["prior_outside"])
        target = graphon(prior, len(processor), clusters, outside).numpy()  # type: ignore[arg-type]
    return Links(processor, readout, prior, target)


def sentence_task(run: TrainedRun) -> ArrayTask:
    """Return the task of a run with a conditional circuit.

    Raises:
        UserError: if the circuit does not depend on a sentence.
    """
    if not circuit_of(run).conditional or not isinstance(run.task, ArrayTask):
        raise UserError(
            f"run {run.record.run_id} of {run.record.task} has one circuit, which no sentence changes; name a run of a "
            "task with sentences, such as nlvr-synthetic"
        )
    return run.task


def spelled_sentences(words: np.ndarray, vocabulary: np.ndarray) -> list[str]:
    """Decode word numbers N×W to text."""
    names = ["", "?", *(word.decode() for word in vocabulary)]
    return [" ".join(names[number] for number in row if number) for row in words.tolist()]
