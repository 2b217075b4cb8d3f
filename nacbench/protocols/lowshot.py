"""Low-shot (few-shot) evaluation: fine-tune a trained network on k examples per class, over many episodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nacbench.contracts.numbers import Count, Seed
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Evaluation, EvaluationTask, Metrics
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.statistics import t_interval

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nacbench.contracts.model import Model
    from nacbench.data.live import Preparation
    from nacbench.nn.network import Network
    from nacbench.protocols.episodes import Episode, EpisodePool


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowShotTask(EvaluationTask):
    """Base class of low-shot tasks; a subclass defines which examples episodes are drawn from.

    The main metric is the mean accuracy over the numbers of shots. For each number of shots there is the mean over
    episodes with the half width of its 95 % t interval. The learning rate is chosen for each number of shots on search
    episodes, which share no example with scored queries; if the best one lies at an edge of those tried, more are
    tried beyond it. Steps, episodes, learning rates to begin with and the number of more are the same for every model.

    Attributes:
        adapt: parameters to fine-tune: ``all``, ``head`` (the last layer), or for NAC ``circuit`` (codes, signatures
            and read-out); or ``prototypes``, the nearest class mean of the network's features, with no fine-tuning.
        shots: values of k, the number of support examples per class; all are evaluated.
        ways: N, number of classes per episode.
        queries: number of query examples per class.
        episode_seed: seed of all episodes; models with the same value are compared on the same episodes.
    """

    modality: ClassVar[str] = "image"
    protocol: ClassVar[str] = "low-shot"
    keep_head: ClassVar[bool] = False

    adapt: Literal["all", "head", "circuit", "prototypes"] = "all"
    shots: tuple[Count, ...] = (1, 2, 4, 8, 16, 32)
    ways: Count = 10
    queries: Count = 15
    episode_seed: Seed = 0

    def __post_init__(self) -> None:
        if not self.shots or len(set(self.shots)) < len(self.shots):
            raise ValueError(f"task.shots = {list(self.shots)}: give one or more different numbers")
        if self.ways < 2:
            raise ValueError(f"task.ways = {self.ways}: an episode needs at least two classes")

    def options(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "shots": list(self.shots)}

    def unsuited(self, model: Model, spec: TaskSpec) -> str | None:
        if self.adapt == "all":
            return None
        import torch

        from nacbench.contracts.model import spec_for
        from nacbench.errors import RunSkippedError
        from nacbench.nn.network import Network, head_parameters
        from nacbench.protocols.adaptation import adaptable_parameters
        from nacbench.protocols.prototypes import last_layer

        told = spec_for(model, spec)
        head = head_parameters(model, told)
        with torch.device("meta"):  # no memory, no initialisation: only names are needed
            net = Network(torch.nn.Identity(), model.build(told), head=head)
        try:
            if self.adapt == "prototypes":
                last_layer(head)
            else:
                adaptable_parameters(net, self.adapt)
        except RunSkippedError as error:
            return str(error)
        return None

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return the mean accuracy over the numbers of shots, and the accuracy for each."""
        by_shots = {f"accuracy/{k}-shot": metrics[f"shots-{k}"]["accuracy"] for k in self.shots}
        return {"accuracy": fmean(by_shots.values()), **by_shots}

    def score_line(self, metrics: Metrics, sizes: Mapping[str, int]) -> str:
        by_shots = [
            f"{k}-shot {100 * own['accuracy']:.1f} ± {100 * own['half_width_95']:.1f}"
            for k in self.shots
            for own in [metrics[f"shots-{k}"]]
        ]
        score = 100 * metrics["test"]["accuracy"]
        return f"accuracy {score:.2f} %: {' · '.join(by_shots)} (95 % interval over episodes)"


