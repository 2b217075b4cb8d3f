"""CIFAR-100: image classification, 60,000 colour photographs of 32×32 pixels in a hundred classes."""

from dataclasses import dataclass

from nacbench.data.images.task import HubImageTask
from nacbench.data.mirror.hub import HubFiles
from nacbench.tasks.cifar10 import Cifar10


@dataclass(frozen=True, kw_only=True)
class Cifar100(HubImageTask):
    title = "CIFAR-100"
    classes = 100
    licence = "not stated by its makers; research use"
    citation = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    provenance = "huggingface.co/datasets/uoft-cs/cifar100, its 100 fine labels"
    dataset = HubFiles(
        name="uoft-cs/cifar100",
        forms="cifar100",
        revision="aadb3af77e9048adbea6b47c21a81e47dd092ae5",
        splits={"train": "cifar100/train-*.parquet", "test": "cifar100/test-*.parquet"},
    )
    image_column = "img"
    full_sizes = {"train": 50_000, "test": 10_000}
    label_column = "fine_label"
    shape = (3, 32, 32)
    mean = (0.5071, 0.4865, 0.4409)
    std = (0.2673, 0.2564, 0.2762)
    presets = Cifar10.presets
    recipes = Cifar10.recipes
    origin = Cifar10.origin
