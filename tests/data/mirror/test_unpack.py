"""Archives that would write elsewhere, link or burst: refused whole, with the member named."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from nacbench.errors import UserError
from tests.data.mirror.archives import MESHES, Site, left_over, served, tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")


def tar_member(name: str, kind: bytes) -> bytes:
    """A tar with the meshes and one special member."""
    stream = io.BytesIO(tarred(MESHES, ""))
    with tarfile.open(fileobj=stream, mode="a:") as archive:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    return stream.getvalue()


def zip_member(name: str, mode: int) -> bytes:
    """A zip with the meshes and one special member."""
    stream = io.BytesIO(zipped(MESHES))
    with zipfile.ZipFile(stream, "a") as archive:
        member = zipfile.ZipInfo(name)
        member.create_system = 3
        member.external_attr = mode << 16
        archive.writestr(member, "/etc/passwd")
    return stream.getvalue()


UNSAFE = {
    "zip, above": (zipped(MESHES | {"../evil": b"x"}), "'../evil' would lie outside"),
    "zip, above from below": (zipped(MESHES | {"Shapes/../../evil": b"x"}), "'Shapes/../../evil' would lie outside"),
    "zip, absolute": (zipped(MESHES | {"/tmp/evil": b"x"}), "'/tmp/evil' would lie outside"),
    "zip, Windows": (zipped(MESHES | {"..\\evil": b"x"}), "would lie outside"),
    "zip, drive": (zipped(MESHES | {"C:evil": b"x"}), "'C:evil' would lie outside"),
    "zip, link": (zip_member("Shapes/link", 0o120777), "'Shapes/link' is a link"),
    "zip, device": (zip_member("Shapes/null", 0o020666), "'Shapes/null' is a device"),
    "zip, bomb": (zipped(MESHES | {"Shapes/bomb": bytes(2**23)}), "'Shapes/bomb' it unpacks to more than 200 times"),
    "tar, above": (tarred(MESHES | {"../evil": b"x"}), "'../evil' would lie outside"),
    "tar, absolute": (tarred(MESHES | {"/tmp/evil": b"x"}), "'/tmp/evil' would lie outside"),
    "tar, link": (tar_member("Shapes/link", tarfile.SYMTYPE), "'Shapes/link' is a link"),
    "tar, hard link": (tar_member("Shapes/link", tarfile.LNKTYPE), "'Shapes/link' is a link"),
    "tar, device": (tar_member("Shapes/null", tarfile.CHRTYPE), "'Shapes/null' is a device"),
    "tar, pipe": (tar_member("Shapes/pipe", tarfile.FIFOTYPE), "'Shapes/pipe' is a device or a pipe"),
    "tar, bomb": (tarred(MESHES | {"Shapes/bomb": bytes(2**23)}), "'Shapes/bomb' it unpacks to more than 200 times"),
}


@pytest.mark.parametrize("kind", UNSAFE)
@pytest.mark.parametrize("way", ["fetch", "bring"])
def test_an_unsafe_archive_is_refused(kind: str, way: str, site: Site, root: Path, tmp_path: Path, cache: Path) -> None:
    content, complaint = UNSAFE[kind]
    data_files = served(site, content)
    (tmp_path / "brought").write_bytes(content)
    with pytest.raises(UserError, match="is not safe to unpack") as caught:
        if way == "fetch":
            data_files.fetch(root)
        else:
            data_files.bring(root, tmp_path / "brought")
    assert complaint in str(caught.value)
    assert data_files.missing(root) is not None
    assert left_over(root, cache) == []
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_tar_truncated_between_members_is_refused(compression: str, site: Site, root: Path, tmp_path: Path) -> None:
    """Python's library takes the cut for the end."""
    whole = tarred(MESHES, "")
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        cut = whole[: archive.getmembers()[-1].offset]
    (tmp_path / "brought").write_bytes(gzip.compress(cut) if compression else cut)
    with pytest.raises(UserError, match="brought is truncated: the two empty blocks"):
        served(site, whole, known=False).bring(root, tmp_path / "brought")
    assert not (root / "shapes").exists()
