"""`--compile auto`: compile where it pays by the run's own length, and stay on the path that a run began on."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from nacbench.contracts.compiling import compile_choice
from nacbench.contracts.spec import Batch
from nacbench.errors import UserError
from nacbench.training import compiling
from nacbench.training.compiling import Trial, compiled
from nacbench.training.execution import Execution
from nacbench.training.interrupt import Interrupted
from nacbench.training.loop import Trainer

from .test_loop import Linear, StopAfter, assert_same, quiet, train, trainer

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")


@needs_compiler
def test_a_compiled_network_draws_the_random_numbers_of_an_eager_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    def sampled(x: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.rand_like(x) < 0.5, x, torch.randn_like(x)) + nn.functional.dropout(x, 0.3)

    x = torch.ones(4, 50)
    torch.manual_seed(3)
    eager = sampled(x)
    torch.manual_seed(3)
    torch.testing.assert_close(compiled(sampled)(x), eager)


@needs_compiler
@pytest.mark.parametrize("before", [None, "/tmp/torchinductor_me"])  # torch sets its default when it is imported
def test_compiled_code_is_kept_in_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", before or "")
    if before is None:
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    torch.compiler.reset()
    compiled(lambda x: x.sin() + x)(torch.ones(5))
    assert list((tmp_path / "compiled" / "code").rglob("*.py"))


class Times(torch.autograd.Function):
    """A product with a number, whose gradient has its sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return abs(factor) * x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * grads[0], None


@needs_compiler
def test_code_of_an_own_gradient_is_taken_from_the_cache_and_not_for_that_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    found = []
    for factor in (2, -2, 2):
        torch.compiler.reset()  # as in a new process
        counters.clear()
        x = torch.ones(5, requires_grad=True)
        compiled(lambda x, factor=factor: Times.apply(x, factor).sin())(x).sum().backward()
        assert x.grad is not None
        torch.testing.assert_close(x.grad, (factor * torch.tensor(2.0).cos()).expand(5))
        found.append(counters["aot_autograd"]["autograd_cache_hit"])
    assert found == [0, 0, 1]


@pytest.mark.parametrize(
    ("given", "choice"), [(True, "on"), (False, "off"), ("on", "on"), ("off", "off"), ("auto", "auto")]
)
def test_the_setting_is_a_word_or_yes_or_no(given: object, choice: str) -> None:
    assert compile_choice(given) == choice


@pytest.mark.parametrize(("given", "named"), [("yes", "'yes'"), (1, "1"), (None, "None")])
def test_any_other_setting_is_refused(given: Any, named: str) -> None:
    with pytest.raises(UserError, match=f"^compile = {named}: give auto, on or off$"):
        Execution(compile=given)


# -- what auto decides -------------------------------------------------------------------------------------------------


class Clock:
    """A thread's clock that only networks move: 0.1 s for an eager pass, ``compiled`` seconds for a compiled one."""

    def __init__(self, compiled: float) -> None:
        self.compiled = compiled
        self.compiled_networks = 0
        self.now = 0.0

    def thread_time(self) -> float:
        return self.now

    def compile(self, net: nn.Module) -> Callable[[Tensor], Tensor]:
        self.compiled_networks += 1

        def fast(x: Tensor) -> Tensor:
            y: Tensor = net(x)
            self.now += self.compiled - 0.1
            return y

        return fast


class Counting(nn.Module):
    """A network with a buffer that every pass changes."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.clock = clock
        self.passes: Tensor
        self.register_buffer("passes", torch.zeros(()))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Counting":
        twin = Counting(self.clock)
        twin.load_state_dict(copy.deepcopy(self.state_dict(), memo))
        return twin

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        self.clock.now += 0.1
        y: Tensor = self.layer(x)
        return y


@pytest.fixture
def trial_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock, int], Trial]:
    """Return a function that makes a trial of a network, with a cache of the test's own."""
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path))

    def make(clock: Clock, passes: int) -> Trial:
        monkeypatch.setattr("nacbench.training.compiling.time.thread_time", clock.thread_time)
        monkeypatch.setattr(compiling, "compiled", clock.compile)
        return Trial(
            net=Counting(clock),
            loss_of=lambda net, batch: net(batch.inputs["x"]).sum(),
            batch=Batch({"x": torch.ones(2, 3)}, torch.zeros(2, dtype=torch.long)),
            graphs=False,
            passes=passes,
            about=("cpu",),
        )

    return make


Make = Callable[[Clock, int], Trial]


def test_a_run_that_is_too_short_for_any_network_is_not_compiled(trial_of: Make) -> None:
    clock, said = Clock(compiled=0.01), list[str]()
    assert not trial_of(clock, 740).decide(said.append)
    assert clock.compiled_networks == 0
    assert said == [
        "compile auto: not compiled: it would save 37 s at most of 740 passes of 100 ms, and take 1 min 40 s"
    ]


