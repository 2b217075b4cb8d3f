"""The server of the live page: for this machine, for who knows its address, and for nothing but the page."""

import html
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from nacbench.errors import UserError
from nacbench.watching import server as serving
from nacbench.watching.page import copy_of, live_page
from nacbench.watching.server import Server
from nacbench.watching.sources import FolderSource
from nacbench.watching.watcher import Watcher

from ..made import made_failure, made_record, write_failure, write_run

HOSTILE = "</script><script>document.title='owned'</script>"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a finished run and a failed one, whose reason is hostile."""
    write_run(tmp_path / "runs", made_record())
    write_failure(tmp_path / "runs", made_failure(status="failed", reason=HOSTILE))
    return tmp_path / "runs"


@pytest.fixture
def server(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server that looks at each question."""
    monkeypatch.setattr(serving, "SHARE", 0.0)
    with Server(Watcher(FolderSource(store)), every=0.0) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: Server, path: str, *, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and text of an answer to a path below the secret, or to an absolute one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    path = path if path.startswith("/") else f"/{server.secret}/{path}"
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def changes(server: Server, query: str = "") -> Any:
    """The answer to a question for changes."""
    status, text = ask(server, f"changes?{query}")
    assert status == 200
    return json.loads(text)


def test_the_page_and_what_has_changed(server: Server, store: Path) -> None:
    assert ask(server, "")[0] == 200
    news = changes(server)
    assert sorted(row["state"] for row in news["rows"]) == ["done", "failed"]
    same = f"session={news['session']}&since={news['version']}"
    assert changes(server, same)["rows"] == []
    write_run(store, made_record(seed=1))
    assert [row["seed"] for row in changes(server, same)["rows"]] == [1]


@pytest.mark.parametrize("query", ["session=other&since=9", "since=9", "since=-1&session=x", f"since={'9' * 5000}"])
def test_another_session_is_told_everything(server: Server, query: str) -> None:
    assert len(changes(server, query)["rows"]) == 2


@pytest.mark.parametrize("runs", ["", "x", "99", "-1", "1e3", "0,,99"])
def test_curves_of_runs_that_are_not_there_are_left_out(server: Server, runs: str) -> None:
    changes(server)
    status, text = ask(server, f"curves?runs={runs}")
    assert (status, set(json.loads(text)) <= {"0"}) == (200, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80"])
def test_names_of_this_machine_are_answered(server: Server, host: str) -> None:
    assert ask(server, "", host=host)[0] == 200


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "localhost.example.org:80", "", "[::2]", "["])
def test_another_name_that_leads_here_is_refused(server: Server, host: str) -> None:
    status, text = ask(server, "changes", host=host)
    assert status == 403
    assert "rows" not in text


@pytest.mark.parametrize("path", ["/", "/changes", "/../changes", "/0123456789abcdef/", "changes/", "runs"])
def test_nothing_else_is_served(server: Server, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_only_get_is_answered(server: Server, method: str) -> None:
    assert ask(server, "", method=method)[0] == 501


def test_it_listens_on_this_machine_alone_at_an_address_that_cannot_be_guessed(server: Server, store: Path) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with Server(Watcher(FolderSource(store)), every=1.0) as other:
        assert len(other.secret) >= 16
        assert other.secret != server.secret
        assert urlsplit(other.url).path == f"/{other.secret}/"


def test_a_port_that_is_taken_is_one_line(server: Server, store: Path) -> None:
    with pytest.raises(UserError, match=rf"cannot listen on port {server.server_port}: .*; --port takes another one"):
        Server(Watcher(FolderSource(store)), every=1.0, port=server.server_port)


def test_a_folder_that_cannot_be_read_is_a_warning(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    changes(server)

    def fail(self: Watcher) -> None:
        raise UserError("no folder today")

    monkeypatch.setattr(Watcher, "look", fail)
    assert changes(server)["problems"] == ["no folder today"]


def test_text_of_files_cannot_end_the_data_of_the_page(store: Path) -> None:
    watcher = Watcher(FolderSource(store))
    watcher.look()
    page = copy_of(watcher, 2.0)
    assert "owned" in page
    assert HOSTILE not in page
    assert page.count("<script") == live_page(2.0).count("<script") == 2


def test_the_page_needs_no_other_file() -> None:
    page = html.unescape(live_page(2.0))
    assert "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
