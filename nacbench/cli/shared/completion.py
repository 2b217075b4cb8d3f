"""Shell completion of what the user types: names, settings, runs and words.

Each function returns what can stand for `incomplete`. It runs at every press of Tab, so it imports no torch; and what
goes wrong in it must not show, as it would be printed into the line that the user is typing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from glob import escape, glob
from pathlib import Path
from typing import Any

import typer

MOST = 200  # proposals; shells ask before they print more
SIGNS = "=!<>~"  # of a condition; what is before them is its key
RUNS = Path("runs")
Find = Callable[[typer.Context, str], Iterable[str]]


def quietly(find: Find) -> Callable[[typer.Context, str], list[str]]:
    """Return those of a function's proposals that begin with the incomplete word; none if it fails."""

    @wraps(find)
    def proposals(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return [word for word in dict.fromkeys(find(ctx, incomplete)) if word.startswith(incomplete)][:MOST]
        except Exception:  # whatever it is, a broken file or a plug-in: there is nothing to propose
            return []

    return proposals


def one_of(*words: str) -> Callable[[typer.Context, str], list[str]]:
    """Return the completion of an option that takes one of a few words."""
    return quietly(lambda ctx, incomplete: words)


@quietly
def complete_task(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names of tasks."""
    from nacbench.registry import TASKS

    return TASKS.names(incomplete)


@quietly
def complete_model(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names of models."""
    from nacbench.registry import MODELS

    return MODELS.names(incomplete)


@quietly
def complete_plugin(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names of tasks and models."""
    return complete_task(ctx, incomplete) + complete_model(ctx, incomplete)


@quietly
def complete_tracker(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names of trackers."""
    from nacbench.tracking.known import TRACKERS

    return TRACKERS.entries()


@quietly
def complete_sweep(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names of suites, and YAML files."""
    from nacbench.sweep.read_sweep import suites

    return [*suites(), *_paths(incomplete, ".yaml", ".yml")]


@quietly
def complete_run(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose ids of runs, from the folder of runs that is given or else from ``runs``, and folders."""
    out = ctx.params.get("out")
    return [*(folder.name for folder in Path(out or RUNS).glob(f"*/*/{escape(incomplete)}*")), *_paths(incomplete)]


@quietly
def complete_scale(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose scales."""
    from nacbench.contracts.task import SCALES

    return SCALES


@quietly
def complete_state(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose states of runs."""
    from nacbench.sweep.state import STATES

    return STATES


@quietly
def complete_metric(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names of metrics: those of the task that is given, or of all tasks."""
    from nacbench.registry import TASKS

    given = _given(ctx, "task")
    tasks = [TASKS.get(name) for name in given] if given else TASKS.load_all()[0].values()
    return sorted({metric.name for task in tasks for metric in task.metrics})


@quietly
def complete_setting(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose keys of ``--set``, and behind ``KEY=`` the values of a setting that has a few to choose from.

    Options are those of the task and the model that are given; without, those of all.
    """
    key, equals, _ = incomplete.partition("=")
    values = dict(_settings(ctx))
    return [f"{key}={value}" for value in values.get(key, ())] if equals else [f"{own}=" for own in values]


@quietly
def complete_where(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose keys of conditions on runs, and behind ``KEY=`` the values that the runs have."""
    from nacbench.recording.choice import every_setting
    from nacbench.recording.index import look_at_runs

    stores = [ctx.params.get(name) for name in ("folders", "stores", "runs", "store", "out")]
    places = next((place for place in stores if place), RUNS)
    known = every_setting(look_at_runs(*map(Path, [places] if isinstance(places, str | Path) else places)).runs)
    key = incomplete[: min((at for sign in SIGNS if (at := incomplete.find(sign)) >= 0), default=len(incomplete))]
    if key == incomplete:
        return sorted(known)
    sign = incomplete[len(key) :][: 2 if incomplete[len(key) + 1 :].startswith("=") else 1]
    return [f"{key}{sign}{value}" for value in sorted(known.get(key, ()))]


def _settings(ctx: typer.Context) -> Iterator[tuple[str, list[str]]]:
    """Yield keys of settings with the values to choose from, which may be none."""
    from pydantic import TypeAdapter

    from nacbench.contracts.recipe import Recipe
    from nacbench.registry import MODELS, TASKS

    for section, registry in (("task", TASKS), ("model", MODELS)):
        given = _given(ctx, section)
        chosen: Iterable[Any] = [registry.get(name) for name in given] if given else registry.load_all()[0].values()
        for cls in chosen:
            # by pydantic, which looks at options only: typing would also resolve class variables
            for name, schema in TypeAdapter(cls).json_schema().get("properties", {}).items():
                yield f"{section}.{name}", _choices(schema)
    if "model" in ctx.params:  # other commands set options of tasks only
        for name, schema in Recipe.model_json_schema()["properties"].items():
            yield f"training.{name}", _choices(schema)


def _choices(schema: Mapping[str, Any]) -> list[str]:
    return ["true", "false"] if schema.get("type") == "boolean" else [str(value) for value in schema.get("enum", ())]


def _given(ctx: typer.Context, section: str) -> list[str]:
    """Return the names of tasks or models that the line has so far."""
    found = ctx.params.get(section) or ctx.params.get(f"{section}s") or []
    return [found] if isinstance(found, str) else list(found)


def _paths(incomplete: str, *endings: str) -> list[str]:
    """Return folders, each with a slash at the end, and files with these endings, that begin with a path."""
    found = [Path(path) for path in sorted(glob(f"{escape(incomplete)}*"))]  # noqa: PTH207 (keeps the path as typed)
    return [f"{path}/" if path.is_dir() else str(path) for path in found if path.is_dir() or path.suffix in endings]
