"""Word-level text encoding: lower-case words and punctuation, and a vocabulary of the most frequent training words."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

PADDING, UNKNOWN = 0, 1
WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")


def words_of(sentence: str) -> list[str]:
    """Split a sentence into lower-case words and punctuation: ``There is 1 box.`` → there, is, 1, box, full stop."""
    return WORD.findall(sentence.lower())


def vocabulary_of(sentences: Iterable[str], size: int) -> np.ndarray:
    """Return the most frequent words as bytes; word number n is at index n - 2, after padding and the unknown word.

    Args:
        sentences: of the training split.
        size: maximum number of words, including padding and the unknown word.
    """
    counts = Counter(word for sentence in sentences for word in words_of(sentence))
    # Equally frequent words in alphabetical order, so that the vocabulary does not depend on the order of sentences
    kept = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]
    return np.array([word.encode() for word in kept] or [b""])  # an empty list would become a float array


def encode(sentences: Sequence[str], vocabulary: np.ndarray, longest: int) -> np.ndarray:
    """Return word numbers int16 N×longest, padded with 0; longer sentences are cut."""
    number = {word.decode(): position + 2 for position, word in enumerate(vocabulary)}
    encoded = np.zeros((len(sentences), longest), dtype=np.int16)
    for row, sentence in enumerate(sentences):
        # An empty sentence gets one unknown word: attention over padding alone would be NaN
        numbers = [number.get(word, UNKNOWN) for word in words_of(sentence)][:longest] or [UNKNOWN]
        encoded[row, : len(numbers)] = numbers
    return encoded
