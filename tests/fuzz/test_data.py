"""Fuzzing of data sets: archives, images, meshes, ListOps, Parquet, lists of files, manifests, decoded copies."""

import hashlib
import io
import json
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from nacbench.cli.shared.needs import made_task
from nacbench.data.images.reading import read_image
from nacbench.data.mirror.door.distribution import data_set
from nacbench.data.mirror.door.found import FoundCopy, Member
from nacbench.data.mirror.door.readers.pickled_batches import PickledBatches
from nacbench.data.mirror.manifest import check_files
from nacbench.data.mirror.parquet import read_rows
from nacbench.data.mirror.unpack import unpack
from nacbench.data.points.meshes import read_mesh, sample_surface, unit_ball
from nacbench.data.sentences.nlvr2 import read_examples
from nacbench.data.sequences.listops import read_tsv
from nacbench.errors import UserError

from .. import miniatures
from ..data.copies import cifar
from .damage import altered, damaged
from .guard import fuzz, of_file

PICTURE = miniatures.picture(1, 20, 12)
KINDS = ("PNG", "JPEG", "BMP", "WEBP")
IMAGES = [miniatures.encoded(PICTURE, kind) for kind in KINDS]
IMAGES += [miniatures.encoded(PICTURE.convert(mode), "PNG") for mode in ("P", "L", "LA", "RGBA", "1", "I;16")]
LISTOPS = b"Source\tTarget\n( ( ( [MAX 3 ) 7 ) ] )\t7\n( ( ( [MIN 3 ) 7 ) ] )\t3\n"
MANIFEST = {
    "url": "https://example.org",
    "sha256": None,
    "basis": "as published",
    "date": "2026-11-23T09:00:00+00:00",
    "files": {"file": {"size": 7, "sha256": hashlib.sha256(b"content").hexdigest()}},
}
NLVR2 = [{"identifier": "dev-0-0-0", "sentence": "There is a dog.", "label": "True", "directory": 1}]


def archive(kind: str) -> bytes:
    stream = io.BytesIO()
    files = {"a/one.txt": b"one", "a/b/two.txt": b"two" * 40}
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, content in files.items():
                opened.writestr(name, content)
    else:
        mode: Any = f"w:{kind}"
        with tarfile.open(fileobj=stream, mode=mode) as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["zip", "", "gz", "xz", "bz2"])
@fuzz(data=st.data())
def test_archives(kind: str, data: st.DataObject, place: Path) -> None:
    shutil.rmtree(place / "out", ignore_errors=True)
    (place / "out").mkdir()
    of_file("archive", lambda file: unpack(file, place / "out"))(data.draw(damaged([archive(kind)])), place)
    assert {path.name for path in place.iterdir()} == {"archive", "out"}


BATCHES = cifar.examples("cifar10", batches=1, each=2)
PICKLED = [cifar.python10(BATCHES)["cifar-10-batches-py/data_batch_1"]] + [
    pickle.dumps({"labels": [0, 1], "data": cifar.planes(BATCHES.images[0])}, protocol) for protocol in (0, 2, 4, 5)
]


@fuzz(content=damaged(PICKLED))
def test_batches_of_cifar(content: bytes, place: Path) -> None:
    meta = cifar.python10(BATCHES)["cifar-10-batches-py/batches.meta"]
    (place / "meta").write_bytes(meta)
    reader = PickledBatches(
        kind="pickled-batches", splits={"train": ["train"]}, labels="labels", meta="meta", names="label_names"
    )

    def read(file: Path) -> None:
        members = {name: [Member(name, place / name, name)] for name in (file.name, "meta")}
        list(reader.content(FoundCopy(members, ""), data_set("cifar10").table).rows["train"])

    of_file("train", read)(content, place)


ARROW = io.BytesIO()
with pa.ipc.new_stream(ARROW, pa.schema({"label": pa.int64(), "text": pa.string()})) as writer:
    writer.write_batch(pa.record_batch({"label": [1, 2], "text": ["a", "b"]}))


@fuzz(content=damaged([ARROW.getvalue()]))
def test_arrow_files(content: bytes, place: Path) -> None:
    of_file("data-00000-of-00001.arrow", lambda file: list(read_rows(file, ["label"])))(content, place)


@fuzz(content=damaged(IMAGES), channels=st.sampled_from((1, 3)))
def test_images(content: bytes, channels: int, place: Path) -> None:
    of_file("image.png", lambda file: read_image(file, (channels, 8, 8)))(content, place)


@fuzz(content=damaged([miniatures.off((1, 2, 3)).encode(), miniatures.off((1, 1, 1), glued=True).encode()]))
def test_meshes(content: bytes, place: Path) -> None:
    def read(file: Path) -> None:
        try:
            unit_ball(sample_surface(*read_mesh(file), 16, 0))
        except ValueError as error:  # what the caller turns into one line with the file's name
            raise UserError(str(error)) from error

    of_file("mesh.off", read)(content, place)


@fuzz(content=damaged([LISTOPS]))
def test_listops(content: bytes, place: Path) -> None:
    of_file("basic_train.tsv", lambda file: read_tsv(file, 50))(content, place)


@fuzz(content=altered(NLVR2) | damaged([b"\n".join(json.dumps(row).encode() for row in NLVR2)]))
def test_examples_of_nlvr2(content: bytes, place: Path) -> None:
    of_file("dev.json", read_examples)(content, place)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with miniatures of data sets of which a list or a table is read."""
    root = tmp_path_factory.mktemp("mirror")
    for make in (miniatures.make_cub, miniatures.make_imdb, miniatures.make_nlvr):
        make(root)
    miniatures.make_omniglot(root, alphabets=4)
    names = [f"class{number}" for number in range(10)]
    for split in ("train", "test"):
        file = root / f"uoft-cs/cifar10/plain_text/{split}-00000-of-00001.parquet"
        miniatures.labelled_images(file, names, 1, 32, ("img", "label"))
    return root


FILES = {
    "uoft-cs/cifar10/plain_text/test-00000-of-00001.parquet": "cifar10",
    "stanfordnlp/imdb/plain_text/train-00000-of-00001.parquet": "imdb-bytes",
    "nlvr/validation.parquet": "nlvr",
    "omniglot/images_background_small.parquet": "omniglot",
    "cub-200-2011/images.txt": "lowshot-cub",
    "cub-200-2011/image_class_labels.txt": "lowshot-cub",
    "cub-200-2011/train_test_split.txt": "lowshot-cub",
}


@pytest.mark.parametrize(("name", "task"), FILES.items())
@fuzz(data=st.data())
def test_tables_and_lists_of_data_sets(name: str, task: str, data: st.DataObject, mirror: Path, place: Path) -> None:
    folder = place / Path(name).parts[0]
    if not folder.exists():
        shutil.copytree(mirror / folder.name, folder)
    made = made_task(task)

    def read(_: Path) -> None:
        arrays = made.arrays(place).arrays  # type: ignore[attr-defined]
        for name, values in arrays.items():
            if name.endswith("_images"):  # some are decoded when they are indexed
                values[:2]

    of_file(name, read)(data.draw(damaged([(mirror / name).read_bytes()])), place)


@fuzz(content=altered([MANIFEST]) | damaged([json.dumps(MANIFEST).encode()]))
def test_manifests(content: bytes, place: Path) -> None:
    (place / "file").write_bytes(b"content")
    of_file(".nacbench.json", lambda file: check_files(place, "made", "fetch it again"))(content, place)
