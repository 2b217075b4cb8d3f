"""Archives that would write elsewhere, link or burst: refused whole, with the member named."""

import gzip
import io
import tarfile
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from nacbench.data.mirror.guard import Guard
from nacbench.data.mirror.unpack import open_archive, unpack
from nacbench.errors import UserError
from tests.data.mirror.archives import MESHES, Site, files_of, left_over, served, tarred, zipped

Packer = Callable[[Mapping[str, bytes]], bytes]

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


def large_header() -> bytes:
    """A tar whose last member has a comment of 100,000 letters."""
    stream = io.BytesIO(tarred(MESHES, ""))
    with tarfile.open(fileobj=stream, mode="a:", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("Shapes/commented")
        member.pax_headers = {"comment": "c" * 100_000}
        archive.addfile(member)
    return stream.getvalue()


def many_members() -> bytes:
    """A tar of 60,000 folders, in about 400 kB; each of its names occurs twelve times, as those of folders may."""
    members = [tarfile.TarInfo(f"{number:x}") for number in range(5000)]
    for member in members:
        member.type = tarfile.DIRTYPE
    headers = b"".join(member.tobuf(tarfile.USTAR_FORMAT) for member in members)
    return gzip.compress(12 * headers + bytes(1024), 6)


UNSAFE = {
    "zip, above": (zipped(MESHES | {"../evil": b"x"}), "'../evil' would lie outside"),
    "zip, above from below": (zipped(MESHES | {"Shapes/../../evil": b"x"}), "'Shapes/../../evil' would lie outside"),
    "zip, absolute": (zipped(MESHES | {"/tmp/evil": b"x"}), "'/tmp/evil' would lie outside"),
    "zip, Windows": (zipped(MESHES | {"..\\evil": b"x"}), "would lie outside"),
    "zip, drive": (zipped(MESHES | {"C:evil": b"x"}), "'C:evil' would lie outside"),
    "zip, link": (zip_member("Shapes/link", 0o120777), "'Shapes/link' is a link"),
    "zip, device": (zip_member("Shapes/null", 0o020666), "'Shapes/null' is a device"),
    "zip, long name": (zipped(MESHES | {"Shapes/" + "n" * 2000: b"x"}), "has 2,007 characters"),
    "tar, long name": (tarred(MESHES | {"Shapes/" + "n" * 2000: b"x"}), "has 2,007 characters"),
    "tar, very long name": (tarred(MESHES | {"n" * 100_000: b"x"}), "a header in it has 100,"),
    "tar, large header": (large_header(), "a header in it has 100,"),
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


def test_many_members_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "many.tar.gz").write_bytes(many_members())
    assert (tmp_path / "many.tar.gz").stat().st_size < 600_000
    started = time.monotonic()
    with pytest.raises(UserError, match=r"many\.tar\.gz is not safe to unpack: it has more than .* members"):
        unpack(tmp_path / "many.tar.gz", tmp_path)
    assert time.monotonic() - started < 3
    assert [path.name for path in tmp_path.iterdir()] == ["many.tar.gz"]


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_an_unsafe_member_at_the_end_leaves_nothing_of_those_before_it(pack: Packer, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(pack(MESHES | {"z/../../evil": b"x"}))
    (tmp_path / "into").mkdir()
    with pytest.raises(UserError, match="would lie outside the folder"):
        unpack(tmp_path / "archive", tmp_path / "into")
    assert not any((tmp_path / "into").iterdir())


def test_what_archives_inside_hold_counts_in_the_outer_one(tmp_path: Path) -> None:
    (tmp_path / "inner.zip").write_bytes(zipped({"a.off": bytes(2**19)}))
    (tmp_path / "outer.zip").write_bytes(zipped({"inner.zip": (tmp_path / "inner.zip").read_bytes()}))
    with closing(open_archive(tmp_path / "outer.zip")) as outer:
        open_archive(tmp_path / "inner.zip", outer).close()
        with pytest.raises(UserError, match=r"outer\.zip is not safe to unpack: with its member 'a\.off'"):
            for _ in range(2):
                open_archive(tmp_path / "inner.zip", outer).close()


def test_a_member_of_negative_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(tarred(MESHES))
    with pytest.raises(UserError, match="its member 'a' has -1 bytes"):
        Guard(tmp_path / "archive").admit("a", None, -1)


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_an_archive_of_other_data_is_refused_by_its_names(
    pack: Packer, site: Site, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile.TarFile, "extract")
    monkeypatch.delattr(zipfile.ZipFile, "extract")
    (tmp_path / "brought").write_bytes(pack({"Shapes/readme": b"x", "Shapes/a/train/a_0.off": b"x"}))
    with pytest.raises(UserError, match=r"brought, in its folder Shapes, is not complete; it lacks \*/test/\*\.off"):
        served(site, b"", known=False).bring(root, tmp_path / "brought")


TRUNCATED = {
    "zip": (zipped(MESHES)[:-30], "is a truncated zip archive"),
    "tar": (tarred(MESHES, "")[:5000], "is truncated"),
    "empty": (b"", "is empty; get it again"),
    "tar.gz": (tarred(MESHES)[:-30], "is truncated"),
    "tar.bz2": (tarred(MESHES, "bz2")[:-30], "is truncated"),
    "tar.xz": (tarred(MESHES, "xz")[:-100], "is truncated"),
    "tar.gz, at its start": (tarred(MESHES)[:20], "is compressed, but .* is truncated|is truncated"),
}


@pytest.mark.parametrize("kind", TRUNCATED)
def test_a_truncated_archive_is_called_so(kind: str, tmp_path: Path) -> None:
    content, complaint = TRUNCATED[kind]
    (tmp_path / "archive").write_bytes(content)
    (tmp_path / "into").mkdir()
    with pytest.raises(UserError, match=complaint):
        unpack(tmp_path / "archive", tmp_path / "into")
    assert not any((tmp_path / "into").iterdir())


def twice_in_a_zip(name: str, again: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"first")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(again, b"other")
    return stream.getvalue()


def twice_in_a_tar(name: str, again: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for own, content in ((name, b"first"), (again, b"other")):
            member = tarfile.TarInfo(own)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("pack", [twice_in_a_zip, twice_in_a_tar])
@pytest.mark.parametrize("again", ["a/x.off", "./a/x.off", "a//x.off"])
def test_a_member_that_is_there_twice_is_refused(pack: Callable[[str, str], bytes], again: str, tmp_path: Path) -> None:
    """The last one would be taken without a word."""
    (tmp_path / "archive").write_bytes(pack("a/x.off", again))
    with pytest.raises(UserError, match=r"not safe to unpack: it has two members 'a/x\.off'; unpack it"):
        unpack(tmp_path / "archive", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_folder_may_be_there_twice(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(twice_in_a_zip("a/", "a/"))
    unpack(tmp_path / "archive", tmp_path)
    assert (tmp_path / "a").is_dir()


def test_a_zip_with_two_names_for_a_member_is_one_line(tmp_path: Path) -> None:
    content = zipped({"é.off": b"x"}).replace("é".encode(), b"\xff\xff", 1)  # the list at the end has the right one
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(UserError, match="archive cannot be unpacked: 'utf-8' codec"):
        unpack(tmp_path / "archive", tmp_path)


@pytest.mark.parametrize("pack", [partial(tarred, compression=""), tarred, partial(tarred, compression="xz"), zipped])
def test_everything_is_unpacked(pack: Packer, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(pack(MESHES))
    (tmp_path / "into").mkdir()
    unpack(tmp_path / "archive", tmp_path / "into")
    assert files_of(tmp_path / "into") == MESHES
