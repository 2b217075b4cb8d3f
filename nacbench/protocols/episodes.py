"""N-way k-shot episodes for low-shot evaluation: sampled classes, support examples and query examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nacbench.errors import UserError
from nacbench.seeds import seed_for

if TYPE_CHECKING:
    from nacbench.data.live import Split


@dataclass(frozen=True)
class Episode:
    """An N-way k-shot classification problem.

    Attributes:
        classes: N labels of the data set; position i is class i of the episode.
        support: examples to fine-tune on, as positions in the support split, N×k.
        query: examples to evaluate, as positions in the query split, N×queries.
    """

    classes: np.ndarray
    support: np.ndarray
    query: np.ndarray


class EpisodePool:
    """Sampler of episodes; each episode is a pure function of (seed, purpose, shots, index).

    Args:
        purpose: part of the seed: episodes for the learning-rate search are not those that are scored.
        support: split of support examples.
        query: split of query examples; if it is ``support`` itself, an episode's support is excluded from its query.
        ways: N, number of classes per episode.
        queries: number of query examples per class.
        seed: seed of all episodes.
    """

    def __init__(self, purpose: str, support: Split, query: Split, ways: int, queries: int, seed: int) -> None:
        self.support = support
        self.query = query
        self.ways = ways
        self.queries = queries
        self._purpose = purpose
        self._seed = seed
        self._shared = support is query
        self._support_of = by_class(support)
        self._query_of = self._support_of if self._shared else by_class(query)

    def episode(self, shots: int, index: int) -> Episode:
        """Return one episode.

        Args:
            shots: k, number of support examples per class.
            index: number of the episode, from 0.

        Raises:
            UserError: if there are not enough classes or examples.
        """
        rng = np.random.default_rng(seed_for(self._seed, "episode", self._purpose, shots, index))
        if self.ways > len(self._support_of):
            raise UserError(f"task.ways = {self.ways}: there are only {len(self._support_of)} classes to draw from")
        classes = rng.choice(np.array(sorted(self._support_of)), self.ways, replace=False)
        support, query = [], []
        for label in classes:
            pool = rng.permutation(self._support_of[int(label)])
            rest = pool[shots:] if self._shared else rng.permutation(self._query_of.get(int(label), pool[:0]))
            if len(pool) < shots or len(rest) < self.queries:
                raise UserError(
                    f"class {label} has {len(pool)} support examples and {len(rest)} left for queries, but {shots} and "
                    f"{self.queries} are needed; set task.shots or task.queries lower"
                )
            support.append(pool[:shots])
            query.append(rest[: self.queries])
        return Episode(classes, np.stack(support), np.stack(query))


def digest(episodes: Iterable[Episode]) -> str:
    """Return a digest of episodes, sixteen hexadecimal digits, to show that models were compared on the same ones."""
    content = hashlib.sha256()
    for episode in episodes:
        for part in (episode.classes, episode.support, episode.query):
            content.update(np.ascontiguousarray(part, dtype=np.int64).tobytes())
    return content.hexdigest()[:16]


def by_class(split: Split) -> dict[int, np.ndarray]:
    """Return the positions of the examples of each class in a split."""
    labels = split.labels[split.indices]
    return {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
