"""When passes are captured and when they are not; the graphs here are made, those of a real GPU are in test_gpu.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.nn import cuda_graphs
from nacbench.nn.cuda_graphs import WARM_UP, GraphedPass
from nacbench.registry import MODELS
from nacbench.training.execution import Execution
from nacbench.training.steps import Stepper

from ..training.test_loop import quiet, trainer

SPEC = TaskSpec(modality="image", classes=3, max_tokens=4, token_dim=6)


class MadeGraph:
    """Computes the pass again, as a graph would, but with what was drawn on the host when it was captured."""

    def __init__(self, work: Callable[[Batch], Tensor], batch: Batch, parameters: Sequence[Parameter], seed: int):
        self.work, self.batch, self.parameters = work, batch, parameters
        self.seed: int | None = seed if getattr(work, "draws_on_host", False) else None
        self.replays = 0
        self.loss = torch.zeros(())
        self.gradients = [torch.zeros_like(p) for p in parameters]

    def replay(self) -> None:
        self.replays += 1
        if self.seed is not None:
            torch.manual_seed(self.seed)
        for parameter in self.parameters:
            parameter.grad = None
        self.loss.copy_(self.work(self.batch))
        for own, parameter in zip(self.gradients, self.parameters, strict=True):
            assert parameter.grad is not None
            own.copy_(parameter.grad)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[MadeGraph]:
    """The graphs that were captured, on a machine without a GPU."""
    captured: list[MadeGraph] = []

    def capture(work: Any, batch: Batch, parameters: Sequence[Parameter]) -> cuda_graphs.Captured:
        assert all(parameter.grad is None for parameter in parameters)
        own = Batch({name: tensor.clone() for name, tensor in batch.inputs.items()}, batch.target.clone())
        graph = MadeGraph(work, own, parameters, torch.initial_seed())
        captured.append(graph)
        return cuda_graphs.Captured(graph, own, graph.loss, graph.gradients)  # type: ignore[arg-type]

    monkeypatch.setattr(cuda_graphs, "capture", capture)
    monkeypatch.setattr(cuda_graphs, "_synchronising_is_an_error", nullcontext)
    monkeypatch.setattr(cuda_graphs, "seed_draws", lambda seed, device: torch.manual_seed(seed))
    return captured


class Pass:
    """A linear layer's loss on noisy inputs; counts how often it was computed."""

    def __init__(self, *, draws_on_host: bool = False) -> None:
        torch.manual_seed(0)
        self.net = nn.Linear(3, 2)
        self.parameters = list(self.net.parameters())
        self.calls = 0
        self.draws_on_host = draws_on_host

    def __call__(self, batch: Batch) -> Tensor:
        self.calls += 1
        loss = (self.net(batch.inputs["x"] + torch.randn(3)) * batch.target).mean()
        loss.backward()
        return loss.detach()

    def gradients(self) -> list[Tensor]:
        found = [parameter.grad for parameter in self.parameters]
        assert all(gradient is not None for gradient in found)
        return [gradient.clone() for gradient in found if gradient is not None]


