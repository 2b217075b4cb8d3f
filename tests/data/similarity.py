"""Structural similarity of images (SSIM, Wang et al. 2004), for figures that were measured with scikit-image."""

import torch.nn.functional as F
from torch import Tensor

SIDE = 7  # of the window, in pixels
RANGE = 255.0


def mean_similarity(before: Tensor, after: Tensor) -> float:
    """Return the mean similarity of N×channels×height×width, each channel on its own.

    As scikit-image's ``structural_similarity`` with its defaults: a uniform window, sample variances, no borders.
    """
    x, y = before.double(), after.double()
    mean_x, mean_y = _smooth(x), _smooth(y)
    unbiased = SIDE**2 / (SIDE**2 - 1)
    variance_x = unbiased * (_smooth(x * x) - mean_x**2)
    variance_y = unbiased * (_smooth(y * y) - mean_y**2)
    covariance = unbiased * (_smooth(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float((above / below).mean())


def _smooth(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, SIDE, stride=1)
