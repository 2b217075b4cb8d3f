"""Made miniatures of every real data set, in its own format, so that every loader runs without the real thing."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from nacbench.protocols.published_corruptions import ALEXNET

SHARED = ("n01443537", "n01770393", "n01774750")  # three of the classes of Tiny-ImageNet-R
OWN = "n01629819"  # of Tiny-ImageNet alone
CUBE = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def picture(seed: int, width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Noise around a colour of its own."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 215, 3)
    pixels = np.clip(base + rng.normal(0, 15, (height, width, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def save(image: Image.Image, path: Path) -> None:
    """Write an image file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_parquet(path: Path, columns: dict[str, Sequence[Any]], features: dict[str, Any]) -> None:
    """A Parquet file with the metadata by which the library `datasets` knows images and class names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: list(values) for name, values in columns.items()})
    info = json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": info}), path)


def labelled_images(
    path: Path,
    names: Sequence[str],
    per_class: int,
    side: int,
    columns: tuple[str, str],
    first: int = 0,
    empty: int = 0,
) -> None:
    """Images and labels as the hub has them; a class has its colour, and the first ``empty`` ones have no images."""
    labels = [label for label in range(empty, len(names)) for _ in range(per_class)]
    images = [
        {"bytes": encoded(_of_class(label, first + number, side)), "path": "made.png"}
        for number, label in enumerate(labels)
    ]
    image_column, label_column = columns
    features: dict[str, Any] = {
        image_column: {"_type": "Image"},
        label_column: {"names": list(names), "_type": "ClassLabel"},
    }
    write_parquet(path, {image_column: images, label_column: labels}, features)


def _of_class(label: int, seed: int, side: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    base = np.array([37 * label % 256, 91 * label % 256, 151 * label % 256])
    return Image.fromarray(np.clip(base + rng.normal(0, 20, (side, side, 3)), 0, 255).astype(np.uint8))


def make_cifar10(root: Path) -> None:
    names = [f"class{number}" for number in range(10)]
    for split, per_class, first in (("train", 12, 0), ("test", 8, 1000)):
        file = root / f"uoft-cs/cifar10/plain_text/{split}-00000-of-00001.parquet"
        labelled_images(file, names, per_class, 32, ("img", "label"), first)


def make_cifar100(root: Path) -> None:
    names = [f"class{number}" for number in range(100)]
    for split, per_class, first in (("train", 2, 0), ("test", 1, 1000)):
        file = root / f"uoft-cs/cifar100/cifar100/{split}-00000-of-00001.parquet"
        labelled_images(file, names, per_class, 32, ("img", "fine_label"), first)


def make_tiny_imagenet(root: Path) -> None:
    for split, per_class, first in (("train", 12, 0), ("valid", 6, 1000)):
        file = root / f"zh-plus/tiny-imagenet/data/{split}-00000-of-00001.parquet"
        labelled_images(file, [*SHARED, OWN], per_class, 64, ("image", "label"), first)


def make_tiny_imagenet_r(root: Path) -> None:
    from nacbench.tasks.tiny_imagenet_r import SHARED as ALL

    for number, name in enumerate(ALL):
        save(picture(number, 70 + number, 90), root / "imagenet-r" / name / "art_0.jpg")


def make_imagenet(root: Path) -> None:
    for split, count in (("train", 12), ("val", 4)):
        for label, name in enumerate(SHARED):
            for number in range(count):
                mode = {0: "RGB", 1: "L", 2: "CMYK"}.get(number, "RGB")
                image = picture(100 * label + number, 230 + 10 * number, 240, mode)
                save(image, root / "imagenet" / split / name / f"{name}_{number}.JPEG")


def make_cifar10_c(root: Path, name: str = "cifar-10-c", labels: Sequence[int] = sorted([*range(10)] * 8)) -> None:
    """The published arrays, of the test images of `make_cifar10` in their order."""
    folder = root / name
    folder.mkdir(parents=True)
    five = np.tile(np.array(labels, dtype=np.uint8), 5)
    np.save(folder / "labels.npy", five)
    for number, corruption in enumerate(ALEXNET):
        rng = np.random.default_rng(number)
        images = rng.integers(0, 256, (len(five), 32, 32, 3), dtype=np.uint8)
        np.save(folder / f"{corruption.replace('-', '_')}.npy", images)


def make_cifar100_c(root: Path) -> None:
    names = [f"class{number}" for number in range(100)]
    make_cifar10_c(root, "cifar-100-c", [sorted(names).index(name) for name in names])


def make_tiny_imagenet_c(root: Path, folder: str = "tiny-imagenet-c", per_class: int = 6, side: int = 64) -> None:
    """The published folders, of as many images of each class as in `make_tiny_imagenet`."""
    names = [*SHARED, OWN] if side == 64 else SHARED
    contents = {
        f"{name}/val_{image}.JPEG": encoded(picture(10 * label + image, side, side), "JPEG")
        for label, name in enumerate(names)
        for image in range(per_class)
    }
    for corruption in ALEXNET:
        for severity in range(1, 6):
            for file, content in contents.items():
                place = root / folder / corruption.replace("-", "_") / str(severity) / file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)


def make_imagenet_c(root: Path) -> None:
    make_tiny_imagenet_c(root, "imagenet-c", per_class=4, side=224)


def make_imdb(root: Path) -> None:
    for split, count in (("train", 40), ("test", 20)):
        texts = [
            ("good " if label else "bad ") * (5 + row) for row, label in enumerate(row % 2 for row in range(count))
        ]
        labels = [row % 2 for row in range(count)]
        features = {
            "text": {"dtype": "string", "_type": "Value"},
            "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
        }
        file = root / f"stanfordnlp/imdb/plain_text/{split}-00000-of-00001.parquet"
        write_parquet(file, {"text": texts, "label": labels}, features)


def off(scale: Sequence[float], glued: bool = False) -> str:
    """A box as an OFF file; some real ones have the counts on the header's line."""
    vertices = [" ".join(str(c * s) for c, s in zip(corner, scale, strict=True)) for corner in CUBE]
    triangles = [t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]
    faces = [f"3 {a} {b} {c}" for a, b, c in triangles]
    header = f"OFF{len(vertices)} {len(faces)} 0" if glued else f"OFF\n{len(vertices)} {len(faces)} 0"
    return "\n".join([header, *vertices, *faces]) + "\n"


