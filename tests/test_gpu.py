"""What only a machine with an NVIDIA GPU can show: ``make test-gpu``."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.model import input_shape
from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.nac.attention import attend
from nacbench.nn.cuda_graphs import WARM_UP, GraphedPass
from nacbench.profiling.energy import energy_meter
from nacbench.recording.index import read_runs
from nacbench.registry import MODELS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU"),
]
SPEC = TaskSpec(modality="image", classes=5, max_tokens=16, token_dim=24, image_shape=(3, 16, 16))
CAPTURED = ["nac", "neural-interpreter", "perceiver", "perceiver-io", "transformer", "universal-transformer", "vit"]


def core_of(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    plain = {"prior": "none"} if name == "nac" else {}
    return MODELS.get(name).configured("model", "tiny", {**plain, **options}).build(SPEC).cuda().train()


def batch(name: str, seed: int) -> Batch:
    shape = input_shape(MODELS.get(name), SPEC)
    assert shape is not None
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(SPEC.classes, (6,), generator=generator)
    return Batch({"tokens": torch.randn(6, *shape, generator=generator)}, labels).to("cuda")


class Pass:
    """Forward and backward pass of a core; counts how often Python computed it."""

    def __init__(self, core: nn.Module, dtype: torch.dtype) -> None:
        self.core, self.dtype, self.calls = core, dtype, 0

    def __call__(self, batch: Batch) -> torch.Tensor:
        self.calls += 1
        with torch.autocast("cuda", self.dtype, enabled=self.dtype != torch.float32):
            loss = F.cross_entropy(self.core(**batch.inputs).float(), batch.target)
        loss.backward()
        return loss.detach()


@pytest.mark.parametrize("name", CAPTURED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_graph_gradients_equal_eager_ones_and_follow_weights_and_seeds(name: str, dtype: torch.dtype) -> None:
    first = core_of(name)
    second = copy.deepcopy(first)
    said: list[str] = []
    works = Pass(first, dtype), Pass(second, dtype)
    graphed = GraphedPass(works[0], list(first.parameters()), said.append)
    optimizers = [torch.optim.AdamW(core.parameters(), lr=1e-3, fused=True) for core in (first, second)]
    for step in range(12):
        loss = graphed(batch(name, step), step)
        torch.manual_seed(step)
        expected = works[1](batch(name, step))
        torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-3)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert said == []
    assert (works[0].calls, works[1].calls) == (WARM_UP + 2, 12)  # the warm-up, the capture, what it is compared with
    weights = [nn.utils.parameters_to_vector(core.parameters()) for core in (first, second)]
    # of all together: what has no gradient but rounding (the bias of a key) goes its own way
    assert float((weights[0] - weights[1]).norm() / weights[1].norm()) < (1e-3 if dtype == torch.float32 else 0.02)


def test_random_numbers_of_a_graph_follow_the_seed() -> None:
    core = core_of("nac")
    graphed = GraphedPass(Pass(core, torch.float32), list(core.parameters()), pytest.fail)
    for step in range(WARM_UP + 1):
        graphed(batch("nac", 0), step)
    once, again, other = (float(graphed(batch("nac", 0), seed)) for seed in (7, 7, 8))
    assert once == pytest.approx(again, abs=1e-6)
    assert abs(once - other) > 1e-5


def test_pass_that_synchronises_runs_eagerly() -> None:
    class Waits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(SPEC.token_dim, SPEC.classes)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.last(tokens.mean(1))
            return logits * (2.0 if float(tokens.sum()) > 0 else 1.0) + torch.rand_like(logits)

    core, said = Waits().cuda(), list[str]()
    graphed = GraphedPass(Pass(core, torch.float32), list(core.parameters()), said.append)
    for step in range(8):
        loss = graphed(batch("nac", step), step)
        torch.manual_seed(step)
        assert float(loss) == pytest.approx(float(Pass(core, torch.float32)(batch("nac", step))), abs=1e-6)
    assert len(said) == 1
    assert "synchronises with the GPU" in said[0]
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert torch.cuda.get_sync_debug_mode() == 0


def test_run_on_a_gpu_is_the_same_with_and_without_graphs(tmp_path: Path) -> None:
    losses, captured = [], []
    for place, extra in (("with", []), ("without", ["--no-cuda-graphs"])):
        command = ["run", "--task", "digits", "--model", "nac", "--scale", "smoke", "--device", "cuda", "--quiet"]
        command += ["--set", "model.prior=scale-free"]
        out = tmp_path / place
        done = CliRunner().invoke(app, [*command, "--out", str(out), *extra])
        assert done.exit_code == 0, done.output
        captured.append(next(iter(read_runs(out).runs)).record().environment.cuda_graphs)
        (curve,) = out.rglob("curve.jsonl")
        rows = [json.loads(line) for line in curve.read_text().splitlines()]
        losses.append([row["loss"] for row in rows if row["split"] == "train"][:10])
    assert captured == [True, False]
    assert len(losses[0]) == 10
    assert losses[0] == pytest.approx(losses[1], rel=0.02)  # sums on a GPU come in no fixed order


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_with_a_learned_bias_agrees_with_float64(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    exact = [torch.randn(2, 3, 40, 16, dtype=torch.float64) for _ in range(3)]
    bias = F.logsigmoid(torch.randn(2, 1, 40, 40, dtype=torch.float64))
    found = []
    for made in ((exact, bias), ([x.to("cuda", dtype) for x in exact], bias.to("cuda", dtype))):
        inputs = [x.clone().requires_grad_() for x in (*made[0], made[1])]
        result = attend(*inputs)
        found.append([result, *torch.autograd.grad(result.square().sum(), inputs)])
    for ours, true in zip(found[1], found[0], strict=True):
        assert float((ours.double().cpu() - true).norm() / true.norm()) < (1e-5 if dtype == torch.float32 else 2e-2)


def test_loader_batches_are_in_pinned_memory() -> None:
    data: Any = [Batch({"tokens": torch.ones(2, 3)}, torch.zeros(2)) for _ in range(3)]
    for made in DataLoader(data, batch_size=None, pin_memory=True):
        assert made.inputs["tokens"].is_pinned()
        assert made.target.is_pinned()


def test_energy_meter_increases() -> None:
    meter = energy_meter("cuda")
    assert meter is not None
    before = meter()
    x = torch.randn(4096, 4096, device="cuda")
    for _ in range(400):
        x = (x @ x).tanh()
    torch.cuda.synchronize()
    assert meter() > before
