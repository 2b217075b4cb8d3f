"""Base class of tasks whose examples are grey images, read pixel by pixel as sequences, as in Long Range Arena."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.given_arrays import Form
from nacbench.data.sequences.task import SequenceTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor

    from nacbench.data.live import Inputs, Preparation

GREY = (19_595, 38_470, 7_471)  # of red, green and blue, out of 65,536: 0.299, 0.587 and 0.114


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelTask(SequenceTask):
    """A classification task on square grey images; a concrete task provides ``symbols`` (uint8 N×side², row by row).

    The symbol of a pixel is its grey value and one, as symbol 0 is padding.

    Attributes:
        side: of an image, in pixels.
        channels: of the images as their files have them: 1, or 3 where they are made grey.
    """

    modality: ClassVar[str] = "pixels"
    vocabulary: ClassVar[int] = 257
    example_name: ClassVar[str] = "images"
    side: ClassVar[int] = 32
    channels: ClassVar[int] = 1

    def longest(self) -> int:
        return self.side**2

    def forms(self) -> Mapping[str, Form | None]:
        return {**super().forms(), "symbols": Form("iu", (self.longest(),), 256)}

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return an image as it is stored; see `nacbench.data.images.raw.picture` for what ``raw`` can be."""
        from nacbench.data.images.raw import picture

        image = picture(raw, self.channels)
        try:
            return {"symbols": self.pixels(image)}
        except ValueError as error:
            raise UserError(f"{error}, as images of {self.title} have") from None

    def pixels(self, image: Image) -> np.ndarray:
        """Return an image of mode ``L`` or ``RGB`` as ``arrays()`` stores it: uint8, side².

        Raises:
            ValueError: if the image has another size.
        """
        from nacbench.data.images.reading import of_size

        stored = of_size(image, (self.channels, self.side, self.side))
        return stored.ravel() if self.channels == 1 else grey(stored[None])[0]

    def batch_of(self, raw: Any) -> Sequence[Any] | None:
        from nacbench.data.images.raw import pictures_of

        return pictures_of(raw, self.channels)

    def preparation(self, recipe: Any, spec: Any) -> Preparation:
        return ByValue()


class ByValue:
    """Makes symbols of grey values; see `nacbench.data.live.Preparation`."""

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        return self.plain(inputs, 0), labels

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return {"symbols": inputs["symbols"].long() + 1}


def grey(images: np.ndarray) -> np.ndarray:
    """Return the grey values of colour images: uint8 N×3×height×width → uint8 N×(height·width).

    As Pillow's ``convert("L")``: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), rounded. Long Range Arena's
    TensorFlow cuts the fraction off instead, so that values may differ by one.
    """
    import numpy as np

    out = np.empty((len(images), images[0, 0].size), dtype=np.uint8)
    for number, image in enumerate(images):  # one by one, since all at once would need four times the memory
        red, green, blue = (own.astype(np.uint32) * factor for own, factor in zip(image, GREY, strict=True))
        out[number] = ((red + green + blue + 0x8000) >> 16).ravel()
    return out
