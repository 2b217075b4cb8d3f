"""Downloads and extractions that are killed in the middle, or done twice at once."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nacbench.data.mirror.archive import ArchiveFiles
from tests.data.mirror.archives import MESHES, Site, files_of, left_over, served, shapes, zipped

pytestmark = pytest.mark.usefixtures("cache")


FETCH = """
import sys, time, zipfile
from pathlib import Path
from nacbench.data.mirror.archive import ArchiveFiles

members = []
real = zipfile.ZipFile.extract

def extract(self, member, *rest):
    members.append(real(self, member, *rest))
    if len(members) == 5:
        print("in the middle", flush=True)
        time.sleep(60)

zipfile.ZipFile.extract = extract
ArchiveFiles(
    name="shapes", url=sys.argv[1], sha256=sys.argv[2] or None, inside="Shapes", needs=("*/train/*.off",), size="1 kB"
).fetch(Path(sys.argv[3]))
"""


def start_fetch(data_files: ArchiveFiles, root: Path) -> subprocess.Popen[str]:
    """Fetch in another process, which stops in the middle of unpacking."""
    command = [sys.executable, "-c", FETCH, data_files.url, data_files.sha256 or "", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("known", [True, False])
def test_a_killed_extraction_leaves_no_data(known: bool, site: Site, root: Path, cache: Path) -> None:
    data_files = served(site, zipped(MESHES), known=known)
    with start_fetch(data_files, root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.send_signal(signal.SIGKILL)
    assert left_over(root, cache)  # the kill came in the middle indeed
    assert data_files.missing(root) is not None
    data_files.fetch(root)
    assert files_of(data_files.place(root)) == shapes()
    assert "8 files checked" in data_files.verify(root)
    assert len(site.requests) == 1  # the download was whole
    assert left_over(root, cache) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_killed_download_leaves_no_data(known: bool, site: Site, root: Path, cache: Path) -> None:
    data_files = served(site, zipped(MESHES | {"noise": random.Random(0).randbytes(4 * 10**6)}), known=known)
    site.cut, site.stall = 2 * 10**6, threading.Event()
    with start_fetch(data_files, root) as process:
        while not site.requests or not any(path.stat().st_size for path in cache.rglob("*") if path.is_file()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert data_files.missing(root) is not None
    site.stall.set()
    site.cut = site.stall = None
    data_files.fetch(root)
    assert files_of(data_files.place(root)) == shapes()
    assert len(site.requests) == 2
    assert left_over(root, cache) == []


def test_two_processes_fetch_once(site: Site, root: Path) -> None:
    data_files = served(site, zipped(MESHES))
    threads = [threading.Thread(target=data_files.fetch, args=(root,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files_of(data_files.place(root)) == shapes()
    assert len(site.requests) == 1
