"""``nacbench profile``: what it counts, measures, and how it sizes a baseline."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.kernels import path
from nacbench.kernels.path import in_use
from nacbench.profiling import measurement
from nacbench.profiling.energy import energy_meter
from nacbench.profiling.measurement import Measured, Subject
from nacbench.registry import TASKS

QUICK = ["--scale", "smoke", "--seconds", "0", "--precision", "fp32"]


def profiled(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["profile", *words, *QUICK, "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "profile-cache"))


@pytest.mark.parametrize("task", ["digits", "parametric-shapes", "listops-short", "nlvr-synthetic"])
@pytest.mark.parametrize("model", ["nac", "perceiver-io"])
def test_counts_and_passes(task: str, model: str) -> None:
    found = profiled("--task", task, "--model", model, "--batch-sizes", "1,4")
    counts, passes = found["counts"], found["passes"]
    assert isinstance(counts, dict)
    assert isinstance(passes, list)
    assert counts["core_flops"] == counts["core_formula"]
    assert counts["backward_flops"] == counts["backward_formula"]
    assert counts["batch"] == TASKS.get(task).recipes["smoke"].batch_size
    assert (counts["once_flops"] > 0) == (model == "nac" and task != "nlvr-synthetic")
    assert (counts["tokenizer_flops"] > 0) == (task != "parametric-shapes")  # whose tokens are a fixed formula
    assert [(item["what"], item["batch"]) for item in passes] == [
        (what, batch) for batch in (1, 4) for what in ("inference", "training step")
    ]
    for item in passes:
        assert 0 < item["fast"] <= item["seconds"] <= item["slow"]
        assert item["examples_per_second"] == pytest.approx(item["batch"] / item["seconds"])
        assert item["peak_bytes"] > (4 if item["what"] == "inference" else 16) * counts["parameters"]
        assert item["joules_per_example"] is None
    assert set(passes[0]) == {*Measured.__dataclass_fields__}


def test_tables_show_counts_and_passes() -> None:
    done = CliRunner().invoke(app, ["profile", "--task", "digits", "--model", "vit", "--batch-sizes", "2", *QUICK])
    assert done.exit_code == 0, (done.output, done.exception)
    for text in ("parameters", "operations, vit", "by formula", "training step", "quartiles"):
        assert text in done.stdout
    assert "J/example" not in done.stdout


@pytest.mark.parametrize("by", ["params", "flops", "latency"])
def test_match_sizes_a_baseline_to_nac(by: str) -> None:
    found = profiled("--task", "digits", "--model", "transformer", "--batch-sizes", "1", "--match", by)
    match, options = found["match"], found["options"]
    assert isinstance(match, dict)
    assert isinstance(options, dict)
    assert {**options, **match["options"]} == options
    assert match["within_2_percent"] == (abs(match["ratio"] - 1) <= 0.02)
    if by != "latency":
        nac = profiled("--task", "digits", "--model", "nac", "--batch-sizes", "1")["counts"]
        own = found["counts"]
        assert isinstance(nac, dict)
        assert isinstance(own, dict)
        what = {"params": "parameters", "flops": "core_flops"}[by]
        assert own[what] / nac[what] == pytest.approx(match["ratio"])
        assert match["within_2_percent"]
        assert match["batch"] == (own["batch"] if by == "flops" else None)


def test_a_baseline_is_as_fast_as_nac_with_the_kernels_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    own = []

    def slower(nac: Subject, other: Subject, batch: int) -> float:
        own.append(in_use(next(nac.net.parameters())))
        return 1.0

    monkeypatch.setattr(path, "why_not", lambda device, say: None)
    monkeypatch.setattr(measurement, "slower_than", slower)
    words = ["--task", "digits", "--model", "transformer", "--batch-sizes", "1", "--match", "latency"]
    assert profiled(*words)["model"] == "transformer"
    assert own
    assert all(own)
    assert not in_use(torch.zeros(1))


def test_operations_are_those_of_the_batch_that_is_used() -> None:
    """NAC's projections of codes are shared by the examples of a batch, of a micro-batch if it is cut into those."""

    def counts(*settings: str) -> dict[str, int]:
        words = [word for setting in settings for word in ("--set", f"training.{setting}")]
        found: Any = profiled("--task", "digits", "--model", "nac", "--batch-sizes", "1", *words)["counts"]
        return dict(found)

    large, small = counts("batch_size=128"), counts("batch_size=64", "accumulate=8")
    assert (large["batch"], small["batch"]) == (128, 8)
    assert large["once_flops"] == small["once_flops"]
    assert small["core_flops"] - large["core_flops"] == pytest.approx(large["once_flops"] * (1 / 8 - 1 / 128), abs=1)


