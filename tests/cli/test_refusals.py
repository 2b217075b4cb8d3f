"""Places that cannot be written: one line, whatever the verb, and never in place of a mistake in the code."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nacbench import cli
from nacbench.recording.transfer import pack
from tests.made import made_record, write_run

RUN = ["run", "--task", "digits", "--model", "vit", "--scale", "smoke"]


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder with a finished run, an archive of it, and a file where a folder is wanted."""
    write_run(tmp_path / "runs", made_record())
    pack([tmp_path / "runs"], tmp_path / "runs.tar.gz")
    (tmp_path / "file").touch()
    return tmp_path


def leave(words: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["nacbench", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


@pytest.mark.parametrize(
    "words",
    [
        [*RUN, "--out", "file"],
        [*RUN, "--force", "--out", "file/runs"],
        ["report", "runs", "--out", "file"],
        ["sweep", "submit", "smoke", "--out", "file"],
        ["sweep", "cancel", "smoke", "--out", "file"],
        ["sweep", "retry", "smoke", "--out", "file"],
        ["merge", "runs", "--into", "file"],
        ["pack", "runs", "--out", "file/new.tar.gz"],
        ["unpack", "runs.tar.gz", "--into", "file"],
        ["paper", "table", "modalities", "--scale", "mini", "--to", "file"],
    ],
    ids=" ".join,
)
def test_a_file_instead_of_a_folder_is_one_line(
    words: list[str], there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(there)
    assert leave(words, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: cannot use file: ")
    assert line.endswith("this must be a folder: name another place, or move the file away")


def test_a_folder_without_write_permission_is_one_line(there: Path) -> None:
    locked = there / "locked"
    locked.mkdir(mode=0o500)
    # root may write everywhere, unless that right is taken away
    prefix = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override"]
    command = [
        *prefix,
        sys.executable,
        "-m",
        "nacbench",
        "report",
        str(there / "runs"),
        "--out",
        str(locked / "report"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot use {locked}: Permission denied; ")
    assert len(done.stderr.splitlines()) == 1


def of_system(number: int, *names: object) -> OSError:
    """As the system raises it: with one name or, of a renaming, two."""
    first, second = (*names, None, None)[:2]
    return OSError(number, os.strerror(number), first, None, second)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (of_system(errno.EACCES, "no/such/folder"), "cannot use .: Permission denied; name another place, or get the"),
        (of_system(errno.EROFS, "folder/.a.tmp"), "cannot use folder: Read-only file system; name another place"),
        (of_system(errno.EISDIR, "folder/.a.tmp", "folder"), "cannot use folder: Is a directory; this must be a file"),
        (of_system(errno.ENOTDIR, "folder/.a.tmp", "file"), "cannot use file: Not a directory; this must be a folder"),
        (of_system(errno.EEXIST, "broken-link"), "cannot use broken-link: File exists; this must be a folder"),
        (of_system(errno.ENOSPC, "folder/new"), "cannot use folder: No space left on device; make room, or"),
        (of_system(errno.ENOSPC), "No space left on device; make room, or"),
        (of_system(errno.EDQUOT), "Disk quota exceeded; make room, or"),
    ],
)
def test_an_error_of_the_file_system_names_the_existing_path(
    error: OSError,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "broken-link").symlink_to("nowhere")
    monkeypatch.setattr(cli, "app", lambda: fail(error))
    assert leave([], monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {reason}")


@pytest.mark.parametrize(
    "error",
    [
        of_system(errno.EPERM),  # such as of a signal
        of_system(errno.ENOENT, "folder/file"),
        of_system(errno.EEXIST, "folder"),
        of_system(errno.EACCES, 3),  # an open file's number
        OSError("made up"),
    ],
)
def test_errors_that_may_be_bugs_keep_their_traceback(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(cli, "app", lambda: fail(error))
    with pytest.raises(OSError) as raised:
        cli.main()
    assert raised.value is error


def fail(error: OSError) -> None:
    raise error
