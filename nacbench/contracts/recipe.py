"""How a network comes about: every setting of the optimisation, alike for all models, prescribed by the task."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Selection = Literal["last", "best-validation"]


class Settings(BaseModel):
    """What every task prescribes. Fields are part of a run's identity: ``--set training.FIELD=VALUE``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    batch_size: Positive = Field(description="examples an optimiser step, over all processes and micro-batches")


class Recipe(Settings):
    """Optimiser, schedule and regularisation. A modality adds its own augmentation in a subclass."""

    epochs: Positive = Field(description="passes over the training split")
    accumulate: Positive = Field(1, description="micro-batches that an optimiser step is split into")
    lr: float = Field(gt=0, description="peak learning rate of AdamW")
    lr_start: float = Field(1e-6, ge=0, description="learning rate at the first step of the warm-up")
    lr_end: float = Field(1e-5, ge=0, description="learning rate that the cosine ends with")
    warmup_epochs: float = Field(0, ge=0, description="epochs of linear warm-up, part of the epochs")
    weight_decay: float = Field(0.05, ge=0, description="AdamW's; none on vectors, biases, signatures, position grids")
    beta1: Fraction = Field(0.9, description="AdamW's first-moment decay")
    beta2: Fraction = Field(0.999, description="AdamW's second-moment decay")
    clip_norm: float = Field(1.0, ge=0, description="largest norm of the whole gradient; 0 does not clip")
    label_smoothing: Fraction = Field(0.0, description="probability mass spread over all classes")
    ema: Fraction = Field(0.0, description="decay of the averaged weights, which are then what is evaluated; 0: none")
    selection: Selection = Field(
        "last", description="which checkpoint counts: the last, or the best on the validation split"
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
