"""The suite's own corruptions: the fifteen kinds of ImageNet-C (arXiv 1903.12261) for images of any size.

Kinds follow Hendrycks and Dietterich 2019; amounts, textures and code are this suite's own, so scores are comparable
within the suite, but not with any published ones. For images of 32, 64 and 224 pixels there are the published
definitions: `nacbench.data.images.corruptions.published`.

Internally images are float32 N×C×H×W in [0, 1]; a corruption may leave that range. "Side" is the shorter of H and W.
Every operation treats each image alone: no sum, FFT length or kernel size may depend on the rest of the batch.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence

import numpy as np

from nacbench.data.images.corruptions.filters import blurred, convolved, displaced
from nacbench.data.images.corruptions.portions import Draws, check, in_portions
from nacbench.errors import UserError, unknown

VERSION = 1  # increase it with every change that changes an image: it is part of the task's version
_LEAST_SIDE = 8


def corrupt(
    images: np.ndarray, name: str, severity: int, indices: Sequence[int] | np.ndarray, seed: int = 0
) -> np.ndarray:
    """Apply a corruption to images. The result for an image depends on its pixels and index, not on the batch.

    Args:
        images: uint8 N×C×H×W; C is 1 (grey) or 3 (red, green, blue), H and W at least 8.
        name: one of `CORRUPTIONS`.
        severity: 1 (mild) to 5.
        indices: N integers that identify the images; with name, severity and seed they seed the random numbers.
        seed: of the random numbers.

    Returns:
        A new uint8 array N×C×H×W.

    Raises:
        UserError: if the name is unknown, or severity, images or indices are not as described.
    """
    if name not in _TABLE:
        raise unknown("corruption", name, CORRUPTIONS)
    check(images, indices, severity)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or min(images.shape[2:]) < _LEAST_SIDE:
        raise UserError(f"images are {images.shape}; they must be N×C×H×W, C 1 or 3, H and W {_LEAST_SIDE} or more")
    operation, amounts = _TABLE[name]

    def corrupted(some: np.ndarray, draws: Draws) -> np.ndarray:
        return _bytes(operation(some, amounts[int(severity) - 1], draws))

    return in_portions(images, indices, corrupted, seed, "corruption", name, int(severity))


def _bytes(images: np.ndarray) -> np.ndarray:
    # 0.501 instead of 0.5: means of a few bytes are often exactly halfway, where float errors would decide the rounding
    # differently on different machines
    return (images.clip(0, 1) * 255 + 0.501).astype(np.uint8)


def _side(images: np.ndarray) -> int:
    return min(images.shape[2:])


# ---- noise


def _gaussian_noise(images: np.ndarray, std: float, draws: Draws) -> np.ndarray:
    noise = [draw.standard_normal(images.shape[1:], dtype=np.float32) for draw in draws]
    return images + std * np.stack(noise)


def _shot_noise(images: np.ndarray, photons: float, draws: Draws) -> np.ndarray:
    """Add the Poisson noise of a sensor that counts ``photons`` photons where the image is white."""
    counts = [draw.poisson(image * photons) for image, draw in zip(images, draws, strict=True)]
    return np.stack(counts).astype(np.float32) / photons


def _impulse_noise(images: np.ndarray, share: float, draws: Draws) -> np.ndarray:
    """Set a share of all values to 0 or 1, half each."""
    chance = np.stack([draw.random(images.shape[1:], dtype=np.float32) for draw in draws])
    return np.where(chance < share, chance < share / 2, images)


# ---- blur


def _defocus_blur(images: np.ndarray, radius: float, draws: Draws) -> np.ndarray:
    """Spread each point to a disc; the radius is a fraction of the side."""
    radius *= _side(images)
    along = np.linspace(-radius, radius, 21 + 4 * math.ceil(radius))  # at most half a pixel apart
    square = np.stack(np.meshgrid(along, along, indexing="ij"))
    rows, columns = square[:, None, np.hypot(*square) <= radius]
    return convolved(images, _kernels(rows, columns, reach=math.ceil(radius)), "symmetric")


def _glass_blur(images: np.ndarray, distance: float, draws: Draws) -> np.ndarray:
    """Displace each pixel randomly by up to ``distance`` (a fraction of the side), then blur slightly.

    Displacements are fractions of pixels; ImageNet-C swaps whole pixels, which destroys small images.
    """
    distance *= _side(images)
    shape = (2, *images.shape[2:])
    shift = np.stack([draw.uniform(-distance, distance, shape) for draw in draws])
    return blurred(displaced(images, shift), distance / 4, "symmetric")


def _motion_blur(images: np.ndarray, length: float, draws: Draws) -> np.ndarray:
    """Spread each point along a line in a random direction; the length is a fraction of the side."""
    angles = np.array([draw.uniform(0, math.pi) for draw in draws])
    return _streaked(images, length * _side(images), angles)


def _streaked(images: np.ndarray, length: float, angles: np.ndarray) -> np.ndarray:
    """Apply motion blur centred on each point; length in pixels, N angles from the horizontal in radians."""
    along = length * np.linspace(-0.5, 0.5, 4 * math.ceil(length) + 1)
    rows, columns = np.sin(angles)[:, None] * along, np.cos(angles)[:, None] * along
    return convolved(images, _kernels(rows, columns, reach=math.ceil(length / 2)), "symmetric")


def _kernels(rows: np.ndarray, columns: np.ndarray, reach: int) -> np.ndarray:
    """Return kernels N×K×K, K = 2·reach + 1, that spread a pixel evenly over points (N×points offsets in pixels).

    A point between pixels is divided bilinearly among the four around it, so that a blur grows smoothly from none.
    """
    grid = np.arange(-reach, reach + 1)
    near_row = (1 - abs(rows[..., None] - grid)).clip(0)
    near_column = (1 - abs(columns[..., None] - grid)).clip(0)
    return (near_row.transpose(0, 2, 1) @ near_column / rows.shape[1]).astype(np.float32)


def _zoom_blur(images: np.ndarray, most: float, draws: Draws) -> np.ndarray:
    """Average the image over magnifications from 1 to ``most``."""
    # steps of about a pixel at the border
    factors = np.linspace(1, most, 4 + math.ceil((most - 1) * _side(images) / 2))
    total = sum((_magnified(images, float(factor)) for factor in factors), start=np.zeros_like(images))
    return total / len(factors)


def _magnified(images: np.ndarray, factor: float) -> np.ndarray:
    """Magnify the centre of images to their full size, bilinearly."""
    for axis in (2, 3):
        length = images.shape[axis]
        middle = (length - 1) / 2
        place = middle + (np.arange(length) - middle) / factor
        low = np.floor(place).astype(int).clip(0, length - 2)
        share = (place - low).astype(np.float32).reshape(-1, *[1] * (3 - axis))
        images = images.take(low, axis) * (1 - share) + images.take(low + 1, axis) * share
    return images


# ---- weather


def _snow(images: np.ndarray, amount: float, draws: Draws) -> np.ndarray:
    """Add a whitish veil and falling flakes (peaks of smoothed noise, with motion blur); both grow with the amount."""
    side = _side(images)
    shape = (1, *images.shape[2:])
    drawn = [(draw.standard_normal(shape, dtype=np.float32), draw.uniform(0.25, 0.75)) for draw in draws]
    clumps = _standard(blurred(np.stack([noise for noise, _ in drawn]), side / 90, "symmetric"))
    flakes = (2 * (clumps - 1.9 + 3 * amount)).clip(0, 1)
    falling = _streaked(flakes, side * (0.06 + 0.15 * amount), math.pi * np.array([turn for _, turn in drawn]))
    dull = images + amount * (0.5 + 0.5 * images.mean(axis=1, keepdims=True) - images)
    return dull + (1 - dull) * (1.5 * falling).clip(0, 1)


def _frost(images: np.ndarray, amount: float, draws: Draws) -> np.ndarray:
    """Cover images with ice needles in three directions 60° apart, thickest in patches and towards the borders."""
    height, width = images.shape[2:]
    drawn = [(draw.standard_normal((4, height, width), dtype=np.float32), draw.random()) for draw in draws]
    noise = np.stack([noise for noise, _ in drawn])
    angles = (np.array([turn for _, turn in drawn])[:, None] + np.arange(3)) * (math.pi / 3)
    needles = (1 - abs(_fractal(noise[:, :3], angles))).clip(0).max(axis=1, keepdims=True)
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    border = np.maximum(abs(rows), abs(columns)) ** 2
    thickness = (0.45 + 0.25 * _fractal(noise[:, 3:]) + 0.3 * border).clip(0, 1)
    cover = (amount * thickness * (0.5 + needles)).clip(0, 0.95)
    ice = np.array([0.82, 0.91, 1.0] if images.shape[1] == 3 else [0.91]).reshape(-1, 1, 1)
    return images + cover * (ice * (0.6 + 0.4 * needles) - images)


def _fog(images: np.ndarray, density: float, draws: Draws) -> np.ndarray:
    """Blend with light grey by Koschmieder's law: a share exp(-density · depth) of the image remains (depth ≈ 1)."""
    noise = np.stack([draw.standard_normal((1, *images.shape[2:]), dtype=np.float32) for draw in draws])
    depth = (1 + 0.4 * _fractal(noise)).clip(0.2, 2)
    return 0.9 + (images - 0.9) * np.exp(-density * depth)


