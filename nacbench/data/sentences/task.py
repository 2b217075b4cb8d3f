"""Base class of tasks that ask whether a sentence is true of an image; the sentence conditions the circuit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.given_arrays import Form
from nacbench.contracts.spec import TaskSpec
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nacbench.data.live import Inputs, Preparation

# Augmentation that can change whether a sentence is true of the image, with the reason for the error message
UNTRUE = {
    "mixup": "a sentence cannot be mixed",
    "cutmix": "a sentence cannot be mixed",
    "flip": "a mirrored image has its left on the right",
    "resized_crop": "what a sentence speaks of may be cut off",
    "crop_padding": "what a sentence speaks of may be cut off",
    "randaugment": "it turns, shifts and recolours what a sentence speaks of",
    "erasing": "what a sentence speaks of may be erased",
}
VOCABULARY = "vocabulary"  # array of the words by number, stored with the examples


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentenceImageTask(ImageTask):
    """A task on images and sentences; a concrete task provides ``images`` and ``sentences`` (word numbers).

    The sentence is the condition: a conditional model computes its circuit from it, any other model gets its words as
    tokens after the image's.

    Attributes:
        vocabulary: number of words, including padding and the unknown word.
        max_words: W, number of words of the longest sentence; longer ones are cut.
    """

    modality: ClassVar[str] = "image and sentence"
    classes: ClassVar[int] = 2
    class_names: ClassVar[Sequence[str]] = ("false", "true")
    inputs: ClassVar[tuple[str, ...]] = ("images", "sentences")
    needs: ClassVar[Sequence[str]] = (VOCABULARY,)
    vocabulary: ClassVar[int]
    max_words: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position_dim % 2:
            raise ValueError(f"task.position_dim = {self.position_dim}: it must be even (sines and cosines)")
        if self.test_resize:
            raise ValueError(f"task.test_resize = {self.test_resize}: what a sentence speaks of may be cut off")

    def spec(self) -> TaskSpec:
        return dataclasses.replace(super().spec(), modality=self.modality, condition_tokens=self.max_words)

    def forms(self) -> Mapping[str, Form | None]:
        return {**super().forms(), "sentences": Form("iu", (None,), self.vocabulary)}

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return an image and a sentence, a tuple of the two, as they are stored; words after ``max_words`` are cut."""
        if not isinstance(raw, tuple) or len(raw) != 2:
            raise UserError(f"an example of {self.title} is (image, sentence), a tuple, not {type(raw).__name__}")
        image, sentence = raw
        return {"images": self.stored_image(image), "sentences": self._words(sentence, known[VOCABULARY])}

    def batch_of(self, raw: Any) -> Sequence[Any] | None:
        return raw if isinstance(raw, list) else None

    def _words(self, sentence: Any, vocabulary: np.ndarray) -> np.ndarray:
        from nacbench.data.sentences.words import UNKNOWN, encode

        if not isinstance(sentence, str):
            raise UserError(f"a sentence is text (str), not {type(sentence).__name__}")
        numbers: np.ndarray = encode([sentence], vocabulary, self.max_words)[0]
        if not (numbers > UNKNOWN).any():
            raise UserError(f"no word of the sentence {shown(sentence)} is in the vocabulary of {self.title}")
        return numbers

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
    """Prepares the image and trims the sentence's padding; see `nacbench.data.live.Preparation`.

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


def encode_sentences(
    sentences: Mapping[str, Sequence[str]],
    vocabulary: int,
    max_words: int,
    used: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Return ``<split>_sentences`` of every split as word numbers, and the ``vocabulary`` of the training split.

    Args:
        sentences: of all examples, by split; the vocabulary does not depend on how many are used.
        vocabulary, max_words: see `SentenceImageTask`.
        used: positions of those to return, by split; by default all.
    """
    from nacbench.data.sentences.words import encode, vocabulary_of

    words = vocabulary_of(sentences["train"], vocabulary)
    if used is not None:
        sentences = {split: [texts[number] for number in used[split]] for split, texts in sentences.items()}
    encoded = {f"{split}_sentences": encode(texts, words, max_words) for split, texts in sentences.items()}
    return {**encoded, VOCABULARY: words}
