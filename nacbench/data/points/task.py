"""What all point-cloud tasks share: which points of a shape are taken, augmentation, and Fourier tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from nacbench.contracts.plugin import Count
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Scale
from nacbench.data.array_task import ArrayTask
from nacbench.data.points.recipe import PointRecipe

if TYPE_CHECKING:
    from torch import nn

    from nacbench.data.live import Preparation


@dataclasses.dataclass(frozen=True, kw_only=True)
class PointTask(ArrayTask):
    """A classification task on point clouds; a concrete one says where its ``points`` (float, N×P×3) come from.

    P points of every shape are stored; a training example takes some of them at random, a scored one a fixed choice.

    Attributes:
        points: V, points that are taken of a shape.
        bands: frequencies of a coordinate's Fourier features.
        highest_frequency: see `nacbench.data.points.tokenizer.PointTokenizer`.
        visits: how often an epoch goes through the shapes; for data sets of a few shapes.
        stored: P, points of a shape that are sampled from its surface, once.
    """

    modality: ClassVar[str] = "points"
    inputs: ClassVar[tuple[str, ...]] = ("points",)
    recipes: ClassVar[Mapping[Scale, PointRecipe]]
    stored: ClassVar[int] = 4096

    points: Count = 2048
    bands: Count = 32
    highest_frequency: Annotated[float, Field(gt=0)] = 64.0
    visits: Count = 1

    def __post_init__(self) -> None:
        if self.points > self.stored:
            raise ValueError(f"task.points = {self.points}: only {self.stored} points of a shape are stored")

    def spec(self) -> TaskSpec:
        return TaskSpec(
            modality="points", classes=self.classes, max_tokens=self.points, token_dim=3 * (2 * self.bands + 1)
        )

    def tokenizer(self) -> nn.Module:
        from nacbench.data.points.tokenizer import PointTokenizer

        return PointTokenizer(self.bands, self.highest_frequency)

    def preparation(self, recipe: PointRecipe, spec: TaskSpec) -> Preparation:
        from nacbench.data.points.augment import PointPreparation

        return PointPreparation(recipe.augment, self.points)

    def sampling(self, recipe: PointRecipe) -> dict[str, int]:
        return {"visits": self.visits}
