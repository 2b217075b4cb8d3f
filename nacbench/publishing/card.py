"""Model cards: metadata as the Hugging Face hub reads it, and text for readers, both from a run's record alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.model import Model
from nacbench.contracts.recipe import BEST_TEST
from nacbench.contracts.task import AnyTask
from nacbench.formats.escape import markdown_cell, markdown_line, visible
from nacbench.formats.text import duration
from nacbench.formats.yaml_text import as_yaml
from nacbench.publishing.again import beginning, loading
from nacbench.recording.record import RunRecord
from nacbench.recording.task_marks import CHOSEN_ON_TEST, marked_task, other_data
from nacbench.reporting.names import scored_on
from nacbench.reporting.record_numbers import numbers_of

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


def model_card(
    record: RunRecord,
    task: type[AnyTask],
    model: type[Model],
    datasets: list[str],
    name: str,
    *,
    shape: Sequence[str] = (),
    plugins: Sequence[str] = (),
) -> str:
    """Return the content of ``README.md``.

    Args:
        record: of the run.
        task: its task.
        model: its model.
        datasets: ids on the hub of the data that it was trained on; empty if it is not there.
        name: of the folder.
        shape: settings without which a network would have another shape; see `nacbench.publishing.again.shape_of`.
        plugins: files of the plug-ins that it needs.
    """
    metadata = as_yaml(card_data(record, task, datasets, name), width=10**6)
    return f"---\n{metadata}---\n\n" + "\n\n".join(_sections(record, task, model, name, shape, plugins)) + "\n"


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
    """Yield every recorded number, under a name of the data that tells what tables mark, too: a part of it, say."""
    from huggingface_hub import EvalResult

    kind = PIPELINES.get(record.data.modality) if task.targets == "classes" else None
    marked = marked_task(
        task.title, other_data(record.identity["config"]), bool(record.data.partial), record.selection.rule
    )
    partial = {"partial": [visible(line) for line in record.data.partial]} if record.data.partial else {}
    for one in numbers_of(record):
        if one.told is None:
            continue
        yield EvalResult(
            task_type=kind or "other",
            task_name=f"{task.title} ({record.protocol})",
            dataset_type=datasets[0] if datasets else record.task,
            dataset_name=marked,
            dataset_split=one.told,
            dataset_args={"fingerprint": record.data.fingerprint, "examples": one.examples, **partial},
            metric_type=one.name,
            metric_name=f"{one.told} {one.name}",
            metric_value=float(one.value),
        )


def _sections(
    record: RunRecord,
    task: type[AnyTask],
    model: type[Model],
    name: str,
    shape: Sequence[str],
    plugins: Sequence[str],
) -> Iterator[str]:
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
        f"trained = {loading(name, plugins)}  # this folder; trained.net is the network, trained.record its record\n```"
    )
    yield "Another training begins with it by:"
    yield f"```bash\n{visible(beginning(record, shape, plugins))}\n```"
    yield "## Results"
    yield "\n".join(_table(("split", "metric", "value", "95 % interval", "examples"), _numbers(record)))
    yield (
        "Numbers are as recorded: accuracy is a share between 0 and 1. Intervals are over the examples; they say "
        "nothing of other seeds."
    )
    yield from _conditions(record)
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
    for one in numbers_of(record):
        if one.told is not None:
            ends = "" if one.interval is None else " to ".join(f"{end:.4g}" for end in one.interval)
            yield one.told, one.name, f"{one.value:.6g}", ends, "" if one.examples is None else f"{one.examples:,}"


def _conditions(record: RunRecord) -> Iterator[str]:
    """Yield what the score has to be held against, a paragraph each."""
    kind, answers = scored_on(" ".join(record.data.notes)), record.answers
    if answers is not None:
        told = f"On the {kind} examples, guessing would give an accuracy of {answers.chance:.4g}, always the most "
        constant = " All predictions are the same class." if answers.constant else ""
        yield f"{told}frequent class {answers.majority:.4g}.{constant}"
    if record.data.partial:
        yield f"This is not the whole data set, but another task: {'; '.join(map(_text, record.data.partial))}."
    if kind != "test":
        yield f"The run is a trial of tuning: it was scored on {kind} examples, and never on test examples."
    if record.selection.rule == BEST_TEST:
        yield f"{CHOSEN_ON_TEST[0].upper()}{CHOSEN_ON_TEST[1:]}."


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(markdown_cell, row))} |"


def _text(text: str) -> str:
    return markdown_cell(text)
