"""Formulas as MathML, which browsers draw themselves: the pages need no script and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name mathml."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    _append(translator, _drawn(node, as_block=False))


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    _append(translator, f'<div class="math">{_drawn(node, as_block=True)}</div>')


def _append(translator: HTML5Translator, html: str) -> None:
    from docutils import nodes

    translator.body.append(html)
    raise nodes.SkipNode


def _drawn(node: nodes.Element, *, as_block: bool) -> str:
    try:
        return str(tex2mathml(node.astext(), as_block=as_block))
    except MathError as error:
        logging.getLogger(__name__).warning("formula %r: %s", node.astext(), error, location=node)
        return ""
