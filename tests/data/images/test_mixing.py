"""Mixup and cutmix of whole batches, and of batches that hold copies of the same examples."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from nacbench.data.images.mixing import mixing
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.sampling import step_indices

BOTH = ImageAugment(mixup=0.8, cutmix=1.0)


def labels_and_images(count: int = 8) -> tuple[Tensor, Tensor]:
    """Images whose every pixel is their number, and labels."""
    images = torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 12, 10).clone()
    return images, torch.arange(count) % 5


def partner(index: int, count: int = 8) -> int:
    """The example half a batch away."""
    return (index + count // 2) % count


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
        BOTH,
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
            expected[labels[partner(index)]] += 1 - share
            torch.testing.assert_close(target[index], expected)


def test_mixup_blends_partners_in_proportion_to_the_target() -> None:
    images, labels = labels_and_images()
    torch.manual_seed(0)
    mixed, target = mixing(ImageAugment(mixup=0.8), 5)(images, labels)
    for index in range(8):
        share = float(target[index, labels[index]])
        expected = share * index + (1 - share) * partner(index)
        torch.testing.assert_close(mixed[index], torch.full((3, 12, 10), expected))


def test_cutmix_rectangle_area_matches_the_target() -> None:
    images, labels = labels_and_images()
    torch.manual_seed(3)
    mixed, target = mixing(ImageAugment(cutmix=1.0), 5)(images, labels)
    assert not torch.equal(mixed, images)
    for index in range(8):
        own = (mixed[index] == index).float().mean()
        assert bool(((mixed[index] == index) | (mixed[index] == partner(index))).all())
        torch.testing.assert_close(target[index, labels[index]], own)


@pytest.mark.parametrize(("settings", "mean", "deviation"), [
    (ImageAugment(mixup=0.8), 0.5, 0.3101),  # of Beta(0.8, 0.8): sqrt(1 / (4 · (2 · 0.8 + 1)))
    (ImageAugment(mixup=1.0), 0.5, 0.2887),  # of the uniform distribution
])  # fmt: skip
def test_shares_have_the_distribution_of_alpha(settings: ImageAugment, mean: float, deviation: float) -> None:
    images, labels = labels_and_images()
    mix = mixing(settings, 5)
    torch.manual_seed(0)
    shares = [float(mix(images, labels)[1][0, 0]) for _ in range(4000)]
    assert np.mean(shares) == pytest.approx(mean, abs=0.02)
    assert np.std(shares) == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize(("probability", "least", "most"), [(0.0, 0, 0), (0.25, 30, 70), (1.0, 200, 200)])
def test_cutmix_probability(probability: float, least: int, most: int) -> None:
    images, labels = labels_and_images()
    mix = mixing(ImageAugment(mixup=0.8, cutmix=1.0, cutmix_probability=probability), 5)
    torch.manual_seed(0)
    pasted = sum(bool((mix(images.clone(), labels)[0] % 1 == 0).all()) for _ in range(200))
    assert least <= pasted <= most


def test_mixing_depends_on_torch_s_generator_only() -> None:
    mix = mixing(BOTH, 5)
    outcomes = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        outcomes.append(mix(*labels_and_images()))
    assert torch.equal(outcomes[0][0], outcomes[1][0])
    assert torch.equal(outcomes[0][1], outcomes[1][1])
    assert not torch.equal(outcomes[0][1], outcomes[2][1])


# -- copies of examples in one batch (repeated augmentation) -----------------------------------------------------------


@pytest.mark.parametrize("repeats", [2, 3, 4, 5])
@pytest.mark.parametrize("batch_size", [10, 11, 64, 96, 128, 512, 1024])
def test_copies_are_never_mixed_with_each_other(batch_size: int, repeats: int) -> None:
    for step in range(5):
        examples = torch.from_numpy(step_indices(5000, batch_size, 0, step, repeats))
        assert len(examples.unique()) <= -(-batch_size // repeats) + 1
        _, target = mixing(ImageAugment(mixup=1.0), 5000)(torch.zeros(batch_size, 1, 1, 1), examples)
        assert bool(((target > 0).sum(1) == 2).all())


def test_targets_have_the_entropy_of_a_batch_without_copies() -> None:
    entropies = {}
    for repeats in (1, 3):
        torch.manual_seed(0)
        own = []
        for step in range(100):
            labels = torch.from_numpy(step_indices(100_000, 512, 0, step, repeats)) % 200
            _, target = mixing(BOTH, 200)(torch.zeros(512, 1, 8, 8), labels)
            own.append(float(-(target * target.clamp_min(1e-12).log()).sum(1).mean()))
        entropies[repeats] = np.mean(own)
    assert entropies[3] == pytest.approx(entropies[1], rel=0.02)


@pytest.mark.parametrize(("batch", "repeats"), [(4, 3), (1, 1), (5, 3)])
def test_a_batch_too_small_for_its_copies_is_refused(batch: int, repeats: int) -> None:
    told = rf"augment.repeats = {repeats} with training.batch_size = {batch}: .* must be at least {2 * repeats}"
    with pytest.raises(ValidationError, match=told):
        ImageRecipe(epochs=1, batch_size=batch, lr=1e-3, augment=ImageAugment(mixup=0.8, repeats=repeats))
    assert ImageRecipe(epochs=1, batch_size=batch, lr=1e-3, augment=ImageAugment(repeats=repeats)).epochs == 1
