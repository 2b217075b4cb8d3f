"""Tokenizer and core as one network: the condition, the last layer, and weights taken from another run."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from nacbench.contracts.model import spec_for
from nacbench.contracts.spec import TaskSpec, Tokens
from nacbench.errors import UserError
from nacbench.machine.software import library_versions
from nacbench.nn.network import Network, build_network, head_parameters, join, take_weights
from nacbench.registry import MODELS, TASKS

SPEC = TaskSpec(modality="symbols", classes=5, max_tokens=12, token_dim=20)
CONDITIONED = dataclasses.replace(SPEC, condition_tokens=7)
LOGITS = {"core.logits.weight", "core.logits.bias"}
HEADS = {
    "gru": LOGITS,
    "mamba": LOGITS,
    "mlp-mixer": {"core.head.weight", "core.head.bias"},
    "nac": {"core.readout.logits.weight", "core.readout.logits.bias"},
    "neural-interpreter": {"core.logits.weight", "core.logits.bias"},
    "perceiver": {"core.core.to_logits.2.weight", "core.core.to_logits.2.bias"},
    "perceiver-io": {"core.core.to_logits.weight", "core.core.to_logits.bias"},
    "resnet": LOGITS,
    "set-transformer": LOGITS,
    "slot-attention": LOGITS,
    "soft-moe": LOGITS,
    "switch-moe": LOGITS,
    "transformer": LOGITS,
    "universal-transformer": LOGITS,
    "vit": {"core.heads.head.weight", "core.heads.head.bias"},
}


@pytest.mark.parametrize("name", HEADS)
def test_head_is_the_last_layer_of_each_model(name: str) -> None:
    spec = TASKS.training("cifar10").configured("task", "smoke", {}).spec()
    assert set(head_parameters(MODELS.get(name).configured("model", "tiny", {}), spec)) == HEADS[name]


def test_spec_of_conditional_and_unconditional_models() -> None:
    nac, transformer = (MODELS.get(name)() for name in ("nac", "transformer"))
    assert spec_for(nac, CONDITIONED) == CONDITIONED
    assert spec_for(transformer, CONDITIONED) == dataclasses.replace(SPEC, max_tokens=19)
    assert spec_for(transformer, SPEC) == SPEC


def test_join_appends_condition_tokens_and_masks() -> None:
    mask = torch.tensor([[True, True, False]])
    tokens, joined = join(Tokens(torch.zeros(1, 4, 2), None, torch.ones(1, 3, 2), mask))
    assert tokens[0, :, 0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert joined.tolist() == [[True] * 6 + [False]]


def test_only_a_conditional_core_receives_the_condition() -> None:
    class Stem(nn.Module):
        def forward(self, x: Tensor) -> Tokens:
            return Tokens(x, None, x[:, :2], torch.ones(len(x), 2, dtype=torch.bool))

    class Spy(nn.Module):
        def forward(self, *given: Tensor | None) -> Tensor:
            return torch.tensor([0 if part is None else part.shape[1] for part in given])

    x = torch.zeros(1, 4, 3)
    assert Network(Stem(), Spy(), conditional=True)(x=x).tolist() == [4, 0, 2, 2]
    assert Network(Stem(), Spy())(x=x).tolist() == [6, 6]


@pytest.mark.parametrize("name", HEADS)
def test_take_weights_with_and_without_the_head(name: str) -> None:
    task, model = (
        TASKS.training("cifar10").configured("task", "smoke", {}),
        MODELS.get(name).configured("model", "tiny", {}),
    )
    trained = build_network(task, task.spec(), model, seed=0)
    whole, fresh = build_network(task, task.spec(), model, seed=1), build_network(task, task.spec(), model, seed=1)
    take_weights(whole, trained.state_dict(), keep_head=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), trained.parameters(), strict=True))
    take_weights(fresh, trained.state_dict(), keep_head=False)
    for (key, mine), theirs in zip(fresh.named_parameters(), trained.parameters(), strict=True):
        assert torch.equal(mine, torch.zeros_like(mine) if key in HEADS[name] else theirs)


def test_take_weights_checks_all_shapes_but_the_fresh_head() -> None:
    task = TASKS.training("cifar10").configured("task", "smoke", {})
    small, large = (MODELS.get("nac").configured("model", size, {}) for size in ("tiny", "mini"))
    trained = build_network(task, task.spec(), small, seed=0)
    three = dataclasses.replace(task.spec(), classes=3)
    net = build_network(task, three, small, seed=0)
    take_weights(net, trained.state_dict(), keep_head=False)
    assert net.state_dict()["core.readout.logits.weight"].shape[0] == 3
    with pytest.raises(UserError, match=r"do not fit: core\.readout\.logits\.weight is 10×48, not 3×48"):
        take_weights(net, trained.state_dict(), keep_head=True)
    with pytest.raises(UserError, match="do not fit"):
        take_weights(build_network(task, three, large, seed=0), trained.state_dict(), keep_head=False)


def test_weights_under_other_names_are_refused_with_the_versions_that_made_them() -> None:
    task, model = (
        TASKS.training("cifar10").configured("task", "smoke", {}),
        MODELS.get("nac").configured("model", "tiny", {}),
    )
    net = build_network(task, task.spec(), model, seed=0)
    renamed = {name.replace("logits", "scores"): tensor for name, tensor in net.state_dict().items()}
    made_with = {**library_versions(), "perceiver-pytorch": "0.8.8"}
    now = library_versions()["perceiver-pytorch"]
    with pytest.raises(UserError) as refusal:
        take_weights(net, renamed, keep_head=True, made_with=made_with)
    message = str(refusal.value)
    assert message.startswith("the trained weights do not fit: core.readout.logits.weight is missing, not 10×48; ")
    assert message.endswith(f"; they were made with perceiver-pytorch 0.8.8 (now {now})")
    with pytest.raises(UserError) as refusal:
        take_weights(net, renamed, keep_head=True, made_with=library_versions())
    assert "made with" not in str(refusal.value)
