"""The circuit's knobs, each against what it says, and the step from Perceiver IO to a circuit."""

import copy
from typing import Any

import perceiver_pytorch
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.recipe import Recipe
from nacbench.errors import UserError
from nacbench.nac.attention import KernelAttention
from nacbench.nac.initialisation import random_graph
from nacbench.nac.kernel import attention_bias
from nacbench.nac.modfc import ModFC
from nacbench.registry import MODELS, TASKS
from nacbench.training.optim import make_optimizer
from tests.nac.test_circuit import B, C, T, U, V, network, tokens


def logits_of(net: nn.Module, *inputs: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = net(*inputs)
    return logits


# -- without codes -----------------------------------------------------------------------------------------------------


def test_plain_layers_compute_what_modulated_ones_do_with_alpha_zero() -> None:
    plain, modulated = network(modulated=False), network()
    shared = plain.state_dict()
    modulated.load_state_dict(shared, strict=False)
    for layer in modulated.modules():
        if isinstance(layer, ModFC) and layer.alpha is not None:
            layer.alpha.data.zero_()
    torch.testing.assert_close(logits_of(plain, tokens()), logits_of(modulated, tokens()), rtol=0, atol=1e-14)


def test_without_codes_only_initial_states_are_left_of_them() -> None:
    names = set(dict(network(modulated=False).named_parameters()))
    assert not any(name.endswith(("code_proj", "alpha")) for name in names)
    assert {name for name in names if name.endswith(".codes")} == {"circuit.read_in.codes", "circuit.readout.codes"}
    left_out = set(dict(network().named_parameters())) - names
    # W_z and α of six layers each in read-in, two propagators and read-out, and the processor modules' codes
    assert len(left_out) == 2 * 6 * (1 + 2 + 1) + 1


# -- without signatures ------------------------------------------------------------------------------------------------


def test_attention_in_a_complete_graph_is_a_softmax_of_all_modules() -> None:
    net = network(graph="complete")
    circuit, attn = net.circuit(), net.get_submodule("propagator.0.attn")
    assert isinstance(attn, KernelAttention)
    states, gains = torch.randn(B, U, C, dtype=torch.float64), net.gains(circuit)
    links, _ = net.log_links(circuit)
    bias = attention_bias(links, B, net.evaluation, net.temperature)
    normal = attn.norm_receiver(states)
    expected = torch.empty(B, U, C, dtype=torch.float64)
    for b in range(B):
        query, key, value = (layer(normal[b], gains) for layer in (attn.query, attn.key, attn.value))  # U 2·8
        heads = []
        for h in (slice(0, 8), slice(8, 16)):
            weights = torch.softmax(query[:, h] @ key[:, h].T / 8**0.5, dim=-1)
            heads.append(weights @ value[:, h])
        expected[b] = attn.out(torch.cat(heads, dim=-1), gains)
    torch.testing.assert_close(attn(states, states, gains, bias), expected)


def test_a_complete_graph_has_no_signatures_and_samples_nothing() -> None:
    net = network(graph="complete", evaluation="threshold")
    assert not any("signature" in name for name in net.state_dict())
    assert net.degrees().tolist() == [U - 1] * U
    assert torch.equal(logits_of(net.train(), tokens()), logits_of(net.eval(), tokens()))


def test_a_graph_whose_signatures_all_agree_is_a_complete_one() -> None:
    linked, complete = network(), network(graph="complete")
    linked.load_state_dict(complete.state_dict(), strict=False)
    for name, parameter in linked.named_parameters():
        if name.endswith("signatures"):
            parameter.data.fill_(1.0)
    torch.testing.assert_close(logits_of(linked, tokens()), logits_of(complete, tokens()))


# -- without sampling --------------------------------------------------------------------------------------------------


def test_expected_links_in_training_are_those_of_evaluation() -> None:
    net = network(training_links="expected")
    evaluated = logits_of(net.eval(), tokens())
    assert torch.equal(logits_of(net.train(), tokens()), evaluated)
    assert not torch.allclose(logits_of(network().train(), tokens()), evaluated)


def test_signatures_learn_from_expected_links() -> None:
    net = network(training_links="expected").train()
    net(tokens()).square().sum().backward()
    for bank in (net.learned.processor, net.learned.readout):
        assert bank.signatures.grad is not None
        assert float(bank.signatures.grad.abs().max()) > 1e-9


# -- a frozen circuit --------------------------------------------------------------------------------------------------


def test_training_leaves_a_frozen_circuit_as_it_was_drawn() -> None:
    task = TASKS.training("digits")()
    net = MODELS.get("nac").configured("model", "tiny", {"frozen": True}).build(task.spec()).train()
    before = copy.deepcopy(net.state_dict())
    inputs = torch.randn(8, task.spec().max_tokens, task.spec().token_dim)
    recipe = task.recipes["smoke"]
    assert isinstance(recipe, Recipe)
    optimizer = make_optimizer(net, recipe)
    F.cross_entropy(net(inputs), torch.arange(8)).backward()
    optimizer.step()
    after = net.state_dict()
    circuit = {name for name in before if name.startswith("circuit.")}
    assert len(circuit) == 5
    assert all(torch.equal(before[name], after[name]) for name in circuit)
    assert not any(
        torch.equal(before[name], after[name]) for name in before.keys() - circuit if "confidence.b" not in name
    )
    assert not any(name.startswith("circuit.") for name, _ in net.named_parameters())


def test_a_frozen_circuit_is_stored_with_the_weights() -> None:
    net, other = network(frozen=True), network(frozen=True)
    for constant in other.circuit.buffers():
        constant += torch.randn_like(constant)
    assert not torch.equal(logits_of(other, tokens()), logits_of(net, tokens()))
    other.load_state_dict(net.state_dict())
    assert torch.equal(logits_of(other, tokens()), logits_of(net, tokens()))


# -- the step from Perceiver IO ----------------------------------------------------------------------------------------

ATTENTION = {
    "norm": "norm_receiver",
    "norm_context": "norm_sender",
    "fn.to_q": "query",
    "fn.to_kv": "key value",
    "fn.to_out": "out",
}
FEED_FORWARD = {"norm": "norm", "fn.net.0": "up", "fn.net.2": "down"}
BLOCKS = {
    "cross_attend_block.cross_attn": ("read_in.attn", ATTENTION),
    "cross_attend_block.cross_ff": ("read_in.ffn", FEED_FORWARD),
    "layers.0.self_attns.0.0": ("propagator.0.attn", ATTENTION),
    "layers.0.self_attns.0.1": ("propagator.0.ffn", FEED_FORWARD),
    "layers.1.self_attns.0.0": ("propagator.1.attn", ATTENTION),
    "layers.1.self_attns.0.1": ("propagator.1.ffn", FEED_FORWARD),
    "decoder_cross_attn": ("readout.attn", ATTENTION),
    "decoder_ff": ("readout.ffn", FEED_FORWARD),
}


def in_perceiver_io(name: str) -> list[str]:
    """The circuit's parameters that a parameter of perceiver-pytorch's Perceiver IO consists of."""
    whole = {
        "latents": "circuit.read_in.codes",
        "to_logits.weight": "readout.logits.weight",
        "to_logits.bias": "readout.logits.bias",
    }
    if name in whole:
        return [whole[name]]
    block = next(block for block in BLOCKS if name.startswith(f"{block}."))
    own, parts = BLOCKS[block]
    part, _, end = name.removeprefix(f"{block}.").rpartition(".")
    return [f"{own}.{layer}.{end}" for layer in parts[part].split()]


@pytest.mark.parametrize("training", [False, True])
def test_circuit_as_perceiver_io_computes_the_same_as_the_librarys(training: bool) -> None:
    net = network(graph="complete", modulated=False, readout_modules=1, ffn_mult=4).train(training)
    sizes = {"dim": T, "queries_dim": C, "latent_dim": C, "logits_dim": 5, "num_latents": U, "depth": 2}
    heads = {"cross_heads": 1, "cross_dim_head": 8, "latent_heads": 2, "latent_dim_head": 8}
    theirs = perceiver_pytorch.PerceiverIO(**sizes, **heads, decoder_ff=True).double()
    ours = net.state_dict()
    taken = {name: in_perceiver_io(name) for name in theirs.state_dict()}
    theirs.load_state_dict({name: torch.cat([ours.pop(part) for part in parts]) for name, parts in taken.items()})
    query = ours.pop("circuit.readout.codes")
    # One read-out module needs no vote: its weight is 1, whatever its confidence
    assert set(ours) == {"readout.confidence.weight", "readout.confidence.bias"}
    mask = torch.arange(V) < torch.tensor([[V], [5], [3]])
    expected = theirs(tokens(), mask=mask, queries=query).squeeze(1)
    torch.testing.assert_close(net(tokens(), mask), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("outside", [0.0, 0.01, 1.0])
def test_graph_of_the_start_has_as_many_links_between_clusters_as_asked(outside: float) -> None:
    graph = random_graph("planted-partition", 320, 10, 0, outside)
    between = sum(one // 32 != other // 32 for one, other in graph.edges)
    assert between == pytest.approx(outside * 45 * 32**2, rel=0.1)


def test_signatures_start_with_these_links() -> None:
    def mean_between_clusters(outside: float) -> float:
        options = {"initial_graph": "planted-partition", "prior_clusters": 4, "signature_dim": 32}
        net = network(modules=16, prior_outside=outside, **options)
        own = torch.arange(16) // 4
        return float(net.log_links(net.circuit())[0][own[:, None] != own].exp().detach().mean())

    assert mean_between_clusters(0.0) < 0.4 < mean_between_clusters(1.0)


# -- together ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "knobs",
    [{"graph": "complete"}, {"modulated": False}, {"frozen": True}, {"graph": "complete", "modulated": False}],
)
def test_pruning_works_with_every_knob(knobs: dict[str, Any]) -> None:
    net = network(**knobs)
    kept = net.kept(torch.tensor([3, 1]))
    assert kept.module_count == 2
    circuit = net.circuit().part(torch.tensor([3, 1]))
    torch.testing.assert_close(logits_of(kept, tokens()), net.execute(circuit, tokens())["logits"].detach())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"graph": "complete", "prior": "erdos-renyi"},
            "model.prior = erdos-renyi acts on signatures or their links, and model.graph",
        ),
        ({"graph": "complete", "training_links": "expected"}, "set model.training_links=sample"),
        ({"graph": "complete", "evaluation": "threshold"}, "set model.evaluation=expected"),
        ({"graph": "complete", "temperature": 1.0}, "set model.temperature=0.5"),
        ({"graph": "complete", "initial_graph": "scale-free"}, "set model.initial_graph=none"),
        ({"graph": "complete", "sparsity_weight": 0.5}, "set model.sparsity_weight=0"),
        ({"frozen": True, "prior": "scale-free"}, "model.frozen = true keeps them; set model.prior=none"),
    ],
)
def test_what_would_act_on_no_signatures_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        MODELS.get("nac").configured("model", "tiny", options)


def test_a_frozen_circuit_may_start_as_a_graph() -> None:
    model = MODELS.get("nac").configured("model", "tiny", {"frozen": True, "initial_graph": "scale-free"})
    names = dict(model.build(TASKS.training("digits")().spec()).named_parameters())
    assert not any(name.startswith("circuit.") for name in names)


def test_a_circuit_of_each_sentence_is_not_frozen() -> None:
    spec = TASKS.training("nlvr-synthetic")().spec()
    frozen = MODELS.get("nac").configured("model", "tiny", {"frozen": True})
    assert frozen.unsupported(spec) == "a frozen circuit is the same for every sentence"
    for knobs in ({"graph": "complete"}, {"modulated": False}):
        net = MODELS.get("nac").configured("model", "tiny", knobs).build(spec)
        one, other = (
            net(torch.zeros(1, 4, spec.token_dim), None, torch.full((1, 2, spec.token_dim), fill))
            for fill in (0.0, 1.0)
        )
        assert not torch.allclose(one, other)
