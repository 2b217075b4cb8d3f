"""Archives that are downloaded and files that users bring: whole or not at all, and checked."""

import io
import json
import random
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nacbench.data.manifest import MANIFEST, read_manifest
from nacbench.data.source import Archive, LocalFiles
from nacbench.errors import UserError
from nacbench.task import DataSource

MESHES = {
    f"Shapes/{c}/{s}/{c}_{i}.off": f"OFF {c} {s} {i}".encode() * 50
    for c in "ab"
    for s in ("train", "test")
    for i in "01"
}
JUNK = {"__MACOSX/Shapes/._a": b"junk", "README": b"read me"}


@dataclass
class Site:
    """What a made web site has.

    Attributes:
        url: its address.
        files: what it serves, by path.
        cut: send only so many bytes of a file …
        stall: … and then wait for this, rather than hang up.
        requests: the paths that were asked for.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    stall: threading.Event | None = None
    requests: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Serves a `Site`."""

    def __init__(self, site: Site, *arguments: object) -> None:
        self.site = site
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.site.requests.append(self.path)
        content = self.site.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write((content or b"")[: self.site.cut])
        if self.site.stall:
            self.wfile.flush()
            self.site.stall.wait(20)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A web site of this test's own."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Site("")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, made)) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield made
        if made.stall:
            made.stall.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NACBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty mirror."""
    return tmp_path / "mirror"


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: Mapping[str, bytes], compression: str = "gz") -> bytes:
    """A tar of these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def served(site: Site, content: bytes, *, known: bool = True) -> Archive:
    """A source whose archive the site has."""
    site.files["/shapes"] = content
    return Archive(
        name="shapes",
        url=f"{site.url}/shapes",
        sha256=sha256(content).hexdigest() if known else None,
        inside="Shapes",
        needs=("*/train/*.off", "*/test/*.off"),
        size="1 kB",
        terms="made up",
    )


LOCAL = LocalFiles(
    name="photos", needs=("list.txt", "images/*/*"), how="ask the makers", url="https://made.up", terms="by request"
)


def user_folder(place: Path, files: Mapping[str, bytes]) -> Path:
    """A folder of the user's own."""
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder by path, without the manifest."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop(MANIFEST, None)
    return found


def shapes() -> dict[str, bytes]:
    """What the place must have after the archive was unpacked."""
    return {name.removeprefix("Shapes/"): content for name, content in MESHES.items()}


def left_over(root: Path, cache: Path) -> list[str]:
    """Hidden things in the mirror, and what is still in the cache."""
    hidden = [path.name for path in root.glob(".*") if not path.name.endswith(".sha256.json")]
    return hidden + [str(path) for path in cache.rglob("*") if path.is_file()]


def test_both_kinds_are_sources_of_data(site: Site) -> None:
    sources: list[DataSource] = [served(site, b""), LOCAL]
    assert [source.place(Path("root")) for source in sources] == [Path("root/shapes"), Path("root/photos")]


# -- download ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [zipped, tarred, partial(tarred, compression=""), partial(tarred, compression="xz")])
def test_an_archive_is_fetched_unpacked_and_checked(pack, site: Site, root: Path, cache: Path) -> None:  # type: ignore[no-untyped-def]
    source = served(site, pack(MESHES | JUNK))
    reason = source.missing(root)
    assert reason is not None
    for part in ("shapes is not in", str(root), "nacbench data fetch TASK", "nacbench data import TASK", "1 kB"):
        assert part in reason
    source.fetch(root)
    assert source.missing(root) is None
    assert files_of(source.place(root)) == shapes()
    assert "8 files match their checksums" in source.verify(root)
    assert left_over(root, cache) == []


def test_the_manifest_says_where_files_came_from_and_what_they_are(site: Site, root: Path) -> None:
    source = served(site, zipped(MESHES))
    source.fetch(root)
    manifest = read_manifest(source.place(root))
    assert manifest is not None
    assert (manifest.url, manifest.sha256) == (source.url, source.sha256)
    assert manifest.date.endswith("+00:00")
    assert {name: own.sha256 for name, own in manifest.files.items()} == {
        name: sha256(content).hexdigest() for name, content in shapes().items()
    }
    assert manifest.size == sum(len(content) for content in shapes().values())


def test_what_is_there_is_not_fetched_again(site: Site, root: Path) -> None:
    source = served(site, zipped(MESHES))
    source.fetch(root)
    source.fetch(root)
    assert len(site.requests) == 1


