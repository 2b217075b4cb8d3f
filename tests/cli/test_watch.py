"""The command line of the live page: what is watched, how it ends, and mistakes as one line."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.watching.server import Server

from ..made import made_record, write_run


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder in which Ctrl-C comes as soon as the command waits."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupt)
    monkeypatch.setattr("time.sleep", interrupt)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> list[str]:
    """What the command prints to standard output before it ends with exit code 0."""
    done = CliRunner().invoke(app, ["watch", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_it_says_where_the_page_is_and_ends_with_one_line(stopped: Path) -> None:
    write_run(stopped / "runs", made_record())
    first, last = said("--no-browser")
    assert first.startswith("runs: 1 run: http://127.0.0.1:")
    assert last == "ended; the runs go on"


def test_the_usual_folder_may_still_be_missing(stopped: Path) -> None:
    assert said("--no-browser")[0].startswith("runs: 0 runs: http")


def test_a_sweep_is_watched_before_it_begins(stopped: Path) -> None:
    Path("mine.yaml").write_text("{tasks: digits, models: [nac, vit], seeds: 0..1, scale: smoke, precision: fp32}")
    assert said("mine.yaml", "--out", "there", "--no-browser")[0].startswith("mine in there: 4 runs: http")
    assert not Path("there").exists()


def test_a_port_can_be_chosen(stopped: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert f":{port}/" in said("--no-browser", "--port", str(port))[0]


def test_the_last_copy_says_that_it_is_the_last(stopped: Path) -> None:
    write_run(stopped / "runs", made_record())
    assert said("--to", "page.html")[0] == "runs: 1 run: page.html, written every 2 s (Ctrl-C ends it)"
    assert '"over": true' in Path("page.html").read_text()
    assert sorted(path.name for path in stopped.iterdir()) == ["page.html", "runs"]


def test_a_place_that_is_no_file_is_refused_before_it_is_promised(stopped: Path) -> None:
    Path("folder").mkdir()
    done = CliRunner().invoke(app, ["watch", "--to", "folder"])
    assert isinstance(done.exception, IsADirectoryError)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rums"], "no folder rums, and no sweep of this name; name a folder of runs, or a sweep"),
        (["missing.yaml"], "missing.yaml"),
        (["--text", "--to", "page.html"], "--text and --to exclude each other"),
    ],
)
def test_a_mistake_is_one_line(stopped: Path, words: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["watch", *words])
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)
    assert list(stopped.iterdir()) == []


@pytest.mark.parametrize(("screen", "opened"), [({}, 0), ({"DISPLAY": ":0"}, 1)])
def test_a_browser_is_opened_only_where_it_has_a_screen(
    stopped: Path, monkeypatch: pytest.MonkeyPatch, screen: dict[str, str], opened: int
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("webbrowser.open", calls.append)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in screen.items():
        monkeypatch.setenv(name, value)
    said()
    assert len(calls) == opened
