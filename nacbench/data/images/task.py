"""Base classes of image classification tasks: options, spec, tokenizer, and decoding of data sets from the hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nacbench.contracts.given_arrays import Form
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import DataFiles, Scale
from nacbench.data.array_task import CLASS_NAMES, ArrayTask, whole_labels
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.mirror.hub import HubFiles
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nacbench.data.live import Preparation
    from nacbench.data.mirror.cache import Arrays


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTask(ArrayTask):
    """Base class of image classification tasks; a subclass provides ``images`` (uint8, N×C×H×W) by ``arrays()``.

    Attributes:
        patch: side of a patch in pixels. The tokenizer halves the grid once more, so a token covers 2·patch pixels.
        stem_width: channels of the tokenizer's stem; T = 2·stem_width + position_dim.
        position_dim: learned position channels per token.
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
    tokenizer_start: Literal["ours", "published"] = "ours"

    def __post_init__(self) -> None:
        if any(side % (2 * self.patch) for side in self.shape[1:]):
            sides = "×".join(str(side) for side in self.shape[1:])
            raise ValueError(f"task.patch = {self.patch}: twice the patch must divide the sides of {sides} pixels")

    def spec(self) -> TaskSpec:
        _, height, width = self.shape
        grid = 2 * self.patch
        return TaskSpec(
            modality="image",
            classes=self.classes,
            max_tokens=(height // grid) * (width // grid),
            token_dim=2 * self.stem_width + self.position_dim,
            image_shape=self.shape,
        )

    def forms(self) -> Mapping[str, Form | None]:
        return {**super().forms(), "images": Form("u", self.shape, size=1)}

    def tokenizer(self) -> nn.Module:
        from nacbench.data.images.tokenizer import ImageTokenizer

        return ImageTokenizer(self.shape, self.patch, self.stem_width, self.position_dim, self.tokenizer_start)

    def preparation(self, recipe: ImageRecipe, spec: TaskSpec) -> Preparation:
        from nacbench.data.images.augment import ImagePreparation

        return ImagePreparation(recipe.augment, self.mean, self.std, spec.classes)

    def sampling(self, recipe: ImageRecipe) -> dict[str, int]:
        return {"repeats": recipe.augment.repeats}


@dataclasses.dataclass(frozen=True, kw_only=True)
class HubImageTask(ImageTask):
    """Base class of image tasks from the Hugging Face hub: Parquet files with a column of images and one of labels.

    Attributes:
        dataset: the files; its splits become ``train``, ``test`` …
        image_column, label_column: names of the two columns.
        some_classes: whether a copy with only some of the classes is accepted; the record then says so.
    """

    dataset: ClassVar[HubFiles]
    image_column: ClassVar[str] = "image"
    label_column: ClassVar[str] = "label"
    some_classes: ClassVar[bool] = False

    def data_files(self) -> Sequence[DataFiles]:
        return (self.dataset,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.mirror.cache import cached_arrays

        folder = self.dataset.require(data_root)
        stamp = f"{self.shape} {self.image_column} {self.label_column}"
        return cached_arrays(self.dataset.name.replace("/", "--"), stamp, lambda: self._decode(data_root), folder)

    def _decode(self, data_root: Path) -> Mapping[str, np.ndarray]:
        import numpy as np

        arrays: dict[str, np.ndarray] = {}
        known: list[str] | None = None
        for split in self.dataset.splits:
            names = self.dataset.class_names(data_root, split, self.label_column)
            known = known or names
            images, stored = self._decode_split(data_root, split)
            try:
                labels = renumbered(whole_labels(stored, len(names or range(self.classes))), names, known)
            except ValueError as error:
                raise UserError(
                    f"{self.dataset.name}, split {split}, in {data_root} cannot be decoded: {error}"
                ) from error
            arrays |= {f"{split}_images": images, f"{split}_labels": labels}
        if self.some_classes and known:
            arrays[CLASS_NAMES] = np.array([name.encode() for name in known])
        return arrays

    def _decode_split(self, data_root: Path, split: str) -> tuple[np.ndarray, list[Any]]:
        """Return images (uint8, N×C×H×W) and unchecked labels."""
        import numpy as np

        from nacbench.data.images.image_files import read_exact_image

        images = np.empty((self.dataset.count(data_root, split), *self.shape), dtype=np.uint8)
        labels: list[Any] = []
        rows = self.dataset.rows(data_root, split, (self.image_column, self.label_column))
        for number, (where, (image, label)) in enumerate(rows):
            images[number] = read_exact_image(image, self.shape, where)
            labels.append(label)
        return images, labels


def renumbered(labels: np.ndarray, names: list[str] | None, known: list[str] | None) -> np.ndarray:
    """Map labels from the class names of one split to those of another, as splits may list classes in another order.

    Args:
        labels: indices into ``names``, N.
        names: class names of this split; None if the data has none.
        known: class names of the training split.

    Returns:
        Indices into ``known``, N.

    Raises:
        ValueError: if a class that occurs is not in ``known``.
    """
    import numpy as np

    if names == known or names is None or known is None:
        return labels
    strangers = [names[label] for label in np.unique(labels) if names[label] not in known]
    if strangers:
        raise ValueError(f"its class {strangers[0]!r} is not among the training split's")
    position = {name: number for number, name in enumerate(known)}
    return np.array([position.get(name, -1) for name in names], dtype=np.int16)[labels]
