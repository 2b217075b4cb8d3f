"""Tokenizer and core as one network: the condition, the last layer, and weights taken from another run."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from nacbench.contracts.model import spec_for
from nacbench.contracts.spec import TaskSpec, Tokens
from nacbench.errors import UserError
from nacbench.nn.network import Network, build_network, head_parameters, join, take_weights
from nacbench.registry import MODELS, TASKS

SPEC = TaskSpec(modality="symbols", classes=5, max_tokens=12, token_dim=20)
CONDITIONED = dataclasses.replace(SPEC, condition_tokens=7)
HEADS = {
    "nac": {"core.readout.logits.weight", "core.readout.logits.bias"},
    "perceiver-io": {"core.core.to_logits.weight", "core.core.to_logits.bias"},
    "transformer": {"core.logits.weight", "core.logits.bias"},
    "vit": {"core.heads.head.weight", "core.heads.head.bias"},
}


@pytest.mark.parametrize("name", HEADS)
def test_the_head_is_the_last_layer_of_each_model(name: str) -> None:
    spec = TASKS.training("cifar10").configured("task", "smoke", {}).spec()
    assert set(head_parameters(MODELS.get(name).configured("model", "tiny", {}), spec)) == HEADS[name]


def test_a_conditional_model_is_told_of_the_condition_and_any_other_gets_its_tokens() -> None:
    nac, transformer = (MODELS.get(name)() for name in ("nac", "transformer"))
    assert spec_for(nac, CONDITIONED) == CONDITIONED
    assert spec_for(transformer, CONDITIONED) == dataclasses.replace(SPEC, max_tokens=19)
    assert spec_for(transformer, SPEC) == SPEC


def test_joining_puts_the_condition_after_the_tokens_with_both_masks() -> None:
    mask = torch.tensor([[True, True, False]])
    tokens, joined = join(Tokens(torch.zeros(1, 4, 2), None, torch.ones(1, 3, 2), mask))
    assert tokens[0, :, 0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert joined.tolist() == [[True] * 6 + [False]]


def test_the_network_gives_a_condition_only_to_a_core_that_takes_it() -> None:
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
def test_weights_can_be_taken_with_the_head_or_with_a_fresh_one(name: str) -> None:
    task, model = (
        TASKS.training("cifar10").configured("task", "smoke", {}),
        MODELS.get(name).configured("model", "tiny", {}),
    )
    source = build_network(task, task.spec(), model, seed=0)
    whole, fresh = build_network(task, task.spec(), model, seed=1), build_network(task, task.spec(), model, seed=1)
    take_weights(whole, source.state_dict(), keep_head=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), source.parameters(), strict=True))
    take_weights(fresh, source.state_dict(), keep_head=False)
    for (key, mine), theirs in zip(fresh.named_parameters(), source.parameters(), strict=True):
        assert torch.equal(mine, torch.zeros_like(mine) if key in HEADS[name] else theirs)


def test_a_fresh_head_may_have_other_classes_but_nothing_else_may_differ() -> None:
    task = TASKS.training("cifar10").configured("task", "smoke", {})
    small, large = (MODELS.get("nac").configured("model", size, {}) for size in ("tiny", "mini"))
    source = build_network(task, task.spec(), small, seed=0)
    three = dataclasses.replace(task.spec(), classes=3)
    net = build_network(task, three, small, seed=0)
    take_weights(net, source.state_dict(), keep_head=False)
    assert net.state_dict()["core.readout.logits.weight"].shape[0] == 3
    with pytest.raises(UserError, match=r"do not fit: core\.readout\.logits\.weight is 10×48, not 3×48"):
        take_weights(net, source.state_dict(), keep_head=True)
    with pytest.raises(UserError, match="do not fit"):
        take_weights(build_network(task, three, large, seed=0), source.state_dict(), keep_head=False)
