"""Point-cloud tokenizer: one token per point, Fourier features of its coordinates."""

from torch import Tensor, nn

from nacbench.contracts.spec import Tokens
from nacbench.nn.positions import fourier_features


class PointTokenizer(nn.Module):
    """Fourier features of every point, without learned parameters.

    Args:
        bands: number of frequencies per coordinate.
        highest: sampling rate whose Nyquist frequency is the highest one: its angle is π · highest/2 · x.
    """

    def __init__(self, bands: int, highest: float) -> None:
        super().__init__()
        self.bands = bands
        self.highest = highest

    def forward(self, points: Tensor, mask: Tensor | None = None) -> Tokens:
        """Return tokens B×V×3·(2·bands + 1) for points B×V×3 in the unit ball.

        ``mask``, boolean B×V, is false for padding; a task whose shapes differ in number of points gives it.
        """
        return Tokens(fourier_features(points, self.bands, self.highest), mask)
