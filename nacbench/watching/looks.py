"""How curves of the page are drawn: the same colours, markers and lines as in the figures of a report."""

from __future__ import annotations

from collections.abc import Iterable

from nacbench.reporting.figures.style import FLOOR_COLOUR, LINES, looks_of_models

INK = "#000000"  # of a model, as the ink of the page: black on white, and white on black
Look = dict[str, str]


def looks(models: Iterable[str]) -> dict[str, Look]:
    """Return colour (of CSS; empty for that of the page's text) and marker (of matplotlib) of models by name."""
    return {
        name: {"colour": _colour(look.colour), "marker": look.marker} for name, look in looks_of_models(models).items()
    }


def dashes(variants: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the line of each variant of a model, as ``stroke-dasharray`` of SVG; a plain variant has a solid one.

    Args:
        variants: model and variant, in which the plain one is empty.
    """
    found: dict[tuple[str, str], str] = {}
    counts: dict[str, int] = {}
    for model, variant in sorted(set(variants)):
        number = counts[model] = counts.get(model, -1) + 1
        line = LINES[number % len(LINES)]
        found[model, variant] = "" if line == "-" else " ".join(f"{length:g}" for length in line[1])
    return found


def _colour(colour: str) -> str:
    if colour == INK:
        return ""
    return f"rgb({', '.join([str(round(255 * float(colour)))] * 3)})" if colour == FLOOR_COLOUR else colour
