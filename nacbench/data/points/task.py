"""What all point-cloud tasks share: which points of a shape are taken, augmentation, and Fourier tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nacbench.data.array_task import ArrayTask, Count
from nacbench.recipe import Fraction, Recipe
from nacbench.task import Scale, TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from nacbench.data.live import Preparation


class PointAugment(BaseModel):
    """Augmentation of training clouds, in this order. Everything is off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    turn: Fraction = Field(0.0, description="largest rotation about the vertical axis, as a share of a half turn")
    scale: float = Field(0, ge=0, lt=1, description="largest relative change of size, each axis on its own")
    shift: float = Field(0, ge=0, description="largest shift along each axis")
    jitter: float = Field(0, ge=0, description="standard deviation of the noise on every point, cut at five times it")


class PointRecipe(Recipe):
    """A recipe with augmentation for point clouds."""

    augment: PointAugment = Field(default_factory=lambda: PointAugment())


@dataclasses.dataclass(frozen=True, kw_only=True)
class PointTask(ArrayTask):
    """A classification task on point clouds; a concrete one says where its ``points`` (float, N×P×3) come from.

    P points of every shape are stored; a training example takes some of them at random, a scored one a fixed choice.

    Attributes:
        points: V, points that are taken of a shape.
        bands: frequencies of a coordinate's Fourier features.
        highest_frequency: see `nacbench.tokenizers.points.PointTokenizer`.
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
        from nacbench.tokenizers.points import PointTokenizer

        return PointTokenizer(self.bands, self.highest_frequency)

    def preparation(self, recipe: PointRecipe, spec: TaskSpec) -> Preparation:
        from nacbench.data.point_augment import PointPreparation

        return PointPreparation(recipe.augment, self.points)

    def sampling(self, recipe: PointRecipe) -> dict[str, int]:
        return {"visits": self.visits}
