"""Reference plug-ins: a task of synthetic images, for checks and for counting parameters, and a minimal model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import SCALES, Task
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.registry import TASKS

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class ReferenceImages(ImageTask):
    """Synthetic colour images of 32×32 pixels in ten classes; 16 tokens at the default patch size."""

    title = "32×32 colour images in ten classes"
    classes = 10
    licence = "CC0"
    citation = "made by nacbench"
    provenance = "noise around one random image for each class"
    shape = (3, 32, 32)
    mean = (0.5, 0.5, 0.5)
    std = (0.25, 0.25, 0.25)
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16},
        "mini": {"stem_width": 48, "position_dim": 32},
        "paper": {},
    }
    recipes = dict.fromkeys(SCALES, ImageRecipe(epochs=1, batch_size=32, lr=1e-3, augment=ImageAugment(flip=True)))

    def arrays(self, data_root: Path) -> "Arrays":
        import numpy as np

        from nacbench.data.mirror.cache import Arrays, fingerprint

        noise = np.random.default_rng(0)
        prototypes = noise.integers(0, 256, (self.classes, *self.shape))
        arrays: dict[str, np.ndarray] = {}
        for name, count in (("train", 160), ("validation", 40), ("test", 50)):
            labels = np.arange(count) % self.classes
            images = prototypes[labels] * 0.7 + noise.integers(0, 77, (count, *self.shape))
            arrays |= {f"{name}_images": images.astype(np.uint8), f"{name}_labels": labels.astype(np.int16)}
        return Arrays(arrays, fingerprint(arrays))


def reference_task(model: type[Model]) -> type[Task]:
    """Return the task for which the parameters of a model are counted if no other is named."""
    return TASKS.training("modelnet40") if model.reads == "points" else ReferenceImages


@dataclass(frozen=True, kw_only=True)
class ReferenceModel(Model):
    """The smallest model that satisfies the interface: a linear layer on the mean of the tokens."""

    title = "mean token"

    def build(self, spec: TaskSpec) -> "nn.Module":
        import torch
        from torch import nn

        class MeanToken(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.logits = nn.Linear(spec.token_dim, spec.classes)

            def forward(self, tokens: "Tensor", mask: "Tensor | None" = None) -> "Tensor":
                weight = torch.ones_like(tokens[..., 0]) if mask is None else mask.float()
                mean = (tokens * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
                logits: Tensor = self.logits(mean)
                return logits

        return MeanToken()
