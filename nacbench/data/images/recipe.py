"""Training recipe of image tasks: hyper-parameters of data augmentation, and the paper's recipe for photographs."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from nacbench.contracts.recipe import Fraction, Positive, Recipe


class ImageAugment(BaseModel):
    """Data augmentation of training images. Everything is off by default.

    RandAugment's magnitude is on torchvision's scale of 0 to 30. timm's scale is 0 to 10: its "m9" is 27 here, and its
    "std 0.5" is 1.5.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    crop_padding: int = Field(
        0, ge=0, le=1024, description="pixels of padding before a random crop to the original size"
    )
    resized_crop: Fraction = Field(
        0.0, description="random resized crop: smallest share of the image's area to keep; 0: off"
    )
    flip: bool = Field(False, description="flip each image horizontally with probability 1/2")
    randaugment: float = Field(0, ge=0, le=30, description="mean magnitude of RandAugment's two operations; 0: off")
    randaugment_std: float = Field(0, ge=0, le=30, description="standard deviation of that magnitude")
    color_jitter: Fraction = Field(0.0, description="largest relative change of brightness, contrast and saturation")
    erasing: Fraction = Field(0.0, description="probability of erasing a random rectangle")
    images_per_draw: Positive = Field(
        1,
        description="images that share one draw of RandAugment, jitter and erasing; larger is faster, but less varied",
    )
    repeats: Positive = Field(1, description="augmented copies of each example in a batch; an epoch has fewer examples")
    mixup: float = Field(0, ge=0, le=1000, description="alpha of mixup; 0: off")
    cutmix: float = Field(0, ge=0, le=1000, description="alpha of cutmix; 0: off")
    cutmix_probability: Fraction = Field(0.5, description="probability of cutmix rather than mixup, if both are on")


class ImageRecipe(Recipe):
    """A recipe with augmentation for images."""

    augment: ImageAugment = Field(default_factory=lambda: ImageAugment())

    @classmethod
    def of_paper(
        cls,
        *,
        epochs: int,
        batch_size: int,
        lr: float = 5e-4,
        warmup_epochs: float = 5,
        crop_padding: int = 0,
        resized_crop: float = 0.0,
    ) -> Self:
        """Return the paper's recipe for photographs; between data sets, only the arguments differ."""
        return cls(
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            warmup_epochs=warmup_epochs,
            label_smoothing=0.1,
            ema=0.99996,
            augment=ImageAugment(
                crop_padding=crop_padding,
                resized_crop=resized_crop,
                flip=True,
                randaugment=27,
                randaugment_std=1.5,
                color_jitter=0.4,
                erasing=0.25,
                repeats=3,
                mixup=0.8,
                cutmix=1.0,
            ),
        )