def test_another_checksum_than_the_published_one_is_refused(site: Site, root: Path, cache: Path) -> None:
    source = replace(served(site, zipped(MESHES)), sha256="0" * 64)
    with pytest.raises(UserError, match=r"/shapes has the SHA-256 [0-9a-f]{64}, but its makers publish 0{64}"):
        source.fetch(root)
    assert source.missing(root) is not None
    assert left_over(root, cache) == []


def test_without_a_published_checksum_the_first_one_is_required_from_then_on(site: Site, root: Path) -> None:
    source = served(site, zipped(MESHES), known=False)
    source.fetch(root)
    assert "trusted on first use: the makers publish no checksum" in source.verify(root)
    first = sha256(site.files["/shapes"]).hexdigest()
    remove(source.place(root))
    site.files["/shapes"] = zipped(MESHES | {"Shapes/a/train/new.off": b"OFF"})
    with pytest.raises(UserError, match=f"but the first one had {first}") as caught:
        source.fetch(root)
    assert source.missing(root) is not None
    (root / ".shapes.sha256.json").unlink()  # the way out that the message gives
    assert str(root / ".shapes.sha256.json") in str(caught.value)
    source.fetch(root)
    assert "a/train/new.off" in files_of(source.place(root))


def remove(folder: Path) -> None:
    """Delete a data set's folder, as a user would."""
    folder.rename(folder.with_name("removed"))


@pytest.mark.parametrize(
    "content", [b"<html>moved</html>", b"", zipped({"other": b"x"}), zipped(MESHES)[:400], tarred(MESHES)[:200]]
)
def test_a_wrong_first_download_is_refused_and_not_trusted(content: bytes, site: Site, root: Path, cache: Path) -> None:
    source = served(site, content, known=False)
    with pytest.raises(UserError, match=r"neither a zip nor a tar|cannot be unpacked|has not all that is needed"):
        source.fetch(root)
    assert left_over(root, cache) == []
    site.files["/shapes"] = zipped(MESHES)
    source.fetch(root)
    assert source.missing(root) is None


@pytest.mark.parametrize("known", [True, False])
def test_a_download_that_breaks_off_is_not_taken(known: bool, site: Site, root: Path) -> None:
    source = served(site, tarred(MESHES, ""), known=known)
    site.cut = 3000
    with pytest.raises(UserError, match=r"shapes is neither in .* nor to be had from http.*nacbench data import"):
        source.fetch(root)
    assert source.missing(root) is not None
    site.cut = None
    source.fetch(root)
    assert files_of(source.place(root)) == shapes()


@pytest.mark.parametrize(
    ("url", "reason"), [("{site}/nowhere", "HTTP status 404"), ("http://127.0.0.1:9/x", "ConnectionError")]
)
def test_an_address_that_does_not_answer_is_an_error_with_a_way_out(
    url: str, reason: str, site: Site, root: Path
) -> None:
    source = replace(served(site, b""), url=url.format(site=site.url))
    with pytest.raises(UserError, match=reason) as caught:
        source.fetch(root)
    assert "\n" not in str(caught.value)
    assert list(root.iterdir()) == []


def test_a_folder_with_other_things_in_it_is_not_touched(site: Site, root: Path) -> None:
    source = served(site, zipped(MESHES))
    user_folder(source.place(root), {"notes.txt": b"mine"})
    with pytest.raises(UserError, match="has data in it already; remove it first"):
        source.fetch(root)
    assert files_of(source.place(root)) == {"notes.txt": b"mine"}
    assert site.requests == []


def test_a_mirror_that_cannot_be_written_is_an_error_that_names_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=f"cannot fill {tmp_path}/file/shapes: .*--data-root"):
        served(site, zipped(MESHES)).fetch(tmp_path / "file")


# -- unsafe archives --------------------------------------------------------------------------------------------------


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
def test_an_unsafe_archive_is_refused_whole(
    kind: str, way: str, site: Site, root: Path, tmp_path: Path, cache: Path
) -> None:
    content, complaint = UNSAFE[kind]
    source = served(site, content)
    (tmp_path / "brought").write_bytes(content)
    with pytest.raises(UserError, match="is not safe to unpack") as caught:
        if way == "fetch":
            source.fetch(root)
        else:
            source.bring(root, tmp_path / "brought")
    assert complaint in str(caught.value)
    assert source.missing(root) is not None
    assert left_over(root, cache) == []
    assert not list(tmp_path.rglob("evil"))


# -- killed -----------------------------------------------------------------------------------------------------------

