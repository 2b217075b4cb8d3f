"""Amounts of the published corruptions: for each size of image and corruption, one entry per severity 1 to 5.

Source: hendrycks/robustness, commit 8190fe3, ImageNet-C/create_c/make_cifar_c.py (32 pixels), make_tinyimagenet_c.py
(64) and make_imagenet_c.py (224), with which the published files were made. The figures of one entry are those of the
function of that name in the modules noise, blur, weather, digital and spatter, in order; lengths are in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Amount = tuple[float, ...]
Amounts = Mapping[str, Sequence[Amount]]


def _each(*amounts: float) -> Sequence[Amount]:
    return [(amount,) for amount in amounts]


_CIFAR: Amounts = {
    "gaussian-noise": _each(0.04, 0.06, 0.08, 0.09, 0.1),
    "shot-noise": _each(500, 250, 100, 75, 50),
    "impulse-noise": _each(0.01, 0.02, 0.03, 0.05, 0.07),
    "defocus-blur": [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
    "glass-blur": [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
    "motion-blur": [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)],
    "zoom-blur": [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    "snow": [
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ],
    "frost": [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
    "fog": [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)],
    "brightness": _each(0.05, 0.1, 0.15, 0.2, 0.3),
    "contrast": _each(0.75, 0.5, 0.4, 0.3, 0.15),
    "elastic-transform": [(0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)],
    "pixelate": _each(0.95, 0.9, 0.85, 0.75, 0.65),
    "jpeg-compression": _each(80, 65, 58, 50, 40),
    "speckle-noise": _each(0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian-blur": _each(0.4, 0.6, 0.7, 0.8, 1),
    "spatter": [
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ],
    "saturate": [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)],
}

_TINY_IMAGENET: Amounts = {
    "gaussian-noise": _each(0.04, 0.08, 0.12, 0.15, 0.18),
    "shot-noise": _each(250, 100, 50, 30, 15),
    "impulse-noise": _each(0.01, 0.02, 0.05, 0.08, 0.14),
    "defocus-blur": [(0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)],
    "glass-blur": [(0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)],
    "motion-blur": [(10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)],
    "zoom-blur": [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    "snow": [
        (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    ],
    "frost": [(1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)],
    "fog": [(0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)],
    "brightness": _each(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": _each(0.4, 0.3, 0.2, 0.1, 0.05),
    "elastic-transform": [
        (0, 0, 5.12),
        (3.2, 19.2, 3.84),
        (6.4, 5.12, 3.84),
        (6.4, 1.92, 1.92),
        (10.24, 1.92, 1.28),
    ],
    "pixelate": _each(0.9, 0.8, 0.7, 0.6, 0.5),
    "jpeg-compression": _each(65, 58, 50, 40, 25),
    "speckle-noise": _each(0.15, 0.2, 0.25, 0.3, 0.35),
    "gaussian-blur": _each(0.5, 0.75, 1, 1.25, 1.5),
    "spatter": [
        (0.62, 0.1, 0.7, 0.7, 0.6, 0),
        (0.65, 0.1, 0.8, 0.7, 0.6, 0),
        (0.65, 0.3, 1, 0.69, 0.6, 0),
        (0.65, 0.1, 0.7, 0.68, 0.6, 1),
        (0.65, 0.1, 0.5, 0.67, 0.6, 1),
    ],
    "saturate": [(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)],
}

_IMAGENET: Amounts = {
    "gaussian-noise": _each(0.08, 0.12, 0.18, 0.26, 0.38),
    "shot-noise": _each(60, 25, 12, 5, 3),
    "impulse-noise": _each(0.03, 0.06, 0.09, 0.17, 0.27),
    "defocus-blur": [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
    "glass-blur": [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
    "motion-blur": [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)],
    "zoom-blur": [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
    "snow": [
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ],
    "frost": [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
    "fog": [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
    "brightness": _each(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": _each(0.4, 0.3, 0.2, 0.1, 0.05),
    # fractions of 244 pixels, as published; 224 was meant
    "elastic-transform": [
        (488, 170.8, 24.4),
        (488, 19.52, 48.8),
        (12.2, 2.44, 4.88),
        (17.08, 2.44, 4.88),
        (29.28, 2.44, 4.88),
    ],
    "pixelate": _each(0.6, 0.5, 0.4, 0.3, 0.25),
    "jpeg-compression": _each(25, 18, 15, 10, 7),
    "speckle-noise": _each(0.15, 0.2, 0.35, 0.45, 0.6),
    "gaussian-blur": _each(1, 2, 3, 4, 6),
    "spatter": [
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 1.5, 1),
    ],
    "saturate": [(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)],
}

AMOUNTS: Mapping[int, Amounts] = {32: _CIFAR, 64: _TINY_IMAGENET, 224: _IMAGENET}  # by the side of the images in pixels
