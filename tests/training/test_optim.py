"""Optimiser groups, schedule and averaged weights."""

import math
import re

import pytest
from torch import nn

from nacbench.conformance import ReferenceImages
from nacbench.contracts.recipe import Recipe
from nacbench.nn.network import build_network
from nacbench.registry import MODELS, TASKS
from nacbench.training.optim import AveragedWeights, average_caveat, learning_rate, make_optimizer, undecayed

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
    of_points = MODELS.get(name).reads == "points"
    task = (TASKS.training("parametric-shapes") if of_points else ReferenceImages).configured("task", "smoke", {})
    net = build_network(task, task.spec(), MODELS.get(name).configured("model", "tiny", {}), 0)
    spared = undecayed(net)
    for parameter_name, parameter in net.named_parameters():
        if parameter.dim() <= 1 or parameter_name.endswith("bias"):
            assert parameter_name in spared
    matrices = {n for n in spared if dict(net.named_parameters())[n].dim() > 1 and not n.endswith("bias")}
    expected = {
        "floor-linear": {"tokenizer.position"},
        "floor-nearest-mean": set(),
        "gru": {"tokenizer.position"},
        "mamba": {"tokenizer.position", *(f"core.core.layers.{i}.mixer.A_log" for i in range(4))},
        "mlp-mixer": set(),
        "nac": {"tokenizer.position", "core.circuit.processor.signatures", "core.circuit.readout.signatures"},
        "neural-interpreter": {"tokenizer.position", "core.class_token"},
        "perceiver": {"tokenizer.position"},
        "perceiver-io": {"tokenizer.position", "core.query"},
        "set-transformer": {"tokenizer.position", "core.aggregation.pma.seed"},
        "resnet": set(),
        "slot-attention": {"tokenizer.position", "core.parts.slots_mu", "core.parts.slots_logsigma"},
        "soft-moe": {"tokenizer.position", "core.layers.1.feed_forward.slot_embeds"},
        "switch-moe": {"tokenizer.position"},
        "transformer": {"tokenizer.position", "core.class_token"},
        "universal-transformer": {"tokenizer.position", "core.class_token"},
        "vit": {"core.class_token", "core.encoder.pos_embedding"},
    }.get(name, set())
    # biases and per-channel scales may have more than one axis (ConvNeXt's layer scale has three)
    assert matrices == expected


def test_optimizer_holds_every_parameter_once() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    decayed, spared = make_optimizer(net, RECIPE).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)
    assert [p.shape for p in decayed["params"]] == [(4, 3), (2, 4)]
    assert len(spared["params"]) == 4


def test_epoch_schedule_is_that_of_timm() -> None:
    """timm 0.4.12's CosineLRScheduler(t_initial=400, lr_min=1e-5, warmup_t=10, warmup_lr_init=1e-6), base rate 5e-4."""
    recipe = Recipe(epochs=400, batch_size=512, lr=5e-4, warmup_epochs=10, schedule="epoch-cosine")
    expected = {0: 1e-06, 1: 5.09e-05, 9: 0.0004501, 10: 0.0004992447, 200: 0.000255, 399: 1.000755e-05}
    for epoch, rate in expected.items():
        for step in (0, 77, 194):
            assert learning_rate(recipe, 195 * epoch + step, 195) == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize("schedule", ["cosine", "epoch-cosine"])
def test_a_single_epoch_has_a_rate(schedule: str) -> None:
    recipe = Recipe.model_validate({"epochs": 1, "batch_size": 8, "lr": 1e-3, "schedule": schedule})
    assert learning_rate(recipe, 0, 1) == 1e-3


def averaged(decay: float, weights: list[float], *, warmup: bool) -> float:
    """The average after training steps that gave a single weight these values, from an initial 8."""
    net = nn.Linear(1, 1, bias=False).double()
    net.weight.data.fill_(8.0)
    average = AveragedWeights(net, decay, warmup=warmup)
    for weight in weights:
        net.weight.data.fill_(weight)
        average.update_parameters(net)
    assert float(net.weight.detach()) == weights[-1]  # the network itself keeps its weights
    return float(next(average.parameters()).detach())


def test_averaged_weights_equal_the_formula() -> None:
    weights = [1.0, 2.0, -3.0, 0.5, 4.0, 4.0, 1.0]
    plain, warm = 8.0, 8.0
    for update, weight in enumerate(weights):
        plain = 0.7 * plain + 0.3 * weight
        decay = 0.0 if update == 0 else min(0.7, (1 + update) / (10 + update))
        warm = decay * warm + (1 - decay) * weight
    assert averaged(0.7, weights, warmup=False) == pytest.approx(plain)
    assert averaged(0.7, weights, warmup=True) == pytest.approx(warm)


@pytest.mark.parametrize(
    ("ema", "warmup", "steps", "told"),
    [
        (0.0, False, 1, None),
        (0.99996, False, 78_000, None),  # 4 % of the initial weights
        (0.99996, True, 78_000, r"0.99996 never applies: in 78,000 steps its warm-up has come to 0.999885"),
        (0.99996, True, 224_992, None),
        (0.998, False, 100, r"0.998: after 100 steps 82 % of the average are still the initial weights"),
        (0.998, True, 100, r"0.998 never applies"),
        (0.5, True, 20, None),
    ],
)
def test_an_average_that_is_not_what_it_says_is_told(ema: float, warmup: bool, steps: int, told: str | None) -> None:
    caveat = average_caveat(RECIPE.model_copy(update={"ema": ema, "ema_warmup": warmup}), steps)
    assert (caveat is None) if told is None else re.search(told, caveat or "")


def test_the_warm_up_of_a_task_s_own_recipe_is_no_news_and_neither_is_an_average_that_is_not_scored() -> None:
    own = RECIPE.model_copy(update={"ema": 0.998, "ema_warmup": True})
    assert average_caveat(own.model_copy(update={"epochs": 1}), 100, usual=own) is None
    assert average_caveat(own.model_copy(update={"ema": 0.999}), 100, usual=own)
    cold = own.model_copy(update={"ema_warmup": False})
    assert average_caveat(cold, 100, usual=cold)
    assert average_caveat(cold.model_copy(update={"score_ema": False}), 100, usual=cold) is None
