"""CIFAR-10-C: OOD robustness on the test images of CIFAR-10 under fifteen corruptions at five severities."""

from dataclasses import dataclass

from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.protocols.published_corruptions import PAPER, PublishedCorruptionsTask, file_names
from nacbench.tasks.cifar10 import Cifar10


@dataclass(frozen=True, kw_only=True)
class Cifar10C(PublishedCorruptionsTask):
    title = "CIFAR-10-C"
    classes = Cifar10.classes
    licence = f"{Cifar10.licence}; published files: CC BY 4.0"
    citation = f"{Cifar10.citation}; {PAPER}"
    provenance = f"{Cifar10.provenance}; corrupted by nacbench, or zenodo.org/records/2535967 (task.data = published)"
    trained_on = "cifar10"
    trained_class = Cifar10
    layout = "arrays"
    files = ArchiveFiles(
        name="cifar-10-c",
        forms="cifar10_c",
        url="https://zenodo.org/records/2535967/files/CIFAR-10-C.tar",
        sha256=None,
        inside="CIFAR-10-C",
        needs=(*file_names("{}.npy"), "labels.npy"),
        size="2.9 GB",
        terms="CC BY 4.0",
    )
