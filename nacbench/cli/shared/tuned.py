"""The option with which reports, comparisons and claims learn how much was tried for each model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nacbench.reporting.treatment import Choices

ChoiceFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--choices",
        metavar="FILE",
        help="Written by nacbench tune --to: how many settings were tried for each model; can be given again.",
    ),
]


def choices_of(paths: list[Path] | None) -> "Choices":
    """Return what the suites' own choices and these files say of tuning.

    Raises:
        UserError: if a file cannot be read, or has no list of choices.
    """
    from nacbench.sweep.trials import known_choices

    return known_choices(paths or [])
