"""ImageNet-C: OOD robustness on the validation images of ImageNet under fifteen corruptions at five severities."""

from dataclasses import dataclass

from nacbench.data.mirror.data_files import LocalFiles
from nacbench.protocols.published_corruptions import ALEXNET, PAPER, PublishedCorruptionsTask, file_names
from nacbench.tasks.imagenet import Imagenet


@dataclass(frozen=True, kw_only=True)
class ImagenetC(PublishedCorruptionsTask):
    """``mce_alexnet`` is the mean over corruptions of the error divided by AlexNet's, as published. Images that are
    made are corrupted whenever they are read, as 75 copies of ImageNet fit no cache."""

    title = "ImageNet-C"
    classes = Imagenet.classes
    licence = f"{Imagenet.licence}; published files: CC BY 4.0"
    citation = f"{Imagenet.citation}; {PAPER}"
    provenance = f"{Imagenet.provenance}; corrupted by nacbench, or zenodo.org/records/2235448 (task.data = published)"
    trained_on = "imagenet"
    trained_class = Imagenet
    layout = "folders"
    reference = ALEXNET
    files = LocalFiles(
        name="imagenet-c",
        forms="imagenet_c",
        needs=file_names("{}/5/*/*"),
        how="get noise.tar, blur.tar, weather.tar and digital.tar",
        url="https://zenodo.org/records/2235448",
        terms="CC BY 4.0",
    )
