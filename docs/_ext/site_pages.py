"""Pages of Markdown: generated blocks are filled in, and links to files of the repository outside docs/ become text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from site_generated import filled_in

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)]+)\)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handler."""
    app.connect("source-read", _prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _prepare(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = without_outside_links(filled_in(source[0]), Path(app.srcdir), name)


def without_outside_links(text: str, docs: Path, name: str) -> str:
    """A page whose links that leave docs/ are replaced by their text, as the site has no such files.

    Args:
        text: of the page.
        docs: the folder of all pages.
        name: of the page, without its ending.
    """

    def kept(link: re.Match[str]) -> str:
        inside = (docs / name).parent.joinpath(link[2]).resolve().is_relative_to(docs.resolve())
        return link[0] if inside else link[1]

    return LINK.sub(kept, text)
