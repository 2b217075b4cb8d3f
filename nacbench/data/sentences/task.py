"""What all tasks share that ask whether a sentence is true of an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from nacbench.contracts.spec import TaskSpec
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nacbench.data.live import Inputs, Preparation

# augmentation after which a sentence need not be true of the image, or false, as it was before
UNTRUE = {
    "mixup": "a sentence cannot be mixed",
    "cutmix": "a sentence cannot be mixed",
    "flip": "a mirrored image has its left on the right",
    "resized_crop": "what a sentence speaks of may be cut off",
    "crop_padding": "what a sentence speaks of may be cut off",
    "randaugment": "it turns, shifts and recolours what a sentence speaks of",
    "erasing": "what a sentence speaks of may be erased",
}
VOCABULARY = "vocabulary"  # the words by number, an array beside the examples


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentenceImageTask(ImageTask):
    """A task on images and sentences; a concrete one says where ``images`` and ``sentences`` (word numbers) come from.

    The sentence is the condition: a conditional model makes its circuit from it, any other gets its words as tokens
    among the image's.

    Attributes:
        vocabulary: number of words, padding and the unknown word included.
        max_words: the longest sentence.
    """

    modality: ClassVar[str] = "image and sentence"
    classes: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("images", "sentences")
    vocabulary: ClassVar[int]
    max_words: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position_dim % 2:
            raise ValueError(f"task.position_dim = {self.position_dim}: it must be even (sines and cosines)")

    def spec(self) -> TaskSpec:
        return dataclasses.replace(super().spec(), modality=self.modality, condition_tokens=self.max_words)

    def tokenizer(self) -> nn.Module:
        from nacbench.data.images.tokenizer import ImageTokenizer
        from nacbench.data.sentences.tokenizer import SentenceImageTokenizer

        image = ImageTokenizer(self.shape, self.patch, self.stem_width, self.position_dim)
        width = 2 * self.stem_width + self.position_dim
        return SentenceImageTokenizer(image, self.vocabulary, self.max_words, width, self.position_dim)

    def preparation(self, recipe: ImageRecipe, spec: TaskSpec) -> Preparation:
        for name, reason in UNTRUE.items():
            value = getattr(recipe.augment, name)
            if value:
                raise UserError(f"training.augment.{name} = {value}: {reason}; leave it off for {self.title}")
        return WithSentence(super().preparation(recipe, spec))


class WithSentence:
    """See `nacbench.data.live.Preparation`: the image as its task has it, and the sentence without needless padding.

    Args:
        image: preparation of the image; it must not mix examples.
    """

    def __init__(self, image: Preparation) -> None:
        self._image = image

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        images, target = self._image.train(inputs, labels)
        return {**images, **self._sentence(inputs)}, target

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return {**self._image.plain(inputs, first), **self._sentence(inputs)}

    def _sentence(self, inputs: Inputs) -> Inputs:
        from nacbench.data.sequences.task import trim

        return {"sentence": trim(inputs["sentences"])}


def encode_sentences(sentences: Mapping[str, Sequence[str]], vocabulary: int, max_words: int) -> dict[str, np.ndarray]:
    """``<split>_sentences`` of every split, by the words of the training split, and the ``vocabulary`` itself."""
    from nacbench.data.sentences.words import encode, vocabulary_of

    words = vocabulary_of(sentences["train"], vocabulary)
    encoded = {f"{split}_sentences": encode(texts, words, max_words) for split, texts in sentences.items()}
    return {**encoded, VOCABULARY: words}
