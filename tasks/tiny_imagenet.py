"""Tiny-ImageNet: image classification, 110,000 photographs of 64×64 pixels in 200 classes of ImageNet."""

from dataclasses import dataclass

from nacbench.data.images.recipe import AUTHORS, ImageAugment, ImageRecipe
from nacbench.data.images.task import HubImageTask
from nacbench.data.images.tiny_imagenet_classes import TINY_IMAGENET_CLASSES
from nacbench.data.mirror.hub import HubFiles


@dataclass(frozen=True, kw_only=True)
class TinyImagenet(HubImageTask):
    """There are 500 training and 50 test images per class. The test split is the data set's validation images, as
    usual, since the labels of its test images are not public. A copy with only some of the classes is accepted; the
    record then says so."""

    title = "Tiny-ImageNet"
    classes = 200
    licence = "from ImageNet: non-commercial research and education (image-net.org/download)"
    citation = "Le and Yang 2015, Tiny ImageNet Visual Recognition Challenge, Stanford CS231n"
    provenance = "huggingface.co/datasets/zh-plus/tiny-imagenet"
    dataset = HubFiles(
        name="zh-plus/tiny-imagenet",
        forms="tiny_imagenet",
        revision="5a77092c28e51558c5586e9c5eb71a7e17a5e43f",
        splits={"train": "data/train-*.parquet", "test": "data/valid-*.parquet"},
    )
    origin = AUTHORS
    some_classes = True
    makers_order = TINY_IMAGENET_CLASSES
    full_sizes = {"train": 100_000, "test": 10_000}
    shape = (3, 64, 64)
    mean = (0.4802, 0.4481, 0.3975)
    std = (0.2770, 0.2691, 0.2821)
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "train_examples": 256, "test_examples": 128},
        "mini": {"stem_width": 48, "position_dim": 32},
        "paper": {
            "tokenizer_start": "published",
            "normalisation": "imagenet",
            "test_resize": 73,  # 64 · 256/224
        },
    }
    recipes = {
        "smoke": ImageRecipe(epochs=1, batch_size=32, lr=2e-3),
        "mini": ImageRecipe(
            epochs=10,
            batch_size=64,
            lr=1.5e-3,
            warmup_epochs=0.5,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=ImageAugment(crop_padding=6, flip=True),
        ),
        "paper": ImageRecipe.of_authors(epochs=400, batch_size=512, rate=5e-4, ema=0.99996),
    }
