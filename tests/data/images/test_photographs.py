"""Photographs in files of their own size: crops for training come from the whole, scoring crops the centre."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2

from nacbench.data.images.augment import ImagePreparation
from nacbench.data.images.image_files import folder_arrays
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.live import Split
from nacbench.registry import TASKS

SHAPE = (3, 32, 32)
LEFT, RIGHT = (255, 0, 0), (0, 0, 255)  # colours at the ends, which a centre crop never sees


@pytest.fixture
def photographs(tmp_path: Path) -> Split:
    """Eight wide photographs of 160×40 pixels in two classes: a green ramp, a red left and a blue right end."""
    for split in ("train", "val"):
        for number in range(8):
            grid = np.zeros((40, 160, 3), dtype=np.uint8)
            grid[..., 1] = np.arange(0, 240, 6)[:, None]
            grid[:, :40], grid[:, 120:] = LEFT, RIGHT
            path = tmp_path / split / f"class{number % 2}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(grid).save(path)
    arrays = folder_arrays("photographs", tmp_path, {"train": "train"}, SHAPE).arrays
    return Split({"images": arrays["train_images"]}, arrays["train_labels"])


def prepared(augment: ImageAugment, test_resize: int = 0) -> ImagePreparation:
    return ImagePreparation(augment, (0, 0, 0), (1, 1, 1), 2, (32, 32), test_resize)


def test_training_crops_show_what_a_fitted_photograph_lacks(photographs: Split) -> None:
    torch.manual_seed(0)
    inputs, labels = photographs.take(np.arange(8).repeat(8))
    batch, _ = prepared(ImageAugment(resized_crop=0.08)).train(inputs, labels)
    means = batch["image"].mean((-2, -1))
    assert batch["image"].shape == (64, *SHAPE)
    assert (means[:, 0] > 0.9).any(), "the left end is never seen"
    assert (means[:, 2] > 0.9).any(), "the right end is never seen"
    fitted = torch.from_numpy(photographs.inputs["images"][np.arange(8)])
    assert float(fitted[:, [0, 2]].float().mean()) < 1


def test_without_a_random_crop_photographs_are_fitted(photographs: Split) -> None:
    inputs, labels = photographs.take(np.arange(8))
    fitted = torch.from_numpy(photographs.inputs["images"][np.arange(8)]) / 255
    torch.testing.assert_close(prepared(ImageAugment()).train(inputs, labels)[0]["image"], fitted)
    torch.testing.assert_close(prepared(ImageAugment()).plain(inputs, 0)["image"], fitted)


def test_for_scoring_the_shorter_side_is_resized_and_the_centre_cropped(photographs: Split) -> None:
    """As the authors do: torchvision's Resize and CenterCrop of Pillow's images."""
    inputs, _ = photographs.take(np.arange(2))
    scored = prepared(ImageAugment(), test_resize=36).plain(inputs, 0)["image"]
    for stored, image in zip(inputs["images"], scored, strict=True):
        pillow = Image.fromarray(stored.permute(1, 2, 0).numpy())
        resized = v2.Resize(36, v2.InterpolationMode.BICUBIC)(pillow)
        expected = v2.functional.pil_to_tensor(v2.CenterCrop(32)(resized)) / 255
        assert resized.size == (144, 36)
        torch.testing.assert_close(image, expected, atol=1.5 / 255, rtol=0)
        fitted = v2.functional.pil_to_tensor(ImageOps.fit(pillow, (32, 32))) / 255
        assert float((image - fitted).abs().max()) > 0.02, "the crop would show all of the height"


def test_imagenet_trains_on_whole_photographs_at_every_scale_with_crops() -> None:
    task = TASKS.training("imagenet")
    for scale in ("mini", "paper"):
        recipe = task.recipes[scale]
        assert isinstance(recipe, ImageRecipe)
        assert recipe.augment.resized_crop
        assert not recipe.augment.crop_padding


@pytest.mark.parametrize(
    ("task", "option", "message"),
    [
        ("tiny-imagenet", {"test_resize": 60}, "test_resize = 60: it must be at least 64, the side of the crop, or 0"),
        ("omniglot", {"normalisation": "imagenet"}, "is for colour images, and these are grey"),
        ("nlvr2", {"test_resize": 146}, "test_resize = 146: what a sentence speaks of may be cut off"),
    ],
)
def test_options_that_do_not_fit_are_refused(task: str, option: dict[str, object], message: str) -> None:
    with pytest.raises(Exception, match=message):
        TASKS.training(task).configured("task", "paper", option)


@pytest.mark.parametrize("name", ["omniglot", "nlvr", "cifar10", "digits"])
def test_mean_and_deviation_are_those_of_the_training_images(name: str, mirror: Path) -> None:
    task = TASKS.training(name)()
    pixels = task.arrays(mirror).arrays["train_images"][:5000] / 255  # type: ignore[attr-defined]
    assert task.mean == pytest.approx(pixels.mean((0, 2, 3)), abs=0.02)  # type: ignore[attr-defined]
    assert task.std == pytest.approx(pixels.std((0, 2, 3)), abs=0.02)  # type: ignore[attr-defined]
