"""What is known of a task's data, for its card and its Croissant metadata: from the task's class, and from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacbench.contracts.given import checked_data_files, checked_fingerprint, checked_live
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import AnyTask, DataFiles, EvaluationTask, Scale, Task
from nacbench.data.array_task import CLASS_NAMES, ArrayTask
from nacbench.data.class_order import class_order
from nacbench.data.images.task import HubImageTask
from nacbench.errors import UserError, unknown
from nacbench.registry import TASKS


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a task's data.

    Attributes:
        name: of the task.
        task: with the options of the scale.
        trained: the task that trains the network: itself, unless it is an evaluation task.
        scale: whose options and recipe are described.
        files: all data files.
        missing: why the data could not be looked at; None if it is here.
        sizes: number of examples by split; as published, if the data is not here; empty if nothing is known.
        fingerprint: of the decoded data; None if it is not here.
        class_names: of the data, if it names them.
        problems: what a user of the data must know, a line each.
    """

    name: str
    task: AnyTask
    trained: Task
    scale: Scale
    files: Sequence[DataFiles]
    missing: str | None
    sizes: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str | None = None
    class_names: Sequence[str] = ()
    problems: Sequence[str] = ()

    @property
    def spec(self) -> TaskSpec:
        """Spec of the task that trains the network."""
        return self.trained.spec()

    @property
    def sources(self) -> list[str]:
        """Addresses that the files come from; none for data that is generated or part of a library."""
        found = [files.origin() for files in self.files if hasattr(files, "origin")]
        return list(dict.fromkeys(found))


def facts_of(name: str, scale: str, options: Mapping[str, Any], data_root: Path) -> Facts:
    """Look at a task's data, which is not fetched.

    Args:
        name: of the task.
        scale: whose options are described; they decide how many examples are used.
        options: of the task, besides.
        data_root: mirror of data sets.

    Raises:
        UserError: if there is no such task, scale or option, or the data is broken.
    """
    cls = TASKS.get(name)
    recipe = next((recipe for own, recipe in cls.recipes.items() if own == scale), None)
    if recipe is None:
        raise unknown("scale", scale, cls.recipes)
    task = cls.configured("task", scale, options)
    trained = _training(task, scale)
    own = {"name": name, "task": task, "trained": trained, "scale": scale}
    known = [task, trained] if trained is not task else [task]
    files: list[DataFiles] = []
    for one in known:
        files += [other for other in checked_data_files(one, one.data_files()) if other not in files]
    missing = next(filter(None, (one.missing(data_root) for one in known)), None)
    if missing is not None:
        return Facts(**own, files=files, missing=missing, sizes=dict(getattr(cls, "full_sizes", {})))  # type: ignore[arg-type]
    live: Any
    if isinstance(task, EvaluationTask):
        live = checked_live(task, "build_on", task.build_on(trained, data_root, recipe), trains=False)
    else:
        live = checked_live(task, "build", trained.build(data_root, recipe), trains=True)
    return Facts(
        **own,  # type: ignore[arg-type]
        files=files,
        missing=None,
        sizes=dict(live.split_sizes),
        fingerprint=checked_fingerprint(task, task.fingerprint(data_root)),
        class_names=_class_names(task, data_root),
        problems=[*live.partial, *live.notes],
    )


def _training(task: AnyTask, scale: str) -> Task:
    if isinstance(task, EvaluationTask):
        return TASKS.training(task.trained_on).configured("task", scale, {})
    if not isinstance(task, Task):
        raise UserError(f"{type(task).__name__} neither trains a network nor evaluates one")
    return task


def _class_names(task: AnyTask, data_root: Path) -> list[str]:
    if isinstance(task, HubImageTask):
        stated = task.dataset.class_names(data_root, next(iter(task.dataset.splits)), task.label_column)
        if stated is not None:
            return class_order(stated, task.makers_order)
    if not isinstance(task, ArrayTask):
        return []
    names = task.arrays(data_root).arrays.get(CLASS_NAMES, ())
    return [bytes(name).decode(errors="replace") for name in names]
