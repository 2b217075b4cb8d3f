"""Optimiser groups, schedule and averaged weights."""

import math

import pytest
import torch
from torch import nn

from nacbench.conformance import ReferenceImages
from nacbench.contracts.recipe import Recipe
from nacbench.nn.network import build_network
from nacbench.registry import MODELS
from nacbench.training.optim import AveragedWeights, learning_rate, make_optimizer, undecayed

RECIPE = Recipe(epochs=10, batch_size=8, lr=1e-3, lr_start=1e-6, lr_end=1e-5, warmup_epochs=2, weight_decay=0.05)


def test_schedule_warms_up_linearly_and_ends_at_lr_end() -> None:
    rates = [learning_rate(RECIPE, step, 10) for step in range(100)]
    assert rates[0] == 1e-6
    assert rates[10] == pytest.approx((1e-6 + 1e-3) / 2)
    assert rates[20] == 1e-3
    assert rates[-1] == pytest.approx(1e-5)
    middle = 1e-5 + (1e-3 - 1e-5) * 0.5 * (1 + math.cos(math.pi * 40 / 79))
    assert rates[60] == pytest.approx(middle)
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_schedule_never_rises_after_warm_up() -> None:
    low = RECIPE.model_copy(update={"lr": 5e-6, "warmup_epochs": 0})
    assert {learning_rate(low, step, 10) for step in range(100)} == {5e-6}


@pytest.mark.parametrize("name", MODELS.entries())
def test_weight_decay_excludes_vectors_biases_and_named_parameters(name: str) -> None:
    task = ReferenceImages.configured("task", "smoke", {})
    net = build_network(task, task.spec(), MODELS.get(name).configured("model", "tiny", {}), 0)
    spared = undecayed(net)
    for parameter_name, parameter in net.named_parameters():
        if parameter.dim() <= 1 or parameter_name.endswith("bias"):
            assert parameter_name in spared
    matrices = {n for n in spared if dict(net.named_parameters())[n].dim() > 1 and not n.endswith("bias")}
    expected = {
        "nac": {"tokenizer.position", "core.circuit.processor.signatures", "core.circuit.readout.signatures"},
        "perceiver-io": {"tokenizer.position", "core.query"},
        "pointnet": {"tokenizer.position"},
        "transformer": {"tokenizer.position", "core.class_token"},
        "vit": {"core.class_token", "core.encoder.pos_embedding"},
    }[name]
    # biases and per-channel scales may have more than one axis (ConvNeXt's layer scale has three)
    assert matrices == expected


def test_optimizer_holds_every_parameter_once() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    decayed, spared = make_optimizer(net, RECIPE).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)
    assert [p.shape for p in decayed["params"]] == [(4, 3), (2, 4)]
    assert len(spared["params"]) == 4


def test_averaged_weights_equal_the_formula() -> None:
    net = nn.Linear(1, 1, bias=False).double()
    average = AveragedWeights(net, 0.7)
    expected = 0.0
    for update, weight in enumerate([1.0, 2.0, -3.0, 0.5, 4.0, 4.0, 1.0]):
        net.weight.data.fill_(weight)
        average.update_parameters(net)
        decay = 0.0 if update == 0 else min(0.7, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * weight
    assert float(next(average.parameters()).detach()) == pytest.approx(expected)
    assert torch.equal(net.weight, torch.tensor([[1.0]], dtype=torch.float64))
