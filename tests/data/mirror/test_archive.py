"""Archives that are downloaded: whole or not at all, and checked from then on."""

import json
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from nacbench.contracts.task import DataFiles
from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.data.mirror.hub import HubFiles
from nacbench.data.mirror.manifest import MANIFEST, read_manifest
from nacbench.errors import UserError
from tests.data.copies.cifar import png
from tests.data.mirror.archives import (
    JUNK,
    LOCAL,
    MESHES,
    Site,
    files_of,
    left_over,
    remove,
    served,
    shapes,
    tarred,
    user_folder,
    zipped,
)

pytestmark = pytest.mark.usefixtures("cache")


HUB = HubFiles(name="owner/set", revision="0", splits={"train": "train-*.parquet"})


def test_every_kind_implements_data_files_with_the_same_messages(site: Site, root: Path) -> None:
    kinds: list[DataFiles] = [served(site, b""), LOCAL, HUB]
    names, needs = ["shapes", "photos", "owner/set"], ["*/train/*.off", "list.txt", "train-*.parquet"]
    assert [files.place(root) for files in kinds] == [root / name for name in names]
    for files, name, need in zip(kinds, names, needs, strict=True):
        reason = files.missing(root)
        assert reason is not None
        assert reason.startswith(f"{name} is not in {root} (0 files match {need}); ")
        assert reason.endswith(", or name a mirror with --data-root or NACBENCH_DATA")
        with pytest.raises(UserError) as caught:
            files.verify(root)
        assert str(caught.value) == reason


@pytest.mark.parametrize("pack", [zipped, tarred, partial(tarred, compression=""), partial(tarred, compression="xz")])
def test_an_archive_is_fetched_unpacked_and_checked(pack, site: Site, root: Path, cache: Path) -> None:  # type: ignore[no-untyped-def]
    data_files = served(site, pack(MESHES | JUNK))
    reason = data_files.missing(root)
    assert reason is not None
    for part in ("shapes is not in", str(root), "nacbench data fetch TASK", "nacbench data import TASK", "1 kB"):
        assert part in reason
    data_files.fetch(root)
    assert data_files.missing(root) is None
    assert files_of(data_files.place(root)) == shapes()
    assert "8 files checked: checksums match" in data_files.verify(root)
    assert left_over(root, cache) == []


def test_the_manifest_has_url_and_checksums(site: Site, root: Path) -> None:
    data_files = served(site, zipped(MESHES))
    data_files.fetch(root)
    manifest = read_manifest(data_files.place(root))
    assert manifest is not None
    assert (manifest.url, manifest.sha256) == (data_files.url, data_files.sha256)
    assert manifest.date.endswith("+00:00")
    assert {name: own.sha256 for name, own in manifest.files.items()} == {
        name: sha256(content).hexdigest() for name, content in shapes().items()
    }
    assert manifest.size == sum(len(content) for content in shapes().values())


def test_files_that_are_there_are_not_fetched_again(site: Site, root: Path) -> None:
    data_files = served(site, zipped(MESHES))
    data_files.fetch(root)
    data_files.fetch(root)
    assert len(site.requests) == 1


def test_a_checksum_other_than_the_published_one_is_refused(site: Site, root: Path, cache: Path) -> None:
    data_files = replace(served(site, zipped(MESHES)), sha256="0" * 64)
    with pytest.raises(UserError, match=r"/shapes has the SHA-256 [0-9a-f]{64}, but its makers publish 0{64}"):
        data_files.fetch(root)
    assert data_files.missing(root) is not None
    assert left_over(root, cache) == []


def test_without_published_checksum_the_first_one_is_trusted(site: Site, root: Path) -> None:
    data_files = served(site, zipped(MESHES), known=False)
    data_files.fetch(root)
    assert "trusted on first use: the makers publish no checksum" in data_files.verify(root)
    first = sha256(site.files["/shapes"]).hexdigest()
    remove(data_files.place(root))
    site.files["/shapes"] = zipped(MESHES | {"Shapes/a/train/new.off": b"OFF"})
    with pytest.raises(UserError, match=f"but the first download had {first}") as caught:
        data_files.fetch(root)
    assert data_files.missing(root) is not None
    (root / ".shapes.sha256.json").unlink()  # the way out that the message gives
    assert str(root / ".shapes.sha256.json") in str(caught.value)
    data_files.fetch(root)
    assert "a/train/new.off" in files_of(data_files.place(root))


@pytest.mark.parametrize(
    "content", [b"<html>moved</html>", b"", zipped({"other": b"x"}), zipped(MESHES)[:400], tarred(MESHES)[:200]]
)
def test_a_wrong_first_download_is_refused_and_not_trusted(content: bytes, site: Site, root: Path, cache: Path) -> None:
    data_files = served(site, content, known=False)
    with pytest.raises(
        UserError, match=r"neither a zip nor a tar|is (a )?truncated|is not complete|is a web page|is empty"
    ):
        data_files.fetch(root)
    assert left_over(root, cache) == []
    site.files["/shapes"] = zipped(MESHES)
    data_files.fetch(root)
    assert data_files.missing(root) is None


