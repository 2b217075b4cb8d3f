"""Parametric shapes: point-cloud classification of generated objects of ten families (chairs, lamps …); no download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.numbers import Count
from nacbench.data.points.recipe import PointAugment, PointRecipe
from nacbench.data.points.task import PointTask

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.mirror.cache import Arrays

COUNTS = {"train": 4000, "validation": 500, "test": 1000}
SEEDS = {"train": 0, "validation": 1, "test": 2}
TURNED = PointAugment(turn=1.0, scale=0.15, shift=0.05, jitter=0.01)


@dataclass(frozen=True, kw_only=True)
class ParametricShapes(PointTask):
    """Objects are upright and rotated about the vertical axis at random; those for evaluation once, when generated."""

    title = "Parametric shapes"
    classes = 10
    class_names = ("chair", "table", "lamp", "cup", "bottle", "bed", "shelf", "stool", "sofa", "vase")
    licence = "CC0"
    citation = "made by nacbench"
    provenance = "generated: nacbench.data.points.shapes"
    stored = 1024
    presets = {
        "smoke": {"points": 128, "bands": 8, "highest_frequency": 16.0, "train_examples": 128, "test_examples": 64},
        "mini": {"points": 128, "bands": 16, "highest_frequency": 32.0},
        "paper": {},
    }
    recipes = {
        "smoke": PointRecipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": PointRecipe(
            epochs=4,
            batch_size=32,
            lr=1e-3,
            warmup_epochs=0.5,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=TURNED,
        ),
        "paper": PointRecipe(
            epochs=200,
            batch_size=128,
            lr=5e-4,
            warmup_epochs=5,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=TURNED,
        ),
    }

    points: Count = 1024

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.mirror.cache import cached_arrays

        return cached_arrays(
            "parametric-shapes", f"{COUNTS} {self.stored} {self.version}{self.use_stamp()}", self._generate
        )

    def _generate(self) -> dict[str, np.ndarray]:
        import numpy as np

        from nacbench.data.points.shapes import generate_some
        from nacbench.seeds import seed_for

        arrays: dict[str, np.ndarray] = {}
        for split, count in COUNTS.items():
            # shuffled: evenly spaced subsets could have few families
            order = np.random.default_rng(seed_for("parametric-shapes", "order", split)).permutation(count)
            angles = np.random.default_rng(seed_for("parametric-shapes", "turn", SEEDS[split])).uniform(
                0, 2 * np.pi, count
            )
            used = self.in_use(split, count)
            points, labels = generate_some(order[used].tolist(), self.stored, SEEDS[split])
            arrays |= {f"{split}_points": _turned(points, angles[used]), f"{split}_labels": labels}
        return arrays


def _turned(clouds: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotate each cloud of N×P×3 by its own angle (N, radians) about the vertical axis."""
    import numpy as np

    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y, z = np.moveaxis(clouds, -1, 0)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1).astype(np.float32)
