"""Point clouds to tokens: each point is a token, its coordinates as Fourier features."""

from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.nn.positions import fourier_features


class PointTokenizer(nn.Module):
    """Fourier position features of every point; nothing is learned.

    Args:
        bands: frequencies a coordinate.
        highest: the largest of them, as a sampling rate: its angle is π · highest/2 · x.
    """

    def __init__(self, bands: int, highest: float) -> None:
        super().__init__()
        self.bands = bands
        self.highest = highest

    def forward(self, points: Tensor) -> Tokens:
        """Points B×V×3 in the unit ball → tokens B×V×3·(2·bands + 1)."""
        return Tokens(fourier_features(points, self.bands, self.highest))
