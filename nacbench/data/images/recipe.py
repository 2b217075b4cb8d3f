"""Training recipe of image tasks: hyper-parameters of data augmentation, and the authors' recipe for photographs."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nacbench.contracts.recipe import Fraction, Origin, Positive, Recipe

AUTHORS = Origin("published", "the authors' release, github.com/mweiss17/NeuralAttentiveCircuits, commit 41ae372")


class ImageAugment(BaseModel):
    """Data augmentation of training images, applied in this order. Everything is off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    crop_padding: int = Field(
        0, ge=0, le=1024, description="pixels of padding before a random crop to the original size"
    )
    resized_crop: Fraction = Field(
        0.0, description="random resized crop (ratio 3/4 to 4/3, bicubic): smallest share of the area to keep; 0: off"
    )
    flip: bool = Field(False, description="flip each image horizontally with probability 1/2")
    randaugment: float = Field(
        0,
        ge=0,
        le=10,
        description="mean magnitude, on timm's scale of 0 to 10, of RandAugment's two operations; 0: off",
    )
    randaugment_std: float = Field(0, ge=0, le=10, description="standard deviation of that magnitude")
    randaugment_probability: Fraction = Field(0.5, description="probability of applying each of the two operations")
    color_jitter: Fraction = Field(0.0, description="largest relative change of brightness, contrast and saturation")
    erasing: Fraction = Field(0.0, description="probability of filling a random rectangle with noise")
    images_per_draw: Positive = Field(
        1, description="images that share one draw of jitter and erasing; larger is faster, but less varied"
    )
    repeats: Positive = Field(1, description="augmented copies of each example in a batch; an epoch has fewer examples")
    mixup: float = Field(0, ge=0, le=1000, description="alpha of mixup; 0: off")
    cutmix: float = Field(0, ge=0, le=1000, description="alpha of cutmix; 0: off")
    cutmix_probability: Fraction = Field(0.5, description="probability of cutmix rather than mixup, if both are on")


class ImageRecipe(Recipe):
    """A recipe with augmentation for images."""

    augment: ImageAugment = Field(default_factory=lambda: ImageAugment())

    @model_validator(mode="after")
    def _copies_apart(self) -> Self:
        mixed = self.augment.mixup or self.augment.cutmix
        if mixed and self.augment.repeats > self.batch_size // 2:
            raise ValueError(
                f"training.augment.repeats = {self.augment.repeats} with training.batch_size = {self.batch_size}: "
                "mixup and cutmix would mix an example with itself or its own copies; "
                f"training.batch_size must be at least {2 * self.augment.repeats}"
            )
        return self

    @classmethod
    def of_authors(cls, *, epochs: int, batch_size: int, rate: float, ema: float) -> Self:
        """Return the recipe of the authors' release for Tiny-ImageNet and ImageNet, which is nearly that of DeiT.

        Where they differ from NAC's publication, these are the values that their code uses; the template's colour
        jitter is left out, as timm 0.4.12 leaves it out beside RandAugment. Source: the release's templates and
        training code, commit 41ae372; DeiT: Touvron et al. 2021, arXiv 2012.12877.

        Args:
            epochs: passes over the data.
            batch_size: of all processes together.
            rate: peak learning rate for a batch of 512; it grows with the batch, and so does the lowest.
            ema: decay of the averaged weights, which are kept but not scored; 0: none.
        """
        return cls(
            epochs=epochs,
            batch_size=batch_size,
            lr=rate * batch_size / 512,
            lr_start=1e-6,
            lr_end=1e-5 * batch_size / 512,
            warmup_epochs=10,
            schedule="epoch-cosine",
            clip_norm=0,
            label_smoothing=0.1,
            ema=ema,
            score_ema=False,
            augment=ImageAugment(
                resized_crop=0.08,
                flip=True,
                randaugment=9,
                randaugment_std=0.5,
                erasing=0.25,
                repeats=3,
                mixup=0.8,
                cutmix=1.0,
            ),
        )