def test_match_prints_options_for_run() -> None:
    words = ["--task", "digits", "--model", "transformer", "--batch-sizes", "1", "--match", "params"]
    done = CliRunner().invoke(app, ["profile", *words, *QUICK])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "× NAC's parameters with  --set model.depth=" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "nac", "--batch-sizes", "1,x"], "--batch-sizes 1,x: give whole numbers"),
        (["--model", "nac", "--batch-sizes", "0"], "--batch-sizes 0: give whole numbers"),
        (["--model", "nac", "--batch-sizes", "1,5000"], "--batch-sizes 5000 is more than the 1199 training examples"),
        (["--model", "vit", "--match", "size"], "size"),
        (["--model", "floor-linear", "--match", "params"], "cannot be resized"),
        (["--model", "dgcnn", "--match", "params"], "model dgcnn on task digits: it takes points only"),
    ],
)
def test_wrong_options_are_refused(words: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["profile", "--task", "digits", *words, *QUICK])
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)


@pytest.mark.parametrize("match", [[], ["--match", "params"]])
def test_an_evaluation_task_names_the_task_to_profile(match: list[str]) -> None:
    done = CliRunner().invoke(app, ["profile", "--task", "digits-c", "--model", "vit", *match, *QUICK])
    assert "scores a network trained on task digits" in str(done.exception)
    assert done.stdout == ""  # not the size of a match that is refused


def test_a_batch_that_is_too_large_is_refused_before_a_size_is_told() -> None:
    words = ["--task", "digits", "--model", "vit", "--match", "params", "--batch-sizes", "5000"]
    done = CliRunner().invoke(app, ["profile", *words, *QUICK])
    assert str(done.exception).startswith("--batch-sizes 5000 is more than")
    assert done.stdout == ""


def test_nac_has_the_task_and_precision_that_are_set_for_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a baseline on coarser patches has the time of a NAC on finer ones."""
    beside = []

    def slower(nac: Subject, other: Subject, batch: int) -> float:
        beside.append([(own.live.spec.max_tokens, own.precision) for own in (nac, other)])
        return 1.0

    monkeypatch.setattr(measurement, "slower_than", slower)
    words = ["--task", "digits", "--model", "transformer", "--batch-sizes", "1", "--match", "latency"]
    profiled(*words, "--set", "task.patch=2", "--set", "precision=bf16", "--set", "model.depth=3")
    assert beside
    assert all(nac == other for nac, other in beside)
    assert beside[0][0][1] == "bf16"


def test_nac_has_the_scale_that_is_set_for_the_baseline() -> None:
    mini = ["--set", "scale=mini", "--batch-sizes", "1"]
    found: Any = profiled("--task", "digits", "--model", "transformer", "--match", "params", *mini)
    nac: Any = profiled("--task", "digits", "--model", "nac", *mini)
    assert found["scale"] == "mini"
    assert found["counts"]["parameters"] / nac["counts"]["parameters"] == pytest.approx(found["match"]["ratio"])


# -- a GPU's meter, which no machine for tests has ---------------------------------------------------------------------


def made_nvml(millijoules: list[int]) -> types.ModuleType:
    nvml = types.ModuleType("pynvml")
    nvml.NVMLError = type("NVMLError", (Exception,), {})  # type: ignore[attr-defined]

    def energy(handle: str) -> int:
        assert handle == "GPU-1234"
        if not millijoules:
            raise nvml.NVMLError
        return millijoules.pop(0)

    nvml.nvmlInit = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByUUID = lambda uuid: uuid  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetTotalEnergyConsumption = energy  # type: ignore[attr-defined]
    return nvml


def test_the_meter_counts_joules_of_the_gpu_that_torch_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(uuid="1234"))
    monkeypatch.setitem(sys.modules, "pynvml", made_nvml([0, 1500, 4000]))
    meter = energy_meter("cuda")
    assert meter is not None
    assert (meter(), meter()) == (1.5, 4.0)
    monkeypatch.setitem(sys.modules, "pynvml", made_nvml([]))
    assert energy_meter("cuda") is None
    assert energy_meter("cpu") is None


def test_profile_is_listed_in_help(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["profile", "--help"])
    assert done.exit_code == 0
    assert "--match" in done.stdout
