"""Low-shot Omniglot: N-way k-shot classification of characters from alphabets that are not in the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.contracts.numbers import Count
from nacbench.contracts.task import DataFiles, ScoredTask, Task
from nacbench.protocols.lowshot import LowShot, LowShotTask
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.protocols.shortages import trained_shortages
from nacbench.tasks.omniglot import Omniglot


@dataclass(frozen=True, kw_only=True)
class LowshotOmniglot(LowShotTask):
    """Each character has 20 drawings, so the largest number of shots is 16, with four drawings as queries.

    The learning rate is chosen on an alphabet that is neither trained on nor scored.
    """

    title = "Low-shot Omniglot"
    classes = 20
    licence = Omniglot.licence
    citation = Omniglot.citation
    provenance = Omniglot.provenance
    trained_on = "omniglot"
    presets = {
        "smoke": {"shots": (1, 2), "ways": 5, "queries": 2},
        "mini": {"shots": (1, 4, 16)},
        "paper": {},
    }
    recipes = {
        "smoke": AdaptRecipe(batch_size=16, steps=2, rates=(1e-3, 3e-3), more_rates=1, episodes=2, search_episodes=1),
        "mini": AdaptRecipe(batch_size=32, steps=100, rates=(1e-3, 3e-3), episodes=6, search_episodes=2),
        "paper": AdaptRecipe(batch_size=64, steps=200, rates=(3e-4, 1e-3, 3e-3), episodes=200, search_episodes=20),
    }

    shots: tuple[Count, ...] = (1, 2, 4, 8, 16)
    ways: Count = 20
    queries: Count = 4

    def data_files(self) -> Sequence[DataFiles]:
        return (Omniglot.files,)

    def fingerprint(self, data_root: Path) -> str:
        return Omniglot().fingerprint(data_root)

    def build_on(self, trained: Task, data_root: Path, settings: AdaptRecipe) -> ScoredTask:
        from nacbench.data.live import Split
        from nacbench.protocols.episodes import EpisodePool

        assert isinstance(trained, Omniglot)
        arrays = trained.arrays(data_root).arrays
        novel, other = (
            Split({"images": arrays[f"{part}_images"]}, arrays[f"{part}_labels"]) for part in ("novel", "search")
        )
        scored = EpisodePool("scored", novel, novel, self.ways, self.queries, self.episode_seed)
        ways = min(self.ways, int(other.labels.max()) + 1)
        search = EpisodePool("search", other, other, ways, self.queries, self.episode_seed)
        spec = trained.found_spec(arrays)
        preparation = trained.preparation(trained.recipes["paper"], spec)
        return LowShot(self, settings, spec, preparation, scored, search, trained_shortages(trained, arrays))