def _fractal(noise: np.ndarray, angles: np.ndarray | None = None) -> np.ndarray:
    """Filter white noise N×M×H×W to an amplitude of frequency**-1.5, with mean 0 and standard deviation 1.

    With angles (N×M, from the horizontal, in radians) the features are elongated along them.
    """
    from scipy import fft

    rows, columns = fft.fftfreq(noise.shape[2])[:, None], fft.rfftfreq(noise.shape[3])
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # weight 0: removes the mean, and avoids a division by zero
    weight = frequency**-1.5
    if angles is not None:
        angles = angles[..., None, None]
        along = (np.sin(angles) * rows + np.cos(angles) * columns) / frequency
        weight = weight * np.exp(-((along / 0.2) ** 2))
    return _standard(fft.irfft2(fft.rfft2(noise) * weight.astype(np.float32), noise.shape[2:]))


def _standard(fields: np.ndarray) -> np.ndarray:
    """Standardise each field of N×M×H×W to mean 0 and standard deviation 1."""
    flat = fields.reshape(*fields.shape[:2], -1)
    flat = flat - flat.mean(axis=2, keepdims=True)
    return (flat / flat.std(axis=2, keepdims=True)).reshape(fields.shape)


# ---- digital


def _brightness(images: np.ndarray, more: float, draws: Draws) -> np.ndarray:
    """Raise the value of the HSV colour model; black becomes grey."""
    value = images.max(axis=1, keepdims=True)
    brighter = (value + more).clip(0, 1)
    return np.where(value > 0, images * (brighter / value.clip(1 / 255)), brighter)


