"""Tiny-ImageNet-C: OOD robustness on test images of Tiny-ImageNet under fifteen corruptions at five severities."""

from dataclasses import dataclass

from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.protocols.published_corruptions import PAPER, PublishedCorruptionsTask, file_names
from nacbench.tasks.tiny_imagenet import TinyImagenet


@dataclass(frozen=True, kw_only=True)
class TinyImagenetC(PublishedCorruptionsTask):
    title = "Tiny-ImageNet-C"
    classes = TinyImagenet.classes
    licence = f"{TinyImagenet.licence}; published files: CC BY 4.0"
    citation = f"{TinyImagenet.citation}; {PAPER}"
    provenance = (
        f"{TinyImagenet.provenance}; corrupted by nacbench, or zenodo.org/records/2536630 (task.data = published)"
    )
    trained_on = "tiny-imagenet"
    trained_class = TinyImagenet
    layout = "folders"
    files = ArchiveFiles(
        name="tiny-imagenet-c",
        forms="tiny_imagenet_c",
        url="https://zenodo.org/records/2536630/files/Tiny-ImageNet-C.tar",
        sha256=None,
        inside="Tiny-ImageNet-C",
        needs=file_names("{}/5/*/*"),
        size="2.5 GB",
        terms="CC BY 4.0",
    )
