"""What all image tasks share: their options, their recipe, and the way from uint8 arrays to a live task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nacbench.data.hub import HubDataset
from nacbench.errors import UserError
from nacbench.recipe import Fraction, Positive, Recipe
from nacbench.task import LiveTask, Task, TaskSpec

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nacbench.data.cache import Arrays


class ImageAugment(BaseModel):
    """Augmentation of training images. Everything is off by default.

    RandAugment's magnitude is on torchvision's scale of 0 to 30: the "m9" of timm, on its scale of 0 to 10, is 27 here,
    and its "std 0.5" is 1.5.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    crop_padding: int = Field(0, ge=0, description="pixels of padding before a random crop to the old size")
    flip: bool = Field(False, description="mirror each image with probability 1/2")
    randaugment: float = Field(0, ge=0, le=30, description="mean magnitude of RandAugment's two operations; 0: off")
    randaugment_std: float = Field(0, ge=0, description="standard deviation of that magnitude")
    color_jitter: Fraction = Field(0.0, description="largest relative change of brightness, contrast and saturation")
    erasing: Fraction = Field(0.0, description="probability that a rectangle is erased")
    images_per_draw: Positive = Field(
        1, description="images that share one draw of RandAugment, jitter and erasing; more is faster, less is better"
    )
    repeats: Positive = Field(1, description="augmented copies of an example in a batch; an epoch sees fewer examples")
    mixup: float = Field(0, ge=0, description="alpha of mixup; 0: off")
    cutmix: float = Field(0, ge=0, description="alpha of cutmix; 0: off")
    cutmix_probability: Fraction = Field(0.5, description="of cutmix rather than mixup, where both are on")


class ImageRecipe(Recipe):
    """A recipe with augmentation for images."""

    augment: ImageAugment = Field(default_factory=lambda: ImageAugment())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTask(Task):
    """An image classification task; a concrete one says where its arrays come from.

    Attributes:
        patch: pixels along the side of a patch; the tokenizer halves the grid once more.
        stem_width: channels of the tokenizer's stem; tokens have twice as many, and the position channels.
        position_dim: learned position channels of a token.
        train_examples: use only so many training examples, evenly over the split; 0: all.
        validation_examples: hold out so many training examples, evenly over the split, as validation.
        test_examples: use only so many test examples, evenly over the split; 0: all.
        shape: channels, height and width of the images.
        mean, std: of the channels of the training images, on a scale of 0 to 1.
        label_names: names of the classes, in order.
    """

    modality: ClassVar[str] = "image"
    shape: ClassVar[tuple[int, int, int]]
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]
    label_names: ClassVar[tuple[str, ...]]

    patch: Annotated[int, Field(gt=0, strict=True)] = 4
    stem_width: Annotated[int, Field(gt=0, strict=True)] = 96
    position_dim: Annotated[int, Field(gt=0, strict=True)] = 64
    train_examples: Annotated[int, Field(ge=0, strict=True)] = 0
    validation_examples: Annotated[int, Field(ge=0, strict=True)] = 0
    test_examples: Annotated[int, Field(ge=0, strict=True)] = 0

    def __post_init__(self) -> None:
        side = self.shape[1]
        if side % (2 * self.patch):
            raise ValueError(f"task.patch = {self.patch}: twice the patch must divide the side of {side} pixels")

    def arrays(self, data_root: Path) -> Arrays:
        """``train_images`` (uint8, N×C×H×W), ``train_labels`` (N), ``test_…``, maybe ``validation_…``."""
        raise TypeError(f"{type(self).__name__} must define arrays(data_root)")

    def fingerprint(self, data_root: Path) -> str:
        return self.arrays(data_root).fingerprint

    def spec(self) -> TaskSpec:
        channels, height, width = self.shape
        grid = 2 * self.patch
        return TaskSpec(
            modality="image",
            classes=self.classes,
            max_tokens=(height // grid) * (width // grid),
            token_dim=2 * self.stem_width + self.position_dim,
            image_shape=(channels, height, width),
        )

    def tokenizer(self) -> nn.Module:
        from nacbench.tokenizers.image import ImageTokenizer

        return ImageTokenizer(self.shape, self.patch, self.stem_width, self.position_dim)

    def build(self, data_root: Path, recipe: Recipe) -> LiveTask:
        from nacbench.data.images import ImageClassification, Split

        assert isinstance(recipe, ImageRecipe)
        arrays = self.arrays(data_root).arrays
        splits = {
            name: Split(arrays[f"{name}_images"], arrays[f"{name}_labels"])
            for name in ("train", "validation", "test")
            if f"{name}_images" in arrays
        }
        if self.validation_examples:
            splits["train"], splits["validation"] = splits["train"].hold_out(self.validation_examples)
        for name, limit in (("train", self.train_examples), ("test", self.test_examples)):
            if limit:
                splits[name] = splits[name].spread(limit)
        if recipe.selection == "best-validation" and "validation" not in splits:
            raise UserError(
                "training.selection = 'best-validation' needs a validation split; "
                "hold one out with --set task.validation_examples=5000, or select 'last'"
            )
        return ImageClassification(self, splits, recipe)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HubImageTask(ImageTask):
    """An image task whose data is on the hub, as Parquet files with one column of images and one of labels.

    Attributes:
        dataset: the files; its splits become ``train``, ``test`` …
        image_column, label_column: the names of the two columns.
    """

    dataset: ClassVar[HubDataset]
    image_column: ClassVar[str] = "image"
    label_column: ClassVar[str] = "label"

    def missing(self, data_root: Path) -> str | None:
        return self.dataset.missing(data_root)

    def prepare(self, data_root: Path) -> None:
        if self.missing(data_root):
            self.dataset.fetch(data_root)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.cache import cached_arrays

        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        name = self.dataset.repo.replace("/", "--")
        return cached_arrays(name, self.dataset.stamp(data_root), lambda: self._decode(data_root))

    def _decode(self, data_root: Path) -> Mapping[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for split, rows in self.dataset.load(data_root).items():
            try:
                images, labels = self._decode_split(rows.with_format("numpy"))
            except (ValueError, KeyError, OSError) as error:
                reason = f"it has no column {error}" if isinstance(error, KeyError) else error
                raise UserError(
                    f"{self.dataset.repo}, split {split}, in {data_root} cannot be decoded: {reason}; "
                    f"expected images of {self.shape[2]}×{self.shape[1]} pixels in {self.image_column!r} "
                    f"and labels in {self.label_column!r}"
                ) from error
            arrays |= {f"{split}_images": images, f"{split}_labels": labels}
        return arrays

    def _decode_split(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        images = np.empty((len(rows), *self.shape), dtype=np.uint8)
        labels = np.empty(len(rows), dtype=np.int16)
        first = 0
        for part in rows.iter(1000):
            last = first + len(part[self.label_column])
            images[first:last] = np.stack([_channels_first(image, self.shape[0]) for image in part[self.image_column]])
            labels[first:last] = part[self.label_column]
            first = last
        return images, labels


def _channels_first(image: np.ndarray, channels: int) -> np.ndarray:
    """Height×width(×channels) → channels×height×width; a grey image is repeated."""
    import numpy as np

    grid = image if image.ndim == 3 else image[..., None]
    return np.broadcast_to(grid, (*grid.shape[:2], channels)).transpose(2, 0, 1)
