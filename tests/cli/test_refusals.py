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
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # otherwise `python -m pytest` is the program
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("run --seed -1", "--seed '-1': input should be greater than or equal to 0; see nacbench run --help"),
        ("run --threads=0", "--threads '0': input should be greater than or equal to 1; see nacbench run --help"),
        ("sweep plan smoke --max-runs x", "--max-runs 'x': input should be a valid integer, unable to parse string"),
        ("run --modle nac", "no such option: --modle; did you mean '--model NAME'?"),
        ("run --task", "option '--task' requires an argument"),
        ("sweeep", "no such command 'sweeep'; did you mean 'sweep'?"),
        ("why one", "missing argument 'B'; see nacbench why --help"),
    ],
)
def test_words_that_are_no_request_are_one_line_with_the_value(
    typed: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(typed.split(), monkeypatch) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {line}")


@pytest.mark.parametrize(("typed", "code"), [("", 2), ("sweep", 2), ("--help", 0), ("sweep plan --help", 0)])
def test_help_is_shown_where_it_is_asked_for_or_nothing_is(
    typed: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(typed.split(), monkeypatch) == code
    assert "Usage: nacbench" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "words",
    [
        [*RUN, "--out", "file"],
        [*RUN, "--force", "--out", "file/runs"],
        ["report", "runs", "--out", "file"],
        ["sweep", "submit", "smoke", "--out", "file"],
        ["sweep", "plan", "smoke", "--out", "file"],
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
        (
            of_system(errno.ENOENT, "folder/file"),
            "cannot use folder/file: No such file or directory; name another place",
        ),
        (of_system(errno.ELOOP, "loop/runs"), "cannot use loop: Too many levels of symbolic links; these links lead"),
        (of_system(errno.ENAMETOOLONG, "n" * 300), f"cannot use {'n' * 199}…: File name too long; name a place with"),
        (of_system(errno.EFBIG), "File too large; raise the limit on the size of files (ulimit -f), or"),
        (of_system(errno.EMFILE), "Too many open files; raise the limit on open files (ulimit -n)"),
        (of_system(errno.EMFILE, os.__file__), "Too many open files; raise the limit on open files (ulimit -n)"),
        (of_system(errno.ENOMEM), "Cannot allocate memory; free memory, or use another machine"),
        (of_system(errno.EAGAIN), "Resource temporarily unavailable; this machine or your limit (ulimit -u)"),
        (
            of_system(errno.EIO, "folder"),
            "cannot use folder: Input/output error; the disk or its server fails: try again",
        ),
        (of_system(errno.ESTALE, b"folder"), "cannot use folder: Stale file handle; the file server lost this place"),
        (of_system(errno.ENODEV, "folder"), "cannot use folder: No such device; name another place"),
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
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(cli, "app", lambda **options: fail(error))
    assert leave([], monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {reason}")


@pytest.mark.parametrize(
    "error",
    [
        of_system(errno.EPERM),  # such as of a signal
        of_system(errno.ENOENT, cli.__file__),  # of the installed code
        of_system(errno.EACCES, os.__file__),
        of_system(errno.EACCES, 3),  # an open file's number
        OSError("made up"),
    ],
)
def test_errors_that_may_be_bugs_keep_their_traceback(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(cli, "app", lambda **options: fail(error))
    with pytest.raises(OSError) as raised:
        cli.main()
    assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 8.00 PiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4398046511104 bytes."),
        RuntimeError("Storage size calculation overflowed with sizes=[2147483648, 2147483648]"),
    ],
)
def test_a_lack_of_memory_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", lambda **options: fail(error))
    assert leave([], monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: not enough memory ({type(error).__name__}): use smaller options or batches")


@pytest.mark.parametrize("error", [RuntimeError("made up"), TypeError("made up"), RecursionError("too deep")])
def test_other_errors_keep_their_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "app", lambda **options: fail(error))
    with pytest.raises(type(error)) as raised:
        cli.main()
    assert raised.value is error


@pytest.mark.parametrize("options", [["model.width=1048576"], ["model.ffn_mult=1048576", "model.depth=1000"]])
def test_a_network_that_no_memory_can_hold_is_one_line(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [word for option in options for word in ("--set", option)]
    assert leave([*RUN, "--out", str(tmp_path), "--quiet", *settings], monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ": not enough memory (" in line


LONG = "n" * 300


REFUSED = ("loop", "loop/runs", "a", LONG, "a/" * 3000, "/proc", "/proc/none", "/dev/null/runs")


@pytest.mark.parametrize(
    ("words", "place"),
    [
        *((RUN, place) for place in REFUSED),
        (["sweep", "submit", "smoke"], "loop"),
        (["data", "fetch", "cifar10"], "loop"),
        (["data", "fetch", "cifar10"], LONG),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else value[0],
)
def test_a_place_that_the_system_refuses_is_one_line(
    words: list[str], place: str, there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(there)
    (there / "loop").symlink_to("loop")
    (there / "a").symlink_to("b")
    (there / "b").symlink_to("a")
    option = "--data-root" if words[0] == "data" else "--out"
    assert leave([*words, option, place], monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: cannot ")


def in_shell(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A line of shell, in which NACBENCH stands for the command."""
    words = line.replace("NACBENCH", f"{sys.executable} -m nacbench")
    return subprocess.run(["sh", "-c", words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("words", ["tasks", "report ../runs", " ".join(RUN)])
def test_a_deleted_working_folder_is_one_line(words: str, there: Path) -> None:
    done = in_shell(f"mkdir gone && cd gone && rmdir ../gone && NACBENCH {words}", there)
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot use the working folder: No such file or directory; change to one that exists (cd)\n"
    )


def test_a_limit_on_the_size_of_files_is_one_line(there: Path) -> None:
    done = in_shell(f"ulimit -f 1; NACBENCH {' '.join(RUN)} --quiet --out new", there)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "File too large; raise the limit on the size of files (ulimit -f)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_full_standard_output_is_one_line(there: Path) -> None:
    done = in_shell("NACBENCH tasks > /dev/full", there)
    assert done.returncode == 2
    assert done.stderr == "error: No space left on device; make room, or name another place\n"


def test_a_full_standard_error_leaves_the_exit_code(there: Path) -> None:
    assert in_shell("NACBENCH run --task nope --model vit 2> /dev/full", there).returncode == 2


@pytest.mark.parametrize(
    ("words", "code"), [("tasks >&-", 0), ("tasks <&- >&- 2>&-", 0), ("run --task nope --model vit 2>&-", 2)]
)
def test_closed_standard_streams_change_no_exit_code(words: str, code: int, there: Path) -> None:
    done = in_shell(f"NACBENCH {words}", there)
    assert done.returncode == code
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["report", ""], "the word after 'report'"),
        ([*RUN, "--out", ""], "the word after '--out'"),
        ([*RUN, "--out="], "--out="),
    ],
)
def test_an_empty_word_is_not_the_working_folder(
    words: list[str], place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(words, monkeypatch) == 2
    assert capsys.readouterr().err == f"error: {place} is empty; is a variable of the shell not set?\n"


def test_of_a_name_in_utf_8_the_locale_is_to_blame(there: Path) -> None:
    locale = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
    done = in_shell(f"env {locale} NACBENCH report \"$(printf 'm\\303\\274ll')\"", there)
    assert done.returncode == 2
    assert done.stderr == "error: 'm\\xfcll' is a name in UTF-8, and this locale has ascii: set LC_ALL=C.UTF-8\n"


@pytest.mark.parametrize("words", [" ".join([*RUN, "--out"]), "report runs --out", "pack", "sweep plan", "why"])
def test_a_name_that_is_not_utf_8_is_one_line(words: str, there: Path) -> None:
    done = in_shell(f"NACBENCH {words} \"$(printf 'b\\377')\"", there)
    assert done.returncode == 2
    assert done.stderr == "error: 'b\\udcff' is not UTF-8: give it a name in UTF-8, or name another place\n"


def test_an_output_that_has_few_characters_gets_escapes(there: Path) -> None:
    done = in_shell("PYTHONIOENCODING=ascii NACBENCH tasks", there)
    assert done.returncode == 0
    assert "digits" in done.stdout


def fail(error: Exception) -> None:
    raise error
