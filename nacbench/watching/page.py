"""The page: one HTML file that needs no other, live (it asks the server for news) or a copy (it has them in itself).

Files may come from anyone, so their text is not trusted: characters that are not visible are escapes, the script sets
text only, and the Content-Security-Policy allows only the page's own style and script, by hash, and its own server.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from nacbench.formats.escape import script_json
from nacbench.watching.watcher import Watcher

MOST_CURVES = 300  # in a copy, the latest first; a page has them all, and a file with more is slow to load
POINTS_IN_COPY = 80  # of each line


def live_page(every: float) -> str:
    """Return a page that asks for what has changed.

    Args:
        every: seconds between two questions.
    """
    return _page({"every": every}, connects=True)


def copy_of(watcher: Watcher, every: float, *, over: bool = False) -> str:
    """Return a page with all that is known now, which loads itself again.

    Args:
        watcher: which has looked.
        every: seconds after which it loads itself again.
        over: whether it is the last copy.
    """
    changes = watcher.changes()
    latest = sorted(changes["rows"], key=lambda row: (row["state"] != "running", -(row["when"] or 0)))
    numbers = [row["n"] for row in latest if row["curve"]][:MOST_CURVES]
    curves = watcher.curves(numbers, POINTS_IN_COPY)
    return _page({"every": every, "over": over, "changes": changes, "curves": curves}, connects=False)


def policy(*, connects: bool) -> str:
    """Return the page's Content-Security-Policy; ``connects`` allows questions to its server."""
    server = "'self'" if connects else "'none'"
    return (
        f"default-src 'none'; img-src data:; connect-src {server}; "
        f"style-src 'sha256-{_hash(_style())}'; script-src 'sha256-{_hash(_script())}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _page(data: dict[str, Any], *, connects: bool) -> str:
    from jinja2 import Environment
    from markupsafe import Markup

    page: str = (
        Environment(autoescape=True, keep_trailing_newline=True)
        .from_string(_text("page.html.j2"))
        .render(
            policy=policy(connects=connects),
            style=Markup(_style()),  # noqa: S704 (our own file)
            script=Markup(_script()),  # noqa: S704 (our own files)
            data=Markup(script_json(data)),  # noqa: S704 (escaped by script_json)
        )
    )
    return page


def _style() -> str:
    """Return the style of a report's page, and what this page has besides."""
    return files("nacbench.reporting.page").joinpath("page.css").read_text("utf-8") + _text("page.css")


def _script() -> str:
    return _text("curves.js") + _text("page.js")


def _text(name: str) -> str:
    return files("nacbench.watching").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
