"""Which kernels compute: decided once for a run, said, recorded, and kept when a run is repeated."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from nacbench.api import load, run
from nacbench.cli import app
from nacbench.contracts.kernels import KernelSetting
from nacbench.errors import UserError
from nacbench.kernels import path
from nacbench.kernels.path import KernelPath, in_use, path_of_run
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.profiling.counting import backward_flops, forward_flops
from nacbench.recording.store import LOG
from nacbench.recording.surroundings import differing_surroundings
from nacbench.running.outcome import Outcome
from nacbench.training.interrupt import Interrupted
from tests.made import made_record

NOWHERE = {"cpu": "no C++ compiler: c++ is not found"}


def circuit() -> NeuralAttentiveCircuit:
    torch.manual_seed(0)
    return NeuralAttentiveCircuit(
        token_dim=10,
        classes=5,
        modules=6,
        readout_modules=3,
        state_dim=16,
        signature_dim=4,
        depth=2,
        heads=2,
        head_dim=8,
    )


def decided(net: nn.Module, setting: KernelSetting, said: list[str]) -> str | None:
    """The name of the path of a network, after it was decided."""
    chosen = KernelPath()
    chosen.decide(net, setting, "cpu", said.append)
    return chosen.name


# -- a network ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("own_kernels")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_circuit_computes_the_same_on_both_paths(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, tokens, found = circuit().train(), torch.randn(4, 7, 10), []
    for using in (frozenset({"cpu"}), frozenset[str]()):
        monkeypatch.setattr(path, "_using", using)
        torch.manual_seed(1)  # of the links
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = net(tokens).square().mean()
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        found.append(torch.cat([part.detach().flatten() for part in (loss, *gradients)]))
    own, pytorch = found
    assert float((own - pytorch).norm() / pytorch.norm()) < (0.03 if precision == "bf16" else 1e-5)


@pytest.mark.usefixtures("own_kernels")
def test_products_inside_of_kernels_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    net, tokens, found = circuit(), torch.randn(2, 7, 10), []
    for using in (frozenset({"cpu"}), frozenset[str]()):
        monkeypatch.setattr(path, "_using", using)
        backward = backward_flops(lambda: net(tokens), list(net.parameters()))
        found.append((forward_flops(net, {"tokens": tokens}), backward))
        assert path._using == using
    assert found[0] == found[1]


@pytest.mark.usefixtures("own_kernels")
def test_the_kernels_are_in_the_graph_of_the_compiler() -> None:
    """As operators that it does not look into: its graph would break otherwise."""
    net, tokens = circuit().eval(), torch.randn(4, 7, 10)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(tokens), net(tokens))


@pytest.mark.usefixtures("own_kernels")
def test_the_compiler_fuses_layer_norm_by_itself() -> None:
    net, tokens, operators = circuit().train(), torch.randn(4, 7, 10), set[str]()

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        operators.update(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    found = []
    for forward in (torch.compile(net, backend=backend, fullgraph=True), net):
        torch.manual_seed(1)  # of the links
        loss = forward(tokens).square().mean()
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        found.append(torch.cat([part.detach().flatten() for part in (loss, *gradients)]))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)
    own = {name.removeprefix("nacbench.") for name in operators if name.startswith("nacbench.")}
    assert own == {"geglu", "biased_attention", "log_links"}


@pytest.mark.usefixtures("own_kernels")
def test_auto_takes_own_kernels_and_torch_does_not() -> None:
    said: list[str] = []
    with path_of_run():
        assert decided(circuit(), "torch", said) == "PyTorch"
        assert not in_use(torch.ones(1))
        assert decided(circuit(), "auto", said) == "C++"
        assert in_use(torch.ones(1))
    assert said == []


def test_a_network_without_such_parts_needs_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "_reasons", NOWHERE)
    with path_of_run():
        assert decided(nn.Linear(2, 2), "native", []) is None


def test_where_there_are_none_pytorch_computes_and_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "_reasons", NOWHERE)
    said: list[str] = []
    with path_of_run():
        assert decided(circuit(), "auto", said) == "PyTorch"
        assert not in_use(torch.ones(1))
    assert said == [f"computing with PyTorch's kernels, as nacbench's own cannot be had: {NOWHERE['cpu']}"]


def test_where_there_are_none_native_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "_reasons", NOWHERE)
    with path_of_run(), pytest.raises(UserError, match=r"--kernels native: no C\+\+ compiler.*; --kernels auto"):
        decided(circuit(), "native", [])


# -- a run -------------------------------------------------------------------------------------------------------------


def small(out: Path, **more: Any) -> Outcome:
    """A run of some steps."""
    sizes: dict[str, Any] = {
        "task.train_examples": 64,
        "task.test_examples": 30,
        "task.patch": 4,
        "model.modules": 8,
        "training.epochs": 2,
        "training.batch_size": 16,
    }
    return run(
        "digits",
        "nac",
        scale="smoke",
        precision="fp32",
        out=out,
        device="cpu",
        threads=1,
        quiet=True,
        **sizes,
        **more,
    )


@pytest.mark.usefixtures("own_kernels")
def test_the_path_is_in_the_record_and_not_in_the_id(tmp_path: Path) -> None:
    own, pytorch = small(tmp_path / "own"), small(tmp_path / "torch", kernels="torch")
    assert own.record.environment.kernels == "C++"
    assert pytorch.record.environment.kernels == "PyTorch"
    assert own.record.run_id == pytorch.record.run_id


@pytest.mark.usefixtures("own_kernels")
def test_repeat_takes_the_recorded_path(tmp_path: Path) -> None:
    for setting in ("auto", "torch"):
        small(tmp_path / setting, kernels=setting)
        done = CliRunner().invoke(app, ["repeat", str(tmp_path / setting), "--json", "--device", "cpu", "-q"])
        content = json.loads(done.stdout)
        assert content["same"], done.output
        assert content["runs"][0]["surroundings"] == []


@pytest.mark.usefixtures("own_kernels")
@pytest.mark.parametrize("setting", ["auto", "torch"])
def test_a_loaded_run_computes_on_the_recorded_path(setting: str, tmp_path: Path) -> None:
    outcome = small(tmp_path, kernels=setting)
    loaded = load(outcome.folder)
    with loaded._as_scored():
        assert in_use(torch.ones(1)) == (setting == "auto")
    assert loaded.evaluate("test").metrics == outcome.record.metrics["test"]


@pytest.mark.usefixtures("own_kernels")
def test_repeat_names_the_path_if_it_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    monkeypatch.setattr(path, "_reasons", NOWHERE)
    done = CliRunner().invoke(app, ["repeat", str(tmp_path), "--json", "--device", "cpu", "-q"])
    assert {"name": "kernels", "recorded": "C++", "now": "PyTorch"} in json.loads(done.stdout)["runs"][0][
        "surroundings"
    ]


@pytest.mark.usefixtures("own_kernels")
def test_a_run_that_is_resumed_on_another_path_says_and_records_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nacbench.training.loop import Trainer

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Trainer, "_is_stop_asked", lambda self: self.status.step == 3)
        small(tmp_path, kernels="torch")
    outcome = small(tmp_path)
    assert outcome.record.environment.kernels == "PyTorch, C++"
    log = (outcome.folder / LOG).read_text()
    assert "the steps before were computed with kernels of PyTorch, the next ones with those of C++" in log


@pytest.mark.usefixtures("own_kernels")
def test_a_run_that_is_resumed_on_its_path_gives_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nacbench.training.loop import Trainer

    whole = small(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Trainer, "_is_stop_asked", lambda self: self.status.step == 3)
        small(tmp_path / "cut")
    cut = small(tmp_path / "cut")
    assert cut.record.environment.kernels == "C++"
    assert cut.record.metrics == whole.record.metrics
    assert cut.record.files["predictions.parquet"] == whole.record.files["predictions.parquet"]


def test_a_network_without_such_parts_does_not_differ_from_one_with_them() -> None:
    own, pytorch, without = (
        made_record().environment.model_copy(update={"kernels": name}) for name in ("C++", "PyTorch", None)
    )
    assert differing_surroundings(own, pytorch) == [("kernels", "C++", "PyTorch")]
    assert differing_surroundings(own, without) == differing_surroundings(without, pytorch) == []


def test_an_unknown_setting_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown kernels 'fast'; there are: auto, native, torch"):
        small(tmp_path, kernels="fast")


@pytest.mark.parametrize(
    ("option", "message"),
    [("--kernels", "unknown kernels 'fast'"), ("--compile", "'fast'"), ("--device", "unknown device 'fast'")],
)
def test_a_word_that_is_unknown_is_refused_also_if_nothing_is_computed(option: str, message: str) -> None:
    done = CliRunner().invoke(app, ["run", "--task", "digits", "--model", "nac", option, "fast", "--print-config"])
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)


# -- doctor ------------------------------------------------------------------------------------------------------------


def finding() -> dict[str, str]:
    rows = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    return next(row for row in rows if row["subject"] == "kernels")


@pytest.mark.usefixtures("own_kernels")
def test_doctor_says_that_own_kernels_compute() -> None:
    assert finding()["level"] == "ok"
    assert finding()["found"] == "nacbench's own, in C++; --kernels torch computes without them"


def test_doctor_says_why_own_kernels_do_not_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "_reasons", NOWHERE)
    found = finding()
    assert (found["level"], found["found"]) == ("warning", f"PyTorch's; nacbench's own cannot be had: {NOWHERE['cpu']}")
    assert found["advice"] == "install g++ or clang: NAC's steps are shorter then"
