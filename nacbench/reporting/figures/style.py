"""The one encoding of a report's figures (a model's colour and marker, a variant's line and fill), and their style.

A model looks the same in every panel and figure, whatever other models are there. `Encoding` is made of all series of a
report, `figure_of` makes a figure that is as wide as a column or a page of a paper.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.floors import MODELS as FLOORS
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.25, 6.75  # widths of figures in inches: a column and the text of a page with two columns
TALLEST = 8.8  # inches: with a caption, this fills a page
TEXT, SMALL = 8.0, 7.0  # points, of labels and of everything else; figures are printed at their own size
# Okabe and Ito's colours (2008), made for colour-blind readers, without the yellow, which is too light for lines
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "d")  # 7 and 11 have no common factor: 77 pairs
FLOOR_COLOUR, FLOOR_MARKERS = "0.45", ("p", "h", "8")
FLOOR_LINES = {  # by a floor's name
    "chance": (0, (4, 2)),
    "most frequent class": (0, (1, 1.5)),
    "floor-nearest-mean": (0, (4, 1.5, 1, 1.5, 1, 1.5)),
}
FLOOR_MODEL_LINE = (0, (4, 1.5, 1, 1.5))
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)), (0, (7, 2)))
FILLS = ("full", "none", "left", "top", "right", "bottom")
# Models keep their places in this list, so that they keep their looks: new ones are added at its end. Names that are
# not in it, of plug-ins, take a place that follows from the name.
ORDER = (
    "nac",
    "perceiver-io",
    "vit",
    "transformer",
    "pointnet",
    "set-transformer",
    "soft-moe",
    "switch-moe",
    "mamba",
    "mlp-mixer",
    "resnet",
    "gru",
    "universal-transformer",
    "slot-attention",
    "perceiver",
    "neural-interpreter",
    "pointnet2",
    "dgcnn",
    "point-transformer",
)


@dataclass(frozen=True)
class Look:
    """How a series is drawn.

    Attributes:
        colour, marker: of its model.
        line, fill: of its variant: matplotlib's ``linestyle`` and ``fillstyle``.
    """

    colour: str
    marker: str
    line: Any = "-"
    fill: str = "full"

    def point(self) -> dict[str, Any]:
        """Return matplotlib's options for a marker."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "fillstyle": self.fill,
            "markerfacecoloralt": "white",
            "markersize": 5.5 if self.marker in "*PX" else 4.2,  # so that all have about the same area
            "markeredgewidth": 0.8,
        }

    def curve(self) -> dict[str, Any]:
        """Return matplotlib's options for a line with markers."""
        return {**self.point(), "linestyle": self.line, "linewidth": 1.0}


class Encoding:
    """The looks of all series of a report.

    A model's colour and marker follow from its name: from its place in ``ORDER``, or else from the name's digest, where
    a name gives way only to one before it in the alphabet that has the same look. Models that are floors are grey. A
    variant's line and fill follow from its place among the names of its model's variants in the report.

    Args:
        series: all series of a report, not of one panel.
    """

    def __init__(self, series: Iterable[Series]) -> None:
        variants: dict[str, set[tuple[bool, str]]] = {}
        for item in series:
            variants.setdefault(item.first.model, set()).add(_variant(item))
        self._models = looks_of_models(variants)
        self._variants = {model: sorted(own) for model, own in variants.items()}

    def of(self, item: Series) -> Look:
        """Return the look of one of the report's series."""
        model = item.first.model
        number = self._variants[model].index(_variant(item))
        look = self._models[model]
        return Look(look.colour, look.marker, LINES[number % len(LINES)], FILLS[number % len(FILLS)])

    def label(self, item: Series) -> str:
        """Return a series' label, escaped for a figure, in at most 48 characters, to fit beside an axis."""
        return figure_text(item.label, 48)

    def ordered(self, series: Iterable[Series]) -> list[Series]:
        """Return series in the order of a legend: by model, plain ones before variants."""
        places = {model: place for place, model in enumerate(self._models)}
        return sorted(series, key=lambda item: (places[item.first.model], _variant(item)))


def _variant(item: Series) -> tuple[bool, str]:
    """Return what tells a series from others of its model; plain ones are the first in order."""
    return item.label != item.first.model, item.label


def looks_of_models(models: Iterable[str]) -> dict[str, Look]:
    """Return the look of each model's plain variant by name, in the order of a legend."""
    names = set(models)
    floors = sorted(name for name in names if name.startswith(FLOORS))
    others = sorted(names.difference(ORDER, floors))
    places = {name: place for place, name in enumerate(ORDER) if name in names}
    taken, colours = set(range(len(ORDER))), {place % len(COLOURS) for place in places.values()}
    pairs = len(COLOURS) * len(MARKERS)
    for name in others:
        start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
        free = [place for step in range(pairs) if (place := (start + step) % pairs) not in taken]
        unlike = [place for place in free if place % len(COLOURS) not in colours]  # of a colour that no other model has
        places[name] = next(iter([*unlike, *free]), start % pairs)
        taken.add(places[name])
        colours.add(places[name] % len(COLOURS))
    looks = {name: Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]) for name, place in places.items()}
    for number, name in enumerate(floors):
        looks[name] = Look(FLOOR_COLOUR, FLOOR_MARKERS[number % len(FLOOR_MARKERS)])
    return looks


def floor_line(name: str) -> dict[str, Any]:
    """Return matplotlib's options for the line of a floor with this name."""
    return {"color": FLOOR_COLOUR, "linewidth": 0.9, "linestyle": FLOOR_LINES.get(name, FLOOR_MODEL_LINE), "zorder": 0}


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style of all figures inside the block: for drawing as well as for saving."""
    import matplotlib as mpl
    import seaborn as sns

    style: dict[Any, Any] = {  # not str: the types of matplotlib list every key
        "font.size": TEXT,
        "axes.labelsize": TEXT,
        "axes.titlesize": TEXT,
        "figure.titlesize": TEXT,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "axes.titlelocation": "left",
        "axes.titlepad": 3.0,
        "axes.labelpad": 2.0,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.major.pad": 2.0,
        "ytick.major.pad": 2.0,
        "xtick.minor.size": 1.5,
        "xtick.minor.width": 0.4,
        "pdf.fonttype": 42,  # whole TrueType fonts: publishers refuse the default, Type 3
    }
    with mpl.rc_context({**sns.axes_style("ticks"), **style}):
        yield


def figure_of(width: float, height: float) -> Figure:
    """Make an empty figure in the style of all figures; call it inside `styled`.

    Args:
        width: in inches, ``COLUMN`` or ``PAGE``.
        height: in inches, at most ``TALLEST`` if it is to fit on a page.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def bare(axes: Any) -> None:
    """Remove the upper and right edge of a panel."""
    import seaborn as sns

    sns.despine(ax=axes)