FETCH = """
import sys, time, zipfile
from pathlib import Path
from nacbench.data.source import Archive

members = []
real = zipfile.ZipFile.extract

def extract(self, member, *rest):
    members.append(real(self, member, *rest))
    if len(members) == 5:
        print("in the middle", flush=True)
        time.sleep(60)

zipfile.ZipFile.extract = extract
Archive(
    name="shapes", url=sys.argv[1], sha256=sys.argv[2] or None, inside="Shapes", needs=("*/train/*.off",), size="1 kB"
).fetch(Path(sys.argv[3]))
"""


def start_fetch(source: Archive, root: Path) -> subprocess.Popen[str]:
    """Fetch in another process, which stops in the middle of unpacking."""
    command = [sys.executable, "-c", FETCH, source.url, source.sha256 or "", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("known", [True, False])
def test_an_extraction_that_is_killed_is_never_taken_for_a_whole_one(
    known: bool, site: Site, root: Path, cache: Path
) -> None:
    source = served(site, zipped(MESHES), known=known)
    with start_fetch(source, root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.send_signal(signal.SIGKILL)
    assert left_over(root, cache)  # the kill came in the middle indeed
    assert source.missing(root) is not None
    source.fetch(root)
    assert files_of(source.place(root)) == shapes()
    assert "8 files match" in source.verify(root)
    assert len(site.requests) == 1  # the download was whole
    assert left_over(root, cache) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_download_that_is_killed_is_never_taken_for_a_whole_one(
    known: bool, site: Site, root: Path, cache: Path
) -> None:
    source = served(site, zipped(MESHES | {"noise": random.Random(0).randbytes(10**6)}), known=known)
    site.cut, site.stall = 5 * 10**5, threading.Event()
    with start_fetch(source, root) as process:
        while not site.requests or not any(path.stat().st_size for path in cache.rglob("*") if path.is_file()):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert source.missing(root) is not None
    site.stall.set()
    site.cut = site.stall = None
    source.fetch(root)
    assert files_of(source.place(root)) == shapes()
    assert len(site.requests) == 2
    assert left_over(root, cache) == []


def test_two_at_once_fetch_it_once(site: Site, root: Path) -> None:
    source = served(site, zipped(MESHES))
    threads = [threading.Thread(target=source.fetch, args=(root,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files_of(source.place(root)) == shapes()
    assert len(site.requests) == 1


# -- import -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [".", "Shapes", "shapes"])
def test_a_folder_is_brought_and_the_user_s_own_stays(inside: str, site: Site, root: Path, tmp_path: Path) -> None:
    source = served(site, b"")
    mine = user_folder(tmp_path / "mine" / inside, {**shapes(), ".DS_Store": b"junk", ".git/config": b"junk"})
    source.bring(root, tmp_path / "mine")
    assert files_of(source.place(root)) == shapes()
    assert len(files_of(mine)) == len(shapes()) + 2
    brought = source.place(root) / "a/train/a_0.off"
    assert brought.stat().st_ino != (mine / "a/train/a_0.off").stat().st_ino
    assert "8 files match their checksums (taken when they were imported from" in source.verify(root)


def test_an_archive_is_brought(site: Site, root: Path, tmp_path: Path) -> None:
    content = zipped(MESHES)
    source = served(site, content)
    (tmp_path / "mine.zip").write_bytes(content)
    source.bring(root, tmp_path / "mine.zip")
    assert files_of(source.place(root)) == shapes()
    assert (tmp_path / "mine.zip").exists()
    assert "that its makers publish" in source.verify(root)


def test_another_archive_than_the_published_one_is_not_brought(site: Site, root: Path, tmp_path: Path) -> None:
    source = served(site, zipped(MESHES))
    (tmp_path / "mine.zip").write_bytes(zipped(MESHES | JUNK))
    with pytest.raises(UserError, match=r"mine.zip has the SHA-256 .* but its makers publish"):
        source.bring(root, tmp_path / "mine.zip")
    assert source.missing(root) is not None


def test_an_archive_that_was_brought_first_is_what_is_trusted(site: Site, root: Path, tmp_path: Path) -> None:
    source = served(site, zipped(MESHES | JUNK), known=False)
    (tmp_path / "mine.zip").write_bytes(zipped(MESHES))
    source.bring(root, tmp_path / "mine.zip")
    remove(source.place(root))
    with pytest.raises(UserError, match="but the first one had"):
        source.fetch(root)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, r"nothing matches '\*/train/\*.off'"),
        ({"a/train/a.off": b"x"}, r"nothing matches '\*/test/\*.off'"),
        ({"Shapes/a/train/a.off": b"x"}, r"in its folder Shapes, .* nothing matches '\*/test/\*.off'"),
    ],
)
def test_a_folder_that_lacks_something_is_refused(
    files: dict[str, bytes], complaint: str, site: Site, root: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    source = served(site, b"")
    with pytest.raises(UserError, match=complaint) as caught:
        source.bring(root, user_folder(mine, files))
    assert str(mine) in str(caught.value)
    assert list(root.iterdir()) == []


def test_nothing_is_brought_from_nowhere_or_over_what_is_there(site: Site, root: Path, tmp_path: Path) -> None:
    source = served(site, b"")
    with pytest.raises(UserError, match=r"there is no file or folder .*/nowhere"):
        source.bring(root, tmp_path / "nowhere")
    source.bring(root, user_folder(tmp_path / "mine", shapes()))
    with pytest.raises(UserError, match=f"{source.place(root)} has data in it already; remove it first"):
        source.bring(root, tmp_path / "mine")


def test_local_files_are_never_fetched_but_say_how_to_get_them(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        LOCAL.fetch(root)
    for text in (LOCAL.missing(root), str(caught.value)):
        assert text is not None
        for part in ("photos", "ask the makers", "https://made.up", "by request", "nacbench data import TASK"):
            assert part in text
        assert str(LOCAL.place(root)) in text


def test_local_files_are_shared_with_the_user_s_folder_where_that_can_be_done(root: Path, tmp_path: Path) -> None:
    mine = user_folder(tmp_path / "mine", {"list.txt": b"1", "images/a/1.png": b"image"})
    (mine / "images" / "a" / "2.png").symlink_to(mine / "list.txt")
    LOCAL.bring(root, mine)
    assert (LOCAL.place(root) / "list.txt").stat().st_ino == (mine / "list.txt").stat().st_ino
    assert not (LOCAL.place(root) / "images/a/2.png").is_symlink()
    assert "3 files match" in LOCAL.verify(root)


def test_local_files_are_brought_from_an_archive_too(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tgz").write_bytes(tarred({"photos/list.txt": b"1", "photos/images/a/1.png": b"image"}))
    LOCAL.bring(root, tmp_path / "mine.tgz")
    assert files_of(LOCAL.place(root)) == {"list.txt": b"1", "images/a/1.png": b"image"}


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_a_link_that_leads_nowhere_or_round_is_named(target: str, root: Path, tmp_path: Path) -> None:
    mine = user_folder(tmp_path / "mine", {"list.txt": b"1", "images/a/1.png": b"image"})
    (mine / "images" / "link").symlink_to(mine / "images" / target)
    with pytest.raises(UserError, match="images/link"):
        LOCAL.bring(root, mine)
    assert list(root.iterdir()) == []


# -- verify -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetched(site: Site, root: Path) -> Archive:
    """A source whose data is in the mirror."""
    source = served(site, zipped(MESHES))
    source.fetch(root)
    return source


def test_a_flipped_byte_is_found_and_named(fetched: Archive, root: Path) -> None:
    file = fetched.place(root) / "b/test/b_1.off"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"{file} is damaged or changed.*delete .* fetch it again"):
        fetched.verify(root)


def test_a_file_of_another_size_or_none_is_found_and_named(fetched: Archive, root: Path) -> None:
    file = fetched.place(root) / "a/test/a_0.off"
    file.write_bytes(b"short")
    with pytest.raises(UserError, match=f"{file} has 5 bytes, not"):
        fetched.verify(root)
    file.unlink()
    with pytest.raises(UserError, match=f"{file} is missing"):
        fetched.verify(root)


def test_files_that_were_added_are_mentioned(fetched: Archive, root: Path) -> None:
    (fetched.place(root) / "a/train/mine.off").write_text("OFF")
    assert "1 more are not in its manifest, such as" in fetched.verify(root)


def test_a_mirror_that_was_made_by_hand_has_no_checksums(root: Path) -> None:
    user_folder(LOCAL.place(root), {"list.txt": b"1", "images/a/1.png": b"image"})
    assert LOCAL.verify(root).startswith("2 files, no checksums known")


def test_what_is_missing_cannot_be_verified(root: Path) -> None:
    with pytest.raises(UserError, match="photos is not in"):
        LOCAL.verify(root)


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"files": {"a": 1}})])
def test_a_broken_manifest_is_named(content: str, fetched: Archive, root: Path) -> None:
    (fetched.place(root) / MANIFEST).write_text(content)
    with pytest.raises(UserError, match=r"\.nacbench\.json cannot be read"):
        fetched.verify(root)
