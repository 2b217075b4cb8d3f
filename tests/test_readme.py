"""The README's examples work as they stand."""

import json
import re
from csv import DictReader
from functools import partial
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.recording.index import read_runs
from nacbench.registry import MODELS, TASKS
from nacbench.reporting.series import group
from nacbench.reporting.tables.table import percent
from nacbench.sweep.read_sweep import parse_sweep
from results.rebuild import cells, claims_table, front_table, lead, table_after

from .committed import MINI, RUNS, lost, plain
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


def test_its_table_has_every_task_of_both_models_as_the_committed_report_does() -> None:
    report = (REPOSITORY / "results/mini-report/table.md").read_text()
    assert table_after(README) == front_table(report)


def test_its_demo_gives_what_the_committed_records_have() -> None:
    for item in group(read_runs(REPOSITORY / "results/demo").runs):
        assert f"{item.first.model} {percent(item.score)}" in README


@pytest.mark.parametrize(
    ("said", "task", "ahead", "behind"),
    [
        ("PointNet++ (", "parametric-shapes", "pointnet2", "nac"),
        ("PointNet (", "parametric-shapes", "pointnet", "nac"),
        ("DGCNN (", "parametric-shapes", "dgcnn", "nac"),
        ("a Transformer (", "parametric-shapes", "transformer", "nac"),
        ("ahead of Perceiver IO on synthetic NLVR (", "nlvr-synthetic", "nac", "perceiver-io"),
        ("of a ViT on corrupted digits (", "digits-c", "nac", "vit"),
        ("a linear layer on the mean token on parametric shapes (", "parametric-shapes", "nac", "floor-linear"),
        ("and ListOps (", "listops-short", "nac", "floor-linear"),
        ("few examples (CIFAR-10: +", "lowshot-cifar10", "nac", "perceiver-io"),
        ("robustness (Tiny-ImageNet-C: +", "tiny-imagenet-c", "nac", "perceiver-io"),
    ],
)
def test_its_differences_are_those_of_committed_records(said: str, task: str, ahead: str, behind: str) -> None:
    points = lead(plain(task, ahead), plain(task, behind)).removeprefix("+").removesuffix(" ¶")
    assert f"{said}{points}" in " ".join(README.split())


def test_its_range_of_differences_is_that_of_committed_records() -> None:
    ours = plain("parametric-shapes", "nac")
    rivals = [plain("parametric-shapes", name) for name in ("set-transformer", "point-transformer", "perceiver")]
    found = [difference for rival in rivals if (difference := rival.against(ours))]
    leads, widths = [100 * one.value for one in found], [100 * one.half_width for one in found]
    assert f"by {min(leads):.1f} to {max(leads):.1f} (± {max(widths):.1f}), Set Transformer" in README


def test_it_names_every_comparison_that_is_decided() -> None:
    with (REPOSITORY / "results" / "mini-report" / "decisions.csv").open() as file:
        rows = [row for row in DictReader(file) if row["kind"] == "comparison"]
    decided = {(row["task"], row["question"]): row["verdict"] for row in rows if row["decided_at"]}
    behind = ("pointnet2", "pointnet", "dgcnn", "transformer", "set-transformer", "point-transformer", "perceiver")
    assert decided == {
        **{("parametric-shapes", f"nac - {model}"): "worse" for model in behind},
        **{(task, "nac - floor-linear"): "better" for task in ("parametric-shapes", "listops-short")},
        ("digits-c", "nac - vit"): "better",
        ("nlvr-synthetic", "nac - perceiver-io"): "better",
    }
    notes = (REPOSITORY / "results" / "mini-report" / "table.md").read_text()
    assert "(Holm; 67 in all," in notes and "Holm over 67 comparisons" in README
    assert {row["margin"] for row in rows} == {"1.0"}


def test_its_verdicts_are_those_of_the_claims() -> None:
    found = {name: (verdict, measured) for name, _, verdict, measured in claims_table(RUNS)[1:]}
    assert "NAC is competitive with Perceiver IO on points, symbols and bytes" in " ".join(README.split())
    assert {found[f"competitive-{what}"][0] for what in ("points", "symbols", "bytes")} == {"agrees"}
    verdict, measured = found["speed-up"]
    times = re.findall(r"speedup (\d+\.\d+) ± (\d+\.\d+)", measured)[0]
    assert verdict == "disagrees"
    assert f"8 × by fewer modules for 3 % (Tiny-ImageNet: {float(times[0]):.1f} ± {float(times[1]):.1f})" in README


def test_of_the_tasks_it_names_no_model_is_above_the_floor() -> None:
    named = "On digits, Omniglot, reviews and Tiny-ImageNet no model is shown to be above the linear layer."
    assert named in README
    rows = {row[0]: row[2:] for row in table_after(README)}
    for task in ("digits", "omniglot", "imdb-bytes (part)", "tiny-imagenet (part)"):
        assert all("‡" in cell for cell in rows[task] if cell != "—"), task


def test_the_sizes_of_its_models_are_those_of_committed_records() -> None:
    parameters: dict[str, list[float]] = {}
    operations: list[float] = []
    for task, model in {(own.first.task, own.first.model): None for own in MINI if own.first.protocol != "pruned"}:
        if model == "nac" or model.startswith("floor-"):
            continue
        ours, theirs = plain(task, "nac").first, plain(task, model).first
        parameters.setdefault(model, []).append(theirs.parameters / ours.parameters)
        operations.append(theirs.forward_flops / ours.forward_flops)
    deeper = parameters.pop("perceiver-io")
    more = f"{100 * min(deeper) - 100:.0f} to {100 * max(deeper) - 100:.0f} % more parameters"
    assert f"perceiver-io has {more}" in README
    assert all(0.9 < ratio < 1.1 for ratios in parameters.values() for ratio in ratios)
    assert f"({min(operations):.1f} to {max(operations):.1f} times nac's)" in README


@pytest.mark.parametrize("kept", [15, 10, 5])
def test_its_speed_ups_are_those_of_committed_records(kept: int) -> None:
    (series,) = [own for own in MINI if own.first.task == "parametric-shapes-pruned"]
    faster = series.metric("speedup", f"kept/{kept}")
    assert faster is not None
    text, loss = " ".join(README.split()), f"{lost(series, kept)} %"
    assert re.search(rf"{faster.value:.1f} times( as fast)? with( a loss of)? {loss}", text), (faster, loss)


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
    prose = [line for line in README.splitlines() if not line.startswith("|")]
    assert len(" ".join(prose).split()) < 1441  # 1,800 with the tables of the first ten tasks, which grow
    targets = [target.partition("#")[0] for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", README)]
    assert [target for target in targets if "://" not in target and not (REPOSITORY / target).exists()] == []


def test_its_tree_has_every_folder() -> None:
    (tree,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    inside = re.findall(r"^  (\w+)/", tree, re.MULTILINE)
    there = {file.parent.name for file in (REPOSITORY / "nacbench").glob("*/__init__.py")}
    assert {*inside, "tasks", "baselines"} == there
    assert [folder for folder in re.findall(r"\b(\w+)/", tree) if not list(REPOSITORY.glob(f"**/{folder}"))] == []
