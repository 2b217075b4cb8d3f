"""Style of figures, learning curves, and saving as PNG and PDF.

Colours are safe for colour-blind readers, and a model has the same colour in all figures.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import whole_file
from nacbench.formats.escape import figure_text
from nacbench.recording.curve import read_curve
from nacbench.recording.store import CURVE, damage
from nacbench.reporting.floors import MODELS as FLOORS
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FIRST = (
    "nac",
    "perceiver-io",
    "vit",
    "transformer",
)  # these keep their colours; others follow by name
FLOOR_LINE: dict[str, Any] = {"color": "0.45", "linewidth": 0.9, "linestyle": "--", "zorder": 0}
FLOOR_COLOUR = (0.45, 0.45, 0.45)
FEW_EPOCHS = 12


def palette(models: Sequence[str]) -> dict[str, Any]:
    """Return a colour for each model, from seaborn's colour-blind palette."""
    import seaborn as sns

    colours = sns.color_palette("colorblind", 10)
    ordered = [*FIRST, *sorted(name for name in set(models) - set(FIRST) if not name.startswith(FLOORS))]
    by_name = {name: colours[index % len(colours)] for index, name in enumerate(ordered)}
    return {**by_name, **{name: FLOOR_COLOUR for name in models if name.startswith(FLOORS)}}


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style of all figures inside the block."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context({**sns.axes_style("ticks"), **sns.plotting_context("paper")}):
        yield


def curve_rows(series: Sequence[Series], broken: list[str]) -> pd.DataFrame:
    """Return the learning curves of all runs in long form; runs without a ``curve.jsonl`` are left out.

    Args:
        series: all runs.
        broken: a line is added for each curve that cannot be read or is not the one that the run wrote.
    """
    import pandas as pd

    floors = Floors(series)
    rows = []
    for item in series:
        for run in item.runs:
            path = Path(run.folder) / CURVE
            if not os.path.lexists(path):
                continue
            try:
                if problem := damage(path, run.record().files.get(CURVE)):
                    raise BrokenFileError(problem)
                points = read_curve(path)
            except UserError as error:
                broken.append(f"the curve of run {run.run_id} is not drawn: {error}")
                continue
            rows += [
                {
                    "task": run.task_label,
                    "model": run.model,
                    "series": item.label,
                    "seed": run.seed,
                    "epoch": point.epoch,
                    "panel": "training loss" if point.split == "train" else f"{point.split} {run.metric}",
                    "value": value,
                    "floor": next((floor.value for floor in reversed(floors.of(item))), math.nan),
                }
                for point in points
                if (value := point.value(run.metric)) is not None
            ]
    return pd.DataFrame(rows)


def draw_curves(rows: pd.DataFrame) -> Figure:
    """Draw training loss and, if there is one, validation metric against epochs, in a row of panels for each task.

    Lines are means over seeds; bands span the minimum and maximum.
    """
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(rows["task"]))
    panels = {task: list(dict.fromkeys(rows.loc[rows["task"] == task, "panel"])) for task in tasks}
    columns = max(len(names) for names in panels.values())
    # seaborn sees numbers in place of names, which it would leave out of the legend if they begin with an underscore
    shown = {name: str(number) for number, name in enumerate(dict.fromkeys(rows["series"]))}
    rows = rows.assign(series=rows["series"].map(shown))
    with styled():
        figure = Figure(figsize=(3.4 * columns + 1.5, 2.6 * len(tasks)), layout="constrained")
        grid = figure.subplots(len(tasks), columns, squeeze=False)
        for row, task in enumerate(tasks):
            for column, panel in enumerate(panels[task]):
                axes = grid[row][column]
                _draw_panel(axes, rows[(rows["task"] == task) & (rows["panel"] == panel)])
                axes.set_title(figure_text(task, 40))
            _place_legend(grid[row], len(panels[task]), shown)
    return figure


def _draw_panel(axes: Any, part: pd.DataFrame) -> None:
    import seaborn as sns

    colours = palette(list(part["model"]))
    names = dict.fromkeys(zip(part["series"], part["model"], strict=True))
    sns.lineplot(
        part,
        x="epoch",
        y="value",
        hue="series",
        style="series",
        palette={name: colours[model] for name, model in names},
        errorbar=("pi", 100),
        markers=part["epoch"].nunique() <= FEW_EPOCHS,  # a line of one point is invisible
        linewidth=1.2,
        ax=axes,
    )
    panel, floor = part["panel"].iloc[0], part["floor"].max()
    if panel.startswith("validation") and not math.isnan(floor):
        axes.axhline(floor, **FLOOR_LINE)
    axes.set_ylabel(figure_text(panel, 40))
    sns.despine(ax=axes)


def _place_legend(row: Sequence[Any], used: int, shown: Mapping[str, str]) -> None:
    """Put one legend for a row of panels into its first empty panel, or to the right of the row."""
    handles, numbers = row[0].get_legend_handles_labels()
    names = {number: figure_text(name, 80) for name, number in shown.items()}
    labels = [names[number] for number in numbers]
    for axes in row[:used]:
        axes.get_legend().remove()
    for axes in row[used:]:
        axes.set_axis_off()
    if used < len(row):
        row[used].legend(handles, labels, loc="upper left", frameon=False)
    else:
        row[-1].legend(handles, labels, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` atomically; return both paths."""
    paths = []
    # without dates and versions, so that the same figure gives the same bytes
    metadata: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".pdf": {"CreationDate": None, "Producer": None}}
    for ending, extra in metadata.items():
        path = stem.with_suffix(ending)
        with whole_file(path) as aside, warnings.catch_warnings():
            # names may be in any script; the font draws a box for a letter that it does not have
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.savefig(aside, format=ending[1:], dpi=200, metadata=extra)
        paths.append(path)
    return paths
