"""``nacbench tasks`` and ``nacbench models``: what there is, and whether it can run here."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.options import DataRoot, Json, Plugins, complete_task, data_root_of, load_plugins

if TYPE_CHECKING:
    from nacbench.model import Model
    from nacbench.task import TaskSpec


def tasks(as_json: Json = False, data_root: DataRoot = None, plugin: Plugins = None) -> None:
    """List the tasks: their modality, classes, scales, and whether their data is at hand."""
    from nacbench.registry import TASKS

    load_plugins(plugin)
    root = data_root_of(data_root)
    loaded, broken = TASKS.load_all()
    origins = {name: entry.origin for name, entry in TASKS.entries().items()}
    rows: list[dict[str, Any]] = []
    for name, cls in loaded.items():
        missing = cls().missing(root)
        rows.append(
            {
                "name": name,
                "title": cls.title,
                "modality": cls.modality,
                "classes": cls.classes,
                "metric": cls.metric,
                "scales": list(cls.recipes),
                "version": cls.version,
                "licence": cls.licence,
                "citation": cls.citation,
                "source": cls.source,
                "origin": origins[name],
                "ready": missing is None,
                "missing": missing,
            }
        )
    if as_json:
        typer.echo(json.dumps({"tasks": rows, "broken": broken}, indent=2))
        return
    shown = [
        [row["name"], row["modality"], str(row["classes"]), " ".join(row["scales"]), row["origin"], _state(row)]
        for row in rows
    ]
    _print_table(["task", "modality", "classes", "scales", "origin", "data"], shown, right={2})
    for row in rows:
        if not row["ready"]:
            typer.echo(f"{row['name']}: {row['missing']}")
    _print_broken(broken)


def models(
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_task,
            help="Count parameters for this task, not a 32×32 image.",
        ),
    ] = None,
    as_json: Json = False,
    plugin: Plugins = None,
) -> None:
    """List the models with the parameters of each size, the task's tokenizer included.

    Without --task they are counted for 32×32 colour images in ten classes, cut into 16 tokens.
    """
    from nacbench.config import SIZE_OF_SCALE
    from nacbench.registry import MODELS, TASKS

    load_plugins(plugin)
    task_class = TASKS.get(task) if task else _reference_task()
    loaded, broken = MODELS.load_all()
    origins = {name: entry.origin for name, entry in MODELS.entries().items()}
    scale_of_size = {size: scale for scale, size in SIZE_OF_SCALE.items()}
    rows: list[dict[str, Any]] = []
    for name, cls in loaded.items():
        sizes = {}
        for size in cls.presets or SIZE_OF_SCALE.values():
            scale = scale_of_size.get(size, "paper")
            sizes[size] = _count(cls.configured("model", size, {}), task_class.configured("task", scale, {}))
        rows.append(
            {
                "name": name,
                "title": cls.title,
                "reads": cls.reads,
                "origin": origins[name],
                "citation": cls.citation,
                "parameters": sizes,
            }
        )
    if as_json:
        typer.echo(json.dumps({"models": rows, "broken": broken}, indent=2))
        return
    sizes_known = list(dict.fromkeys(size for row in rows for size in row["parameters"]))
    shown = [
        [row["name"], row["reads"], row["origin"], *(_millions(row["parameters"].get(size)) for size in sizes_known)]
        for row in rows
    ]
    _print_table(["model", "reads", "origin", *sizes_known], shown, right=set(range(3, 3 + len(sizes_known))))
    typer.echo(f"Parameters, the tokenizer included, for {task_class.title}.")
    _print_broken(broken)


def _reference_task() -> Any:
    from nacbench.conformance import ReferenceImages

    return ReferenceImages


def _count(model: "Model", task: Any) -> int | str:
    """Parameters of tokenizer and core on no device, or why there are none."""
    import torch

    from nacbench.profiling.cost import count_parameters

    spec: TaskSpec = task.spec()
    reason = model.unsupported(spec)
    if reason:
        return reason
    with torch.device("meta"):
        parts = [model.build(spec)]
        if model.reads == "tokens":
            parts.append(task.tokenizer())
    return sum(count_parameters(part) for part in parts)


def _millions(count: int | str | None) -> str:
    return f"{count:,}" if isinstance(count, int) else (count or "—")


def _state(row: dict[str, Any]) -> str:
    return "ready" if row["ready"] else "missing, see below"


def _print_table(head: list[str], rows: list[list[str]], right: set[int]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(head):
        table.add_column(title, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 160
    console.print(table)


def _print_broken(broken: dict[str, str]) -> None:
    for reason in broken.values():
        typer.echo(f"warning: {reason}", err=True)
