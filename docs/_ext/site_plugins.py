"""Tables of all tasks and models, and a section for each, from the registry."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from site_fields import allowed, shown
from site_markdown import code, entries, escaped, explained, prose, table

if TYPE_CHECKING:
    from nacbench.contracts.model import Model
    from nacbench.contracts.plugin import Plugin
    from nacbench.contracts.task import AnyTask

MIRROR = Path("DATA")  # stands for the user's own


def tasks() -> str:
    """The table of all tasks, each linked to its section."""
    rows = [
        [
            f"[`{name}`](task-reference.md#{name})",
            escaped(cls.title),
            cls.modality,
            cls.protocol,
            str(cls.classes),
            cls.metric,
            code(_trained_on(cls)) or "—",
            cls.origin.whose,
            _where_from(cls),
        ]
        for name, cls in _sorted_tasks()
    ]
    head = ["name", "title", "modality", "protocol", "classes", "metric", "network of", "`paper` is", "data"]
    return table(head, rows, right=[4])


def task_reference() -> str:
    """A section for each task: what it says of itself, its options, and its recipes."""
    from nacbench.registry import PROTOCOLS

    sections = [_task_section(name, cls) for name, cls in _sorted_tasks()]
    return "\n".join([*sections, *(_protocol_section(ending) for ending in PROTOCOLS.entries())])


def _sorted_tasks() -> list[tuple[str, type[AnyTask]]]:
    """The built-in tasks: those that train first, then by protocol, modality and name."""
    from nacbench.registry import TASKS

    loaded, broken = TASKS.load_all()
    assert not broken, broken
    built_in = {name for name, entry in TASKS.entries().items() if entry.origin == "built in"}
    modalities = list(dict.fromkeys(cls.modality for cls in loaded.values()))
    found = [(name, cls) for name, cls in loaded.items() if name in built_in]

    def place(own: tuple[str, type[AnyTask]]) -> tuple[bool, str, int, str]:
        name, cls = own
        return bool(_trained_on(cls)), cls.protocol, modalities.index(cls.modality), name

    return sorted(found, key=place)


def _trained_on(cls: type[AnyTask]) -> str:
    """The task that the network comes from; empty for a task that trains its own."""
    from nacbench.contracts.task import EvaluationTask

    return cls.trained_on if issubclass(cls, EvaluationTask) else ""


def _task_section(name: str, cls: type[AnyTask]) -> str:
    scales = ", ".join(cls.recipes)
    other = _trained_on(cls)
    network = f"network of [`{other}`](#{other})" if other else "trains its own network"
    facts = [
        f"**{escaped(cls.title)}** · {cls.modality} · {cls.protocol}, {network} · {cls.classes:,} classes · metric "
        f"{cls.metric} · scales {scales} · version {cls.version}",
        f"Licence: {escaped(cls.licence)}",
        f"Citation: {escaped(cls.citation)}",
        f"Provenance: {escaped(cls.provenance)}",
        f"Settings of scale `paper`: {escaped(str(cls.origin))}",
        *(f"Data: {line}" for line in _data_lines(name, cls)),
    ]
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"## {name}\n\n{prose(cls)}\n\n{listed}\n\n{_settings_by_scale(cls)}"


def _protocol_section(ending: str) -> str:
    """What the tasks of a protocol have in common, as its task for digits shows."""
    from nacbench.registry import TASKS

    cls = TASKS.get(f"digits-{ending}")
    own_settings = bool(_trained_on(cls))  # a task that trains has the settings of the task that it is made from
    about = (
        f"For every task `X` that trains a network the protocol `{ending}` makes a task `X-{ending}`. "
        "Title, licence, citation and data are those of `X`"
        f"{'; options and recipes are the same for all.' if own_settings else ', and so are options and recipes.'}"
    )
    described = prose(cls) or prose(cls.__mro__[1])
    return f"## X-{ending}\n\n{about}\n\n{described}\n\n{_settings_by_scale(cls) if own_settings else ''}"


def _where_from(cls: type[AnyTask]) -> str:
    """In a word, what has to be done for the data."""
    from nacbench import LocalFiles

    found = cls().data_files()
    if not found:
        return "always there"
    return "by hand" if any(isinstance(files, LocalFiles) for files in found) else "fetched"


def _data_lines(name: str, cls: type[AnyTask]) -> Iterator[str]:
    from nacbench import LocalFiles

    found = cls().data_files()
    if not found:
        yield "always there, nothing to fetch"
    for files in found:
        verb = "import" if isinstance(files, LocalFiles) else "fetch"
        path = " PATH" if verb == "import" else ""
        place = files.place(MIRROR).relative_to(MIRROR)
        yield f"`{place}/` in the mirror; `nacbench data {verb} {name}{path}` ({escaped(files)})"


def _settings_by_scale(cls: type[AnyTask]) -> str:
    from nacbench.formats.dotted import flatten

    options = _options_table(cls, "task", list(cls.recipes))
    by_scale = {s: flatten(r.model_dump(mode="json", exclude_unset=True)) for s, r in cls.recipes.items()}
    keys = list(dict.fromkeys(key for values in by_scale.values() for key in values))
    rows = [[code(f"training.{key}"), *(code(by_scale[s].get(key, "")) for s in by_scale)] for key in keys]
    recipe = table(["recipe", *by_scale], rows, right=range(1, 1 + len(by_scale)))
    return f"{options}\n{recipe}"


READS = {"tokens": "tokens", "image": "the raw image", "points": "the raw points"}


def models() -> str:
    """The table of all models."""
    rows = [
        [
            f"[`{name}`](#{name})",
            escaped(cls.title),
            escaped(cls.idea),
            READS[cls.reads],
            "apart" if cls.conditional else "among the tokens" if cls.reads == "tokens" else "—",
            ", ".join(_modalities(cls)),
            escaped(cls.citation),
        ]
        for name, cls in _models().items()
    ]
    return table(["name", "title", "idea", "reads", "a sentence", "modalities", "citation"], rows)


def model_libraries() -> str:
    """Whose layers each model is made of, who keeps them, and what installs them."""
    rows = [
        [
            f"`{name}`",
            code(cls.library) or "nacbench",
            escaped(cls.kept_by) or "here",
            code(f"pip install 'nacbench[{cls.extra}]'") if cls.extra else "nacbench itself",
        ]
        for name, cls in _models().items()
    ]
    return table(["model", "layers of", "kept by", "installed with"], rows)


def _modalities(cls: type[Model]) -> list[str]:
    """Those of the tasks that train which the model can do, each once."""
    from nacbench.contracts.model import spec_for
    from nacbench.contracts.task import Task

    model = cls.configured("model", "paper" if "paper" in cls.presets else next(iter(cls.presets), ""), {})
    specs = [task().spec() for _, task in _sorted_tasks() if issubclass(task, Task)]
    return list(dict.fromkeys(spec.modality for spec in specs if not model.unsupported(spec_for(model, spec))))


def model_costs() -> str:
    """Parameters and operations of every size, for the reference images; of networks of points for ModelNet40."""
    from nacbench.conformance import reference_task
    from nacbench.contracts.task import SCALES, scale_of
    from nacbench.profiling.sizing import operations_of, parameters_of
    from nacbench.registry import usual_size

    rows = []
    for name, cls in _models().items():
        example = reference_task(cls)
        for size in cls.presets or [usual_size(example, scale, cls) for scale in SCALES]:
            model = cls.configured("model", size, {})
            task = example.configured("task", scale_of(size), {})
            operations = operations_of(model, task)
            millions = [f"{part / 1e6:,.1f}" for part in (operations.example, operations.once)]
            rows.append([f"`{name}`", size, f"{parameters_of(model, task):,}", *millions])
    head = ["model", "size", "parameters", "operations an example (millions)", "once a batch (millions)"]
    return table(head, rows, right=[2, 3, 4])


def model_reference() -> str:
    """A section for each model: what it is, and its options by size."""
    sections = []
    for name, cls in _models().items():
        sizes = list(cls.presets)
        about = prose(cls) if name != "nac" else "See [the circuit](circuit.md) for what it computes."
        sections.append(f"### {name}\n\n{about}\n\n{_options_table(cls, 'model', sizes)}")
    return "\n".join(sections)


def _models() -> Mapping[str, type[Model]]:
    from nacbench.registry import MODELS

    loaded, broken = MODELS.load_all()
    assert not broken, broken
    return {name: cls for name, cls in loaded.items() if MODELS.entries()[name].origin == "built in"}


def _options_table(cls: type[Plugin], section: str, presets: list[str]) -> str:
    """The options of a plug-in with their defaults and what its presets make of them."""
    from pydantic import TypeAdapter

    fields = dataclasses.fields(cls)
    if not fields:
        return ""
    schema = TypeAdapter(cls).json_schema()["properties"]
    meanings = _meanings(cls)
    named = [preset for preset in presets if cls.presets.get(preset)]
    rows = [
        [
            code(f"{section}.{field.name}"),
            escaped(_with_names(meanings.get(field.name, ""), schema[field.name])),
            escaped("name" if "enum" in schema[field.name] else allowed(schema[field.name])),
            code(shown(field.default)),
            *(code(shown(cls.presets[preset].get(field.name, ""))) for preset in named),
        ]
        for field in fields
    ]
    head = ["option", "what", "value", "default", *named]
    if not any(row[1] for row in rows):
        head, rows = [head[0], *head[2:]], [[row[0], *row[2:]] for row in rows]
    return table(head, rows, right=range(len(head) - len(named) - 1, len(head)))


def _with_names(meaning: str, schema: Mapping[str, Any]) -> str:
    """What an option means, and where it is one of a few names, these."""
    names = [str(name) for name in schema.get("enum", ())]
    if not names or all(f"``{name}``" in meaning for name in names):
        return meaning
    listed = ", ".join(f"`{name}`" for name in names)
    return f"{meaning}; one of {listed}" if meaning else f"one of {listed}"


def _meanings(cls: type[Plugin]) -> dict[str, str]:
    """From the docstrings; where one refers to another class for the options, from that one's."""
    found = explained(cls)
    for base in cls.__mro__:
        if match := re.match(r"See `([\w.]+)\.(\w+)` for what each option means", base.__dict__.get("__doc__") or ""):
            found |= entries(_docstring(match[1], match[2]))
    return found


def _docstring(module: str, name: str) -> str:
    """A class's docstring, from its source: its module would bring torch along."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return ast.get_docstring(found) or ""
