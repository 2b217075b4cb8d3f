"""Conditional circuits: one circuit an example, made from its condition alone."""

import dataclasses

import pytest
import torch
from torch import Tensor

from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.generator import Circuit, ConditionalCircuit

B, V, W, T, U, R, C, S = 3, 11, 6, 10, 7, 4, 12, 5


def network() -> NeuralAttentiveCircuit:
    """A small conditional circuit in float64, whose links and codes do depend on the condition."""
    torch.manual_seed(0)
    net = NeuralAttentiveCircuit(
        token_dim=T,
        classes=2,
        modules=U,
        readout_modules=R,
        state_dim=C,
        signature_dim=S,
        depth=2,
        heads=2,
        head_dim=6,
        conditional=True,
    )
    return net.double().eval()


def given() -> tuple[Tensor, Tensor, Tensor]:
    """Tokens B×V×T, conditions B×W×T and their mask, of different lengths."""
    torch.manual_seed(1)
    mask = torch.arange(W) < torch.tensor([[6], [4], [1]])
    return torch.randn(B, V, T, dtype=torch.float64), torch.randn(B, W, T, dtype=torch.float64), mask


def generator(net: NeuralAttentiveCircuit) -> ConditionalCircuit:
    assert isinstance(net.circuit, ConditionalCircuit)
    return net.circuit


def one(circuit: Circuit, row: int) -> Circuit:
    """The circuit of one example, without a batch axis."""
    return Circuit(**{field.name: getattr(circuit, field.name)[row] for field in dataclasses.fields(circuit)})


def test_each_example_has_its_own_circuit() -> None:
    net, (_, condition, mask) = network(), given()
    circuit = generator(net)(condition, mask)
    shapes = {field.name: tuple(getattr(circuit, field.name).shape) for field in dataclasses.fields(circuit)}
    assert shapes == {
        "read_in_codes": (B, U, C),
        "processor_signatures": (B, U, S),
        "processor_codes": (B, U, C),
        "readout_signatures": (B, R, S),
        "readout_codes": (B, R, C),
    }
    for name in shapes:
        tensor = getattr(circuit, name)
        assert not torch.allclose(tensor[0], tensor[1]), name


def test_batch_equals_running_each_circuit_on_its_example() -> None:
    """The slow, obvious version: every example alone, with its circuit as if it were unconditional."""
    net, (tokens, condition, mask) = network(), given()
    with torch.no_grad():
        together = net(tokens, None, condition, mask)
        circuit = generator(net)(condition, mask)
        for row in range(B):
            alone = net.execute(one(circuit, row), tokens[row : row + 1])["logits"]
            torch.testing.assert_close(alone, together[row : row + 1], rtol=1e-12, atol=1e-12)


def test_circuit_depends_only_on_its_own_condition() -> None:
    net, (tokens, condition, mask) = network(), given()
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        logits = net(tokens, None, condition, mask)
        permuted = net(tokens[order], None, condition[order], mask[order])
        torch.testing.assert_close(permuted, logits[order], rtol=1e-12, atol=1e-12)
        other = net(tokens, None, condition[order], mask[order])
    assert not torch.allclose(other, logits, atol=1e-3)


def test_generator_is_invariant_to_permuting_condition_tokens() -> None:
    """Positions are the tokenizer's business: permuted tokens with their content give the same circuit."""
    net, (tokens, condition, _) = network(), given()
    order = torch.randperm(W)
    with torch.no_grad():
        torch.testing.assert_close(
            net(tokens, None, condition[:, order]), net(tokens, None, condition), rtol=1e-10, atol=1e-10
        )


def test_circuit_is_invariant_to_padding_of_the_condition() -> None:
    net, (tokens, condition, mask) = network(), given()
    garbage = torch.where(mask[..., None], condition, 100.0)
    with torch.no_grad():
        torch.testing.assert_close(
            net(tokens, None, garbage, mask), net(tokens, None, condition, mask), rtol=1e-10, atol=1e-10
        )


def test_zero_projections_give_the_unconditional_circuit() -> None:
    net, (_, condition, mask) = network(), given()
    made = generator(net)
    assert made.signature is not None
    for layer in (made.read_in_code, made.code, made.signature):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    circuit, base = made(condition, mask), made.base()
    for field in dataclasses.fields(circuit):
        expected = getattr(base, field.name).expand_as(getattr(circuit, field.name))
        torch.testing.assert_close(getattr(circuit, field.name), expected)


def test_every_generator_parameter_gets_a_gradient() -> None:
    net, (tokens, condition, mask) = network(), given()
    net.train()(tokens, None, condition, mask).square().sum().backward()
    for name, parameter in net.circuit.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.abs().sum() > 0), name


def test_missing_or_unexpected_condition_is_refused() -> None:
    net, (tokens, condition, _) = network(), given()
    with pytest.raises(AssertionError, match="takes a condition"):
        net(tokens)
    plain = NeuralAttentiveCircuit(
        token_dim=T, classes=2, modules=U, readout_modules=R, state_dim=C, signature_dim=S, depth=1, heads=2, head_dim=6
    ).double()
    with pytest.raises(AssertionError, match="takes a condition"):
        plain(tokens, None, condition)
