"""Time to recognise an archive of 20,000 images by its names, beside that of unpacking it."""

import argparse
import io
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from nacbench.data.mirror.door.distribution import data_set
from nacbench.data.mirror.door.given import Given
from nacbench.data.mirror.door.recognise import recognised
from nacbench.data.mirror.unpack import unpack

BYTES = 2000  # about the size of an image of Tiny-ImageNet


def main() -> None:
    """Print both times for a zip, a tar and a tar.gz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=20_000)
    members = parser.parse_args().members
    for suffix, write in (("zip", _zip), ("tar", _tar("")), ("tar.gz", _tar("gz"))):
        with tempfile.TemporaryDirectory() as name:
            archive, out = Path(name, f"tiny.{suffix}"), Path(name, "out")
            write(archive, _names(members))
            out.mkdir()
            look, whole = _seconds(partial(_recognise, archive, out)), _seconds(partial(unpack, archive, out))
        print(f"{suffix:7} recognised in {look:.2f} s, unpacked in {whole:.2f} s: {look / whole:.2f}")


def _names(members: int) -> list[str]:
    val = [f"tiny-imagenet-200/val/images/val_{number}.JPEG" for number in range(members // 10)]
    train = [
        f"tiny-imagenet-200/train/n{number % 200:08}/images/n{number % 200:08}_{number // 200}.JPEG"
        for number in range(members - len(val))
    ]
    return ["tiny-imagenet-200/val/val_annotations.txt", *val, *train]


def _zip(archive: Path, names: list[str]) -> None:
    content = np.random.default_rng(0)  # which does not compress, as images do not
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in names:
            opened.writestr(name, content.bytes(BYTES))


def _tar(compression: str) -> Callable[[Path, list[str]], None]:
    def write(archive: Path, names: list[str]) -> None:
        content = np.random.default_rng(0)
        with tarfile.open(archive, f"w:{compression}") as opened:  # type: ignore[call-overload]
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = BYTES
                opened.addfile(member, io.BytesIO(content.bytes(BYTES)))

    return write


def _recognise(archive: Path, scratch: Path) -> None:
    with Given([archive], scratch) as given:
        matches, _ = recognised(given.tree, data_set("tiny_imagenet"), set())
        assert matches


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
