"""Made archives, a made web site that serves them, and data files that are fetched from there."""

import io
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.data.mirror.data_files import LocalFiles
from nacbench.data.mirror.manifest import MANIFEST

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


def served(site: Site, content: bytes, *, known: bool = True) -> ArchiveFiles:
    """Data files whose archive the site has."""
    site.files["/shapes"] = content
    return ArchiveFiles(
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


def remove(folder: Path) -> None:
    """Delete a data set's folder, as a user would."""
    folder.rename(folder.with_name("removed"))
