"""CIFAR-10-C: OOD robustness on the test images of CIFAR-10 under fifteen corruptions at five severities."""

from dataclasses import dataclass

from nacbench.protocols.corrupted import CorruptedTask
from nacbench.tasks.cifar10 import Cifar10


@dataclass(frozen=True, kw_only=True)
class Cifar10C(CorruptedTask):
    title = "CIFAR-10-C"
    classes = Cifar10.classes
    licence = Cifar10.licence
    citation = f"{Cifar10.citation}; Hendrycks and Dietterich 2019, arXiv 1903.12261"
    provenance = f"{Cifar10.provenance}; corrupted by nacbench"
    trained_on = "cifar10"
    trained_class = Cifar10
