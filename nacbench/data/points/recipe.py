"""Training recipe for point clouds: training hyper-parameters with point-cloud augmentation."""

from pydantic import BaseModel, ConfigDict, Field

from nacbench.contracts.recipe import Fraction, Recipe


class PointAugment(BaseModel):
    """Augmentation of training clouds, applied in this order. Everything is off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    turn: Fraction = Field(0.0, description="largest rotation about the vertical axis, as a share of a half turn")
    scale: float = Field(0, ge=0, lt=1, description="largest relative change of size, each axis on its own")
    shift: float = Field(0, ge=0, le=1000, description="largest shift along each axis")
    jitter: float = Field(
        0, ge=0, le=1000, description="standard deviation of the noise on every point, cut at five times it"
    )


class PointRecipe(Recipe):
    """Training hyper-parameters for point clouds, with augmentation."""

    augment: PointAugment = Field(default_factory=lambda: PointAugment())
