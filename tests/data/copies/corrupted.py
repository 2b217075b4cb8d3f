"""The published corrupted images: CIFAR-10-C's arrays, and the folders of Tiny-ImageNet-C and ImageNet-C."""

import io
from collections.abc import Sequence

import numpy as np

from tests.data.copies import tiny_imagenet
from tests.data.copies.colours import jpeg, pixels

GROUPS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
SEVERITIES = (1, 2, 3, 4, 5)


def arrays(labels: Sequence[int], top: str = "CIFAR-10-C") -> dict[str, bytes]:
    """An array for each corruption, five severities one after the other, and the labels five times."""
    images = [pixels(label, 10 * severity + place, 32) for severity in SEVERITIES for place, label in enumerate(labels)]
    content = npy(np.stack(images))
    files = {f"{top}/{name}.npy": content for names in GROUPS.values() for name in names}
    return {**files, f"{top}/labels.npy": npy(np.tile(np.array(labels, np.uint8), 5))}


def npy(array: np.ndarray) -> bytes:
    """An array as a file of NumPy."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def folders(group: str, wnids: Sequence[str] = tiny_imagenet.WNIDS, side: int = 64, each: int = 2) -> dict[str, bytes]:
    """The folders of a group's corruptions, with as many images of each class as the test set has."""
    images = {
        f"{severity}/{wnid}/val_{label + number * len(wnids)}.JPEG": jpeg(pixels(label, severity, side))
        for severity in SEVERITIES
        for label, wnid in enumerate(wnids)
        for number in range(each)
    }
    return {f"{corruption}/{name}": content for corruption in GROUPS[group] for name, content in images.items()}
