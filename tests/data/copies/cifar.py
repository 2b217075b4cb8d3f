"""CIFAR-10 and CIFAR-100 as their makers, torchvision and the hub have them, with a few images a batch."""

import io
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from nacbench.data.mirror.door.distribution import data_set
from tests.data.copies.colours import pixels

SIDE = 32


@dataclass(frozen=True)
class Examples:
    """Images (uint8 N×32×32×3) and their classes, by batch; the last batch is the test split."""

    names: Sequence[str]
    images: Sequence[np.ndarray]
    labels: Sequence[Sequence[int]]


def examples(name: str, batches: int, each: int = 12) -> Examples:
    """Made images of CIFAR-10 or CIFAR-100, in batches of ``each`` and one of half as many for testing."""
    names = data_set(name).table.class_names
    assert names is not None
    sizes = [each] * batches + [each // 2]
    labels = [[(7 * index + 3 * batch) % len(names) for index in range(size)] for batch, size in enumerate(sizes)]
    images = [
        np.stack([pixels(label, 100 * batch + index, SIDE) for index, label in enumerate(own)])
        for batch, own in enumerate(labels)
    ]
    return Examples(names, images, labels)


def planes(images: np.ndarray) -> np.ndarray:
    """Images as rows of red, green and blue planes, N×3,072."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def python10(made: Examples) -> dict[str, bytes]:
    """CIFAR-10's python batches, with names as in the makers' folder."""
    names = [*(f"data_batch_{number}" for number in range(1, len(made.images))), "test_batch"]
    files = {
        f"cifar-10-batches-py/{name}": pickled(
            {
                "batch_label": f"made {name}",
                "labels": list(own),
                "data": planes(images),
                "filenames": [f"{made.names[label]}_s_{number:06}.png" for number, label in enumerate(own)],
            }
        )
        for name, images, own in zip(names, made.images, made.labels, strict=True)
    }
    meta = {"num_cases_per_batch": 10000, "label_names": list(made.names), "num_vis": 3072}
    readme = {"cifar-10-batches-py/readme.html": b"<html>http://www.cs.toronto.edu/~kriz/cifar.html</html>"}
    return {**files, "cifar-10-batches-py/batches.meta": pickled(meta), **readme}


def python100(made: Examples) -> dict[str, bytes]:
    """CIFAR-100's python batches."""
    files = {
        f"cifar-100-python/{name}": pickled(
            {
                "filenames": [f"made_s_{number:06}.png" for number in range(len(own))],
                "batch_label": f"{name} batch 1 of 1",
                "fine_labels": list(own),
                "coarse_labels": [label // 5 for label in own],
                "data": planes(images),
            }
        )
        for name, images, own in zip(("train", "test"), made.images, made.labels, strict=True)
    }
    coarse = [f"group {number}" for number in range(20)]
    meta = {"fine_label_names": list(made.names), "coarse_label_names": coarse}
    return {**files, "cifar-100-python/meta": pickled(meta), "cifar-100-python/file.txt~": b""}


def pickled(content: Mapping[str, object]) -> bytes:
    """A pickle as Python 2 wrote those of the makers: text and arrays as byte strings, with numpy's old name."""
    stream = io.BytesIO()
    _OfPython2(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


class _OfPython2(pickle._Pickler):
    """Writes text as Python 2's ``str``."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, text: str | bytes) -> None:
        content = text.encode() if isinstance(text, str) else text
        self.write(b"T" + len(content).to_bytes(4, "little") + content)  # type: ignore[attr-defined]
        self.memoize(text)  # type: ignore[attr-defined]

    dispatch[str] = save_text  # type: ignore[assignment]
    dispatch[bytes] = save_text  # type: ignore[assignment]


def binary10(made: Examples) -> dict[str, bytes]:
    """CIFAR-10's binary batches."""
    names = [*(f"data_batch_{number}.bin" for number in range(1, len(made.images))), "test_batch.bin"]
    files = {
        f"cifar-10-batches-bin/{name}": b"".join(
            bytes([label]) + row.tobytes() for label, row in zip(own, planes(images), strict=True)
        )
        for name, images, own in zip(names, made.images, made.labels, strict=True)
    }
    return {**files, "cifar-10-batches-bin/batches.meta.txt": "\n".join([*made.names, "", ""]).encode()}


def binary100(made: Examples) -> dict[str, bytes]:
    """CIFAR-100's binary files: coarse label, fine label, pixels."""
    files = {
        f"cifar-100-binary/{name}": b"".join(
            bytes([label // 5, label]) + row.tobytes() for label, row in zip(own, planes(images), strict=True)
        )
        for name, images, own in zip(("train.bin", "test.bin"), made.images, made.labels, strict=True)
    }
    names = {"fine_label_names.txt": made.names, "coarse_label_names.txt": [f"group_{n}" for n in range(20)]}
    return {**files, **{f"cifar-100-binary/{name}": "\n".join(own).encode() + b"\n" for name, own in names.items()}}


def folders(made: Examples, group: Callable[[int], str] = lambda label: "") -> dict[str, bytes]:
    """Image folders as fast.ai has them; ``group`` gives the folder above that of a class."""
    return {
        f"cifar/{'test' if batch == len(made.images) - 1 else 'train'}/{group(label)}{made.names[label]}/"
        f"{100 * batch + number}_{made.names[label]}.png": png(image)
        for batch, (images, own) in enumerate(zip(made.images, made.labels, strict=True))
        for number, (image, label) in enumerate(zip(images, own, strict=True))
    }


def hub(made: Examples, config: str, label: str) -> dict[str, bytes]:
    """The hub's Parquet files: images as PNG, labels with the names of classes."""
    parts = {"train": range(len(made.images) - 1), "test": [len(made.images) - 1]}
    return {
        f"{config}/{split}-00000-of-00001.parquet": parquet(
            [image for batch in batches for image in made.images[batch]],
            [own for batch in batches for own in made.labels[batch]],
            made.names,
            ("img", label),
        )
        for split, batches in parts.items()
    }


def parquet(
    images: Sequence[np.ndarray], labels: Sequence[int], names: Sequence[str] | None, columns: tuple[str, str]
) -> bytes:
    """A Parquet file of images and labels, with the hub's metadata unless there are no names."""
    rows = [{"bytes": png(image), "path": f"{number}.png"} for number, image in enumerate(images)]
    table = pa.table(dict(zip(columns, (rows, list(labels)), strict=True)))
    if names is not None:
        features = {columns[0]: {"_type": "Image"}, columns[1]: {"_type": "ClassLabel", "names": list(names)}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def png(image: np.ndarray) -> bytes:
    """An image as PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()
