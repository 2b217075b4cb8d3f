"""The plan of the sweep that a command asks for, and which failures are started again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.asked import Asked
from nacbench.cli.shared.options import data_root_of, load_plugins
from nacbench.cli.shared.refusals import NO_FOLDER
from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.recording.record import Cause
    from nacbench.sweep.plan import Place, Plan
    from nacbench.sweep.searching import Hunt

StartedAgain = Annotated[
    str,
    typer.Option(
        metavar="CAUSES",
        help="Causes of failure whose runs are started again: error, diverged, oom, disk, timeout, node, attempts; "
        "separated by commas.",
    ),
]


def causes_of(names: str) -> "tuple[Cause, ...]":
    """Return causes of failure, given by their names, separated by commas.

    Raises:
        UserError: if there is no such cause.
    """
    from nacbench.errors import unknown
    from nacbench.recording.record import CAUSES

    given = [name.strip() for name in names.split(",")]
    for name in given:
        if name not in CAUSES:
            raise unknown("cause of failure", name, CAUSES)
    return tuple(cause for cause in CAUSES if cause in given)


def plan_of(asked: Asked) -> "tuple[Plan, Place]":
    """Return the plan of the sweep that is asked for, and its place; of a search, the runs that it has reached."""
    planned, place = whole_plan_of(asked)
    hunt = hunt_of(planned, place)
    return (hunt.plan if hunt else planned), place


def hunt_of(planned: "Plan", place: "Place") -> "Hunt | None":
    """Return the searches of a plan with all that they may come to, by the records; None if it has none."""
    if not planned.sweep.is_search:
        return None
    from nacbench.sweep.searching import look, searches_in

    return look(planned, place, searches_in(planned))


def whole_plan_of(asked: Asked, seeds: Sequence[int] | None = None) -> "tuple[Plan, Place]":
    """Return the plan of the sweep that is asked for, and its place; ``seeds`` replace those of the sweep.

    Of a search it has every run that the search may come to.
    """
    from nacbench.sweep.block import seeds_in
    from nacbench.sweep.only import Only
    from nacbench.sweep.plan import Place, make_plan
    from nacbench.sweep.profile import Profile
    from nacbench.sweep.read_sweep import read_sweep

    sweep = read_sweep(asked.sweep, asked.max_runs)
    if asked.seeds is not None:
        seeds = seeds_in(asked.seeds, sweep.max_runs)
    if seeds is not None:
        sweep = sweep.with_seeds(seeds)
    files = [*map(str, asked.plugin or []), *sweep.plugins]
    load_plugins([Path(file) for file in files])
    only = Only(task=tuple(asked.task or []), model=tuple(asked.model or []))
    changes: dict[str, Any] = {"plugins": tuple(files), "only": only}
    if asked.profile:
        changes["profile"] = Profile.read(asked.profile)
    if asked.out.exists() and not asked.out.is_dir():
        raise UserError(f"cannot use {asked.out}: it is a file, and {NO_FOLDER}")
    root = data_root_of(asked.data_root)
    return make_plan(sweep.model_copy(update=changes), root), Place(asked.out, root)
