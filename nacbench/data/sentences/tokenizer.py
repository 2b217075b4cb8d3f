"""Image and sentence tokenizer: the image's tokens are the input, the sentence's tokens are the condition."""

import torch
from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.data.images.tokenizer import ImageTokenizer
from nacbench.data.sequences.tokenizer import SymbolTokenizer


class SentenceImageTokenizer(nn.Module):
    """Image tokenizer and word embedding of equal width, with a learned offset for each kind of token.

    Args:
        image: tokenizer of the image, with tokens of width T.
        vocabulary: number of words, including padding and the unknown word.
        max_words: W, number of words of the longest sentence.
        token_dim: T.
        position_dim: number of position channels among the T; even.
    """

    no_weight_decay = ("kind",)

    def __init__(
        self, image: ImageTokenizer, vocabulary: int, max_words: int, token_dim: int, position_dim: int
    ) -> None:
        super().__init__()
        self.image = image
        width = (token_dim - position_dim) // 2
        self.sentence = SymbolTokenizer(vocabulary, width, position_dim, max_words, stride=1)
        # Small: at unit variance the offset drowned what the image tokens say, and nothing was learned
        self.kind = nn.Parameter(0.02 * torch.randn(2, token_dim))

    def forward(self, image: Tensor, sentence: Tensor) -> Tokens:
        """Return tokens B×V×T and condition B×W×T for normalised images B×channels×height×width and words B×W.

        Word number 0 is padding.
        """
        words = self.sentence(sentence)
        return Tokens(self.image(image).tokens + self.kind[0], None, words.tokens + self.kind[1], words.mask)
