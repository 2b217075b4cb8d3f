"""Example of a regression task: the progression of diabetes after a year, with each of ten measurements as a token."""

from dataclasses import dataclass
from pathlib import Path

from nacbench import MAE, R2, RMSE, Arrays, ArrayTask, Count, Recipe, TaskSpec, Tokens, cached_arrays, raw_numbers

MEASUREMENTS = 10


@dataclass(frozen=True, kw_only=True)
class Diabetes(ArrayTask):
    """Diabetes: every fifth patient is a test example, the one before it a validation example.

    Attributes:
        width: channels of a token.
    """

    title = "Diabetes"
    modality = "table"
    targets = "values"
    classes = 1  # one value per patient
    metric = "rmse"
    metrics = (RMSE, MAE, R2)  # dataclasses.replace(RMSE, unit="mm") would name a unit
    licence = "public domain"
    citation = "Efron et al. 2004, Least angle regression, Annals of Statistics 32"
    provenance = "scikit-learn's load_diabetes"
    inputs = ("numbers",)
    raw_dimensions = 1  # one example is an array of measurements, several are a table of them
    needs = ("mean", "deviation")
    presets = {"smoke": {"width": 16}, "mini": {"width": 64}, "paper": {}}
    recipes = {
        "smoke": Recipe(epochs=5, batch_size=32, lr=3e-3, selection="best-validation"),
        "mini": Recipe(epochs=30, batch_size=32, lr=2e-3, warmup_epochs=2, selection="best-validation"),
        "paper": Recipe(epochs=100, batch_size=32, lr=5e-4, warmup_epochs=5),
    }

    width: Count = 256

    def spec(self) -> TaskSpec:
        return TaskSpec(
            modality=self.modality,
            targets=self.targets,
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

    def preparation(self, recipe: Recipe, spec: TaskSpec):
        return AsTheyAre()

    def example(self, raw, known):
        """Return measurements in their own units as they are stored, for predictions."""
        return {"numbers": _scaled(raw_numbers(raw, (MEASUREMENTS,)), known["mean"], known["deviation"])}

    def arrays(self, data_root: Path) -> Arrays:
        return cached_arrays("diabetes", f"version {self.version}", _load)


class AsTheyAre:
    """Give stored arrays to the tokenizer; implements `nacbench.Preparation`."""

    def train(self, inputs, labels):
        return inputs, labels

    def plain(self, inputs, first):
        return inputs


def _scaled(numbers, mean, deviation):
    return ((numbers - mean) / deviation).astype("float32")


def _load():
    import numpy as np
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    turn = np.arange(len(data.target)) % 5
    parts = {"train": turn < 3, "validation": turn == 3, "test": turn == 4}
    seen = data.data[parts["train"]]  # standardize with training examples only, so that test data does not leak
    scale = {"mean": seen.mean(0), "deviation": seen.std(0)}
    numbers = _scaled(data.data, **scale)
    values = data.target.astype(np.float32)[:, None]  # in their own unit: training scales them, scores do not
    arrays = {f"{name}_numbers": numbers[chosen] for name, chosen in parts.items()}
    return arrays | scale | {f"{name}_labels": values[chosen] for name, chosen in parts.items()}
