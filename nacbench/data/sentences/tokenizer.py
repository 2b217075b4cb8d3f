"""An image and a sentence to tokens: the image's are what a model works on, the sentence's are the condition."""

import torch
from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.data.images.tokenizer import ImageTokenizer
from nacbench.data.sequences.tokenizer import SymbolTokenizer


class SentenceImageTokenizer(nn.Module):
    """The image tokenizer beside an embedding of words, brought to one width and told apart by a learned offset.

    Args:
        image: tokenizes the image, to tokens of width T.
        vocabulary: number of words, padding and the unknown word included.
        max_words: the longest sentence.
        token_dim: T.
        position_dim: channels of T that say where a word stands; even.
    """

    no_weight_decay = ("kind",)

    def __init__(
        self, image: ImageTokenizer, vocabulary: int, max_words: int, token_dim: int, position_dim: int
    ) -> None:
        super().__init__()
        self.image = image
        width = (token_dim - position_dim) // 2
        self.sentence = SymbolTokenizer(vocabulary, width, position_dim, max_words, stride=1)
        self.kind = nn.Parameter(0.02 * torch.randn(2, token_dim))

    def forward(self, image: Tensor, sentence: Tensor) -> Tokens:
        """Normalised images B×channels×height×width and word numbers B×W (0: padding) → tokens and condition."""
        words = self.sentence(sentence)
        return Tokens(self.image(image).tokens + self.kind[0], None, words.tokens + self.kind[1], words.mask)
