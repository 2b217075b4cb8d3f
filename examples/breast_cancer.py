"""Example of a task: classify breast tumours as malignant or benign, with each of 30 measurements as a token."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from nacbench import Arrays, ArrayTask, Count, Recipe, TaskSpec, Tokens, cached_arrays, raw_numbers

MEASUREMENTS = 30


class TableRecipe(Recipe):
    """Training hyper-parameters, with augmentation by noise."""

    noise: float = Field(0.0, ge=0, description="standard deviation of noise, in standard deviations of the column")


@dataclass(frozen=True, kw_only=True)
class BreastCancer(ArrayTask):
    """Wisconsin breast cancer: every fifth patient is a test example, the one before it a validation example.

    Attributes:
        width: channels of a token.
    """

    title = "Breast cancer"
    modality = "table"
    classes = 2
    class_names = ("malignant", "benign")
    licence = "CC BY 4.0"
    citation = "Street et al. 1993, Nuclear feature extraction for breast tumor diagnosis, SPIE 1905"
    provenance = "scikit-learn's load_breast_cancer"
    inputs = ("numbers",)
    raw_dimensions = 1  # one example is an array of measurements, several are a table of them
    needs = ("mean", "deviation")
    presets = {"smoke": {"width": 16}, "mini": {"width": 64}, "paper": {}}
    recipes = {
        "smoke": TableRecipe(epochs=3, batch_size=32, lr=3e-3),
        "mini": TableRecipe(
            epochs=30,
            batch_size=32,
            lr=2e-3,
            warmup_epochs=2,
            noise=0.1,
            selection="best-validation",
        ),
        "paper": TableRecipe(epochs=100, batch_size=32, lr=5e-4, warmup_epochs=5, noise=0.1),
    }

    width: Count = 256

    def spec(self) -> TaskSpec:
        return TaskSpec(
            modality=self.modality,
            classes=self.classes,
            max_tokens=MEASUREMENTS,
            token_dim=self.width,
        )

    def tokenizer(self):
        import torch
        from torch import nn

        class Measurements(nn.Module):
            """Token of a measurement: a learned vector times its value, plus a learned vector for its name."""

            no_weight_decay = ("name",)  # as for position embeddings

            def __init__(self, width):
                super().__init__()
                self.scale = nn.Parameter(torch.randn(MEASUREMENTS, width))
                self.name = nn.Parameter(torch.randn(MEASUREMENTS, width))

            def forward(self, numbers):  # B×V → B×V×T
                return Tokens(numbers[..., None] * self.scale + self.name)

        return Measurements(self.width)

    def preparation(self, recipe: TableRecipe, spec: TaskSpec):
        return Noisy(recipe.noise)

    def example(self, raw, known):
        """Return measurements in their own units as they are stored, for predictions."""
        return {"numbers": _scaled(raw_numbers(raw, (MEASUREMENTS,)), known["mean"], known["deviation"])}

    def arrays(self, data_root: Path) -> Arrays:
        return cached_arrays("breast-cancer", f"version {self.version}", _load)


class Noisy:
    """Turn stored arrays into inputs of the tokenizer; implements `nacbench.Preparation`."""

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def train(self, inputs, labels):
        import torch

        numbers = inputs["numbers"]
        return {"numbers": numbers + self.noise * torch.randn_like(numbers)}, labels

    def plain(self, inputs, first):
        return {"numbers": inputs["numbers"]}


def _scaled(numbers, mean, deviation):
    return ((numbers - mean) / deviation).astype("float32")


def _load():
    import numpy as np
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    turn = np.arange(len(data.target)) % 5
    parts = {"train": turn < 3, "validation": turn == 3, "test": turn == 4}
    seen = data.data[parts["train"]]  # standardize with training examples only, so that test data does not leak
    scale = {"mean": seen.mean(0), "deviation": seen.std(0)}
    numbers = _scaled(data.data, **scale)
    labels = data.target.astype(np.int16)
    arrays = {f"{name}_numbers": numbers[chosen] for name, chosen in parts.items()}
    return arrays | scale | {f"{name}_labels": labels[chosen] for name, chosen in parts.items()}
