"""``nacbench profile``: measure a model's parameters, operations, time, memory and energy; size a baseline to NAC."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.completion import complete_model, complete_scale, complete_setting, complete_task, one_of
from nacbench.cli.shared.options import DataRoot, Json, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.tables import print_table
from nacbench.errors import UserError, unknown
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.contracts.model import Model
    from nacbench.kernels.path import KernelPath
    from nacbench.profiling.measurement import Counts, Measured, Subject
    from nacbench.running.config import RunConfig

MATCHES = ("params", "flops", "latency")


def profile(
    task: Annotated[str, typer.Option(metavar="NAME", autocompletion=complete_task, help="See: nacbench tasks.")],
    model: Annotated[str, typer.Option(metavar="NAME", autocompletion=complete_model, help="See: nacbench models.")],
    scale: Annotated[
        str, typer.Option(metavar="smoke|mini|paper", autocompletion=complete_scale, help="Scale of model and task.")
    ] = "mini",
    precision: Annotated[
        str,
        typer.Option(
            metavar="auto|fp32|bf16",
            autocompletion=one_of("auto", "fp32", "bf16"),
            help="auto uses bf16 if the hardware has it.",
        ),
    ] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            autocompletion=complete_setting,
            help="As for nacbench run; can be given again.",
        ),
    ] = None,
    batch_sizes: Annotated[str, typer.Option(metavar="LIST", help="Batch sizes, as in 1,32.")] = "1,32",
    seconds: Annotated[float, typer.Option(min=0, max=1e5, help="How long each pass is repeated, in seconds.")] = 3.0,
    match: Annotated[
        str | None,
        typer.Option(
            metavar="params|flops|latency",
            autocompletion=one_of("params", "flops", "latency"),
            help="First size the model to NAC's cost, within 2 %; operations are those of the recipe's batch, latency "
            "is that of the largest of --batch-sizes.",
        ),
    ] = None,
    as_json: Json = False,
    data_root: DataRoot = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", autocompletion=one_of("auto", "cpu", "cuda"))
    ] = "auto",
    plugin: Plugins = None,
) -> None:
    """Count a model's parameters and operations on a task, and measure time, memory and energy on the task's examples.

    With --match, a baseline gets the same number of parameters or operations as NAC, or the same time for a forward
    pass; the options for nacbench run are printed.
    """
    import torch

    from nacbench.kernels.path import path_of_run
    from nacbench.machine.cores import default_threads
    from nacbench.machine.hardware import check_device
    from nacbench.machine.memory import keep_freed_memory
    from nacbench.machine.settings import check_settings
    from nacbench.running.resolve import parse_setting, resolve

    load_plugins(plugin)
    check_settings()
    torch.set_num_threads(default_threads())  # as runs do, which measure the same
    sizes, where = _batch_sizes(batch_sizes), check_device(device)
    if where == "cpu":
        keep_freed_memory()  # as training does; otherwise allocation is slower here than in a run
    if match is not None and match not in MATCHES:
        raise unknown("--match", match, MATCHES)
    shared: dict[str, Any] = {"task": {"name": task}, "scale": scale, "precision": precision}
    given = [parse_setting(text) for text in settings or []]
    config = resolve(shared, {"model": {"name": model}}, *given)
    _refuse_evaluation(config)
    root = data_root_of(data_root)
    report: dict[str, Any] = {
        "task": config.task.name,
        "model": config.model.name,
        "scale": config.scale,
        "device": where,
    }
    with path_of_run() as path:
        if match is not None:
            # --set is of both, task and precision among them, but for the options of the model that is sized
            common = [{key: value for key, value in layer.items() if key != "model"} for layer in given]
            reference = resolve(shared, {"model": {"name": "nac"}}, *common)
            config, report["match"] = _matched(config, reference, match, where, root, sizes, path)
        subject = _subject(config, where, root, path)
        _refuse_too_large(sizes, subject)
        if match is not None and not as_json:
            _tell_match(report["match"])
        _describe(subject, config, report, sizes, seconds, as_json=as_json)


def _batch_sizes(text: str) -> list[int]:
    try:
        sizes = [int(size) for size in text.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise UserError(f"--batch-sizes {text:.60}: give whole numbers of at least 1, separated by commas, as in 1,32")
    return sizes


def _refuse_evaluation(config: "RunConfig") -> None:
    if config.trained_on is not None:
        raise UserError(
            f"task {config.task.name} scores a network trained on task {config.trained_on.task.name}: profile that task"
        )


def _refuse_too_large(sizes: list[int], subject: "Subject") -> None:
    """Refuse a batch that cannot be made before anything is printed; the data's own refusal names another setting."""
    examples = subject.live.split_sizes.get("train")
    if examples is not None and max(sizes) > examples:
        raise UserError(f"--batch-sizes {max(sizes)} is more than the {examples} training examples; lower it")
    subject.batch(max(sizes))


def _subject(config: "RunConfig", device: str, data_root: Path, path: "KernelPath") -> "Subject":
    """Return a network and its examples, to be measured with the kernels that a run would use."""
    from nacbench.contracts.recipe import Recipe
    from nacbench.nn.network import build_network
    from nacbench.profiling.measurement import Subject
    from nacbench.training.optim import make_update

    task, model, recipe = config.training_task, config.model_plugin, config.training
    assert isinstance(recipe, Recipe)
    task.prepare(data_root)
    live: Any = task.build(data_root, recipe)
    net = build_network(task, live.spec, model, config.seed).to(device)
    path.decide(net, "auto", device, lambda text: say(text, err=True))
    return Subject(
        model=model,
        net=net,
        live=live,
        update=partial(make_update, recipe=recipe),
        precision=config.precision,
        device=device,
    )


