"""CIFAR-100-C: OOD robustness on the test images of CIFAR-100 under fifteen corruptions at five severities."""

from dataclasses import dataclass

from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.protocols.published_corruptions import PAPER, PublishedCorruptionsTask, file_names
from nacbench.tasks.cifar100 import Cifar100


@dataclass(frozen=True, kw_only=True)
class Cifar100C(PublishedCorruptionsTask):
    title = "CIFAR-100-C"
    classes = Cifar100.classes
    licence = f"{Cifar100.licence}; published files: CC BY 4.0"
    citation = f"{Cifar100.citation}; {PAPER}"
    provenance = f"{Cifar100.provenance}; corrupted by nacbench, or zenodo.org/records/3555552 (task.data = published)"
    trained_on = "cifar100"
    trained_class = Cifar100
    layout = "arrays"
    files = ArchiveFiles(
        name="cifar-100-c",
        forms="cifar100_c",
        url="https://zenodo.org/records/3555552/files/CIFAR-100-C.tar",
        sha256=None,
        inside="CIFAR-100-C",
        needs=(*file_names("{}.npy"), "labels.npy"),
        size="2.9 GB",
        terms="CC BY 4.0",
    )
