"""Data cards: what a task's data is, whose, under which terms, and what is wrong with it, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from nacbench.contracts.spec import TaskSpec
from nacbench.formats.escape import markdown_cell, markdown_line
from nacbench.formats.yaml_text import as_yaml
from nacbench.publishing.data_facts import Facts

MOST_CLASSES = 200  # names that are listed


def data_card(facts: Facts) -> str:
    """Return a card of a task's data."""
    return "\n\n".join(_sections(facts)) + "\n"


def _sections(facts: Facts) -> Iterator[str]:
    cls = type(facts.task)
    yield f"# {markdown_line(cls.title)}"
    doc = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
    told = doc if not doc.startswith(f"{cls.__name__}(") else ""  # a dataclass without a docstring has its signature
    yield f"Data of task `{facts.name}` of nacbench, version {cls.version}. {markdown_cell(told)}".rstrip()
    yield "\n".join(
        [
            f"- Whose and from where: {markdown_cell(cls.provenance)}",
            *(f"- Address: {markdown_cell(source)}" for source in facts.sources),
            f"- Terms of use: {markdown_cell(cls.licence)}",
            f"- To cite: {markdown_cell(cls.citation)}",
            f"- Protocol: {markdown_cell(cls.protocol)}; score: {markdown_cell(cls.metric)}",
        ]
    )
    yield f"## Splits\n\n{_splits(facts)}"
    yield f"## {'Classes' if cls.targets == 'classes' else 'Targets'}\n\n{_classes(facts)}"
    yield f"## Preparation\n\n{_as_given(facts.spec)}"
    yield f"Options of the task at scale {facts.scale}:\n\n```yaml\n{as_yaml(facts.task.options()).rstrip()}\n```"
    yield f"## Fingerprint\n\n{_fingerprint(facts)}"
    yield f"## Known problems\n\n{_problems(facts)}"


def _splits(facts: Facts) -> str:
    if not facts.sizes:
        return f"Not known here: {markdown_cell(facts.missing or '')}"
    whose = "as published, as the data is not here" if facts.missing else f"as used at scale {facts.scale}"
    rows = [f"| {markdown_cell(split)} | {count:,} |" for split, count in facts.sizes.items()]
    return "\n".join([f"Examples {whose}:", "", "| split | examples |", "|---|--:|", *rows])


def _classes(facts: Facts) -> str:
    cls = type(facts.task)
    if cls.targets != "classes":
        what = "any number of them can be true" if cls.targets == "labels" else "real numbers"
        return f"{cls.classes} {cls.targets}: {what}."
    names = [markdown_cell(name) for name in facts.class_names]
    listed = f": {', '.join(names[:MOST_CLASSES])}{' …' if len(names) > MOST_CLASSES else ''}" if names else ""
    return f"{len(names) or cls.classes}{listed}."


def _as_given(spec: TaskSpec) -> str:
    shapes = {"image": spec.image_shape, "points": spec.point_shape}
    raw = [f"{name} {'×'.join(map(str, shape))}" for name, shape in shapes.items() if shape is not None]
    words = f", and {spec.condition_tokens} of a sentence" if spec.condition_tokens else ""
    tokens = f"at most {spec.max_tokens:,} tokens of width {spec.token_dim}{words}, from the task's tokenizer"
    return f"A network gets {tokens}{'; or, if it reads them itself, ' if raw else ''}{', '.join(raw)}."


def _fingerprint(facts: Facts) -> str:
    if facts.fingerprint is None:
        return f"Not known here: {markdown_cell(facts.missing or '')}"
    return f"`{facts.fingerprint}` of the decoded examples, whatever files they are in. Every record has it."


def _problems(facts: Facts) -> str:
    if facts.missing is not None:
        return "The data was not looked at, as it is not here."
    lines = [f"- {markdown_cell(line)}" for line in facts.problems]
    return "\n".join(lines) or "None that nacbench knows of. Nobody has looked for errors or bias in single examples."
