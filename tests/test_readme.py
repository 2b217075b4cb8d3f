"""The README's examples work as they stand."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.recording.index import read_runs
from nacbench.registry import MODELS, TASKS
from nacbench.reporting.series import group
from nacbench.reporting.tables.table import percent
from nacbench.sweep.config import parse_sweep

from .conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
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


def test_its_table_is_that_of_the_committed_report() -> None:
    report = (REPOSITORY / "results/mini-report/table.md").read_text()
    section = report.partition("## Models side by side")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 18
    assert "\n".join(table) in README


def test_its_demo_gives_what_the_committed_records_have() -> None:
    for item in group(read_runs(REPOSITORY / "results/demo").runs):
        assert f"{item.first.model} {percent(item.score)}" in README


@pytest.mark.parametrize(("task", "kept"), [("digits-pruned", 5), ("cifar10-pruned", 10), ("cifar10-pruned", 5)])
def test_its_speed_ups_are_those_of_committed_records(task: str, kept: int) -> None:
    (series,) = [s for s in group(read_runs(REPOSITORY / "results/circuits-128").runs) if s.first.task == task]
    faster = series.metric("speedup", f"kept/{kept}")
    lost = series.mean(lambda run: 1 - run.numbers(f"kept/{kept}")["accuracy"] / run.numbers("kept/100")["accuracy"])
    assert faster is not None
    text, loss = " ".join(README.split()), f"{100 * lost.value:.1f} ± {100 * lost.half_width:.1f} %"
    assert re.search(rf"{faster.value:.1f} times( as fast)? with( a loss of)? {loss}", text), (faster, lost)


def test_its_costs_are_those_of_the_committed_benchmarks() -> None:
    def reached(machine: str, what: str) -> str:
        rows = json.loads((REPOSITORY / "results" / "bench" / f"{machine}.json").read_text())["steps"]["rows"]
        (value,) = (row["reached"] for row in rows if row["what"] == f"{what}: NAC over Perceiver IO")
        return f"{value:.2f} ×"

    xeon, gpu = "intel-r-xeon-r-processor-2-threads", "nvidia-h200"
    step, inference = "training step, Tiny-ImageNet", "inference, Tiny-ImageNet"
    assert [cells(line)[1:] for line in README.splitlines() if line.startswith(("| a training", "| inference"))] == [
        [reached(xeon, f"{step}, bf16"), reached(gpu, f"{step}, batch 256, bf16"), "1.15 ×"],
        [reached(xeon, f"{inference}, batch 8"), reached(gpu, f"{inference}, batch 256"), "1.05 ×"],
    ]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