def _contrast(images: np.ndarray, share: float, draws: Draws) -> np.ndarray:
    """Scale each channel's deviation from its mean over the image by ``share``."""
    mean = images.reshape(*images.shape[:2], -1).mean(axis=2)[..., None, None]
    return mean + share * (images - mean)


def _elastic_transform(images: np.ndarray, shift: float, draws: Draws) -> np.ndarray:
    """Displace pixels by a smooth random field whose standard deviation is ``shift`` (a fraction of the side)."""
    side = _side(images)
    shape = (2, *images.shape[2:])
    noise = np.stack([draw.standard_normal(shape, dtype=np.float32) for draw in draws])
    return displaced(images, shift * side * _standard(blurred(noise, 0.08 * side, "symmetric")))


def _pixelate(images: np.ndarray, share: float, draws: Draws) -> np.ndarray:
    """Replace blocks by their means; there are ``share`` times as many blocks as pixels along each axis."""
    height, width = images.shape[2:]
    return _blocks(height, share) @ images @ _blocks(width, share).T


def _blocks(length: int, share: float) -> np.ndarray:
    """Return weights length×length that give each pixel the mean of the block that contains its centre."""
    blocks = round(length * share)
    edge = np.arange(blocks + 1)[:, None] * (length / blocks)
    pixel = np.arange(length)
    overlap = (np.minimum(edge[1:], pixel + 1) - np.maximum(edge[:-1], pixel)).clip(0)
    block = ((pixel + 0.5) * (blocks / length)).astype(int)
    return (overlap[block] * (blocks / length)).astype(np.float32)


def _jpeg_compression(images: np.ndarray, quality: float, draws: Draws) -> np.ndarray:
    decoded = [_through_jpeg(image, int(quality)) for image in _bytes(images)]
    return np.stack(decoded) / np.float32(255)


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Encode an image uint8 C×H×W as JPEG and decode it."""
    from PIL import Image

    channels, height, width = image.shape
    file = io.BytesIO()
    Image.fromarray(image[0] if channels == 1 else image.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(height, width, channels).transpose(2, 0, 1)


_Operation = Callable[[np.ndarray, float, Draws], np.ndarray]
_TABLE: dict[str, tuple[_Operation, tuple[float, float, float, float, float]]] = {
    "gaussian-noise": (_gaussian_noise, (0.04, 0.06, 0.09, 0.13, 0.18)),
    "shot-noise": (_shot_noise, (300, 140, 60, 30, 15)),
    "impulse-noise": (_impulse_noise, (0.02, 0.04, 0.07, 0.11, 0.17)),
    "defocus-blur": (_defocus_blur, (0.015, 0.022, 0.03, 0.04, 0.055)),
    "glass-blur": (_glass_blur, (0.01, 0.016, 0.024, 0.034, 0.046)),
    "motion-blur": (_motion_blur, (0.06, 0.085, 0.11, 0.14, 0.175)),
    "zoom-blur": (_zoom_blur, (1.06, 1.1, 1.15, 1.2, 1.26)),
    "snow": (_snow, (0.06, 0.12, 0.18, 0.24, 0.3)),
    "frost": (_frost, (0.25, 0.37, 0.5, 0.62, 0.75)),
    "fog": (_fog, (0.22, 0.36, 0.54, 0.74, 0.95)),
    "brightness": (_brightness, (0.08, 0.15, 0.22, 0.3, 0.38)),
    "contrast": (_contrast, (0.7, 0.5, 0.36, 0.24, 0.16)),
    "elastic-transform": (_elastic_transform, (0.008, 0.013, 0.018, 0.024, 0.031)),
    "pixelate": (_pixelate, (0.85, 0.7, 0.57, 0.46, 0.37)),
    "jpeg-compression": (_jpeg_compression, (65, 45, 30, 20, 12)),
}
#: Names of the corruptions, as arguments of `corrupt`.
CORRUPTIONS: tuple[str, ...] = tuple(_TABLE)
