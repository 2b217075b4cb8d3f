"""The committed records of the suite mini, as the tables of pages name them."""

from nacbench.recording.index import read_runs
from nacbench.reporting.series import Series, group

from .conftest import REPOSITORY

RUNS = read_runs(REPOSITORY / "results" / "mini").runs
MINI = group(RUNS)


def plain(task: str, model: str) -> Series:
    """The runs of a model on a task with default options."""
    (found,) = [own for own in MINI if (own.first.task, own.first.model) == (task, model) and own.is_plain]
    return found


def lost(own: Series, kept: int) -> str:
    """The share of its accuracy that a circuit loses with so many per cent of its modules, in per cent."""
    share = own.mean(lambda run: 1 - run.numbers(f"kept/{kept}")["accuracy"] / run.numbers("kept/100")["accuracy"])
    return f"{100 * share.value:.1f} ± {100 * share.half_width:.1f}"
