"""Training hyper-parameters. A task prescribes one recipe per scale, which is the same for all models."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nacbench.contracts.numbers import Count, Decay, Fraction

__all__ = ["Fraction", "Positive", "Recipe", "Selection", "Settings"]

Positive = Count
Selection = Literal["last", "best-validation"]


class Settings(BaseModel):
    """Settings that every task prescribes, set by ``--set training.FIELD=VALUE``. They are part of a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    batch_size: Positive = Field(description="examples per optimiser step, over all processes and micro-batches")


class Recipe(Settings):
    """Optimiser (AdamW), learning-rate schedule and regularisation. A modality adds augmentation in a subclass.

    The learning rate rises linearly from ``lr_start`` to ``lr`` and then falls to ``lr_end`` by a half cosine.
    """

    epochs: Positive = Field(description="passes over the training split")
    accumulate: Positive = Field(1, description="micro-batches per optimiser step (gradient accumulation)")
    lr: float = Field(gt=0, description="peak learning rate of AdamW")
    lr_start: float = Field(1e-6, ge=0, description="learning rate at the first step of the warm-up")
    lr_end: float = Field(1e-5, ge=0, description="learning rate at the end of the cosine schedule")
    warmup_epochs: float = Field(0, ge=0, description="epochs of linear warm-up, included in epochs")
    weight_decay: float = Field(0.05, ge=0, description="of AdamW; none on vectors, biases, signatures, position grids")
    beta1: Decay = Field(0.9, description="first-moment decay of AdamW")
    beta2: Decay = Field(0.999, description="second-moment decay of AdamW")
    clip_norm: float = Field(1.0, ge=0, description="clip the global gradient norm to this; 0: no clipping")
    label_smoothing: Fraction = Field(0.0, description="probability mass spread over all classes")
    ema: Decay = Field(0.0, description="decay of the moving average of weights, which is then evaluated; 0: off")
    selection: Selection = Field(
        "last", description="checkpoint to evaluate: the last, or the best on the validation split"
    )
    evaluate_every: Positive = Field(1, description="epochs between evaluations on the validation split")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"training.batch_size = {self.batch_size} cannot be split evenly "
                f"into training.accumulate = {self.accumulate} micro-batches"
            )
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"training.warmup_epochs = {self.warmup_epochs} is more than training.epochs = {self.epochs}"
            )
        return self