def test_a_long_run_is_compiled_if_a_trial_shows_that_it_pays(trial_of: Make) -> None:
    clock, said = Clock(compiled=0.07), list[str]()
    trial = trial_of(clock, 10_000)
    assert trial.decide(said.append)
    assert said == [
        "compile auto: compiling a copy of the network to time it, about 1 min 40 s",
        "compile auto: compiled: a compiled pass takes 0.70 of an eager one's time, "
        "which saves 5 min of 10,000 passes of 100 ms",
    ]
    assert isinstance(trial.net, Counting) and trial.net.passes == 0  # only a copy made passes
    assert trial.net.layer.weight.grad is None


def test_a_network_that_compiling_makes_slower_is_tried_once_on_a_machine(trial_of: Make) -> None:
    clock, said = Clock(compiled=0.105), list[str]()
    assert not trial_of(clock, 10_000).decide(said.append)
    assert not trial_of(clock, 10_000).decide(said.append)
    assert clock.compiled_networks == 1
    assert said[1:] == [
        "compile auto: not compiled: a compiled pass takes 1.05 of an eager one's time",
        "compile auto: not compiled: a compiled pass took 1.05 of an eager one's time in an earlier run",
    ]


def test_what_is_compiled_already_pays_for_a_shorter_run(trial_of: Make) -> None:
    clock = Clock(compiled=0.07)
    assert not trial_of(clock, 1_000).decide(print)
    assert trial_of(clock, 10_000).decide(print)
    assert trial_of(clock, 1_000).decide(print)  # it would save 30 s, and the code is there
    other_precision = replace(trial_of(clock, 1_000), about=("bf16",))
    assert not other_precision.decide(print)  # other code


def test_a_machine_that_cannot_compile_goes_on_without(trial_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, said = trial_of(Clock(compiled=0.07), 10_000), list[str]()

    def refuse(net: nn.Module) -> None:
        raise RuntimeError("no C++ compiler\nand more")

    monkeypatch.setattr(compiling, "compiled", refuse)
    assert not trial.decide(said.append)
    assert said[1:] == [
        "compile auto: not compiled: it cannot be compiled here (RuntimeError: no C++ compiler and more)"
    ]


# -- the path of a run -------------------------------------------------------------------------------------------------


def with_choice(folder: Path, choice: Any, **changes: Any) -> Trainer:
    execution = Execution(show_progress=False, checkpoint_seconds=1e9, compile=choice)
    return trainer(folder, execution=execution, **changes)


@pytest.mark.parametrize("decided", [True, False])
def test_auto_decides_once_for_a_run_that_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decided: bool
) -> None:
    networks: list[Any] = []

    def keep(net: Any) -> Any:
        networks.append(net)
        return net

    monkeypatch.setattr("nacbench.training.steps.compiled", keep)
    monkeypatch.setattr(Trial, "decide", lambda self, say: decided)
    cut = with_choice(tmp_path, "auto", stop=StopAfter(4))
    with pytest.raises(Interrupted):
        cut.train(quiet(cut))
    monkeypatch.setattr(Trial, "decide", lambda self, say: not decided)
    resumed = with_choice(tmp_path, "auto")
    resumed.train(quiet(resumed))
    assert len(networks) == (2 if decided else 0)
    assert resumed.status.compiled is decided


def test_another_choice_does_not_change_a_run_that_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nacbench.training.steps.compiled", lambda net: pytest.fail("compiled"))
    expected = train(with_choice(tmp_path / "whole", "off"))
    cut = with_choice(tmp_path / "cut", "off", stop=StopAfter(4))
    with pytest.raises(Interrupted):
        cut.train(quiet(cut))
    assert_same(train(with_choice(tmp_path / "cut", "on")), expected)
    told = "going on without torch.compile, as the run began; with it, last digits would differ"
    assert told in (tmp_path / "cut" / "log.txt").read_text()


class Noisy(Linear):
    """A network that is compiled in seconds, and whose draws show whether each step has its own seed."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(nn.functional.gelu(image), 0.5, self.training))


@needs_compiler
def test_a_compiled_run_that_is_resumed_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = with_choice(tmp_path / "whole", "on", net=Noisy())
    expected = train(whole)
    assert whole.status.compiled
    cut = with_choice(tmp_path / "cut", "on", stop=StopAfter(4), net=Noisy())
    with pytest.raises(Interrupted):
        cut.train(quiet(cut))
    torch.compiler.reset()  # as in a new process, which compiles again
    assert_same(train(with_choice(tmp_path / "cut", "auto", net=Noisy())), expected)
    eager = train(with_choice(tmp_path / "eager", "off", net=Noisy()))
    assert any(not torch.equal(expected[name], eager[name]) for name in expected)  # other digits: it was compiled
    for name, tensor in eager.items():
        torch.testing.assert_close(expected[name], tensor, rtol=1e-2, atol=1e-3)
