"""Find runs of a task that are not comparable, as they differ in code, data, scale or metric."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from nacbench.recording.row import Run


def mixtures(runs: Iterable[Run]) -> list[str]:
    """Return a line for each task and each of scale, main metric, data and code in which its runs differ.

    A task with other data, by its option ``data``, is a task of its own here.
    """
    by_task: dict[str, list[Run]] = {}
    for run in runs:
        name = f"{run.task} ({run.other_data})" if run.other_data else run.task
        by_task.setdefault(name, []).append(run)
    found = []
    for task, own in sorted(by_task.items()):
        kinds = {
            "scales": {run.scale for run in own},
            "main metrics": {run.score_meaning for run in own},
            "data fingerprints": {run.fingerprint for run in own},
            "versions of the engine's code": {_code(run.settings, "engine") for run in own},
            "versions of the task's code": {_code(run.settings, "task") for run in own},
        }
        found += [f"{task}: {_listed(kind, values)}" for kind, values in kinds.items() if len(values) > 1]
        for model in sorted({run.model for run in own}):
            versions = {_code(run.settings, "model") for run in own if run.model == model}
            if len(versions) > 1:
                found.append(f"{task}: {_listed(f'versions of the code of {model}', versions)}")
    return found


def _listed(kind: str, values: Iterable[str]) -> str:
    return f"different {kind} ({', '.join(sorted(values))})"


@cache
def _code(settings: str, part: str) -> str:
    identity: dict[str, Any] = json.loads(settings)
    return str(identity.get("code", {}).get(part, "unknown"))
