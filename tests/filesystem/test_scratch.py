"""Scratch of processes that are gone is removed by the next command, never that of a live one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nacbench.errors import UserError
from nacbench.filesystem import scratch
from nacbench.filesystem.scratch import is_scratch_of, remove_orphans, scratch_folder, scratch_name
from tests.data.mirror.archives import LOCAL
from tests.recording.test_transfer import run_of

HOLD = """
import sys, time
from pathlib import Path
from nacbench.filesystem.scratch import scratch_folder, scratch_name
with scratch_folder(Path(sys.argv[1]) / "things") as aside:
    (aside / "half").write_text("half")
    scratch_name(Path(sys.argv[1]) / "note.txt").write_text("half")
    print("in the middle", flush=True)
    time.sleep(60)
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    """Start a process that is in the middle of writing a file and a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    return process


def test_only_scratch_of_dead_processes_is_removed(tmp_path: Path) -> None:
    dead, live = start(tmp_path), start(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    remove_orphans(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    dead.kill()
    dead.communicate()
    remove_orphans(tmp_path)
    left = list(tmp_path.iterdir())
    assert len(left) == 2
    assert all(f"-{live.pid}-" in path.name for path in left)
    live.send_signal(signal.SIGKILL)
    live.communicate()
    with scratch_folder(tmp_path / "things"):  # as the next command does, once in each folder
        assert len(list(tmp_path.iterdir())) == 1


def name_of_owner(machine: str, pid: int, born: str) -> str:
    return f".things.{machine}-{pid}-{born}-0123ab.tmp"


def test_a_process_number_that_is_used_again_owns_nothing(tmp_path: Path) -> None:
    own = scratch_name(tmp_path / "things")
    machine, pid, born, _ = own.name.split(".")[2].split("-")
    for ticks in (born, str(int(born) - 1)):
        (tmp_path / name_of_owner(machine, int(pid), ticks)).touch()
    remove_orphans(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name_of_owner(machine, int(pid), born)]


@pytest.mark.parametrize(("days", "stays"), [(6, True), (8, False)])
def test_scratch_of_another_machine_goes_after_a_week(tmp_path: Path, days: int, stays: bool) -> None:
    path = tmp_path / name_of_owner("00000000", 1, "5")
    path.touch()
    past = time.time() - days * 24 * 3600
    os.utime(path, (past, past))
    remove_orphans(tmp_path)
    assert path.exists() == stays


@pytest.mark.parametrize("name", [".mine.tmp", "a.tmp", ".things.0123ab.tmp", ".things.00000000-1--0123ab.tmp.txt"])
def test_other_files_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    remove_orphans(tmp_path)
    assert (tmp_path / name).exists()


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    link = tmp_path / name_of_owner("00000000", 1, "5")
    link.symlink_to("elsewhere")
    os.utime(link, (0, 0), follow_symlinks=False)
    remove_orphans(tmp_path)
    assert not link.is_symlink()
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_scratch_belongs_to_one_name(tmp_path: Path) -> None:
    assert is_scratch_of(tmp_path / "cifar10", scratch_name(tmp_path / "cifar10"))
    assert not is_scratch_of(tmp_path / "cifar10", scratch_name(tmp_path / "cifar10.1"))
    longest = tmp_path / ("é" * 127)  # 254 bytes, as many as a name may have, less one
    scratch_name(longest).touch()
    assert is_scratch_of(longest, scratch_name(longest))


# -- commands that are killed ----------------------------------------------------------------------------------------


def merging(folder: Path) -> Callable[[], object]:
    from nacbench.recording.transfer import merge

    return lambda: merge([folder / "from"], folder / "out")


def packing(folder: Path) -> Callable[[], object]:
    from nacbench.recording.transfer import pack

    return lambda: pack([folder / "from"], folder / "out" / "runs.tar.gz")


def unpacking(folder: Path) -> Callable[[], object]:
    from nacbench.data.mirror.unpack import unpack
    from nacbench.recording.transfer import pack, unpack_into

    pack([folder / "from"], folder / "runs.tar.gz")
    return lambda: unpack_into(folder / "runs.tar.gz", folder / "out", unpack)


def reporting(folder: Path) -> Callable[[], object]:
    from nacbench.reporting.build import build_report

    return lambda: build_report([folder / "from"], folder / "out", html=True)


def caching(folder: Path) -> Callable[[], object]:
    from nacbench.data.mirror.cache import cached_arrays

    os.environ["NACBENCH_CACHE"] = str(folder / "out")
    return lambda: cached_arrays("things", "stamp", lambda: {"a": np.arange(5), "b": np.ones((3, 2))})


def importing(folder: Path) -> Callable[[], object]:
    for need in LOCAL.needs:
        path = folder / "mine" / need.replace("*", "a")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"things")
    return lambda: LOCAL.bring(folder / "out", folder / "mine")


def filling(folder: Path) -> Callable[[], object]:
    from nacbench.filesystem.files import fill_folder

    def fill(aside: Path) -> None:
        for name in "ab":
            (aside / name).mkdir()
            (aside / name / "file").write_text("content")

    return lambda: fill_folder(folder / "out" / "things", fill)


def writing(folder: Path) -> Callable[[], object]:
    from nacbench.filesystem.files import write_json

    return lambda: write_json(folder / "out" / "note.json", {"a": 1}, first_wins=True)


@pytest.mark.parametrize(
    ("command", "stride"),
    [
        (merging, 11),
        (packing, 13),
        (unpacking, 13),
        (reporting, 31),
        (caching, 3),
        (importing, 1),
        (filling, 1),
        (writing, 1),
    ],
)
def test_a_killed_command_leaves_nothing_once_it_has_succeeded(
    command: Callable[[Path], Callable[[], object]], stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.running.killed_at import killed_at

    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))

    def prepared(name: str) -> tuple[Path, Callable[[], object]]:
        folder = tmp_path / name
        for seed in (0, 1):
            run_of(folder / "from", seed=seed)
        return folder, command(folder)

    def tolerant(work: Callable[[], object]) -> None:
        try:
            work()
        except (UserError, FileExistsError) as error:  # it was killed after it had succeeded, and says so
            assert "exist" in str(error) or "already" in str(error)

    folder, work = prepared("whole")
    calls = killed_at(0, work, folder / "out")
    assert calls >= 5
    left = 0
    for number in range(1, calls + 1, stride):
        folder, work = prepared(f"killed-{number}")
        killed_at(number, work, folder / "out")
        left += bool(list((folder / "out").rglob("*.tmp")))
        killed_at(0, partial(tolerant, work), folder / "out")
        assert [str(path.relative_to(folder)) for path in folder.rglob("*.tmp")] == []
        assert any(path.is_file() for path in (folder / "out").rglob("*"))
    assert left  # some kills came in the middle indeed


def test_each_process_clears_a_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[Path] = []
    monkeypatch.setattr(scratch, "remove_orphans", cleared.append)
    for _ in range(3):
        scratch_name(tmp_path / "note.txt")
    assert cleared == [tmp_path]
