"""Augmentation of whole batches against one image after another."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from nacbench.data.images.augment import CropEach, FlipEach, InGroups, RandAugmentAround, augmentation, mixing
from nacbench.data.images.recipe import ImageAugment

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
EVERYTHING = ImageAugment(
    crop_padding=2, flip=True, randaugment=9, randaugment_std=1.5, color_jitter=0.4, erasing=0.5, images_per_draw=3
)


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
    together = seeded(InGroups([jitter], group), images)
    torch.manual_seed(0)
    one_by_one = [jitter(images[first : first + group]) for first in range(0, 8, group)]
    assert torch.equal(together, torch.cat(one_by_one))


def test_random_parameters_are_shared_within_a_group_only() -> None:
    image = pictures(1).expand(6, -1, -1, -1)
    out = seeded(InGroups([v2.ColorJitter(brightness=0.5)], 3), image)
    assert torch.equal(out[0], out[1])
    assert torch.equal(out[0], out[2])
    assert not torch.equal(out[2], out[3])


@pytest.mark.parametrize(("mean", "level"), [(9, 9), (0, 0), (30, 30), (8.6, 9)])
def test_randaugment_without_spread_equals_torchvision(mean: float, level: int) -> None:
    images = pictures(2)
    for seed in range(20):
        torch.manual_seed(seed)
        torch.randn(())
        expected = v2.RandAugment(magnitude=level)(images)
        assert torch.equal(seeded(RandAugmentAround(mean, 0.0), images, seed=seed), expected)


def test_randaugment_magnitude_is_normal_and_clamped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    magnitudes: list[int] = []

    def note(self: v2.RandAugment, image: Tensor) -> Tensor:
        magnitudes.append(self.magnitude)
        return image

    monkeypatch.setattr(v2.RandAugment, "forward", note)
    transform = RandAugmentAround(28, 3.0)
    torch.manual_seed(0)
    for _ in range(300):
        transform(pictures(1))
    torch.manual_seed(0)
    draws = [28 + 3.0 * float(torch.randn(())) for _ in range(300)]
    assert magnitudes == [max(0, min(30, round(draw))) for draw in draws]
    assert max(magnitudes) == 30
    assert min(magnitudes) < 25


def test_default_settings_only_normalise() -> None:
    images = pictures(4)
    out = augmentation(ImageAugment(), MEAN, STD)(images)
    for channel in range(3):
        expected = (images[:, channel].double() / 255 - MEAN[channel]) / STD[channel]
        torch.testing.assert_close(out[:, channel].double(), expected, atol=1e-6, rtol=0)
    assert out.dtype == torch.float32


def test_crop_and_flip_precede_normalisation() -> None:
    images = pictures(16)
    out = seeded(augmentation(ImageAugment(crop_padding=2, flip=True), (0, 0, 0), (1, 1, 1)), images)
    expected = seeded(lambda batch: FlipEach()(CropEach(2)(batch)), images)
    assert torch.equal((out * 255).round().to(torch.uint8), expected)


def test_color_jitter_stays_within_its_limits() -> None:
    grey = torch.full((64, 3, 4, 4), 100, dtype=torch.uint8)
    out = seeded(augmentation(ImageAugment(color_jitter=0.4), (0, 0, 0), (1, 1, 1)), grey) * 255
    assert float(out.min()) >= 59
    assert float(out.max()) <= 141
    assert len(set(out[:, 0, 0, 0].tolist())) > 20


def test_erasing_sets_one_rectangle_to_the_mean() -> None:
    images = pictures(400, height=16, width=16)
    out = seeded(augmentation(ImageAugment(erasing=0.25), (0, 0, 0), (1, 1, 1)), images)
    plain = augmentation(ImageAugment(), (0, 0, 0), (1, 1, 1))(images)
    erased = 0
    for before, after in zip(plain.numpy(), out.numpy(), strict=True):
        rows, columns = np.nonzero((before != after).any(axis=0))
        if len(rows):
            erased += 1
            box = np.s_[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert (after[box] == 0).all()
            assert len(rows) == after[box][0].size
    assert 70 < erased < 130


@pytest.mark.parametrize("channels", [1, 3])
def test_all_augmentation_together_keeps_shape_and_is_finite(channels: int) -> None:
    images = pictures(7, channels)
    out = seeded(augmentation(EVERYTHING, MEAN[:channels], STD[:channels]), images)
    assert (out.shape, out.dtype) == (images.shape, torch.float32)
    assert bool(out.isfinite().all())


def test_augmentation_does_not_modify_its_input() -> None:
    images = pictures(6)
    seeded(augmentation(EVERYTHING, MEAN, STD), images)
    assert torch.equal(images, pictures(6))


def test_augmentation_depends_on_torch_s_generator_only() -> None:
    images = pictures(6)
    first = seeded(augmentation(EVERYTHING, MEAN, STD), images)
    again = seeded(augmentation(EVERYTHING, MEAN, STD), images)
    other = seeded(augmentation(EVERYTHING, MEAN, STD), images, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def labels_and_images(count: int = 8) -> tuple[Tensor, Tensor]:
    """Images whose every pixel is their number, and labels."""
    images = torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 12, 10).clone()
    return images, torch.arange(count) % 5


def test_mixing_off_changes_nothing() -> None:
    images, labels = labels_and_images()
    mixed, target = mixing(ImageAugment(), 5)(images, labels)
    assert torch.equal(mixed, images)
    assert torch.equal(target, labels)


@pytest.mark.parametrize(
    "settings",
    [
        ImageAugment(mixup=0.8),
        ImageAugment(cutmix=1.0),
        ImageAugment(mixup=0.8, cutmix=1.0),
        ImageAugment(mixup=0.8, cutmix=1.0, cutmix_probability=0.0),
        ImageAugment(mixup=0.8, cutmix=1.0, cutmix_probability=1.0),
    ],
)
def test_mixed_targets_are_probabilities_of_two_labels(settings: ImageAugment) -> None:
    images, labels = labels_and_images()
    mix = mixing(settings, 5)
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, target = mix(images.clone(), labels)
        assert mixed.shape == images.shape
        assert target.shape == (8, 5)
        assert float(target.min()) >= 0
        torch.testing.assert_close(target.sum(dim=1), torch.ones(8))
        for index in range(8):
            share = float(target[index, labels[index]])
            expected = torch.zeros(5)
            expected[labels[index]] += share
            expected[labels[index - 1]] += 1 - share
            torch.testing.assert_close(target[index], expected)


def test_mixup_blends_neighbours_in_proportion_to_the_target() -> None:
    images, labels = labels_and_images()
    torch.manual_seed(0)
    mixed, target = mixing(ImageAugment(mixup=0.8), 5)(images, labels)
    for index in range(8):
        share = float(target[index, labels[index]])
        expected = share * index + (1 - share) * ((index - 1) % 8)
        torch.testing.assert_close(mixed[index], torch.full((3, 12, 10), expected))


def test_cutmix_rectangle_area_matches_the_target() -> None:
    images, labels = labels_and_images()
    torch.manual_seed(3)
    mixed, target = mixing(ImageAugment(cutmix=1.0), 5)(images, labels)
    assert not torch.equal(mixed, images)
    for index in range(8):
        own = (mixed[index] == index).float().mean()
        assert bool(((mixed[index] == index) | (mixed[index] == (index - 1) % 8)).all())
        torch.testing.assert_close(target[index, labels[index]], own)


@pytest.mark.parametrize(("probability", "least", "most"), [(0.0, 0, 0), (0.25, 30, 70), (1.0, 200, 200)])
def test_cutmix_probability(probability: float, least: int, most: int) -> None:
    images, labels = labels_and_images()
    mix = mixing(ImageAugment(mixup=0.8, cutmix=1.0, cutmix_probability=probability), 5)
    torch.manual_seed(0)
    pasted = sum(bool((mix(images.clone(), labels)[0] % 1 == 0).all()) for _ in range(200))
    assert least <= pasted <= most


def test_mixing_depends_on_torch_s_generator_only() -> None:
    mix = mixing(ImageAugment(mixup=0.8, cutmix=1.0), 5)
    outcomes = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        outcomes.append(mix(*labels_and_images()))
    assert torch.equal(outcomes[0][0], outcomes[1][0])
    assert torch.equal(outcomes[0][1], outcomes[1][1])
    assert not torch.equal(outcomes[0][1], outcomes[2][1])
