"""A small HTTP server for the page, on this machine alone.

It listens on 127.0.0.1 only. Other users of the machine can reach that, too, so all addresses begin with a secret. A
page of another site could reach it under a name of its own that leads here (DNS rebinding), so the Host header must be
a name of this machine's loopback. Nothing is read but what the watcher tells: no path of a request is one of a file.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nacbench.errors import UserError
from nacbench.watching.page import live_page, policy
from nacbench.watching.watcher import Watcher

ADDRESS = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost", "[::1]")  # with any port: a tunnel (ssh -L) may end at another one
MOST_ASKED = 200  # curves in one answer
SHARE = 5.0  # a look that took so long is repeated only after this many times as long, as on a slow file system
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Looks:
    """A watcher that many requests share: it looks at most every so many seconds, and only if somebody asks.

    Args:
        watcher: which has looked once.
        every: seconds between two looks.
    """

    def __init__(self, watcher: Watcher, every: float) -> None:
        self.every = every
        self._watcher = watcher
        self._lock = threading.Lock()
        self._due = 0.0

    def changes(self, session: str, since: int) -> dict[str, Any]:
        """Return what has changed since a version of a session; all if it is another session's."""
        with self._lock:
            problem = self._look()
            found = self._watcher.changes(since if session == self._watcher.session else 0)
            return {**found, "problems": [problem, *found["problems"]]} if problem else found

    def curves(self, numbers: list[int]) -> dict[int, dict[str, Any]]:
        """Return the curves of some runs by number."""
        with self._lock:
            return self._watcher.curves(numbers)

    def _look(self) -> str | None:
        """Look again if it is time to; return what is wrong if nothing can be seen."""
        began = time.monotonic()
        if began < self._due:
            return None
        try:
            self._watcher.look()
        except UserError as error:
            return str(error)
        ended = time.monotonic()
        self._due = ended + max(0.9 * self.every, SHARE * (ended - began))
        return None


class Server(ThreadingHTTPServer):
    """The server; ``url`` is the address of the page.

    Args:
        watcher: tells what the page shows.
        every: seconds between two looks.
        port: to listen on; 0 takes a free one.

    Raises:
        UserError: if the port is taken or not allowed.
    """

    daemon_threads = True

    def __init__(self, watcher: Watcher, every: float, port: int = 0) -> None:
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise UserError(f"cannot listen on port {port}: {error.strerror}; --port takes another one") from None
        self.looks = Looks(watcher, every)
        self.secret = secrets.token_urlsafe(12)
        self.url = f"http://{ADDRESS}:{self.server_port}/{self.secret}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that went away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds after which a silent connection is closed
    server_version, sys_version = "nacbench", ""

    def do_GET(self) -> None:
        if self._host() not in HOSTS:
            self._answer(403, "text/plain", "this name does not lead to nacbench watch; use 127.0.0.1\n")
            return
        asked = urlsplit(self.path)
        start = f"/{self.server.secret}/"
        if not secrets.compare_digest(asked.path[: len(start)].encode(), start.encode()):
            self._answer(404, "text/plain", "nothing is here; nacbench watch prints the whole address\n")
            return
        query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        match asked.path.removeprefix(start):
            case "":
                self._answer(200, "text/html", live_page(self.server.looks.every))
            case "changes":
                since = query.get("since", "")
                found = self.server.looks.changes(query.get("session", ""), _number(since))
                self._answer(200, "application/json", json.dumps(found, allow_nan=False))
            case "curves":
                numbers = [_number(text) for text in query.get("runs", "").split(",")[:MOST_ASKED]]
                self._answer(200, "application/json", json.dumps(self.server.looks.curves(numbers), allow_nan=False))
            case _:
                self._answer(404, "text/plain", "nothing is here\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the page asks every few seconds."""

    def _host(self) -> str:
        """Return the name in the Host header, without its port."""
        host = (self.headers.get("Host") or "").lower()
        return host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]

    def _answer(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", f"{policy(connects=True)}; frame-ancestors 'none'")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _number(text: str) -> int:
    """Return a number of a request; 0, from which on everything is new, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
