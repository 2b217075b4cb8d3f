"""Runs beyond the edge of a tuning grid, as a sweep: the same values for all models of a task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nacbench.errors import UserError
from nacbench.formats.dotted import leaves
from nacbench.formats.yaml_text import as_yaml
from nacbench.protocols.grid import beyond
from nacbench.recording.row import Run
from nacbench.running.resolve import resolve
from nacbench.sweep.block import nested_settings
from nacbench.sweep.search import ENDING
from nacbench.sweep.tuning import Cell, Tuned, cell_of

MOST_VALUES = 8  # of one setting; a grid that has as many is not extended
SECTIONS = ("task.", "model.", "training.", "init_from.")
Settings = Mapping[str, Any]


def extension(tuned: Iterable[Tuned], runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return blocks of a sweep that go one value beyond each edge at which a model's best settings lie.

    Every model of the task and scale gets the values that any of them needs, so that all keep the same budget. What is
    no valid setting of one of them is left out for all.

    Args:
        tuned: all that was tried for each model and task.
        runs: the runs that it was made of.

    Raises:
        UserError: if a task or model is of a plug-in that is not loaded.
    """
    by_cell: dict[Cell, Run] = {}
    seeds: dict[Cell, set[int]] = {}
    for run in runs:
        by_cell.setdefault(cell_of(run), run)
        seeds.setdefault(cell_of(run), set()).add(run.seed)
    tasks: dict[tuple[str, str], list[Tuned]] = {}
    for one in tuned:
        tasks.setdefault((one.cell.task, one.cell.scale), []).append(one)
    blocks: dict[str, dict[str, Any]] = {}
    for models in tasks.values():
        wanted = {json.dumps(new, sort_keys=True): new for one in models for new in _beyond(one)}
        for new in wanted.values():
            given = {one.cell: _settings(by_cell[one.cell], new) for one in models}
            if None in given.values():
                continue
            for cell, settings in given.items():
                block = {
                    "tasks": f"{cell.task}{ENDING}",
                    "models": [],
                    "seeds": sorted(seeds[cell]),
                    "scale": cell.scale,
                    "precision": by_cell[cell].precision,
                    "set": settings,
                }
                blocks.setdefault(json.dumps(block, sort_keys=True), block)["models"].append(cell.model)
    return list(blocks.values())


def sweep_file(blocks: Sequence[Mapping[str, Any]], written_by: str, plugins: Sequence[str] = ()) -> str:
    """Return a sweep of these blocks as YAML.

    Args:
        blocks: as from `extension`.
        written_by: the command that wrote it, for readers.
        plugins: files with tasks and models of the blocks.
    """
    head = f"# Written by: {written_by}\n"
    about = "tuning beyond the edge of the values tried, the same for every model of a task"
    needed = {"plugins": list(plugins)} if plugins else {}
    return head + as_yaml({"description": about, **needed, "include": list(blocks)}, width=160)


def _beyond(one: Tuned) -> Iterator[dict[str, Any]]:
    """Yield the settings beyond each edge that the best ones lie at, with all others that were tried at that edge."""
    for name in one.at_the_edge:
        edge = one.best.settings[name]
        values = {tried.settings[name] for tried in one.tried if name in tried.settings}
        following = beyond(values, edge) if len(values) < MOST_VALUES else None
        for tried in one.tried if following is not None else ():
            if tried.settings.get(name) == edge:
                yield {**tried.settings, name: following}


def _settings(run: Run, new: Settings) -> dict[str, Any] | None:
    """Return the settings in which a run like this one, with new ones, differs from the defaults; None if invalid."""
    content = json.loads(run.settings)
    own = {name: value for name, value in leaves(content).items() if name.startswith(SECTIONS)}
    named = {"task": {"name": run.task}, "model": {"name": run.model, "size": run.model_size}, "scale": run.scale}
    try:
        plain = leaves(resolve({**named, "precision": run.precision}).as_dict())
    except UserError as error:
        raise UserError(f"runs of {run.task} with {run.model}: {error}; name a plug-in's file with --plugin") from None
    wanted = {name: value for name, value in {**own, **new}.items() if plain.get(name) != value}
    try:
        resolve(named, nested_settings(wanted))
    except UserError:
        return None
    return {"model.size": run.model_size, **wanted}
