"""Sentences to word numbers: lower case, punctuation apart, the most frequent words of the training sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

PADDING, UNKNOWN = 0, 1
WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")


def words_of(sentence: str) -> list[str]:
    """``There is 1 box.`` → there, is, 1, box and a full stop."""
    return WORD.findall(sentence.lower())


def vocabulary_of(sentences: Iterable[str], size: int) -> np.ndarray:
    """The most frequent words, as bytes; word number n is at position n - 2, after padding and the unknown word.

    Args:
        sentences: of the training split.
        size: most numbers, padding and the unknown word included.
    """
    counts = Counter(word for sentence in sentences for word in words_of(sentence))
    kept = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]
    return np.array([word.encode() for word in kept] or [b""])


def encode(sentences: Sequence[str], vocabulary: np.ndarray, longest: int) -> np.ndarray:
    """Word numbers N×longest (int16), padded with 0; longer sentences are cut off."""
    number = {word.decode(): position + 2 for position, word in enumerate(vocabulary)}
    encoded = np.zeros((len(sentences), longest), dtype=np.int16)
    for row, sentence in enumerate(sentences):
        numbers = [number.get(word, UNKNOWN) for word in words_of(sentence)][:longest] or [UNKNOWN]
        encoded[row, : len(numbers)] = numbers
    return encoded
