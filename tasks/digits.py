"""Handwritten digits: image classification, the 1,797 scans of 8×8 pixels in scikit-learn; no download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.images.task import ImageTask

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class Digits(ImageTask):
    title = "Digits"
    classes = 10
    class_names = tuple("0123456789")
    licence = "CC BY 4.0"
    citation = "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI, doi:10.24432/C50P49"
    provenance = "scikit-learn's load_digits; every sixth scan is test, the one before it validation"
    shape = (1, 8, 8)
    mean = (0.305,)
    std = (0.376,)
    presets = {
        "smoke": {"patch": 1, "stem_width": 16, "position_dim": 16},
        "mini": {"patch": 1, "stem_width": 32, "position_dim": 32},
        "paper": {"patch": 1},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=6, batch_size=32, lr=3e-3, warmup_epochs=1),
        "mini": ImageRecipe(
            epochs=20,
            batch_size=32,
            lr=2e-3,
            warmup_epochs=2,
            label_smoothing=0.1,
            ema=0.99,
            ema_warmup=True,
            selection="best-validation",
            evaluate_every=2,
        ),
        "paper": ImageRecipe(
            epochs=100,
            batch_size=64,
            lr=5e-4,
            warmup_epochs=5,
            label_smoothing=0.1,
            ema=0.99,
            ema_warmup=True,
            selection="best-validation",
            augment=ImageAugment(crop_padding=1, mixup=0.8, cutmix=1.0),
        ),
    }

    def arrays(self, data_root: Path) -> Arrays:
        from importlib.metadata import distribution

        from nacbench.data.mirror.cache import cached_arrays

        library = distribution("scikit-learn")
        folder = Path(str(library.locate_file("sklearn/datasets/data")))
        return cached_arrays("digits", f"scikit-learn {library.version}", _load, folder)


def _load() -> dict[str, np.ndarray]:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]  # stored as 0 to 16
    labels = digits.target.astype(np.int16)
    # A fixed split without random numbers, spread evenly over the file
    turn = np.arange(len(labels)) % 6
    parts = {"train": turn < 4, "validation": turn == 4, "test": turn == 5}
    arrays = {f"{name}_images": images[chosen] for name, chosen in parts.items()}
    return arrays | {f"{name}_labels": labels[chosen] for name, chosen in parts.items()}
