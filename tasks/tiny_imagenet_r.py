"""Tiny-ImageNet-R: OOD robustness on renditions (art, cartoons …) of 62 classes of Tiny-ImageNet, from ImageNet-R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import SCALES, DataFiles, Metrics, ScoredTask, Task
from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.protocols.shifted import ShiftedTask
from nacbench.tasks.tiny_imagenet import TinyImagenet

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays

SHARED = [
    "n01443537",
    "n01770393",
    "n01774750",
    "n01784675",
    "n01855672",
    "n01882714",
    "n01910747",
    "n01944390",
    "n01983481",
    "n02056570",
    "n02085620",
    "n02094433",
    "n02099601",
    "n02099712",
    "n02106662",
    "n02113799",
    "n02123045",
    "n02129165",
    "n02165456",
    "n02190166",
    "n02206856",
    "n02226429",
    "n02233338",
    "n02236044",
    "n02268443",
    "n02279972",
    "n02364673",
    "n02395406",
    "n02410509",
    "n02423022",
    "n02480495",
    "n02481823",
    "n02486410",
    "n02769748",
    "n02793495",
    "n02802426",
    "n02808440",
    "n02814860",
    "n02841315",
    "n02843684",
    "n02883205",
    "n02906734",
    "n02909870",
    "n02948072",
    "n02950826",
    "n03424325",
    "n03649909",
    "n04118538",
    "n04133789",
    "n04146614",
    "n04275548",
    "n04465501",
    "n07614500",
    "n07695742",
    "n07720875",
    "n07734744",
    "n07749582",
    "n07753592",
    "n07768694",
    "n07873807",
    "n07920052",
    "n12267677",
]  # WordNet ids of the classes that Tiny-ImageNet and ImageNet-R have in common


PICTURES = 30_000  # of ImageNet-R, in 200 classes


@dataclass(frozen=True, kw_only=True)
class TinyImagenetR(ShiftedTask):
    """Images are resized to 64×64 pixels. Of the network's logits only those of the 62 classes are compared, as far as
    it was trained on them. Further metrics are the accuracy on the clean test images of the same classes, with the same
    logits masked, and the drop from it."""

    title = "Tiny-ImageNet-R"
    modality = "image"
    classes = len(SHARED)
    licence = "MIT (the list); the images' terms are their makers' own"
    citation = "Hendrycks et al. 2021, The Many Faces of Robustness, arXiv 2006.16241"
    provenance = "people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar"
    trained_on = "tiny-imagenet"
    origin = TinyImagenet.origin
    recipes = dict.fromkeys(SCALES, Settings(batch_size=128))
    archive = ArchiveFiles(
        name="imagenet-r",
        forms="imagenet_r",
        url="https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar",
        sha256=None,
        inside="imagenet-r",
        needs=("n*/*",),
        size="2.1 GB",
        terms="research use",
    )

    def data_files(self) -> Sequence[DataFiles]:
        return (self.archive, TinyImagenet.dataset)

    def fingerprint(self, data_root: Path) -> str:
        return self._images(data_root).fingerprint

    def build_on(self, trained: Task, data_root: Path, settings: Settings) -> ScoredTask:
        from nacbench.protocols.renditions import Renditions

        assert isinstance(trained, TinyImagenet)
        return Renditions(trained, data_root, self._images(data_root).arrays, SHARED, PICTURES)

    def _images(self, data_root: Path) -> Arrays:
        from nacbench.data.images.image_files import class_images

        return class_images("imagenet-r", self.archive.require(data_root), SHARED, TinyImagenet.shape)

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        clean, shifted = metrics["clean"]["accuracy"], metrics["ood/renditions"]["accuracy"]
        return {"accuracy": shifted, "clean_accuracy": clean, "drop": clean - shifted}
