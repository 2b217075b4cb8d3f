"""The README's examples work as they stand."""

import itertools
import json
import re
from functools import partial
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.model import spec_for
from nacbench.recording.index import read_runs
from nacbench.recording.row import Run
from nacbench.registry import MODELS, TASKS
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.table import percent
from nacbench.running.resolve import resolve
from nacbench.sweep.read_sweep import parse_sweep

from .conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
MINI = group(read_runs(REPOSITORY / "results/mini").runs)
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("index", "name"), [(0, "my-baseline"), (1, "my-digits")])
def test_an_example_passes_the_conformance_checks(tmp_path: Path, index: int, name: str) -> None:
    file = tmp_path / f"{name.replace('-', '_')}.py"
    file.write_text(BLOCKS[index])
    try:
        done = CliRunner().invoke(app, ["check", name, "--plugin", str(file)])
    finally:
        TASKS.forget_files()
        MODELS.forget_files()
    assert done.exit_code == 0, done.output


def test_an_example_is_twenty_lines_or_so() -> None:
    assert all(len(block.splitlines()) <= 22 for block in BLOCKS)


def test_the_commands_it_names_exist() -> None:
    for target in re.findall(r"make ([a-z-]+)`?", README, re.MULTILINE):
        assert f"\n{target}:" in (REPOSITORY / "Makefile").read_text()
    lines = re.findall(r"^    nacbench (.*)", README, re.MULTILINE)
    words = re.findall(r"nacbench ((?:data|sweep|paper) \w+|[a-z]+)\b", "\n".join(f"nacbench {line}" for line in lines))
    assert len(set(words)) > 15
    for verb in words:
        assert CliRunner().invoke(app, [*verb.split(), "--help"]).exit_code == 0, verb


def test_its_sweep_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    sweep = parse_sweep(yaml.safe_load(block), REPOSITORY / "mine.yaml")
    assert len(sweep.expand()) == 2 * 2 * 5 * 2
    assert sweep.profile.executor == "slurm"


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    assert all((REPOSITORY / picture).is_file() for picture in pictures)


def test_its_table_has_the_largest_task_of_each_kind_as_the_committed_report_does() -> None:
    report = (REPOSITORY / "results/mini-report/table.md").read_text().partition("## Models side by side")[2]
    head, *rows = table(report)
    examples = {row[0].removesuffix(" (part)"): int(row[2].replace(",", "")) for row in rows}
    assert len(examples) == 18

    def kind(task: str) -> tuple[str, str]:
        cls = TASKS.get(task)
        return cls.protocol, cls.modality if cls.protocol == "supervised" else ""

    most = {kind(task): max(n for other, n in examples.items() if kind(other) == kind(task)) for task in examples}
    largest = [row for task, row in zip(examples, rows, strict=True) if examples[task] == most[kind(task)]]
    shown = [
        number
        for number in range(len(head))
        if number not in (1, 2) and any(row[number] != "—" for row in largest)  # nor columns of which nothing is known
    ]
    assert table(README) == [[row[number] for number in shown] for row in (head, *largest)]


def test_its_demo_gives_what_the_committed_records_have() -> None:
    for item in group(read_runs(REPOSITORY / "results/demo").runs):
        assert f"{item.first.model} {percent(item.score)}" in README


def test_its_floors_are_those_of_committed_records() -> None:
    scores = {item.first.task: percent(item.score) for item in group(read_runs(REPOSITORY / "results/floors").runs)}
    text = " ".join(README.split())
    assert f"gets {scores['cifar10']} on CIFAR-10" in text
    assert f"ListOps {scores['listops-short']}, parametric shapes {scores['parametric-shapes']}" in text
    notes = " ".join((REPOSITORY / "results/README.md").read_text().split())
    assert f"{scores.pop('cifar10')} % on CIFAR-10" in notes
    assert all(score in notes for score in scores.values())


@pytest.mark.parametrize(
    ("said", "task"),
    [
        ("synthetic language-and-vision (", "nlvr-synthetic"),
        ("parametric shapes (", "parametric-shapes"),
        ("ListOps (", "listops-short"),
        ("and CIFAR-10 (", "cifar10"),
        ("few examples (CIFAR-10: ", "lowshot-cifar10"),
        ("robustness (Tiny-ImageNet-C: ", "tiny-imagenet-c"),
    ],
)
def test_its_differences_are_those_of_committed_records(said: str, task: str) -> None:
    nac, baseline = (mini(task, model) for model in ("nac", "perceiver-io"))
    difference = nac.against(baseline)
    assert difference is not None
    points = f"{100 * difference.value:+.1f} ± {100 * difference.half_width:.1f}"
    assert f"{said}{points}" in " ".join(README.split())


def test_the_sizes_of_its_models_are_those_of_committed_records() -> None:
    tasks = dict.fromkeys(own.first.task for own in MINI if own.first.protocol != "pruned")
    parameters: dict[str, list[float]] = {}
    operations: list[float] = []
    for own in (mini(task, own.first.model) for task in tasks for own in MINI if own.first.task == task):
        nac = mini(own.first.task, "nac").first
        if own.first.model != "nac":
            parameters.setdefault(own.first.model, []).append(own.first.parameters / nac.parameters)
            operations.append(in_training(own.first) / in_training(nac))
    ours = parameters.pop("perceiver-io")
    assert f"perceiver-io has {100 * min(ours) - 100:.0f} to {100 * max(ours) - 100:.0f} % more parameters" in README
    assert all(0.9 < ratio < 1.1 for ratios in parameters.values() for ratio in ratios)
    assert f"({min(operations):.1f} to {max(operations):.1f} times nac's)" in README


