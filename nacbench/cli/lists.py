"""``nacbench tasks`` and ``nacbench models``: list registered tasks and models."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.broken import noted
from nacbench.cli.shared.completion import complete_model, complete_task
from nacbench.cli.shared.needs import for_task, what_is_missing, with_trained_on
from nacbench.cli.shared.options import DataRoot, Json, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.tables import counted, print_table
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.contracts.model import Model
    from nacbench.contracts.task import Task


def tasks(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=complete_task, help="Print all details of this task.")
    ] = None,
    as_json: Json = False,
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """List the tasks: their modality, protocol, classes, scales, and whether their data is here; or describe one.

    For example: nacbench tasks digits
    """
    from nacbench.registry import PROTOCOLS

    load_plugins(plugin)
    root = data_root_of(data_root)
    if name is not None:
        from nacbench.cli.details import print_task

        print_task(name, root, as_json)
        return
    rows, broken = _task_rows(root)
    if as_json:
        say_json({"tasks": rows, "protocols": list(PROTOCOLS.entries()), "broken": broken})
        return
    shown = [
        [
            row["name"],
            row["modality"],
            row["protocol"],
            row["trained_on"] or "—",
            str(row["classes"]),
            " ".join(row["scales"]),
            row["origin"],
            "ready" if row["ready"] else "missing",
        ]
        for row in rows
    ]
    head = ["task", "modality", "protocol", "trained on", "classes", "scales", "origin", "data"]
    print_table(head, shown, right={4})
    if not all(row["ready"] for row in rows):
        say("How to get missing data: nacbench data where TASK. Details of a task: nacbench tasks NAME")
    made = ", ".join(f"X-{ending}" for ending in PROTOCOLS.entries())
    say(f"Not listed, made by protocols for each task X they apply to: {made}.")
    _print_broken(broken)


def _task_rows(root: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return a row for each task, and an error message for each task that cannot be loaded."""
    from nacbench.contracts.task import EvaluationTask
    from nacbench.registry import TASKS

    loaded, broken = TASKS.load_all()
    origins = {name: entry.origin for name, entry in TASKS.entries().items()}
    rows: list[dict[str, Any]] = []
    for name, cls in loaded.items():
        with noted(TASKS, name, broken):
            missing = what_is_missing(with_trained_on(name).values(), root)
        if name in broken:
            continue
        rows.append(
            {
                "name": name,
                "title": cls.title,
                "modality": cls.modality,
                "protocol": cls.protocol,
                "trained_on": cls.trained_on if issubclass(cls, EvaluationTask) else None,
                "classes": cls.classes,
                "metric": cls.metric,
                "scales": list(cls.recipes),
                "version": cls.version,
                "licence": cls.licence,
                "citation": cls.citation,
                "provenance": cls.provenance,
                "origin": origins[name],
                "ready": missing is None,
                "missing": missing and for_task(missing, name),
            }
        )
    return rows, broken


def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", autocompletion=complete_model, help="Print all details of this model."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_task,
            help="Count parameters for this task, not for 32×32 images.",
        ),
    ] = None,
    as_json: Json = False,
    plugin: Plugins = None,
) -> None:
    """List the models with the number of parameters of each size, the task's tokenizer included; or describe one.

    For example: nacbench models vit

    Without --task, parameters are counted for 32×32 colour images of ten classes, cut into 16 tokens; of models that
    read points, for ModelNet40.
    """
    from nacbench.conformance import ReferenceImages, reference_task
    from nacbench.contracts.task import SCALES, scale_of
    from nacbench.registry import MODELS, TASKS, usual_size

    load_plugins(plugin)
    if name is not None:
        from nacbench.cli.model_details import print_model

        print_model(name, task, as_json)
        return
    loaded, broken = MODELS.load_all()
    tasks = {name: TASKS.training(task) if task else reference_task(cls) for name, cls in loaded.items()}
    origins = {name: entry.origin for name, entry in MODELS.entries().items()}
    missing = {name: cls.missing() for name, cls in loaded.items()}
    configured: dict[tuple[str, str], tuple[Model, Task]] = {}
    for name, cls in loaded.items():
        with noted(MODELS, name, broken):
            for size in cls.presets or [usual_size(tasks[name], scale, cls) for scale in SCALES]:
                if not missing[name]:
                    own = tasks[name].configured("task", scale_of(size), {})
                    configured[name, size] = cls.configured("model", size, {}), own
    counts = _counts(configured, broken)
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "title": cls.title,
            "reads": cls.reads,
            "origin": origins[name],
            "citation": cls.citation,
            "library": cls.library,
            "missing": missing[name],
            "parameters": {size: count for (model, size), count in counts.items() if model == name},
        }
        for name, cls in loaded.items()
        if name not in broken
    ]
    if as_json:
        say_json({"models": rows, "broken": broken})
        return
    _print_sizes(rows)
    counted_for = (
        TASKS.training(task).title if task else f"{ReferenceImages.title}; of models that read points, ModelNet40"
    )
    say(f"Parameters, tokenizer included, for {counted_for}.")
    for absent in filter(None, missing.values()):
        say(absent)
    _print_broken(broken)


def _print_sizes(rows: list[dict[str, Any]]) -> None:
    """Print a row for each model with the sizes that most models have, and a line for each model with others.

    A column for every size would leave no place for the names in a terminal of 80 characters.
    """
    having = Counter(size for row in rows for size in row["parameters"])
    usual = [size for size, models in having.items() if models > len(rows) / 2]
    shown = [
        [row["name"], row["reads"], row["origin"], *(_millions(row["parameters"].get(size)) for size in usual)]
        for row in rows
    ]
    numbers = range(3, 3 + len(usual))
    print_table(["model", "reads", "origin", *usual], shown, right=numbers, whole={0, *numbers})
    for row in rows:
        others = [f"{size} {_millions(count)}" for size, count in row["parameters"].items() if size not in usual]
        if others:
            say(f"{row['name']}, other sizes: {', '.join(others)}")


def _counts(
    configured: "Mapping[tuple[str, str], tuple[Model, Task]]", broken: dict[str, str]
) -> dict[tuple[str, str], int | str]:
    """Return the parameters of tokenizer and core, or why the model cannot do the task.

    Counts are kept in the user's cache, since counting builds every network.

    Args:
        configured: model and task by the model's name and size.
        broken: gets an error message for each model that cannot be counted.
    """
    from nacbench.cli.shared.parameter_counts import count_and_keep, kept_count
    from nacbench.contracts.model import spec_for
    from nacbench.registry import MODELS

    counts: dict[tuple[str, str], int | str] = {}
    unknown = []
    for key, (model, task) in configured.items():
        with noted(MODELS, key[0], broken):
            known = model.unsupported(spec_for(model, task.spec())) or kept_count(model, task)
            if known is None:
                unknown.append(key)
            counts[key] = 0 if known is None else known  # a placeholder keeps the order of the sizes
    if unknown:
        label = f"counting the parameters of {counted(len(unknown), 'network')}, once"
        with typer.progressbar(unknown, label=label, file=sys.stderr) as bar:
            for key in bar:
                with noted(MODELS, key[0], broken):
                    counts[key] = count_and_keep(*configured[key])
    return counts


def _millions(count: int | str | None) -> str:
    return f"{count:,}" if isinstance(count, int) else (count or "—")


def _print_broken(broken: dict[str, str]) -> None:
    for reason in broken.values():
        say(f"warning: {reason}", err=True)
