"""CIFAR-10: image classification, 60,000 colour photographs of 32×32 pixels in ten classes."""

from dataclasses import dataclass

from nacbench.contracts.recipe import Origin
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.images.task import HubImageTask
from nacbench.data.mirror.hub import HubFiles


@dataclass(frozen=True, kw_only=True)
class Cifar10(HubImageTask):
    title = "CIFAR-10"
    classes = 10
    class_names = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    licence = "not stated by its makers; research use"
    citation = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    provenance = "huggingface.co/datasets/uoft-cs/cifar10"
    dataset = HubFiles(
        name="uoft-cs/cifar10",
        forms="cifar10",
        revision="0b2714987fa478483af9968de7c934580d0bb9a2",
        splits={"train": "plain_text/train-*.parquet", "test": "plain_text/test-*.parquet"},
    )
    image_column = "img"
    full_sizes = {"train": 50_000, "test": 10_000}
    shape = (3, 32, 32)
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2470, 0.2435, 0.2616)
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "train_examples": 512, "test_examples": 256},
        "mini": {"stem_width": 48, "position_dim": 32},
        "paper": {"patch": 2},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=2, batch_size=64, lr=2e-3),
        "mini": ImageRecipe(
            epochs=6,
            batch_size=128,
            lr=2e-3,
            warmup_epochs=0.25,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=ImageAugment(crop_padding=4, flip=True),
        ),
        "paper": ImageRecipe(
            epochs=300,
            batch_size=128,
            lr=5.5e-4,
            lr_start=1e-5,
            warmup_epochs=10,
            schedule="epoch-cosine",
            weight_decay=0.06,
            clip_norm=0,
            label_smoothing=0.1,
            augment=ImageAugment(
                resized_crop=0.8, flip=True, randaugment=9, randaugment_std=0.5, erasing=0.25, mixup=0.8, cutmix=1.0
            ),
        ),
    }
    origin = Origin(
        "ours",
        "as the 300 epochs on CIFAR-10 of Hassani et al. 2021, arXiv 2104.05704 (CCT), but mixup goes on to the end, "
        "and crops are always bicubic",
    )
