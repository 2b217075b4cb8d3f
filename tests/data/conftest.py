"""Fixtures of tests of data files: a local web site, an empty cache and an empty mirror."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.data.mirror.archives import Handler, Site


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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NACBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty mirror."""
    return tmp_path / "mirror"