def meshes(folder: Path, classes: Sequence[str], train: int, test: int) -> None:
    """Boxes, longer from class to class, in the folders of ModelNet."""
    for number, name in enumerate(classes):
        for split, count in (("train", train), ("test", test)):
            for index in range(count):
                place = folder / name / split / f"{name}_{index:04d}.off"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(off((1, 1 + number, 1 + 0.1 * index), glued=index == 0))


def make_modelnet(root: Path) -> None:
    for name in ("modelnet10", "modelnet40"):
        meshes(root / name, ("bathtub", "bed", "chair"), 6, 3)


def make_geometric_shapes(root: Path) -> None:
    meshes(root / "geometric_shapes", [f"shape_{number:02d}" for number in range(40)], 1, 1)


def make_cub(root: Path) -> None:
    folder = root / "cub-200-2011"
    images, labels, splits = [], [], []
    number = 0
    for label in range(1, 6):
        for index in range(12):
            number += 1
            name = f"{label:03d}.bird{label}/bird_{index}.jpg"
            save(picture(number, 80, 100 + index), folder / "images" / name)
            images.append(f"{number} {name}")
            labels.append(f"{number} {label}")
            splits.append(f"{number} {int(index < 7)}")
    for name, lines in (("images", images), ("image_class_labels", labels), ("train_test_split", splits)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def make_nlvr(root: Path) -> None:
    for split, count in (("validation", 60), ("test", 20)):
        rows = range(count)
        columns: dict[str, Sequence[Any]] = {
            "identifier": [f"{row // 2}-{row % 2}-0" for row in rows],
            "sentence": [f"There is 1 box with {row // 2} items." for row in rows],
            "label": [row % 2 for row in rows],
            "image": [{"bytes": encoded(picture(row, 400, 100, "RGBA")), "path": "made.png"} for row in rows],
        }
        write_parquet(root / "nlvr" / f"{split}.parquet", columns, {"image": {"_type": "Image"}})


def make_nlvr2(root: Path) -> None:
    folder = root / "nlvr2"
    for split, name, pairs in (("train", "train", 6), ("dev", "dev", 3), ("test1", "test1", 3)):
        lines = []
        for pair in range(pairs):
            directory = pair % 2 if split == "train" else None
            place = folder / "images" / name / ("" if directory is None else str(directory))
            for side in (0, 1):
                save(picture(10 * pair + side, 90, 70), place / f"{split}-{pair}-0-img{side}.png")
            for sentence in range(2):
                example: dict[str, Any] = {
                    "identifier": f"{split}-{pair}-0-{sentence}",
                    "sentence": f"There are {sentence} dogs.",
                    "label": str(bool(sentence)),
                }
                if directory is not None:
                    example["directory"] = directory
                lines.append(json.dumps(example))
        file = folder / "data" / f"{split}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")


