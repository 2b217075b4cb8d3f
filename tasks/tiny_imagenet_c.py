"""Tiny-ImageNet-C: OOD robustness on test images of Tiny-ImageNet under fifteen corruptions at five severities."""

from dataclasses import dataclass

from nacbench.protocols.corrupted import CorruptedTask
from nacbench.tasks.tiny_imagenet import TinyImagenet


@dataclass(frozen=True, kw_only=True)
class TinyImagenetC(CorruptedTask):
    title = "Tiny-ImageNet-C"
    classes = TinyImagenet.classes
    licence = TinyImagenet.licence
    citation = f"{TinyImagenet.citation}; Hendrycks and Dietterich 2019, arXiv 1903.12261"
    provenance = f"{TinyImagenet.provenance}; corrupted by nacbench"
    trained_on = "tiny-imagenet"
    trained_class = TinyImagenet