def test_operations_in_the_notes_on_results_are_those_of_the_training_s_batch() -> None:
    """Their records are older and have those of one example, to which NAC's work of a whole batch is added."""
    text = " ".join((REPOSITORY / "results/README.md").read_text().split())
    at_one: dict[str, list[float]] = {}
    at_batch: dict[str, list[float]] = {}
    for own in (mini(item.first.task, item.first.model) for item in MINI if item.first.protocol != "pruned"):
        if own.first.model == "nac":
            continue
        ours, theirs = mini(own.first.task, "nac").first, own.first
        name = theirs.model + (" nlvr" if theirs.model == "perceiver-io" and "nlvr" in theirs.task else "")
        at_one.setdefault(name, []).append(theirs.forward_flops / ours.forward_flops)
        at_batch.setdefault(name, []).append(in_training(theirs) / in_training(ours))
    ranges = {name: [f"{min(own):.2f}", f"{max(own):.2f}"] for name, own in at_batch.items()}
    perceiver, nlvr = (" to ".join(ranges["perceiver-io"]), " and ".join(ranges["perceiver-io nlvr"]))
    assert f"Perceiver IO {perceiver} of NAC's ({nlvr} on the NLVR tasks" in text
    assert f"ViT {' to '.join(ranges['vit'])}, Transformer {' to '.join(ranges['transformer'])}." in text
    before = [at_one["perceiver-io"] + at_one["perceiver-io nlvr"], at_one["vit"], at_one["transformer"]]
    assert f"({', '.join(f'{min(own):.2f} to {max(own):.2f}' for own in before)})" in text


def in_training(run: Run) -> float:
    """The operations of an example in a batch of the training, where the record has those of one example."""
    assert run.flops_batch == 1
    config = resolve(run.record().identity["config"])
    model, spec = config.model_plugin, spec_for(config.model_plugin, config.training_task.spec())
    formula = model.operations(spec, spec.max_tokens, spec.condition_tokens)
    assert formula is not None
    batch = (config.trained_on or config).training.batch_size
    return run.forward_flops - formula.once * (1 - 1 / batch)


@pytest.mark.parametrize(("task", "kept"), [("digits-pruned", 5), ("cifar10-pruned", 10), ("cifar10-pruned", 5)])
def test_its_speed_ups_are_those_of_committed_records(task: str, kept: int) -> None:
    (series,) = [s for s in group(read_runs(REPOSITORY / "results/circuits-128").runs) if s.first.task == task]
    faster = series.metric("speedup", f"kept/{kept}")
    lost = series.mean(lambda run: 1 - run.numbers(f"kept/{kept}")["accuracy"] / run.numbers("kept/100")["accuracy"])
    assert faster is not None
    text, loss = " ".join(README.split()), f"{100 * lost.value:.1f} ± {100 * lost.half_width:.1f} %"
    assert re.search(rf"{faster.value:.1f} times( as fast)? with( a loss of)? {loss}", text), (faster, lost)


def test_its_costs_are_those_of_the_committed_benchmarks() -> None:
    def reached(machine: str, part: str, what: str) -> str:
        rows = json.loads((REPOSITORY / "results" / "bench" / f"{machine}.json").read_text())[part]["rows"]
        (value,) = (row["reached"] for row in rows if row["what"] == f"{what}: NAC over Perceiver IO")
        return f"{value:.2f} ×"

    amd = partial(reached, "amd-epyc-2-threads", "steps")
    xeon = partial(reached, "intel-r-xeon-r-processor-1-threads-against-fc01c9e9", "published")
    assert [cells(line)[1:] for line in README.splitlines() if line.startswith(("| a training", "| inference"))] == [
        [amd("training step, Tiny-ImageNet, fp32"), xeon("training step, published size, bf16"), "1.10 ×"],
        [amd("inference, Tiny-ImageNet, fp32, batch 8"), xeon("inference, batch 8, published size, bf16"), "1.05 ×"],
    ]


def test_its_comparison_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = re.findall(r"^    nacbench (compare .*?)(?:  .*)?$", README, re.MULTILINE)
    monkeypatch.chdir(REPOSITORY)
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 0, done.output
    assert "better than" in " ".join(done.output.split())


def test_it_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.split()) < 1800
    targets = [target.partition("#")[0] for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", README)]
    assert [target for target in targets if "://" not in target and not (REPOSITORY / target).exists()] == []


def test_its_tree_has_every_folder() -> None:
    (tree,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    inside = re.findall(r"^  (\w+)/", tree, re.MULTILINE)
    there = {file.parent.name for file in (REPOSITORY / "nacbench").glob("*/__init__.py")}
    assert {*inside, "tasks", "baselines"} == there
    assert [folder for folder in re.findall(r"\b(\w+)/", tree) if not list(REPOSITORY.glob(f"**/{folder}"))] == []


# -- reading the page and the records ----------------------------------------------------------------------------------


def table(text: str) -> list[list[str]]:
    """The cells of the first table of a text, without the rule below its head."""
    lines = itertools.dropwhile(lambda line: not line.startswith("|"), text.splitlines())
    return [cells(line) for line in itertools.takewhile(lambda line: line.startswith("|"), lines) if "---" not in line]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def mini(task: str, model: str) -> Series:
    """The runs of a model as the table has them: circuits that were trained for pruning are another row."""
    (found,) = [
        own
        for own in MINI
        if (own.first.task, own.first.model) == (task, model) and "module_dropout=0.95" not in own.variant
    ]
    return found