class LowShot:
    """A `nacbench.contracts.task.ScoredTask` with a split ``shots-<k>`` for each number of shots.

    Args:
        task: the task, for its options.
        recipe: steps, learning rates and numbers of episodes.
        spec: spec of the training task.
        preparation: conversion from stored examples to the inputs of its tokenizer.
        scored: episodes that are scored.
        search: episodes for the learning-rate search.
        partial: what is missing of the data sets, as sentences.
    """

    def __init__(
        self,
        task: LowShotTask,
        recipe: AdaptRecipe,
        spec: TaskSpec,
        preparation: Preparation,
        scored: EpisodePool,
        search: EpisodePool,
        partial: Sequence[str] = (),
    ) -> None:
        self.spec = dataclasses.replace(spec, classes=task.ways)
        self.partial = partial
        self.split_sizes = {f"shots-{k}": recipe.episodes * task.ways * task.queries for k in task.shots}
        self._task = task
        self._recipe = recipe
        self._preparation = preparation
        self._scored = scored
        self._search = search

    notes: Sequence[str] = ()

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        """Choose the learning rate on search episodes, then adapt to and evaluate on every scored episode."""
        from nacbench.nn.network import Network
        from nacbench.protocols.episodes import digest

        assert isinstance(net, Network)
        shots = int(split.removeprefix("shots-"))
        episodes = [self._scored.episode(shots, i) for i in range(self._recipe.episodes)]
        rate, chosen = self._chosen(net, shots) if self._task.adapt != "prototypes" else (None, {})
        logits = [self._score(net, self._scored, episode, rate) for episode in episodes]
        return self._evaluation(logits, {"adapt": self._task.adapt, **chosen, "episodes": digest(episodes)})

    def _chosen(self, net: Network, shots: int) -> tuple[float, dict[str, Any]]:
        """Return the best learning rate on the search episodes, and how it was found, for the record."""
        from nacbench.protocols.episodes import digest
        from nacbench.protocols.grid import best_of, is_at_edge, search

        searched = [self._search.episode(shots, i) for i in range(self._recipe.search_episodes)]
        tried = search(
            self._recipe.rates,
            lambda rate: fmean(self._accuracy(net, episode, rate) for episode in searched),
            self._recipe.more_rates,
        )
        rate = best_of(tried)
        return rate, {
            "rate": rate,
            "rates_tried": {f"{r:g}": accuracy for r, accuracy in tried.items()},
            "rate_at_edge": is_at_edge(tried, rate),
            "steps": self._recipe.steps,
            "search_episodes": digest(searched),
        }

    def _evaluation(self, logits: list[torch.Tensor], details: dict[str, Any]) -> Evaluation:
        """Return metrics over all queries, with the half width of the 95 % t interval over episodes (not queries).

        Queries of one episode share a fine-tuned network, so they are not independent.
        """
        import numpy as np
        import torch

        from nacbench.data.classification import classification_scores

        ways, queries = self._task.ways, self._task.queries
        labels = torch.arange(ways).repeat_interleave(queries).repeat(len(logits))
        scored = classification_scores(torch.cat(logits), labels)
        hits = scored.predictions["prediction"] == scored.predictions["label"]
        by_episode = hits.reshape(len(logits), -1).mean(axis=1)
        episode = np.repeat(np.arange(len(logits), dtype=np.int32), ways * queries)
        return Evaluation(
            metrics={**scored.metrics, "half_width_95": t_interval(by_episode.tolist()).half_width},
            predictions={**scored.predictions, "episode": episode},
            details=details,
        )

    def _accuracy(self, net: Network, episode: Episode, rate: float) -> float:
        """Return the accuracy on a search episode for one learning rate; 0 if the network diverges with it."""
        import torch

        logits = self._score(net, self._search, episode, rate)
        if not torch.isfinite(logits).all():  # their largest has no meaning, and could be the right one by chance
            return 0.0
        labels = torch.arange(len(episode.classes)).repeat_interleave(episode.query.shape[1])
        return float((logits.argmax(-1) == labels).float().mean())

    def _score(self, net: Network, pool: EpisodePool, episode: Episode, rate: float | None) -> torch.Tensor:
        """Return the logits of an episode's queries, (N·queries)×N in order of classes, after adaptation.

        Support examples are not augmented.

        Args:
            net: the trained network.
            pool: where the episode is from.
            episode: the episode.
            rate: learning rate of the fine-tuning; None for prototypes.
        """
        import torch

        from nacbench.nn.kernels import kernels_with_gradients
        from nacbench.protocols.adaptation import adapt
        from nacbench.protocols.prototypes import Prototypes
        from nacbench.seeds import seed_for

        device = next(net.parameters()).device
        shots = episode.support.shape[1]
        inputs, _ = pool.support.take(episode.support.reshape(-1))
        prepared = {k: v.to(device) for k, v in self._preparation.plain(inputs, 0).items()}
        labels = torch.arange(len(episode.classes), device=device).repeat_interleave(shots)
        adapted: nn.Module
        if rate is None:
            adapted = Prototypes(net, prepared, labels, self._recipe.batch_size)
        else:
            # From the support, so that an episode is adapted in the same way for every learning rate and in any order
            seed = seed_for("adapt", *map(int, episode.support.reshape(-1)[:4]), shots)
            with kernels_with_gradients(device.type, self.spec.joined().max_tokens):
                adapted = adapt(net, self._task.adapt, prepared, labels, self._recipe, rate, seed)
        flat = episode.query.reshape(-1)
        logits = []
        for first in range(0, len(flat), self._recipe.batch_size):
            some, _ = pool.query.take(flat[first : first + self._recipe.batch_size])
            ready = {k: v.to(device) for k, v in self._preparation.plain(some, first).items()}
            logits.append(adapted(**ready).float().cpu())
        return torch.cat(logits)
