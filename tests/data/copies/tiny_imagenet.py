"""Tiny-ImageNet as cs231n's zip has it, with a few classes and images, some of them grey."""

import numpy as np

from tests.data.copies.colours import jpeg, pixels

WNIDS = ("n01443537", "n01629819", "n01641577", "n02124075")
TOP = "tiny-imagenet-200"
SIDE = 64


def train(each: int = 3) -> dict[str, bytes]:
    """Training images with their lists of boxes; the last image of the first class is grey."""
    files: dict[str, bytes] = {}
    for label, wnid in enumerate(WNIDS):
        for number in range(each):
            image = pixels(label, number, SIDE)
            grey = label == 0 and number == each - 1
            files[f"{TOP}/train/{wnid}/images/{wnid}_{number}.JPEG"] = jpeg(image[..., 0] if grey else image)
        boxes = "".join(f"{wnid}_{number}.JPEG\t0\t10\t63\t58\n" for number in range(each))
        files[f"{TOP}/train/{wnid}/{wnid}_boxes.txt"] = boxes.encode()
    return files


def validation(each: int = 2) -> dict[str, tuple[str, bytes]]:
    """Class and content of the validation images by their names; classes are mixed, as in the original."""
    found = {}
    for number in range(each * len(WNIDS)):
        label = 3 * number % len(WNIDS)
        found[f"val_{number}.JPEG"] = WNIDS[label], jpeg(pixels(label, 100 + number, SIDE))
    return found


def original() -> dict[str, bytes]:
    """The zip: validation images in one folder, their classes in a list; test images without labels."""
    found = validation()
    annotations = "".join(f"{name}\t{wnid}\t0\t32\t44\t62\n" for name, (wnid, _) in found.items())
    return {
        f"{TOP}/wnids.txt": "\n".join(reversed(WNIDS)).encode() + b"\n",
        f"{TOP}/words.txt": b"".join(f"{wnid}\ta word, another\n".encode() for wnid in WNIDS),
        **train(),
        f"{TOP}/val/val_annotations.txt": annotations.encode(),
        **{f"{TOP}/val/images/{name}": content for name, (_, content) in found.items()},
        **{f"{TOP}/test/images/test_{number}.JPEG": jpeg(np.zeros((SIDE, SIDE, 3), np.uint8)) for number in range(2)},
    }


def sorted_by_class(inside: str = "images/") -> dict[str, bytes]:
    """The same after the usual script: each validation image in its class's folder, or in ``images`` there."""
    files = {f"{TOP}/val/{wnid}/{inside}{name}": content for name, (wnid, content) in validation().items()}
    return {f"{TOP}/wnids.txt": "\n".join(WNIDS).encode(), **train(), **files}
