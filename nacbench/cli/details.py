"""``nacbench tasks NAME``: print one task's metadata, options, recipes and data."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.cli.shared.needs import NOTHING_TO_FETCH, needed, what_is_missing, with_trained_on
from nacbench.cli.shared.tables import print_table
from nacbench.formats.dotted import flatten
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.contracts.task import AnyTask

FACTS = (
    "title",
    "modality",
    "protocol",
    "trained_on",
    "classes",
    "targets",
    "metric",
    "version",
    "licence",
    "citation",
    "provenance",
)


def print_task(name: str, data_root: Path, as_json: bool) -> None:
    """Print a task's metadata, its options and recipes at each scale, and the state of its data.

    Raises:
        UserError: if no task has this name, or it cannot be loaded.
    """
    about = about_task(name, data_root)
    if as_json:
        say_json(about)
        return
    for key in ("name", *FACTS, "origin"):
        value = about[key]
        say(f"{key.replace('_', ' '):<13}{'—' if value is None else value}")
    for metric in about["metrics"]:
        say(f"{'numbers':<13}{metric['name']}: {metric['about']}; {metric['better']} is better")
    for row in about["data"]:
        say(f"{'data':<13}{row['place']} ({row['state']})")
    if not about["data"]:
        say(f"{'data':<13}{about['missing'] or NOTHING_TO_FETCH}")
    _print_by_scale("option: --set task.…", about["options"], about["presets"], about["scales"])
    _print_by_scale("setting: --set training.…", None, about["recipes"], about["scales"])


def about_task(name: str, data_root: Path) -> dict[str, Any]:
    """Return a task's metadata, options, recipes and data as JSON-compatible data."""
    from nacbench.recording.metric_facts import MetricFacts
    from nacbench.registry import TASKS

    tasks = with_trained_on(name)
    cls = type(tasks[name])
    data = []
    for files in needed(tasks.values()):
        missing = files.missing(data_root)
        place = str(files.place(data_root))
        data.append({"files": str(files), "place": place, "state": "missing" if missing else "ready"})
    return {
        "name": name,
        **{fact: getattr(cls, fact, None) for fact in FACTS},  # only an EvaluationTask has trained_on
        "metrics": [{"name": own.name, **MetricFacts.of(own).model_dump()} for own in cls.metrics],
        "origin": entry.origin if (entry := TASKS.find(name)) else None,
        "scales": list(cls.recipes),
        "options": _defaults(cls),
        "presets": {scale: dict(values) for scale, values in cls.presets.items()},
        "recipes": {scale: recipe.model_dump(mode="json", exclude_unset=True) for scale, recipe in cls.recipes.items()},
        "data": data,
        "missing": what_is_missing(tasks.values(), data_root),
    }


def _defaults(cls: "type[AnyTask]") -> dict[str, Any]:
    """Return the options with their default values."""
    found = {}
    for field in dataclasses.fields(cls):
        factory = field.default_factory
        found[field.name] = field.default if factory is dataclasses.MISSING else factory()
    return found


def _print_by_scale(
    what: str, defaults: Mapping[str, Any] | None, scales: Mapping[str, Mapping[str, Any]], names: list[str]
) -> None:
    """Print settings with a column for each scale; an empty cell means the default."""
    by_scale = {scale: flatten(dict(scales.get(scale, {}))) for scale in names}
    known = flatten(dict(defaults or {}))
    keys = dict.fromkeys([*known, *(key for values in by_scale.values() for key in values)])
    if not keys:
        return
    head = [what, *(["default"] if defaults is not None else []), *names]
    rows = [
        [key, *([known.get(key, "—")] if defaults is not None else []), *(by_scale[s].get(key, "") for s in names)]
        for key in keys
    ]
    print_table(head, rows, right=range(1, len(head)))
