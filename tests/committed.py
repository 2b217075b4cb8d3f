"""The committed records of the suite mini, as the tables of pages name them."""

from nacbench.recording.index import read_runs
from nacbench.reporting.series import Series, group

from .conftest import REPOSITORY

MINI = group(read_runs(REPOSITORY / "results" / "mini").runs)


def is_plain(own: Series) -> bool:
    """Whether it has default options: circuits that were trained for pruning, and prototypes, are rows of their own."""
    return not any(word in own.variant for word in ("modules=128", "prototypes"))


def plain(task: str, model: str) -> Series:
    """The runs of a model on a task with default options."""
    (found,) = [own for own in MINI if (own.first.task, own.first.model) == (task, model) and is_plain(own)]
    return found


def lead(ours: Series, theirs: Series) -> str:
    """By how many points one is better, paired by seed, with the half width of its interval."""
    difference = ours.against(theirs)
    assert difference is not None
    return f"{100 * difference.value:+.1f} ± {100 * difference.half_width:.1f}"


def lost(own: Series, kept: int) -> str:
    """The share of its accuracy that a circuit loses with so many per cent of its modules, in per cent."""
    share = own.mean(lambda run: 1 - run.numbers(f"kept/{kept}")["accuracy"] / run.numbers("kept/100")["accuracy"])
    return f"{100 * share.value:.1f} ± {100 * share.half_width:.1f}"
