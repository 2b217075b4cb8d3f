"""Attention that is shown is the attention that is used, and its shares add up."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nacbench.nac.attention import KernelAttention, ReadInAttention
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.flow import attention_flow
from nacbench.nac.kernel import attention_bias, log_link_probability
from nacbench.nac.modfc import Gains, gains_of, modulated_layers


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def made(*, conditional: bool) -> NeuralAttentiveCircuit:
    sizes: dict[str, Any] = {
        "modules": 7,
        "readout_modules": 3,
        "state_dim": 8,
        "signature_dim": 5,
        "depth": 3,
        "heads": 2,
    }
    return NeuralAttentiveCircuit(token_dim=6, classes=3, head_dim=4, conditional=conditional, **sizes).double().eval()


def test_read_in_weights_reproduce_the_attention() -> None:
    """The attention's output is that of the weights, applied to modulated values the slow way."""
    layer = ReadInAttention(8, 6, 8, 4).double()
    tokens, codes, mask = torch.randn(2, 5, 6).double(), torch.randn(7, 8).double(), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    gains = gains_of(codes, modulated_layers(layer))
    weights = layer.weights(codes, tokens, gains, mask)
    values = layer.norm_sender(tokens)[:, None] * gains[layer.value][:, None]  # B U V T
    read = torch.einsum("buv,buvt->but", weights, values) @ layer.value.weight.T
    torch.testing.assert_close(layer.out(read, gains), layer(codes, tokens, gains, mask), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 7).double())
    assert weights[1, :, 3:].abs().max() == 0


@pytest.mark.parametrize("mode", ["expected", "threshold"])
def test_kernel_weights_reproduce_the_attention(mode: str) -> None:
    layer = KernelAttention(8, 8, 1, 4, same_modules=True).double()
    layer.out = _First()  # type: ignore[assignment]
    states, gains = torch.randn(2, 7, 8).double(), gains_of(torch.randn(7, 8).double(), modulated_layers(layer))
    signatures = torch.randn(7, 5).double()
    links = log_link_probability(signatures, signatures)
    if mode == "threshold":
        links = links.fill_diagonal_(-1.0)
        links[0] = -1.0  # a module without any link
    bias = attention_bias(links, 2, mode, 0.5)  # type: ignore[arg-type]
    weights = layer.weights(states, states, gains, bias)
    values = layer.value(layer.norm_receiver(states), gains)
    torch.testing.assert_close(weights @ values, layer(states, states, gains, bias), rtol=1e-10, atol=1e-12)
    assert float(weights[:, 0].detach().sum()) == (0 if mode == "threshold" else pytest.approx(2))


class _First(nn.Module):
    def forward(self, x: Tensor, gains: Gains) -> Tensor:
        return x


@pytest.mark.parametrize("conditional", [False, True])
def test_shares_of_each_stage_sum_to_one(conditional: bool) -> None:
    core = made(conditional=conditional)
    tokens, condition = torch.randn(4, 9, 6).double(), torch.randn(4, 5, 6).double()
    with torch.no_grad():
        flow = attention_flow(core, core.circuit(condition, None) if conditional else core.circuit(), tokens)
    ones = torch.ones(4).double()
    torch.testing.assert_close(flow.tokens.sum(1), ones)
    assert flow.modules.shape == (4, 4, 7)
    for stage in flow.modules:
        torch.testing.assert_close(stage.sum(1), ones)
    torch.testing.assert_close(flow.links.sum((2, 3)), torch.full((3, 4), 0.5).double())
    torch.testing.assert_close(flow.readout.sum((1, 2)), ones)


def test_tokens_without_a_path_have_no_share() -> None:
    """With the rollout written as sums over all paths, one by one."""
    core = made(conditional=False)
    tokens = torch.randn(1, 9, 6).double()
    with torch.no_grad():
        circuit = core.circuit()
        flow = attention_flow(core, circuit, tokens)
        states = core.execute(circuit, tokens)
        bias = attention_bias(core.log_links(circuit)[0], 1, "expected", 0.5)
        gains = core.gains(circuit)
        before = [states["read_in"], states["propagator.0"], states["propagator.1"]]
        attention = [p.attn.weights(s, s, gains, bias)[0] for p, s in zip(core.propagator, before, strict=True)]  # type: ignore[operator, union-attr]
    share = torch.zeros(7).double()
    end = flow.modules[-1][0]
    for last in range(7):
        for third in range(7):
            for second in range(7):
                for first in range(7):
                    path = end[last]
                    for layer, (receiver, sender) in zip(
                        (2, 1, 0), ((last, third), (third, second), (second, first)), strict=True
                    ):
                        path = path * (attention[layer][receiver, sender] + float(receiver == sender)) / 2
                    share[first] += path
    torch.testing.assert_close(flow.modules[0][0], share)
