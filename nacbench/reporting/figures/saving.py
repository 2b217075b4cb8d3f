"""Save the pages of a figure as PNG and PDF."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError
from nacbench.filesystem.files import whole_file
from nacbench.reporting.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS = 200  # of a PNG, per inch


def figure_stem(file: Path) -> Path:
    """Return the stem of a figure, of which a user may have given the name with its ending.

    Raises:
        UserError: if it is a folder.
    """
    if not file.name or file.is_dir():
        raise UserError(f"{file} is a folder; give the name of a file, such as confusion.png")
    return file.with_name(file.stem) if file.suffix.lower() in (".png", ".pdf") else file


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` atomically; return both paths. Fonts are embedded in the PDF."""
    paths = []
    # without dates and versions, so that the same figure gives the same bytes
    metadata: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".pdf": {"CreationDate": None, "Producer": None}}
    for ending, extra in metadata.items():
        path = stem.with_name(stem.name + ending)  # not with_suffix: a stem may have dots
        with whole_file(path) as aside, warnings.catch_warnings(), styled():
            # names may be in any script; the font draws a box for a letter that it does not have
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.savefig(aside, format=ending[1:], dpi=DOTS, metadata=extra)
        figure.set_layout_engine(None)  # the PDF keeps the PNG's layout: making it again takes as long as drawing
        paths.append(path)
    return paths


def save_pages(figures: Sequence[Figure], stem: Path) -> list[list[Path]]:
    """Write a figure of several pages: ``stem``, ``stem-2``, ``stem-3`` …; return the paths of each page."""
    return [
        save_figure(figure, stem if number == 1 else stem.with_name(f"{stem.name}-{number}"))
        for number, figure in enumerate(figures, 1)
    ]
