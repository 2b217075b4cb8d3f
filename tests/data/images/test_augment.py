"""Augmentation of whole batches against one image after another."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from nacbench.data.images.augment import CropEach, FlipEach, InGroups, augmentation
from nacbench.data.images.recipe import ImageAugment

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
SIZE = (12, 10)
EVERYTHING = ImageAugment(crop_padding=2, flip=True, randaugment=9, randaugment_std=0.5, color_jitter=0.4, erasing=0.5)


def pictures(count: int, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    """Random uint8 images without a black pixel, so that padding shows."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def seeded(transform: Callable[..., Tensor], *inputs: Tensor, seed: int = 0) -> Tensor:
    """The outcome with torch's generator at this seed."""
    torch.manual_seed(seed)
    return transform(*inputs)


def place_of(crop: np.ndarray, image: np.ndarray, padding: int) -> tuple[int, int]:
    """Where in the padded image a crop was cut, found by trying every place."""
    height, width = image.shape[1:]
    padded = np.zeros((image.shape[0], height + 2 * padding, width + 2 * padding), dtype=np.uint8)
    padded[:, padding : padding + height, padding : padding + width] = image
    places = [
        (top, left)
        for top in range(2 * padding + 1)
        for left in range(2 * padding + 1)
        if np.array_equal(padded[:, top : top + height, left : left + width], crop)
    ]
    assert len(places) == 1
    return places[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_crop_each_crops_every_image_separately(channels: int) -> None:
    images = pictures(200, channels)
    crops = seeded(CropEach(2), images)
    assert (crops.shape, crops.dtype) == (images.shape, images.dtype)
    places = [place_of(crop.numpy(), image.numpy(), padding=2) for crop, image in zip(crops, images, strict=True)]
    assert set(places) == {(top, left) for top in range(5) for left in range(5)}


def test_flip_each_mirrors_about_half_of_the_images() -> None:
    images = pictures(400)
    mirrored = 0
    for before, after in zip(images.numpy(), seeded(FlipEach(), images).numpy(), strict=True):
        is_mirrored = np.array_equal(after, before[:, :, ::-1])
        assert is_mirrored or np.array_equal(after, before)
        mirrored += is_mirrored
    assert 160 < mirrored < 240


@pytest.mark.parametrize("group", [1, 3, 8, 20])
def test_groups_keep_their_order(group: int) -> None:
    images = pictures(8)
    jitter = v2.ColorJitter(brightness=0.5)
    together = seeded(InGroups(jitter, group), images)
    torch.manual_seed(0)
    one_by_one = [jitter(images[first : first + group]) for first in range(0, 8, group)]
    assert torch.equal(together, torch.cat(one_by_one))


def test_random_parameters_are_shared_within_a_group_only() -> None:
    image = pictures(1).expand(6, -1, -1, -1)
    out = seeded(InGroups(v2.ColorJitter(brightness=0.5), 3), image)
    assert torch.equal(out[0], out[1])
    assert torch.equal(out[0], out[2])
    assert not torch.equal(out[2], out[3])


def test_default_settings_only_normalise() -> None:
    images = pictures(4)
    out = augmentation(ImageAugment(), MEAN, STD, SIZE)(images)
    for channel in range(3):
        expected = (images[:, channel].double() / 255 - MEAN[channel]) / STD[channel]
        torch.testing.assert_close(out[:, channel].double(), expected, atol=1e-6, rtol=0)
    assert out.dtype == torch.float32


def test_crop_and_flip_precede_normalisation() -> None:
    images = pictures(16)
    out = seeded(augmentation(ImageAugment(crop_padding=2, flip=True), (0, 0, 0), (1, 1, 1), SIZE), images)
    expected = seeded(lambda batch: FlipEach()(CropEach(2)(batch)), images)
    assert torch.equal((out * 255).round().to(torch.uint8), expected)


def test_color_jitter_stays_within_its_limits() -> None:
    grey = torch.full((64, 3, 4, 4), 100, dtype=torch.uint8)
    out = seeded(augmentation(ImageAugment(color_jitter=0.4), (0, 0, 0), (1, 1, 1), SIZE), grey) * 255
    assert float(out.min()) >= 59
    assert float(out.max()) <= 141
    assert len(set(out[:, 0, 0, 0].tolist())) > 20


def test_erasing_fills_one_rectangle_with_noise_for_each_pixel() -> None:
    images = pictures(400, height=16, width=16)
    out = seeded(augmentation(ImageAugment(erasing=0.25), MEAN, STD, (16, 16)), images)
    plain = augmentation(ImageAugment(), MEAN, STD, (16, 16))(images)
    noise, shares = [], []
    for before, after in zip(plain.numpy(), out.numpy(), strict=True):
        rows, columns = np.nonzero((before != after).any(axis=0))
        if len(rows):
            box = after[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert len(rows) == box[0].size
            noise.append(box.ravel())
            shares.append(box[0].size / 256)
    values = np.concatenate(noise)
    assert 70 < len(noise) < 130
    assert min(shares) > 0.02
    assert max(shares) < 0.36
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


@pytest.mark.parametrize("channels", [1, 3])
def test_all_augmentation_together_keeps_shape_and_is_finite(channels: int) -> None:
    images = pictures(7, channels)
    out = seeded(augmentation(EVERYTHING, MEAN[:channels], STD[:channels], SIZE), images)
    assert (out.shape, out.dtype) == (images.shape, torch.float32)
    assert bool(out.isfinite().all())


def test_augmentation_does_not_modify_its_input() -> None:
    images = pictures(6)
    seeded(augmentation(EVERYTHING, MEAN, STD, SIZE), images)
    assert torch.equal(images, pictures(6))


def test_augmentation_depends_on_torch_s_generator_only() -> None:
    images = pictures(6)
    first = seeded(augmentation(EVERYTHING, MEAN, STD, SIZE), images)
    again = seeded(augmentation(EVERYTHING, MEAN, STD, SIZE), images)
    other = seeded(augmentation(EVERYTHING, MEAN, STD, SIZE), images, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
