"""Hyper-parameters of low-shot fine-tuning, the same for all models."""

from typing import Annotated

from pydantic import Field

from nacbench.contracts.numbers import Limit
from nacbench.contracts.recipe import Positive, Settings

Rate = Annotated[float, Field(gt=0)]


class AdaptRecipe(Settings):
    """Budget of every model on every episode. ``batch_size`` is used for support examples and for evaluation."""

    steps: Positive = Field(description="optimiser steps per episode")
    rates: tuple[Rate, ...] = Field(
        min_length=1, strict=False, description="learning rates to try; the best on the search episodes is used"
    )
    more_rates: Limit = Field(
        3, description="learning rates to try beyond the edge of rates, one by one, while the best one lies there"
    )
    episodes: Positive = Field(gt=1, description="scored episodes per number of shots")
    search_episodes: Positive = Field(description="episodes for choosing the learning rate; never scored")
    weight_decay: float = Field(0.0, ge=0, description="weight decay of AdamW")
    clip_norm: float = Field(1.0, gt=0, description="clip the global gradient norm to this")
