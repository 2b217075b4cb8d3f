"""``nacbench models NAME``: print one model's facts, sizes, what it can do, and its options with their meanings."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from nacbench.cli.shared.settings_tables import Settings, print_facts
from nacbench.cli.shared.tables import print_table
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.contracts.model import Model
    from nacbench.contracts.task import Task

FACTS = ("title", "idea", "reads", "citation", "library", "kept_by")


def print_model(name: str, task: str | None, as_json: bool) -> None:
    """Print a model's facts, its sizes, the tasks that it can do, and its options.

    Args:
        name: of the model.
        task: count parameters and operations for this one; None: for a task that all models of its kind can do.
        as_json: print JSON.

    Raises:
        UserError: if no model or task has this name, or it cannot be loaded.
    """
    about = about_model(name, task)
    if as_json:
        say_json(about)
        return
    print_facts([(key.replace("_", " "), about[key]) for key in ("name", *FACTS)])
    print_facts([("install", about["missing"] or about["install"]), ("origin", about["origin"])])
    for modality, own in about["tasks"].items():
        print_facts([("can do", f"{modality}: {_can(own)}")])
    rows = [
        [size, own["scale"], _number(own["parameters"]), _number(own["operations_per_example"])]
        for size, own in about["sizes"].items()
    ]
    print_table(["size", "used at scale", "parameters", "operations per example"], rows, right={2, 3})
    say(
        f"Tokenizer included in parameters, not in operations (forward pass; a multiply-add is two); "
        f"for {about['counted_for']}."
    )
    about_options = about["meanings"]["model"]
    Settings(section="model", about=about_options, defaults=about["options"], by_preset=about["presets"]).print()


def about_model(name: str, task: str | None) -> dict[str, Any]:
    """Return what `print_model` prints as JSON-compatible data: operations are FLOPs of a forward pass."""
    from nacbench.conformance import reference_task
    from nacbench.contracts.described import option_texts
    from nacbench.registry import MODELS, TASKS

    cls = MODELS.get(name)
    counted = TASKS.training(task) if task else reference_task(cls)
    entry = MODELS.find(name)
    extra = f"'nacbench[{cls.extra}]'" if cls.extra else ""
    return {
        "name": name,
        **{fact: getattr(cls, fact) for fact in FACTS},
        "extra": cls.extra,
        "install": f"pip install {extra}" if extra else "with nacbench",
        "missing": cls.missing(),
        "origin": entry.origin if entry else None,
        "counted_for": counted.title,
        "sizes": _sizes(cls, counted),
        "options": cls.defaults(),
        "presets": {size: dict(values) for size, values in cls.presets.items()},
        "meanings": {"model": option_texts(cls)},
        "tasks": _tasks(cls),
    }


def _sizes(cls: "type[Model]", task: "type[Task]") -> dict[str, dict[str, Any]]:
    """Return scale, parameters and operations of each size; a reason instead of numbers if it cannot do the task."""
    from nacbench.cli.shared.parameter_counts import count_and_keep, kept_count
    from nacbench.contracts.model import spec_for
    from nacbench.contracts.task import SCALES, scale_of
    from nacbench.registry import usual_size

    used = {scale: usual_size(task, scale, cls) for scale in SCALES}
    found = {}
    for size in cls.presets or dict.fromkeys(used.values()):
        model, made = cls.configured("model", size, {}), task.configured("task", scale_of(size), {})
        why = cls.missing() or model.unsupported(spec_for(model, made.spec()))
        counts: dict[str, Any] = {"parameters": why, "operations_per_example": why}
        if not why:
            from nacbench.profiling.sizing import operations_of

            known = kept_count(model, made)
            counts["parameters"] = count_and_keep(model, made) if known is None else known
            counts["operations_per_example"] = operations_of(model, made).forward(1)
        found[size] = {"scale": " ".join(scale for scale, own in used.items() if own == size), **counts}
    return found


def _tasks(cls: "type[Model]") -> dict[str, dict[str, Any]]:
    """Return by modality which tasks that train a network the model can do at scale mini, and why not the others."""
    from nacbench.cli.shared.broken import noted
    from nacbench.contracts.model import spec_for
    from nacbench.contracts.task import Task
    from nacbench.errors import UserError
    from nacbench.registry import TASKS, usual_size

    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"can": [], "cannot": {}})
    for name, task in TASKS.load_all()[0].items():
        if not issubclass(task, Task):
            continue
        why, broken = None, dict[str, str]()
        with noted(TASKS, name, broken):  # another plug-in
            try:
                model = cls.configured("model", usual_size(task, "mini", cls), {})
                why = model.unsupported(spec_for(model, task.configured("task", "mini", {}).spec()))
            except UserError as error:
                why = str(error)
        if why := broken.get(name, why):
            found[task.modality]["cannot"][name] = why
        else:
            found[task.modality]["can"].append(name)
    return dict(sorted(found.items()))


def _can(own: dict[str, Any]) -> str:
    """Return which tasks a model can do, and for what reasons not the others, as one line."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, why in own["cannot"].items():
        reasons[why].append(name)
    told = [f"not {', '.join(names)}: {why}" for why, names in reasons.items()]
    if not own["can"]:
        return "; ".join(f"no: {why}" for why in reasons)
    return "; ".join([", ".join(own["can"]), *told])


def _number(count: int | str) -> str:
    return f"{count:,}" if isinstance(count, int) else count
