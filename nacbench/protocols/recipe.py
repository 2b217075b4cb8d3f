"""The settings of low-shot adaptation, the same for all models."""

from typing import Annotated

from pydantic import Field

from nacbench.contracts.recipe import Positive, Settings

Rate = Annotated[float, Field(gt=0)]


class AdaptRecipe(Settings):
    """The budget of every model on every episode; ``batch_size`` is of the support examples, and of the scoring."""

    steps: Positive = Field(description="optimiser steps an episode")
    rates: tuple[Rate, ...] = Field(
        min_length=1, strict=False, description="peak learning rates; the best on the search episodes is taken"
    )
    episodes: int = Field(gt=1, description="episodes that are scored for each number of shots")
    search_episodes: Positive = Field(description="episodes that the learning rates are tried on, never scored ones")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the whole gradient")
