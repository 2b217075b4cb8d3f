"""Base classes of image classification tasks: options, spec, tokenizer, and decoding of data sets from the hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nacbench.contracts.given_arrays import Form
from nacbench.contracts.numbers import Count, Limit
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import DataFiles, Scale
from nacbench.data.array_task import CLASS_NAMES, ArrayTask, labels_in_use
from nacbench.data.class_order import GivenLabels, numbered_by_name
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.mirror.hub import HubFiles
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import nn

    from nacbench.data.live import Preparation
    from nacbench.data.mirror.cache import Arrays

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTask(ArrayTask):
    """Base class of image classification tasks; a subclass provides ``images`` (uint8, N×C×H×W) by ``arrays()``.

    Attributes:
        patch: side of a patch in pixels. The tokenizer halves the grid once more, so a token covers 2·patch pixels.
        stem_width: channels of the tokenizer's stem; T = 2·stem_width + position_dim.
        position_dim: learned position channels per token.
        normalisation: ``own``, mean and deviation of the data's training images, or ``imagenet``, those of ImageNet.
        test_resize: shorter side in pixels that images get for scoring, before the centre is cropped; 0: images are
            scored as they are, or fitted to the shape if their files have other sizes.
        tokenizer_start: start of the tokenizer's weights, as published or ours for short trainings (see
            `nacbench.data.images.tokenizer.ImageTokenizer`).
        shape: channels, height and width of the images.
        mean, std: per channel over the training images, with pixels scaled to [0, 1].
    """

    modality: ClassVar[str] = "image"
    inputs: ClassVar[tuple[str, ...]] = ("images",)
    recipes: ClassVar[Mapping[Scale, ImageRecipe]]
    shape: ClassVar[tuple[int, int, int]]
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    patch: Count = 4
    stem_width: Count = 96
    position_dim: Count = 64
    normalisation: Literal["own", "imagenet"] = "own"
    test_resize: Limit = 0
    tokenizer_start: Literal["ours", "published"] = "ours"

    def __post_init__(self) -> None:
        if self.normalisation == "imagenet" and self.shape[0] != len(IMAGENET_MEAN):
            raise ValueError("task.normalisation = 'imagenet' is for colour images, and these are grey")
        if 0 < self.test_resize < max(self.shape[1:]):
            raise ValueError(
                f"task.test_resize = {self.test_resize}: it must be at least {max(self.shape[1:])}, the side of the "
                "crop, or 0"
            )
        if any(side % (2 * self.patch) for side in self.shape[1:]):
            sides = "×".join(str(side) for side in self.shape[1:])
            raise ValueError(f"task.patch = {self.patch}: twice the patch must divide the sides of {sides} pixels")

    def spec(self) -> TaskSpec:
        _, height, width = self.shape
        grid = 2 * self.patch
        return TaskSpec(
            modality="image",
            classes=self.classes,
            targets=self.targets,
            max_tokens=(height // grid) * (width // grid),
            token_dim=2 * self.stem_width + self.position_dim,
            image_shape=self.shape,
        )

    def forms(self) -> Mapping[str, Form | None]:
        return {**super().forms(), "images": Form("u", self.shape, size=1)}

    def pixels(self, image: Image) -> np.ndarray:
        """Return an image of mode ``L`` or ``RGB`` as ``arrays()`` stores it: uint8 channels×height×width.

        By default it must have the task's size. A task whose reader fits, inverts or crops what it reads says so here.

        Raises:
            ValueError: if the image has another size than the task takes.
        """
        from nacbench.data.images.reading import of_size

        return of_size(image, self.shape)

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return an image as it is stored; see `nacbench.data.images.raw.picture` for what ``raw`` can be."""
        return {"images": self.stored_image(raw)}

    def batch_of(self, raw: Any) -> Sequence[Any] | None:
        from nacbench.data.images.raw import pictures_of

        return pictures_of(raw, self.shape[0])

    def stored_image(self, raw: Any) -> np.ndarray:
        """Return an image that a user has as ``arrays()`` stores it.

        Raises:
            UserError: see `nacbench.data.images.raw.picture`; also if it has another size than the task takes.
        """
        from nacbench.data.images.raw import picture

        image = picture(raw, self.shape[0])
        try:
            return self.pixels(image)
        except ValueError as error:
            raise UserError(f"{error}, as images of {self.title} have") from None

    def tokenizer(self) -> nn.Module:
        from nacbench.data.images.tokenizer import ImageTokenizer

        return ImageTokenizer(self.shape, self.patch, self.stem_width, self.position_dim, self.tokenizer_start)

    def preparation(self, recipe: ImageRecipe, spec: TaskSpec) -> Preparation:
        from nacbench.data.images.augment import ImagePreparation

        imagenet = self.normalisation == "imagenet"
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if imagenet else (self.mean, self.std)
        _, height, width = self.shape
        return ImagePreparation(recipe.augment, mean, std, spec.classes, (height, width), self.test_resize)

    def sampling(self, recipe: ImageRecipe) -> dict[str, int]:
        return {"repeats": recipe.augment.repeats}


