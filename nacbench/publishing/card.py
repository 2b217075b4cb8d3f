"""Model cards: metadata as the Hugging Face hub reads it, and text for readers, both from a run's record alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nacbench.contracts.model import Model
from nacbench.contracts.task import AnyTask
from nacbench.formats.escape import markdown_cell, markdown_line, visible
from nacbench.formats.text import duration
from nacbench.formats.yaml_text import as_yaml
from nacbench.recording.record import RunRecord

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

# The hub's names of what a network does, by modality; others have none
PIPELINES = {"image": "image-classification", "text": "text-classification"}
CITATION = """@software{{nacbench,
  title = {{nacbench}},
  author = {{{{The nacbench developers}}}},
  version = {{{version}}}
}}"""
USE = """\
The network was trained for a benchmark, to compare architectures under equal conditions. It is meant for repeating the
numbers above, for studying how such networks work, and as a start for fine-tuning on similar data. It was not made for
use on people or for decisions, and it was not tested for such use."""
LIMITS = """\
- Its {classes} outputs are those of its data alone, whatever the input is.
- It was scored on examples like those that it was trained on. On others the score may be much lower.
- Errors, gaps and biases of the data are those of the network, too. Nobody has looked for them.
- One seed is one draw: other seeds of the same settings score differently."""


def model_card(record: RunRecord, task: type[AnyTask], model: type[Model], datasets: list[str], name: str) -> str:
    """Return the content of ``README.md``.

    Args:
        record: of the run.
        task: its task.
        model: its model.
        datasets: ids on the hub of the data that it was trained on; empty if it is not there.
        name: of the folder.
    """
    metadata = as_yaml(card_data(record, task, datasets, name), width=10**6)
    return f"---\n{metadata}---\n\n" + "\n\n".join(_sections(record, task, model, name)) + "\n"


def card_data(record: RunRecord, task: type[AnyTask], datasets: list[str], name: str) -> dict[str, Any]:
    """Return the metadata of a model card, as plain data for YAML."""
    from huggingface_hub import ModelCardData

    classes = task.targets == "classes"
    data: Any = ModelCardData(
        model_name=name,
        library_name="nacbench",
        license="other",
        license_name="see-the-section-licence",
        license_link="README.md",
        datasets=datasets or None,
        pipeline_tag=PIPELINES.get(record.data.modality) if classes else None,
        tags=["nacbench", record.model, record.task, record.data.modality],
        metrics=[visible(metric) for metric in record.metrics["test"]],
        eval_results=list(_eval_results(record, task, datasets)),
    )
    found: dict[str, Any] = data.to_dict()
    return found


def _eval_results(record: RunRecord, task: type[AnyTask], datasets: list[str]) -> Iterator[EvalResult]:
    """Yield every recorded number of every split."""
    from huggingface_hub import EvalResult

    kind = PIPELINES.get(record.data.modality) if task.targets == "classes" else None
    for split, numbers in record.metrics.items():
        for metric, value in numbers.items():
            yield EvalResult(
                task_type=kind or "other",
                task_name=f"{task.title} ({record.protocol})",
                dataset_type=datasets[0] if datasets else record.task,
                dataset_name=task.title,
                dataset_split=split,
                dataset_args={"fingerprint": record.data.fingerprint, "examples": record.data.splits.get(split)},
                metric_type=metric,
                metric_name=f"{split} {metric}",
                metric_value=float(value),
            )


def _sections(record: RunRecord, task: type[AnyTask], model: type[Model], name: str) -> Iterator[str]:
    data, cost = record.data, record.cost
    yield f"# {markdown_line(name)}"
    yield (
        f"{_text(model.title)}: {_text(model.idea or 'a network')}. It was trained on {_text(task.title)} by "
        f"nacbench, a benchmark suite, at scale {_text(record.scale)} with seed {record.seed} "
        f"(run `{record.run_id}`)."
    )
    yield "## How to load it"
    yield (
        "```python\nfrom nacbench import load\n\n"
        f"trained = load({json.dumps(name)})  # this folder; trained.net is the network, trained.record its record\n```"
    )
    command = f"nacbench run --task {record.task} --model {record.model} --init-from FOLDER"
    yield f"`{visible(command)}` begins another training with it."
    yield "## Results"
    yield "\n".join(_table(("split", "metric", "value", "examples"), _numbers(record)))
    yield "Numbers are as recorded: accuracy is a share between 0 and 1. " + _floors(record)
    yield "## Intended use"
    yield USE
    yield "## Limits"
    yield LIMITS.format(classes=data.classes)
    yield "## Data"
    yield "\n".join(
        [
            f"- From: {_text(task.provenance)}",
            f"- Terms of use: {_text(task.licence)}",
            f"- To cite: {_text(task.citation)}",
            f"- Examples: {', '.join(f'{_text(split)} {count:,}' for split, count in data.splits.items())}",
            f"- Fingerprint of the decoded examples: `{visible(data.fingerprint)}`",
            *(f"- Not the whole data set: {_text(line)}" for line in data.partial),
            *(f"- {_text(line)}" for line in data.notes),
        ]
    )
    yield "## Training"
    yield "\n\n".join(_training(record))
    yield f"```yaml\n{as_yaml(record.identity['config']).rstrip()}\n```"
    yield "## Cost"
    yield "\n".join(
        [
            f"- {cost.parameters:,} parameters",
            f"- {cost.forward_flops:,} operations (FLOPs) of a forward pass, per example in a batch of "
            f"{cost.flops_batch}; a multiply-add counts as two",
            f"- {duration(cost.train_seconds)} of training, {duration(cost.evaluate_seconds)} of evaluation, on "
            f"{_text(record.environment.hardware.processor)} in {_text(record.precision)}",
            f"- {cost.peak_memory_bytes / 1e9:.1f} GB of memory at the peak",
        ]
    )
    yield "## Licence"
    yield (
        "nacbench, which made the network, is Apache-2.0. The data's terms are above, and may bind the weights, too. "
        "Whoever publishes this folder states the licence of the weights here and in the metadata."
    )
    yield "## Citation"
    yield f"Model: {_text(model.citation or 'none')}\n\nData: {_text(task.citation)}"
    version = record.environment.versions.get("nacbench", "")
    yield f"Benchmark:\n\n```bibtex\n{CITATION.format(version=_text(version))}\n```"


def _training(record: RunRecord) -> Iterator[str]:
    chosen, initial = record.selection, record.initial
    averaged = ", averaged" if chosen.averaged else ""
    yield f"The weights are those of step {chosen.step:,} ({_text(chosen.rule)}{averaged})."
    if initial is not None:
        new = f"; drawn anew: {', '.join(map(_text, initial.new))}" if initial.new else ""
        yield f"Training began with the weights of {_text(initial.origin)} (digest `{initial.digest}`){new}."
    yield f"Versions: {', '.join(f'{_text(k)} {_text(v)}' for k, v in record.environment.versions.items())}."


def _numbers(record: RunRecord) -> Iterator[tuple[str, ...]]:
    for split, numbers in record.metrics.items():
        count = record.data.splits.get(split)
        for name, value in numbers.items():
            yield split, name, f"{value:.6g}", "" if count is None else f"{count:,}"


def _floors(record: RunRecord) -> str:
    answers = record.answers
    if answers is None:
        return ""
    told = f"Guessing would give {answers.chance:.4g}, always the most frequent class {answers.majority:.4g}."
    return f"{told} All predictions are the same class." if answers.constant else told


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(markdown_cell, row))} |"


def _text(text: str) -> str:
    return markdown_cell(text)
