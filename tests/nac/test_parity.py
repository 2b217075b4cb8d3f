"""The circuit against numeric reference cases: every stage, every gradient, in float64.

The cases lie in ../shared/parity, or in the folder named by ``NACBENCH_PARITY_DIR``; each ``*.safetensors`` is one.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.kernel import relaxed_link_logit

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("NACBENCH_PARITY_DIR") or REPOSITORY.parent / "shared" / "parity")
CASES = [pytest.param(path, id=path.stem) for path in sorted(FOLDER.glob("*.safetensors"))] or [
    pytest.param(None, marks=pytest.mark.skip(reason=f"no reference cases in {FOLDER}; set NACBENCH_PARITY_DIR"))
]
TOLERANCE = 1e-8


class Case:
    """One reference file: its configuration and its tensors by name."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:
            self.config: dict[str, Any] = json.loads(file.metadata()["config"])
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with ``prefix/``, without it."""
        return {k.removeprefix(f"{prefix}/"): v for k, v in self.tensors.items() if k.startswith(f"{prefix}/")}

    def network(self) -> NeuralAttentiveCircuit:
        """The circuit of this configuration with the reference's parameters, in evaluation mode."""
        config = self.config
        net = NeuralAttentiveCircuit(
            token_dim=config["token_dim"],
            classes=config["classes"],
            modules=config["modules"],
            readout_modules=config["readout_modules"],
            state_dim=config["state_dim"],
            signature_dim=config["signature_dim"],
            depth=config["depth"],
            heads=config["heads"],
            head_dim=config["head_dim"],
            ffn_mult=config["ffn_mult"],
            temperature=config["concrete_temperature"],
        ).double()
        net.load_state_dict(self.part("param"))
        return net.eval()


def assert_close(actual: Tensor, expected: Tensor, name: str, absolute: float = 0.0) -> None:
    """Equal within 1e-8, norm against norm; or within an absolute bound, for what is zero by nature."""
    assert actual.shape == expected.shape, f"{name}: {tuple(actual.shape)} instead of {tuple(expected.shape)}"
    difference = float((actual - expected).norm())
    bound = absolute or TOLERANCE * float(expected.norm())
    assert difference <= bound, f"{name}: off by {difference:.3g}, allowed {bound:.3g}"


@pytest.mark.parametrize("path", CASES)
def test_reference_case(path: Path) -> None:
    case = Case(path)
    net = case.network()
    inputs, outputs, gradients = case.part("input"), case.part("output"), case.part("grad")
    assert set(gradients) == dict(net.named_parameters()).keys()

    circuit = net.circuit()
    stages = net.execute(circuit, inputs["tokens"])
    loss = F.cross_entropy(stages["logits"], inputs["labels"])
    loss.backward()

    links = dict(zip(("processor", "readout"), net.log_links(circuit), strict=True))
    computed = {**stages, "loss": loss, **{f"link_probability.{k}": v.exp() for k, v in links.items()}}
    assert set(computed) == set(outputs)
    for name, expected in outputs.items():
        assert_close(computed[name].detach(), expected, name)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        # softmax over modules does not see a shift of all their confidences
        assert_close(parameter.grad, gradients[name], name, 1e-12 if name == "readout.confidence.bias" else 0.0)

    concrete = case.part("concrete")
    logit = relaxed_link_logit(concrete["probability"], concrete["uniform"], case.config["concrete_temperature"])
    assert_close(torch.sigmoid(logit), concrete["sample"], "concrete sample")


@pytest.mark.parametrize("path", CASES)
def test_batched_circuit_gives_the_same(path: Path) -> None:
    """One circuit per example, all alike, is the same as one circuit for all."""
    case = Case(path)
    net = case.network()
    tokens = case.tensors["input/tokens"]
    shared = net.circuit()
    batched = type(shared)(**{k: v.expand(len(tokens), *v.shape) for k, v in vars(shared).items()})
    logits = net.execute(batched, tokens)["logits"]
    assert_close(logits.detach(), case.tensors["output/logits"], "logits")
