"""Base class of point-cloud classification tasks: subsampling, augmentation, and Fourier features as tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from nacbench.contracts.given_arrays import Form
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Scale
from nacbench.data.array_task import ArrayTask
from nacbench.data.points.recipe import PointRecipe

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nacbench.data.live import Preparation


@dataclasses.dataclass(frozen=True, kw_only=True)
class PointTask(ArrayTask):
    """A classification task on point clouds; a concrete task provides its ``points`` (float, N×P×3).

    P points of every shape are stored. Training samples V of them at random, scoring takes the first V.

    Attributes:
        points: V, number of points per example.
        bands: number of frequencies of a coordinate's Fourier features.
        highest_frequency: see `nacbench.data.points.tokenizer.PointTokenizer`.
        visits: passes over the shapes per epoch, for data sets of few shapes.
        stored: P, number of points sampled from each surface, once.
    """

    modality: ClassVar[str] = "points"
    inputs: ClassVar[tuple[str, ...]] = ("points",)
    recipes: ClassVar[Mapping[Scale, PointRecipe]]
    raw_dimensions: ClassVar[int] = 2
    stored: ClassVar[int] = 4096

    points: Count = 2048
    bands: Count = 32
    highest_frequency: Annotated[float, Field(gt=0)] = 64.0
    visits: Count = 1

    def __post_init__(self) -> None:
        if self.points > self.stored:
            raise ValueError(f"task.points = {self.points}: must be at most {self.stored}, the stored points per shape")

    def spec(self) -> TaskSpec:
        return TaskSpec(
            modality="points",
            classes=self.classes,
            targets=self.targets,
            max_tokens=self.points,
            token_dim=3 * (2 * self.bands + 1),
            point_shape=(self.points, 3),
        )

    def forms(self) -> Mapping[str, Form | None]:
        return {**super().forms(), "points": Form("f", (None, 3))}

    def stored_points(self) -> int:
        """Return P, the number of points that ``arrays()`` has of each shape."""
        return self.stored

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return a cloud as it is stored; see `nacbench.data.points.raw.cloud` for what ``raw`` can be."""
        from nacbench.data.points.raw import cloud

        return {"points": cloud(raw, self.points, self.stored_points())}

    def tokenizer(self) -> nn.Module:
        from nacbench.data.points.tokenizer import PointTokenizer

        return PointTokenizer(self.bands, self.highest_frequency)

    def preparation(self, recipe: PointRecipe, spec: TaskSpec) -> Preparation:
        from nacbench.data.points.augment import PointPreparation

        return PointPreparation(recipe.augment, self.points)

    def sampling(self, recipe: PointRecipe) -> dict[str, int]:
        return {"visits": self.visits}