def make_omniglot(root: Path, alphabets: int = 8) -> None:
    rows = [(a, c, d) for a in range(alphabets) for c in range(6) for d in range(1, 21)]
    rng = np.random.default_rng(0)
    strokes = {(a, c): rng.random((105, 105)) > 0.8 for a, c, _ in rows}
    images = []
    for alphabet, character, drawer in rows:
        ink = np.roll(strokes[alphabet, character], drawer % 5, axis=0)
        images.append({"bytes": encoded(Image.fromarray(~ink)), "path": "made.png"})
    columns: dict[str, Sequence[Any]] = {
        "image": images,
        "alphabet": [f"Alphabet {a}" for a, _, _ in rows],
        "character": [f"character{c:02d}" for _, c, _ in rows],
        "drawer": [d for _, _, d in rows],
        "label": [6 * a + c for a, c, _ in rows],
    }
    write_parquet(root / "omniglot/images_background_small.parquet", columns, {"image": {"_type": "Image"}})


def make_listops_lra(root: Path) -> None:
    folder = root / "listops-1000"
    folder.mkdir(parents=True)
    for split, count in (("train", 20), ("val", 8), ("test", 8)):
        rows = [f"( ( ( [MAX {row % 10} ) {row % 7} ) ] )\t{max(row % 10, row % 7)}" for row in range(count)]
        (folder / f"basic_{split}.tsv").write_text("\n".join(["Source\tTarget", *rows]) + "\n")


def make_pathfinder(root: Path, count: int = 60, folder: str = "pathfinder32/curv_contour_length_14") -> None:
    for number in range(3):
        lines = []
        for image in range(count // 3):
            label = (number + image) % 2
            name = f"sample_{number * count + image}.png"
            save(picture(40 * label + image, 32, 32, "L"), root / folder / f"imgs/{number}" / name)
            lines.append(f"imgs/{number} {name} {image} {label} 1.8 2 14 5 3 0.75")
        lists = root / folder / "metadata"
        lists.mkdir(exist_ok=True)
        (lists / f"{number}.npy").write_text("\n".join(lines) + "\n")


def make_document_pairs(root: Path) -> None:
    folder = root / "aan-pairs"
    folder.mkdir(parents=True)
    for split, count in (("train", 40), ("eval", 12), ("test", 12)):
        rows = [(row % 2, f"P{row}", f"Q{row}", f'The "{row}" paper.', f"Caf\u00e9 {row % 2}") for row in range(count)]
        lines = ["\t".join(map(str, (float(label), *rest))) for label, *rest in rows]
        (folder / f"new_aan_pairs.{split}.tsv").write_text("\n".join(lines) + "\n")


MAKERS: tuple[Callable[[Path], None], ...] = (
    make_cifar10,
    make_cifar100,
    make_tiny_imagenet,
    make_tiny_imagenet_r,
    make_imagenet,
    make_imdb,
    make_modelnet,
    make_geometric_shapes,
    make_cub,
    make_nlvr,
    make_nlvr2,
    make_omniglot,
    make_listops_lra,
    make_pathfinder,
    make_document_pairs,
)


def make_mirror(root: Path) -> None:
    """All of them."""
    for make in MAKERS:
        make(root)