def _matched(
    config: "RunConfig",
    reference: "RunConfig",
    match: str,
    device: str,
    data_root: Path,
    sizes: list[int],
    path: "KernelPath",
) -> tuple["RunConfig", dict[str, Any]]:
    """Return the configuration with NAC's cost, and a report of the options that were found.

    For latency, start from the size with NAC's number of operations, divide its depth by the ratio of times, and then
    search the width at that depth.
    """
    from nacbench.contracts.model import spec_for
    from nacbench.profiling.sizing import operations_of, parameters_of, size_to

    task, model, nac = config.training_task, config.model_plugin, reference.model_plugin
    spec = spec_for(model, task.spec())
    if reason := model.unsupported(spec) or model.missing():
        raise UserError(f"model {config.model.name} on task {config.task.name}: {reason}")
    step, batch = _step_batch(config), max(sizes)

    def cost(other: "Model") -> int:
        return parameters_of(other, task) if match == "params" else operations_of(other, task).per_example(step)

    wanted = cost(nac)
    found = size_to(model, spec, lambda other: cost(other) / wanted)
    config = _resized(config, found.options)
    if match == "latency":
        beside = _subject(reference, device, data_root, path)
        _refuse_too_large(sizes, beside)

        def ratio(other: "Model") -> float:
            from nacbench.profiling.measurement import slower_than

            subject = _subject(_resized(config, other.options()), device, data_root, path)
            return slower_than(beside, subject, batch)

        start = config.model_plugin
        depth = found.options[start.resized_by[0]] if start.resized_by else 1
        found = size_to(start, spec, ratio, [max(1, round(depth / ratio(start)))])
        config = _resized(config, found.options)
    at = {"params": None, "flops": step, "latency": batch}[match]
    told = {"by": match, "batch": at, "options": found.options, "ratio": found.ratio}
    return config, {**told, "within_2_percent": found.near}


def _step_batch(config: "RunConfig") -> int:
    """Return the number of examples of a training pass on one process."""
    return config.training.batch_size // int(getattr(config.training, "accumulate", 1))


def _resized(config: "RunConfig", options: dict[str, Any]) -> "RunConfig":
    from nacbench.running.resolve import resolve

    content = config.as_dict()
    return resolve(content, {"model": {**content["model"], **options}})


def _tell_match(match: dict[str, Any]) -> None:
    batch = f"in a batch of {match['batch']}"
    names = {
        "params": "parameters",
        "flops": f"operations of an example {batch}",
        "latency": f"time for a forward pass {batch}",
    }
    options = " ".join(f"--set model.{name}={value}" for name, value in match["options"].items())
    short = "" if match["within_2_percent"] else "; no depth and width come within 2 %"
    say(f"{match['ratio']:.3f} × NAC's {names[match['by']]} with  {options}{short}")


def _describe(
    subject: "Subject",
    config: "RunConfig",
    report: dict[str, Any],
    sizes: list[int],
    seconds: float,
    *,
    as_json: bool,
) -> None:
    from nacbench.machine.hardware import describe
    from nacbench.profiling.measurement import count, measure

    found = count(subject, _step_batch(config))
    report |= {
        "options": config.as_dict()["model"],
        "precision": config.precision,
        "hardware": describe(subject.device),
        "counts": dataclasses.asdict(found),
    }
    if not as_json:
        _print_counts(found, report)
    passes = []
    for measured in measure(subject, sizes, seconds):
        passes.append(measured)
    report["passes"] = [dataclasses.asdict(item) for item in passes]
    if as_json:
        say_json(report)
    else:
        _print_passes(passes)


def _print_counts(found: "Counts", report: dict[str, Any]) -> None:
    formulas = [
        "no formula" if number is None else f"by formula {number / 1e6:,.2f} M"
        for number in (found.core_formula, found.backward_formula)
    ]
    rows = [
        ["parameters", f"{found.parameters:,}", "tokenizer included"],
        ["operations, tokenizer", f"{found.tokenizer_flops / 1e6:,.2f} M", f"an example in a batch of {found.batch}"],
        [f"operations, {report['model']}", f"{found.core_flops / 1e6:,.2f} M", formulas[0]],
        ["its backward pass", f"{found.backward_flops / 1e6:,.2f} M", formulas[1]],
        ["once a batch", f"{found.once_flops / 1e6:,.2f} M", "forward, shared by the examples"],
    ]
    print_table(["", report["task"], ""], rows, right={1})


def _print_passes(passes: list["Measured"]) -> None:
    energy = any(item.joules_per_example is not None for item in passes)
    head = ["pass", "batch", "ms", "quartiles", "examples/s", "memory MB", *(["J/example"] if energy else [])]
    rows = [
        [
            item.what,
            str(item.batch),
            f"{1e3 * item.seconds:.2f}",
            f"{1e3 * item.fast:.2f} to {1e3 * item.slow:.2f}",
            f"{item.examples_per_second:,.0f}",
            f"{item.peak_bytes / 1e6:.1f}",
            *([f"{item.joules_per_example:.3g}"] if item.joules_per_example is not None else []),
        ]
        for item in passes
    ]
    print_table(head, rows, right={1, 2, 3, 4, 5, 6})
