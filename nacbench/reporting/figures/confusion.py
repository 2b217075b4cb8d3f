"""Confusion matrix of a network, or the mean of several of one series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nacbench.contracts.metric import ACCURACY
from nacbench.data.metrics.classes import counts_by_class
from nacbench.errors import UserError
from nacbench.formats.escape import figure_text
from nacbench.recording.row import Run
from nacbench.reporting.figures.layout import wrapped
from nacbench.reporting.figures.style import COLUMN, PAGE, SMALL, figure_of, styled
from nacbench.reporting.kept import Kept, read_kept

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

MOST_IN_A_COLUMN = 10  # classes; a figure of more is as wide as a page
MOST_WITH_NUMBERS = 20  # classes; with more, cells are too small for numbers
MOST_WITH_TICKS = 40


def answers_of(run: Run) -> Kept:
    """Return a run's labels and predictions of classes.

    Raises:
        UserError: if it keeps none, or its labels are those of episodes, in each of which they mean other classes.
    """
    kept = read_kept(run, ACCURACY)
    if kept.episode is not None:
        raise UserError(f"run {run.run_id}: a label of an episode is another class in every episode")
    return kept


def confusion_matrix(runs: Sequence[Run]) -> np.ndarray:
    """Return the share of the examples of each class (row) that get each class as answer, C×C: the mean over runs.

    Rows of classes without an example are NaN. Examples of several splits, such as corruptions, count together.

    Raises:
        UserError: if a run has no classes.
    """
    import numpy as np

    found = [answers_of(run).columns for run in runs]
    size = 1 + max(int(max(own["label"].max(), own["prediction"].max())) for own in found)
    counts = np.zeros((size, size))
    for own in found:
        counts += np.bincount(own["label"] * size + own["prediction"], minlength=size**2).reshape(size, size)
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is meant
        shares: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
    return shares


def class_rows(runs: Sequence[Run]) -> list[dict[str, float]]:
    """Return for each class its examples, and accuracy, precision and F1 (fractions), each the mean over runs.

    NaN stands for accuracy without an example, precision without an answer, and F1 without either.
    """
    import numpy as np

    by_run = []
    for run in runs:
        columns = answers_of(run).columns
        right, labels, given = counts_by_class(columns["label"], columns["prediction"])
        with np.errstate(invalid="ignore"):
            by_run.append((labels, right / labels, right / given, 2 * right / (labels + given)))
    size = max(len(own[0]) for own in by_run)
    padded = np.full((len(by_run), 4, size), np.nan)
    for place, own in zip(padded, by_run, strict=True):
        place[:, : len(own[0])] = own
    means = padded.mean(axis=0)
    names = ("examples", "accuracy", "precision", "f1")
    return [{"class": c, **dict(zip(names, means[:, c].tolist(), strict=True))} for c in range(size)]


def draw_confusion(runs: Sequence[Run], title: str) -> Figure:
    """Draw the confusion matrix of runs of one series; every row sums to 100 %.

    Args:
        runs: one for each seed.
        title: of the figure.
    """
    import seaborn as sns

    shares = 100 * confusion_matrix(runs)
    size = len(shares)
    width = COLUMN if size <= MOST_IN_A_COLUMN else PAGE
    with styled():
        figure = figure_of(width, 0.87 * width)
        axes = figure.subplots()
        sns.heatmap(
            shares,
            ax=axes,
            cmap="cividis",
            vmin=0,
            vmax=100,
            square=True,
            annot=size <= MOST_WITH_NUMBERS,
            fmt=".0f",
            annot_kws={"fontsize": SMALL},
            xticklabels="auto" if size <= MOST_WITH_TICKS else False,
            yticklabels="auto" if size <= MOST_WITH_TICKS else False,
            cbar_kws={"label": "share of the class's examples (%)"},
        )
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title(wrapped(figure_text(title, 80), width))
    return figure
