"""ImageNet in the forms in which its makers, Kaggle, torchvision's users and the hub have it, with a few classes."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.io import savemat

from tests.data.copies.colours import jpeg, pixels
from tests.data.mirror.archives import tarred

WNIDS = ("n01440764", "n01443537", "n02099712", "n04258138")
DEVKIT = (3, 1, 4, 2)  # the devkit's numbers of these classes: in an order of their own, from 1
SIDE = 40


def train(each: int = 3) -> dict[str, bytes]:
    """Training images by path; the last one of each class is larger."""
    return {
        f"{wnid}/{wnid}_{7 * number + label}.JPEG": jpeg(pixels(label, number, SIDE + 20 * (number == each - 1)))
        for label, wnid in enumerate(WNIDS)
        for number in range(each)
    }


def validation(each: int = 2) -> dict[str, tuple[int, bytes]]:
    """Class and content of validation photographs by name; classes are mixed, as in the original."""
    found = {}
    for number in range(1, each * len(WNIDS) + 1):
        label = 3 * number % len(WNIDS)
        found[f"ILSVRC2012_val_{number:08}.JPEG"] = label, jpeg(pixels(label, 100 + number, SIDE))
    return found


def flat() -> dict[str, bytes]:
    """Validation photographs in one folder."""
    return {name: content for name, (_, content) in validation().items()}


def labels() -> list[int]:
    """Classes of the validation photographs in their order."""
    return [label for label, _ in validation().values()]


def sorted_folders() -> dict[str, bytes]:
    """Both splits in folders by class."""
    val = {f"val/{WNIDS[label]}/{name}": content for name, (label, content) in validation().items()}
    return {**{f"train/{name}": content for name, content in train().items()}, **val}


def train_tars() -> dict[str, bytes]:
    """A tar for each class, which is what the makers' tar of training images has in it."""
    made = train()
    return {
        f"{wnid}.tar": tarred({name.rpartition("/")[2]: own for name, own in made.items() if wnid in name}, "")
        for wnid in WNIDS
    }


def devkit() -> dict[str, bytes]:
    """The devkit of 2012: numbers of its own, explained by a MATLAB file that has inner nodes of WordNet, too."""
    truth = "".join(f"{DEVKIT[label]}\n" for label in labels())
    top = "ILSVRC2012_devkit_t12"
    return {
        f"{top}/readme.txt": b"made",
        f"{top}/data/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
        f"{top}/data/meta.mat": meta_mat(),
    }


def meta_mat() -> bytes:
    """The table of synsets, with one that has children."""
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height")
    leaves = sorted(zip(DEVKIT, WNIDS, strict=True))
    rows = [(number, wnid, f"word of {wnid}", "made", 0, np.zeros(0), 0) for number, wnid in leaves]
    rows.append((5, "n00001740", "entity", "made", 4, np.arange(1.0, 5.0), 1))
    table = np.zeros((len(rows), 1), dtype=[(name, object) for name in fields])
    for place, row in enumerate(rows):
        table[place, 0] = row
    stream: Any = io.BytesIO()  # taken by scipy, though its types say otherwise
    savemat(stream, {"synsets": table})
    return stream.getvalue()


def devkit_text() -> dict[str, bytes]:
    """A later devkit: other numbers, explained by a text file."""
    numbers = [label + 2 for label in range(len(WNIDS))]
    names = "".join(f"{wnid} {number} some_name\n" for wnid, number in zip(WNIDS, numbers, strict=True))
    truth = "".join(f"{numbers[label]}\n" for label in labels())
    return {
        "ILSVRC/devkit/data/ILSVRC2015_clsloc_validation_ground_truth.txt": truth.encode(),
        "ILSVRC/devkit/data/map_clsloc.txt": names.encode(),
    }


def kaggle_csv() -> dict[str, bytes]:
    """Kaggle's list, in an order of its own, with one or more boxes in a cell."""
    lines = [
        f"{name.removesuffix('.JPEG')},{WNIDS[label]} 85 1 499 272 {WNIDS[label]} 3 4 5 6 "
        for name, (label, _) in reversed(validation().items())
    ]
    return {"LOC_val_solution.csv": "\n".join(["ImageId,PredictionString", *lines, ""]).encode()}


def kaggle() -> dict[str, bytes]:
    """Kaggle's folders, with lists that say nothing of classes."""
    top = "ILSVRC"
    index = "".join(f"{name.removesuffix('.JPEG')} {number}\n" for number, name in enumerate(flat(), 1))
    return {
        **kaggle_csv(),
        "LOC_synset_mapping.txt": "".join(f"{wnid} some name, another\n" for wnid in WNIDS).encode(),
        f"{top}/ImageSets/CLS-LOC/val.txt": index.encode(),
        f"{top}/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": b"<annotation/>",
        **{f"{top}/Data/CLS-LOC/train/{name}": content for name, content in train().items()},
        **{f"{top}/Data/CLS-LOC/val/{name}": content for name, content in flat().items()},
        f"{top}/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": next(iter(flat().values())),
    }


def lists() -> Mapping[str, Mapping[str, bytes]]:
    """The lists of labels that are commonly beside the photographs."""
    ids = "".join(f"{WNIDS[label]}\n" for label in labels())
    moves = "".join(f"mv {name} {WNIDS[label]}/\n" for name, (label, _) in validation().items())
    script = "".join(f"mkdir -p {wnid}\n" for wnid in WNIDS) + moves
    numbers = "".join(f"{name} {label}\n" for name, (label, _) in validation().items())
    return {
        "devkit": devkit(),
        "later devkit": devkit_text(),
        "kaggle": kaggle_csv(),
        "ids": {"imagenet_2012_validation_synset_labels.txt": ids.encode()},
        "script": {"valprep.sh": script.encode()},
        "caffe": {"ilsvrc12/val.txt": numbers.encode(), "ilsvrc12/synsets.txt": "\n".join(WNIDS).encode()},
    }


def hub() -> dict[str, bytes]:
    """The hub's imagenet-1k: the class is added to every image's name; classes have English names."""
    some = [
        (f"{name.rpartition('/')[2].removesuffix('.JPEG')}_{name.partition('/')[0]}.JPEG", content, name[:9])
        for name, content in train().items()
    ]
    val = [
        (f"{name.removesuffix('.JPEG')}_{WNIDS[label]}.JPEG", content, WNIDS[label])
        for name, (label, content) in validation().items()
    ]
    half = len(some) // 2
    return {
        "data/train-00000-of-00002.parquet": _parquet(some[:half]),
        "data/train-00001-of-00002.parquet": _parquet(some[half:]),
        "data/validation-00000-of-00001.parquet": _parquet(val),
        "data/test-00000-of-00001.parquet": _parquet([("ILSVRC2012_test_00000001.JPEG", val[0][1], "")]),
        "README.md": b"made",
    }


def _parquet(rows: list[tuple[str, bytes, str]]) -> bytes:
    images = [{"bytes": content, "path": name} for name, content, _ in rows]
    numbers = [WNIDS.index(wnid) if wnid else -1 for *_, wnid in rows]
    names = [f"a name of {wnid}, another" for wnid in WNIDS]
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    table = pa.table({"image": images, "label": numbers})
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), stream)
    return stream.getvalue()