@dataclasses.dataclass(frozen=True, kw_only=True)
class HubImageTask(ImageTask):
    """Base class of image tasks from the Hugging Face hub: Parquet files with a column of images and one of labels.

    Attributes:
        dataset: the files; its splits become ``train``, ``test`` …
        image_column, label_column: names of the two columns.
        some_classes: whether a copy with only some of the classes is accepted; the record then says so.
        makers_order: names of the classes in the order of their makers, if that is not the order of the names.
    """

    dataset: ClassVar[HubFiles]
    image_column: ClassVar[str] = "image"
    label_column: ClassVar[str] = "label"
    some_classes: ClassVar[bool] = False
    makers_order: ClassVar[Sequence[str]] = ()

    def data_files(self) -> Sequence[DataFiles]:
        return (self.dataset,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.mirror.cache import cached_arrays

        folder = self.dataset.require(data_root)
        stamp = f"{self.shape} {self.image_column} {self.label_column}{skip_stamp()}{self.use_stamp()}"
        return cached_arrays(self.dataset.name.replace("/", "--"), stamp, lambda: self._decode(data_root), folder)

    def _decode(self, data_root: Path) -> Mapping[str, np.ndarray]:
        import numpy as np

        arrays: dict[str, np.ndarray] = {}
        given, kept = {}, {}
        for split in self.dataset.splits:
            names = self.dataset.class_names(data_root, split, self.label_column)
            arrays[f"{split}_images"], numbers, kept[split] = self._decode_split(data_root, split)
            given[split] = GivenLabels(numbers, names)
        where = f"{self.dataset.name} in {data_root}"
        labels, known = numbered_by_name(given, where, self.classes, self.makers_order)
        for split, own in labels.items():
            there = self.in_use(split, len(own))
            arrays |= labels_in_use(split, own, there, kept[split]) | left_out(split, kept[split])
        if self.some_classes and known:
            arrays[CLASS_NAMES] = np.array([name.encode() for name in known])
        return arrays

    def _decode_split(self, data_root: Path, split: str) -> tuple[np.ndarray, list[Any], np.ndarray]:
        """Return images of a split, uint8 M×C×H×W, its unchecked labels, and which examples in use can be read."""
        numbers: list[Any] = []

        there = self.in_use(split, self.dataset.count(data_root, split))
        used = set(there.tolist())

        def cells() -> Iterator[tuple[str, Any]]:
            rows = self.dataset.rows(data_root, split, (self.image_column, self.label_column))
            for number, (where, (image, label)) in enumerate(rows):
                numbers.append(label)
                if number in used:
                    yield where, image

        read = partial(exact_in_cell, shape=self.shape)
        images, kept = read_all(read, cells(), len(there), self.shape, f"{self.dataset.name}, {split}")
        return images, numbers, kept


def exact_in_cell(place_and_cell: tuple[str, Any], shape: tuple[int, int, int]) -> np.ndarray:
    """Return the image in a cell of a Parquet file, which must have this shape: uint8 channels×height×width."""
    from nacbench.data.images.reading import exact, image_bytes

    where, cell = place_and_cell
    return exact(image_bytes(cell, where), shape, where)