@pytest.mark.parametrize("known", [True, False])
def test_a_truncated_download_is_refused(known: bool, site: Site, root: Path) -> None:
    data_files = served(site, tarred(MESHES, ""), known=known)
    site.cut = 3000
    with pytest.raises(UserError, match=r"shapes is not .*cannot be downloaded from http.*nacbench data import"):
        data_files.fetch(root)
    assert data_files.missing(root) is not None
    site.cut = None
    data_files.fetch(root)
    assert files_of(data_files.place(root)) == shapes()


@pytest.mark.parametrize(
    ("url", "reason"), [("{site}/nowhere", "HTTP status 404"), ("http://127.0.0.1:9/x", "ConnectionError")]
)
def test_an_unreachable_url_is_an_error_with_a_way_out(url: str, reason: str, site: Site, root: Path) -> None:
    data_files = replace(served(site, b""), url=url.format(site=site.url))
    with pytest.raises(UserError, match=reason) as caught:
        data_files.fetch(root)
    assert "\n" not in str(caught.value)
    assert not root.exists()


def test_a_folder_with_other_files_is_not_changed(site: Site, root: Path) -> None:
    data_files = served(site, zipped(MESHES))
    user_folder(data_files.place(root), {"notes.txt": b"mine"})
    with pytest.raises(UserError, match="has data in it already; remove it first"):
        data_files.fetch(root)
    assert files_of(data_files.place(root)) == {"notes.txt": b"mine"}
    assert site.requests == []


def test_a_read_only_mirror_is_an_error_that_names_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=f"cannot fill {tmp_path}/file/shapes: .*--data-root"):
        served(site, zipped(MESHES)).fetch(tmp_path / "file")


@pytest.fixture
def fetched(site: Site, root: Path) -> ArchiveFiles:
    """Data files that are in the mirror."""
    data_files = served(site, zipped(MESHES))
    data_files.fetch(root)
    return data_files


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"url": 1}', json.dumps({"url": "u", "sha256": "0", "date": ""}), "[" * 100_000]
)
def test_a_broken_checksum_of_the_first_archive_is_named(content: str, site: Site, root: Path) -> None:
    data_files = served(site, zipped(MESHES), known=False)
    root.mkdir()
    (root / ".shapes.sha256.json").write_text(content)
    with pytest.raises(UserError, match=r"\.shapes\.sha256\.json is not .*; delete it to trust the next") as caught:
        data_files.fetch(root)
    assert "\n" not in str(caught.value)


def test_a_flipped_byte_is_found_and_named(fetched: ArchiveFiles, root: Path) -> None:
    file = fetched.place(root) / "b/test/b_1.off"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"{file} is damaged or changed.*delete .* fetch it again"):
        fetched.verify(root)


def test_a_file_of_another_size_or_none_is_found_and_named(fetched: ArchiveFiles, root: Path) -> None:
    file = fetched.place(root) / "a/test/a_0.off"
    file.write_bytes(b"short")
    with pytest.raises(UserError, match=f"{file} has 5 bytes, not"):
        fetched.verify(root)
    file.unlink()
    with pytest.raises(UserError, match=f"{file} is missing"):
        fetched.verify(root)


def test_files_not_in_the_manifest_are_reported(fetched: ArchiveFiles, root: Path) -> None:
    (fetched.place(root) / "a/train/mine.off").write_text("OFF")
    assert "not in the manifest: 1 file, such as" in fetched.verify(root)


def test_a_mirror_made_by_hand_has_no_checksums(root: Path) -> None:
    user_folder(LOCAL.place(root), {"list.txt": b"1", "images/a/1.png": png(np.zeros((1, 1), np.uint8))})
    assert LOCAL.verify(root).startswith("2 files, no checksums known")


def test_missing_files_cannot_be_verified(root: Path) -> None:
    with pytest.raises(UserError, match="photos is not in"):
        LOCAL.verify(root)


def manifest_with(**changes: object) -> str:
    """A manifest with some other fields."""
    files = {"a/train/a_0.off": {"size": 1, "sha256": "0" * 64}}
    whole = {"url": "https://made.up", "sha256": None, "basis": "made up", "date": "2026-11-28", "files": files}
    return json.dumps({**whole, **changes})


BROKEN_MANIFESTS = {
    "empty": "",
    "no fields": "{}",
    "a list": "[]",
    "brackets": "[" * 100_000,
    "an unknown field": manifest_with(note="hello"),
    "another type": manifest_with(url=7),
    "a number for a file": manifest_with(files={"a": 1}),
    "a negative size": manifest_with(files={"a": {"size": -1, "sha256": "0" * 64}}),
    "a size that is true": manifest_with(files={"a": {"size": True, "sha256": "0" * 64}}),
    "a short checksum": manifest_with(files={"a": {"size": 1, "sha256": "0"}}),
    "a file above": manifest_with(files={"../a": {"size": 1, "sha256": "0" * 64}}),
    "an absolute file": manifest_with(files={"/dev/zero": {"size": 1, "sha256": "0" * 64}}),
    "a NUL": manifest_with(files={"a\0b": {"size": 1, "sha256": "0" * 64}}),
}


@pytest.mark.parametrize("kind", BROKEN_MANIFESTS)
def test_a_broken_manifest_is_named(kind: str, fetched: ArchiveFiles, root: Path) -> None:
    (fetched.place(root) / MANIFEST).write_text(BROKEN_MANIFESTS[kind])
    with pytest.raises(UserError, match=r"\.nacbench\.json is not .*; delete .* and fetch it again") as caught:
        fetched.verify(root)
    assert "\n" not in str(caught.value)
