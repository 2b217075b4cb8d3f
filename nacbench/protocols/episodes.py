"""Episodes of the low-shot protocol: which classes, which examples to adapt to, which to score."""

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
    """One small task.

    Attributes:
        classes: N labels of the pool, in the order of the episode's own labels 0 … N - 1.
        support: examples to adapt to, as positions in their split: N × k.
        query: examples to score, as positions in theirs: N × queries.
    """

    classes: np.ndarray
    support: np.ndarray
    query: np.ndarray


class EpisodePool:
    """Draws episodes, each a pure function of (seed, index).

    Args:
        purpose: keeps the episodes that a learning rate is searched on apart from those that count.
        support: examples to adapt to.
        query: examples to score; if the same split as ``support``, an episode's support is left out of its query.
        ways: N, classes an episode.
        queries: scored examples a class.
        seed: of all episodes.
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
        """The index-th episode with so many examples a class.

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
                    f"class {label} has {len(pool)} examples to adapt to and then {len(rest)} to score, but {shots} "
                    f"and {self.queries} are asked for; set task.shots or task.queries lower"
                )
            support.append(pool[:shots])
            query.append(rest[: self.queries])
        return Episode(classes, np.stack(support), np.stack(query))


def digest(episodes: Iterable[Episode]) -> str:
    """Sixteen hexadecimal digits over everything that episodes consist of."""
    content = hashlib.sha256()
    for episode in episodes:
        for part in (episode.classes, episode.support, episode.query):
            content.update(np.ascontiguousarray(part, dtype=np.int64).tobytes())
    return content.hexdigest()[:16]


def by_class(split: Split) -> dict[int, np.ndarray]:
    """The positions in a split of each class's examples."""
    labels = split.labels[split.indices]
    return {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
