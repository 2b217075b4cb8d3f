"""Conformance checks: all built-in tasks and models pass, and plug-ins that violate the interface fail."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nacbench.conformance import MODEL_CHECKS, TASK_CHECKS, ReferenceImages, check_plugin, checks_of
from nacbench.contracts.model import Model
from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.contracts.task import LiveTask
from nacbench.data.live import TrainBatches
from nacbench.errors import UserError
from nacbench.protocols.corrupted import Corrupted
from nacbench.registry import MODELS, TASKS
from tests.conftest import MIRROR


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS.entries())
def test_built_in_model(name: str, check: Any) -> None:
    check(MODELS.get(name))


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, id=f"{name}-{check.__name__}")
        for name in [*TASKS.entries(), "digits-pruned", "listops-tuning"]
        for check in checks_of(TASKS.get(name))
    ],
)
def test_built_in_task(name: str, check: Any, made_mirror: Path) -> None:
    """Check on the real data if it exists, otherwise on the miniature."""
    real = TASKS.get(name)().missing(MIRROR) is None
    check(TASKS.get(name), MIRROR if real else made_mirror)


@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
def test_the_reference_images_pass(check: Any, tmp_path: Path) -> None:
    check(ReferenceImages, tmp_path)


def test_check_reports_each_result_by_name() -> None:
    results = list(check_plugin("nac", Path()))
    assert len(results) == len(MODEL_CHECKS)
    assert all(result.kind == "model" and result.problem is None for result in results)


def test_without_assertions_nothing_is_said_to_pass() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-m", "nacbench", "check", "digits"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: Python leaves out what the checks consist of: unset PYTHONOPTIMIZE, or do not use python -O\n"
    )


def test_check_of_an_unknown_name_suggests_one() -> None:
    with pytest.raises(UserError, match="did you mean 'digits'"):
        list(check_plugin("digit", Path()))


class MeanCore(nn.Module):
    """A linear layer on the mean of the tokens: the smallest valid model."""

    def __init__(self, spec: TaskSpec) -> None:
        super().__init__()
        self.logits = nn.Linear(spec.token_dim, spec.classes)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        weight = torch.ones(tokens.shape[:2]) if mask is None else mask.float()
        logits: Tensor = self.logits((tokens * weight[..., None]).sum(1) / weight.sum(1, keepdim=True))
        return logits


@dataclass(frozen=True, kw_only=True)
class Good(Model):
    title = "Mean"

    def build(self, spec: TaskSpec) -> nn.Module:
        return MeanCore(spec)


class IgnoresMask(MeanCore):
    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(tokens)


class Noisy(MeanCore):
    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(tokens, mask) + torch.randn(())


class HasIdleParameter(MeanCore):
    def __init__(self, spec: TaskSpec) -> None:
        super().__init__(spec)
        self.idle = nn.Parameter(torch.zeros(3))


class MixesExamples(MeanCore):
    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        logits = super().forward(tokens, mask)
        return logits - logits.mean(dim=0)


class WrongShape(MeanCore):
    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(tokens, mask)[:, :-1]


class SeedsItself(MeanCore):
    def __init__(self, spec: TaskSpec) -> None:
        torch.manual_seed(7)
        super().__init__(spec)


def failing(cls: type[Model]) -> set[str]:
    """Return the names of the checks that a model fails."""
    failed = set()
    for check in MODEL_CHECKS:
        try:
            check(cls)
        except (AssertionError, UserError):
            failed.add(check.__name__)
    return failed


def test_a_minimal_model_passes() -> None:
    assert failing(Good) == set()


@pytest.mark.parametrize(
    ("core", "check"),
    [
        (IgnoresMask, "model_ignores_padding"),
        (Noisy, "model_is_deterministic"),
        (MixesExamples, "model_is_deterministic"),
        (HasIdleParameter, "model_learns_with_all_its_parameters"),
        (WrongShape, "model_gives_logits"),
        (SeedsItself, "model_is_seeded"),
    ],
)
def test_a_broken_model_fails(core: type[MeanCore], check: str) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Broken(Model):
        title = "broken"

        def build(self, spec: TaskSpec) -> nn.Module:
            return core(spec)

    assert check in failing(Broken)


def test_a_model_that_is_not_a_dataclass_fails() -> None:
    class Undecorated(Good):
        depth: int = 2

    assert "model_is_configurable" in failing(Undecorated)


def test_a_task_whose_batches_depend_on_the_clock_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make = TrainBatches.__getitem__

    def shifted(self: TrainBatches, step: int) -> Batch:
        batch = make(self, step)
        return Batch({k: v + torch.rand(()) for k, v in batch.inputs.items()}, batch.target)

    monkeypatch.setattr(TrainBatches, "__getitem__", shifted)
    failed = []
    for check in TASK_CHECKS:
        try:
            check(ReferenceImages, tmp_path)
        except AssertionError:
            failed.append(check.__name__)
    assert failed == ["task_batches_are_pure", "task_draws_leave_no_trace"]


def test_a_task_that_evaluates_out_of_order_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build = ReferenceImages.build

    def shuffled(self: ReferenceImages, data_root: Path, recipe: Any) -> LiveTask:
        live = build(self, data_root, recipe)
        score = live.evaluate

        def evaluate(net: nn.Module, split: str, batch_size: int) -> Any:
            outcome = score(net, split, batch_size)
            outcome.predictions["index"][:] = outcome.predictions["index"][::-1].copy()
            return outcome

        monkeypatch.setattr(live, "evaluate", evaluate)
        return live

    monkeypatch.setattr(ReferenceImages, "build", shuffled)
    check = next(check for check in TASK_CHECKS if check.__name__ == "task_evaluates")
    with pytest.raises(AssertionError, match="in order"):
        check(ReferenceImages, tmp_path)


def test_an_evaluation_task_that_changes_the_network_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = Corrupted.evaluate

    def adapting(self: Corrupted, net: nn.Module, split: str, batch_size: int) -> Any:
        next(net.parameters()).add_(1)
        return evaluate(self, net, split, batch_size)

    monkeypatch.setattr(Corrupted, "evaluate", adapting)
    problems = {result.check: result.problem for result in check_plugin("digits-c", Path()) if result.problem}
    assert list(problems) == ["Evaluating a network does not change its weights"]
    assert "adapt a copy" in str(problems)
