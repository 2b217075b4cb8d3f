"""RandAugment against figures of the published pipeline, timm 0.4.12's "rand-m9-mstd0.5-inc1"."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor

from nacbench.data.images.augment import augmentation
from nacbench.data.images.randaugment import OPERATIONS, RandAugment, as_pillow, as_tensor, posterize, rotate, shear_x
from nacbench.data.images.recipe import ImageAugment
from nacbench.data.images.task import IMAGENET_MEAN, IMAGENET_STD
from nacbench.registry import TASKS

from ..similarity import mean_similarity

AUTHORS = TASKS.get("tiny-imagenet").recipes["paper"].augment  # type: ignore[attr-defined]

# timm 0.4.12 with Pillow 13, 12,000 images: 100 draws for each of `tiles`; posterize to 0 bits gives black
TILES = {"untouched": 0.2588, "change": 44.22, "similarity": 0.5958}
# The same on Tiny-ImageNet, as published in this suite's list of the authors' settings
TINY_IMAGENET = {"untouched": 0.26, "change": 42.5, "similarity": 0.449}
# Its whole training pipeline, from the crop to the erasing, of the same 12,000 images, normalised
BATCHES = {"mean": -0.078, "deviation": 0.8061, "change": 0.9705, "roughness": 0.1527}


def tiles() -> Tensor:
    """120 tiles of 64×64 pixels: the upper 384 rows of scikit-learn's two sample photographs."""
    photographs = [photograph[:384] for photograph in load_sample_images().images]
    cut = [own.reshape(6, 64, 10, 64, 3).swapaxes(1, 2).reshape(60, 64, 64, 3) for own in photographs]
    return torch.from_numpy(np.concatenate(cut)).permute(0, 3, 1, 2)


def figures(before: Tensor, after: Tensor) -> dict[str, float]:
    """Share of images that stay as they are, mean absolute change (of 255), and structural similarity."""
    touched = (before != after).flatten(1).any(1)
    share = float(touched.double().mean())
    return {
        "untouched": 1 - share,
        "change": float((before.double() - after.double()).abs().mean()),
        "similarity": 1 - share + share * mean_similarity(before[touched], after[touched]),
    }


def randaugmented(images: Tensor) -> Tensor:
    torch.manual_seed(1)
    settings = AUTHORS.randaugment, AUTHORS.randaugment_std, AUTHORS.randaugment_probability
    return RandAugment(*settings, fill=IMAGENET_MEAN)(images)


def test_figures_on_photographs_are_those_of_timm() -> None:
    images = tiles().repeat(25, 1, 1, 1)
    assert figures(images, randaugmented(images)) == pytest.approx(TILES, rel=0.05)


def test_figures_on_tiny_imagenet_are_the_published_ones(mirror: Path) -> None:
    arrays = TASKS.get("tiny-imagenet")().arrays(mirror).arrays  # type: ignore[attr-defined]
    images = torch.from_numpy(arrays["test_images"][:1500].copy()).repeat(2, 1, 1, 1)
    assert figures(images, randaugmented(images)) == pytest.approx(TINY_IMAGENET, rel=0.05)


def test_augmented_batches_have_the_statistics_of_timm() -> None:
    images = tiles().repeat(20, 1, 1, 1)
    plain = augmentation(ImageAugment(), IMAGENET_MEAN, IMAGENET_STD, (64, 64))(images)
    torch.manual_seed(0)
    batch = augmentation(AUTHORS, IMAGENET_MEAN, IMAGENET_STD, (64, 64))(images)
    assert float(batch.mean()) == pytest.approx(BATCHES["mean"], abs=0.05)
    assert float(batch.flatten(1).std(1).mean()) == pytest.approx(BATCHES["deviation"], rel=0.05)
    assert float((batch - plain).abs().mean()) == pytest.approx(BATCHES["change"], rel=0.05)
    assert float((batch[..., 1:] - batch[..., :-1]).abs().mean()) == pytest.approx(BATCHES["roughness"], rel=0.05)


def test_half_of_each_image_is_seen_on_average() -> None:
    """A crop from a ramp shows in its range of values how much of the width was kept; likewise the height."""
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(64, 64)
    images = torch.stack([ramp, ramp.T, ramp]).expand(1000, -1, -1, -1)
    torch.manual_seed(0)
    crops = augmentation(ImageAugment(resized_crop=0.08), (0, 0, 0), (1, 1, 1), (64, 64))(images) * 255
    spans = (crops.amax((-2, -1)) - crops.amin((-2, -1)))[:, :2] / 252
    assert float(spans.prod(1).mean()) == pytest.approx(0.49, rel=0.05)


def test_the_strongest_posterize_keeps_one_bit() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(3, axis=0)
    image = as_pillow(torch.from_numpy(ramp))
    assert set(np.unique(np.asarray(posterize(image, 1.0, 1.0, (0, 0, 0))))) == {0, 128}


def test_uncovered_corners_have_the_fill_colour() -> None:
    white = Image.new("RGB", (64, 64), (255, 255, 255))
    for operation in (rotate, shear_x):
        corners = np.asarray(operation(white, 1.0, 1.0, (10, 20, 30)))[[0, -1], [-1, -1]]
        assert (10, 20, 30) in {tuple(corner) for corner in corners.tolist()}


@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_takes_grey_and_colour(channels: int) -> None:
    image = tiles()[7, :channels]
    for operation in OPERATIONS:
        for level in (0.0, 0.9, 1.0):
            changed = as_tensor(operation(as_pillow(image), level, -1.0, (124, 116, 104)[:channels]))
            assert (changed.shape, changed.dtype) == (image.shape, torch.uint8)


def test_probability_zero_changes_nothing_and_one_nearly_everything() -> None:
    images = tiles()[:60]
    torch.manual_seed(0)
    assert torch.equal(RandAugment(9, 0.5, 0.0, IMAGENET_MEAN)(images), images)
    assert figures(images, RandAugment(9, 0.5, 1.0, IMAGENET_MEAN)(images))["untouched"] < 0.1