def batch(seed: int, count: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch({"x": torch.randn(count, 3, generator=generator)}, target=torch.randn(count, 2, generator=generator))


def plain(seed: int, count: int = 5) -> tuple[Tensor, list[Tensor]]:
    """What a pass gives without any graph."""
    work = Pass()
    torch.manual_seed(seed)
    return work(batch(seed, count)), work.gradients()


def test_graphed_and_eager_passes_give_equal_gradients(made: list[MadeGraph]) -> None:
    work, said = Pass(), list[str]()
    graphed = GraphedPass(work, work.parameters, said.append)
    for seed in range(10):
        loss, gradients = graphed(batch(seed), seed), work.gradients()
        expected_loss, expected = plain(seed)
        torch.testing.assert_close(loss, expected_loss, rtol=0, atol=0)
        torch.testing.assert_close(gradients, expected, rtol=0, atol=0)
    assert len(made) == 1
    assert made[0].replays == 1 + 10 - WARM_UP - 1  # one to compare, and every pass since
    assert said == []


def test_replay_does_not_overwrite_earlier_losses(made: list[MadeGraph]) -> None:
    work = Pass()
    graphed = GraphedPass(work, work.parameters, print)
    losses = [graphed(batch(seed), seed) for seed in range(8)]
    assert torch.stack(losses).tolist() == [float(plain(seed)[0]) for seed in range(8)]


def test_batches_of_another_shape_run_eagerly(made: list[MadeGraph]) -> None:
    work = Pass()
    graphed = GraphedPass(work, work.parameters, pytest.fail)
    for seed in range(20):
        count = 5 if seed < 6 else 2 + seed % 4
        loss, gradients = graphed(batch(seed, count), seed), work.gradients()
        expected_loss, expected = plain(seed, count)
        assert float(loss) == float(expected_loss)
        torch.testing.assert_close(gradients, expected, rtol=0, atol=0)
    assert [len(graph.batch) for graph in made] == [5]
    assert made[0].replays == 1 + 2 + len([seed for seed in range(6, 20) if 2 + seed % 4 == 5])


def test_pass_with_random_numbers_from_python_is_not_captured(made: list[MadeGraph]) -> None:
    work, said = Pass(draws_on_host=True), list[str]()
    graphed = GraphedPass(work, work.parameters, said.append)
    losses = [float(graphed(batch(seed), seed)) for seed in range(8)]
    assert losses == [float(plain(seed)[0]) for seed in range(8)]
    assert [graph.replays for graph in made] == [1]
    assert len(said) == 1
    assert "the graph's gradients differ from the eager step's (relative difference" in said[0]


def test_pass_that_synchronises_is_not_captured(monkeypatch: pytest.MonkeyPatch, made: list[MadeGraph]) -> None:
    @contextmanager
    def found_out() -> Iterator[None]:
        yield
        raise RuntimeError("called a synchronizing CUDA operation\nmore")

    monkeypatch.setattr(cuda_graphs, "_synchronising_is_an_error", found_out)
    work, said = Pass(), list[str]()
    graphed = GraphedPass(work, work.parameters, said.append)
    assert [float(graphed(batch(seed), seed)) for seed in range(8)] == [float(plain(seed)[0]) for seed in range(8)]
    assert made == []
    assert not graphed.is_used
    assert said == [
        "training without CUDA graphs: a step synchronises with the GPU (called a synchronizing CUDA operation)"
    ]


def test_out_of_memory_during_capture_keeps_the_eager_gradients(
    monkeypatch: pytest.MonkeyPatch, made: list[MadeGraph]
) -> None:
    tries = []

    def capture(*_: Any) -> cuda_graphs.Captured:
        tries.append(1)
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(cuda_graphs, "capture", capture)
    work, said = Pass(), list[str]()
    graphed = GraphedPass(work, work.parameters, said.append)
    for seed in range(8):
        loss, gradients = graphed(batch(seed), seed), work.gradients()
        assert float(loss) == float(plain(seed)[0])
        torch.testing.assert_close(gradients, plain(seed)[1], rtol=0, atol=0)
    assert len(tries) == 1
    assert said == ["training without CUDA graphs: not enough GPU memory for the graph's own tensors"]


@pytest.mark.parametrize(
    ("name", "options", "capturable"),
    [
        ("nac", {}, True),
        ("nac", {"prior": "scale-free", "sparsity_weight": 0.1}, True),
        ("nac", {"module_dropout": 0.5}, False),
        ("neural-interpreter", {}, True),
        ("perceiver", {}, True),
        ("perceiver-io", {}, True),
        ("transformer", {}, True),
        ("universal-transformer", {}, True),
        ("floor-linear", {}, True),
    ],
)
def test_capturable_of_each_network(name: str, options: dict[str, Any], capturable: bool) -> None:
    core = MODELS.get(name).configured("model", "tiny", options).build(SPEC)
    assert getattr(core, "capturable", False) is capturable


@pytest.mark.parametrize(
    ("changes", "execution", "expected"),
    [
        ({}, {"device": "cuda"}, True),
        ({}, {"device": "cpu"}, False),
        ({}, {"device": "cuda", "cuda_graphs": False}, False),
        ({"accumulate": 2}, {"device": "cuda"}, False),
    ],
)
def test_steps_are_captured_on_one_gpu_without_accumulation(
    tmp_path: Path, changes: dict[str, Any], execution: dict[str, Any], expected: bool
) -> None:
    steps = trainer(tmp_path)._stepper
    steps.recipe = steps.recipe.model_copy(update=changes)
    steps.execution = Execution(**execution)
    core = steps.net.get_submodule("core")
    assert steps.is_capturable() is expected
    core.module_dropout = 0.5  # type: ignore[assignment]
    assert not steps.is_capturable()


@pytest.mark.parametrize("prior", ["none", "scale-free"])
def test_training_with_and_without_graphs_gives_equal_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[MadeGraph], prior: str
) -> None:
    def trained(folder: str) -> tuple[bool, dict[str, Tensor]]:
        it = trainer(tmp_path / folder, options={"prior": prior})
        weights = it.train(quiet(it)).state_dict()
        assert it._stepper._graphed is None
        return it.captured, {name: tensor.clone() for name, tensor in weights.items()}

    plain_captured, expected = trained("plain")
    monkeypatch.setattr(Stepper, "is_capturable", lambda self: True)
    captured, weights = trained("graphs")
    assert (plain_captured, captured, len(made)) == (False, True, 1)
    assert made[0].replays > 5
    torch.testing.assert_close(weights, expected, rtol=1e-3, atol=1e-4)  # the losses are summed in another order
