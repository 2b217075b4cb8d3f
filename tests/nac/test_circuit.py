"""Properties that the circuit must have whatever its weights."""

import copy
import math
from collections.abc import Callable
from dataclasses import fields

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nacbench.nac.attention import ReadInAttention, attend
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.generator import Circuit
from nacbench.nac.kernel import attention_bias, log_link_probability, log_sigmoid, logit_of, relaxed_link_logit
from nacbench.nac.modfc import ModFC, gains_of, linear_of_product, modulated_geglu, modulated_layers
from nacbench.profiling.peak_memory import peak_during

B, V, T, U, R, C, S = 3, 7, 10, 6, 4, 16, 5


def network(**changes: object) -> NeuralAttentiveCircuit:
    """A small circuit in float64 with every parameter away from its initial value, in evaluation mode."""
    torch.manual_seed(0)
    sizes: dict[str, object] = {
        "token_dim": T,
        "classes": 5,
        "modules": U,
        "readout_modules": R,
        "state_dim": C,
        "signature_dim": S,
        "depth": 2,
        "heads": 2,
        "head_dim": 8,
        "ffn_mult": 2,
    }
    net = NeuralAttentiveCircuit(**{**sizes, **changes}).double()  # type: ignore[arg-type]
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return net.eval()


def tokens(batch: int = B) -> Tensor:
    return torch.randn(batch, V, T, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@given(st.permutations(range(U)), st.permutations(range(R)))
@settings(max_examples=20, deadline=None)
def test_logits_are_invariant_to_permuting_modules(processors: list[int], readouts: list[int]) -> None:
    net = network()
    circuit = net.circuit()
    permuted = Circuit(
        read_in_codes=circuit.read_in_codes[processors],
        processor_signatures=circuit.processor_signatures[processors],
        processor_codes=circuit.processor_codes[processors],
        readout_signatures=circuit.readout_signatures[readouts],
        readout_codes=circuit.readout_codes[readouts],
    )
    expected, actual = (net.execute(c, tokens())["logits"] for c in (circuit, permuted))
    torch.testing.assert_close(actual, expected)


def test_logits_are_invariant_to_permuting_tokens() -> None:
    net = network()
    torch.testing.assert_close(net(tokens()[:, torch.randperm(V)]), net(tokens()))


def test_alpha_zero_makes_all_modules_compute_the_same_function() -> None:
    """With α = 0 codes modulate nothing: modules that start and are linked alike stay alike, whatever their codes."""
    net = network()
    circuit = net.circuit()
    states = net.execute(circuit, tokens())["read_in"][:, :1].expand(B, U, C)  # the same state for every module
    even = torch.zeros(1, 1, U, U, dtype=torch.float64)

    def spread() -> float:
        return float(net.propagator[0](states, net.gains(circuit), even).detach().var(dim=1).max())

    assert spread() > 1e-6  # the codes tell the modules apart
    for module in net.modules():
        if isinstance(module, ModFC):
            assert module.alpha is not None
            module.alpha.data.zero_()
    assert spread() < 1e-28


def test_modfc_with_alpha_zero_is_a_linear_layer() -> None:
    layer = ModFC(4, 3, 5)
    assert layer.alpha is not None
    layer.alpha.data.zero_()
    x, gains = torch.randn(2, 6, 4), gains_of(torch.randn(6, 5), [layer])
    torch.testing.assert_close(layer(x, gains), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_modfc_is_the_formula_written_out() -> None:
    layer = ModFC(4, 3, 5).double()
    x, codes = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 5, dtype=torch.float64)
    assert layer.bias is not None
    result = layer(x, gains_of(codes, [layer]))
    for u in range(6):
        expected = layer.weight @ (x[u] * gain_written_out(layer, codes[u])) + layer.bias
        torch.testing.assert_close(result[u], expected)


def gain_written_out(layer: ModFC, code: Tensor) -> Tensor:
    assert layer.code_proj is not None
    assert layer.alpha is not None
    direction = layer.code_proj @ code
    return 1 + layer.alpha * (direction - direction.mean()) / (direction.var(correction=0) + 1e-5).sqrt()


@pytest.mark.parametrize("shape", [(U, C), (B, U, C)], ids=["one circuit", "a circuit for each example"])
def test_gains_computed_together_are_those_of_each_layer_and_so_are_their_gradients(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layers = [ModFC(width, 3, C).double() for width in (4, 7, 4, 5, 4, 7)]
    for number, layer in enumerate(layers):
        assert layer.alpha is not None
        layer.alpha.data += 0.1 * number
    codes = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    together = gains_of(codes, layers)
    apart = {
        layer: torch.stack([gain_written_out(layer, code) for code in codes.flatten(0, -2)]).view_as(together[layer])
        for layer in layers
    }
    made_of = [codes, *(x for layer in layers for x in (layer.code_proj, layer.alpha) if x is not None)]
    gradients = []
    for gains in (together, apart):
        for layer in layers:
            torch.testing.assert_close(gains[layer], apart[layer])
        loss = torch.stack(
            [(gain * torch.arange(gain.numel()).view_as(gain)).sin().sum() for gain in gains.values()]
        ).sum()
        gradients.append(torch.autograd.grad(loss, made_of))
    torch.testing.assert_close(*gradients)


def test_read_in_is_the_attention_written_out_for_every_pair() -> None:
    torch.manual_seed(0)
    layer = ReadInAttention(C, T, C, 8).double()
    for parameter in layer.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    codes, x = torch.randn(U, C, dtype=torch.float64), layer.norm_sender(tokens())
    gains = gains_of(codes, [layer.query, layer.key, layer.value, layer.out])
    query = layer.query(layer.norm_receiver(codes), gains)
    read = torch.empty(B, U, 8, dtype=torch.float64)
    for u in range(U):
        keys = (x * gains[layer.key][u]) @ layer.key.weight.T  # B V D, this module's own keys
        values = (x * gains[layer.value][u]) @ layer.value.weight.T
        weights = torch.softmax(keys @ query[u] / math.sqrt(8), dim=-1)
        read[:, u] = (weights[..., None] * values).sum(1)
    torch.testing.assert_close(layer(codes, tokens(), gains), layer.out(read, gains))


@given(
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([0.05, 0.5, 2.0]),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=300, deadline=None)
def test_the_logarithm_of_a_sampled_link_is_finite_and_negative(
    probability: float, noise: float, temperature: float, dtype: torch.dtype
) -> None:
    link, uniform = torch.tensor([probability], dtype=dtype), torch.tensor([noise], dtype=dtype)
    log_link = float(log_sigmoid(relaxed_link_logit(link, uniform, temperature)))
    assert -math.inf < log_link <= 0


def test_frequency_of_sampled_links_is_their_probability() -> None:
    probability = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    uniform = torch.rand(20_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    share = (relaxed_link_logit(probability, uniform, 0.5) > 0).double().mean(0)
    torch.testing.assert_close(share, probability, atol=0.01, rtol=0)


def test_clamp_of_probabilities_passes_the_gradient() -> None:
    probability = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64, requires_grad=True)
    logit_of(probability).sum().backward()
    assert probability.grad is not None
    clamped = torch.tensor([1e-6, 0.3, 1 - 1e-6], dtype=torch.float64)
    torch.testing.assert_close(probability.grad, 1 / (clamped * (1 - clamped)))


def test_training_samples_links_per_example_and_pass() -> None:
    net = network().train()
    same = tokens(1).expand(4, V, T)
    first, second = net(same), net(same)
    assert not torch.allclose(first, second)
    assert not torch.allclose(first[0], first[1])


def test_sampled_links_follow_the_seed() -> None:
    net = network().train()
    torch.manual_seed(5)
    first = net(tokens())
    torch.manual_seed(5)
    assert torch.equal(net(tokens()), first)


def test_expected_and_threshold_are_deterministic_and_sample_is_not() -> None:
    expected, sampled, hard = (network(evaluation=mode)(tokens()) for mode in ("expected", "sample", "threshold"))
    assert torch.equal(expected, network()(tokens()))
    assert not torch.allclose(expected, sampled)
    assert not torch.allclose(expected, hard)


def test_threshold_keeps_links_of_probability_one_half_or_more() -> None:
    probability = torch.tensor([[0.2, 0.49, 0.51, 1.0]], dtype=torch.float64)
    mask = attention_bias(probability.log(), 1, "threshold", 0.5)
    assert mask.flatten().tolist() == [False, False, True, True]


def test_threshold_attends_to_linked_modules_only() -> None:
    net = network(evaluation="threshold")
    links, _ = net.log_links(net.circuit())
    linked = links.exp() >= 0.5
    bias = torch.where(linked, 0.0, -torch.inf).double()[None, None]
    states, gains = net.execute(net.circuit(), tokens())["read_in"], net.gains(net.circuit())
    torch.testing.assert_close(
        net.propagator[0](states, gains, attention_bias(links, B, "threshold", 0.5)),
        net.propagator[0](states, gains, bias),
    )


def test_a_module_without_links_gathers_zeros() -> None:
    net = network()
    circuit = net.circuit()
    nothing = torch.zeros(1, 1, R, U, dtype=torch.bool)
    states = torch.randn(B, U, C, dtype=torch.float64)
    attn = net.readout.attn
    gathered = attn(circuit.readout_codes, states, net.gains(circuit), nothing)
    assert attn.out.bias is not None
    torch.testing.assert_close(gathered, attn.out.bias.expand(B, R, C))


def test_logits_are_invariant_to_padding() -> None:
    net = network()
    mask = torch.ones(B, V, dtype=torch.bool)
    mask[:, 5:] = False
    garbage = torch.where(mask[..., None], tokens(), 1e3)
    torch.testing.assert_close(net(garbage, mask), net(tokens()[:, :5]))


def test_batched_circuits_equal_separate_circuits() -> None:
    net = network()
    shared = net.circuit()
    torch.manual_seed(3)
    circuit = Circuit(
        **{
            field.name: torch.randn(B, *getattr(shared, field.name).shape, dtype=torch.float64)
            for field in fields(Circuit)
        }
    )
    together = net.execute(circuit, tokens())["logits"]
    for b in range(B):
        own = Circuit(**{field.name: getattr(circuit, field.name)[b] for field in fields(Circuit)})
        torch.testing.assert_close(net.execute(own, tokens()[b : b + 1])["logits"][0], together[b])


def test_link_probability_of_a_module_with_itself_is_one() -> None:
    signatures = torch.randn(9, 4)
    diagonal = log_link_probability(signatures, signatures).exp().diagonal()
    torch.testing.assert_close(diagonal, torch.ones(9))


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_links_are_float32_under_autocast(dtype: torch.dtype) -> None:
    net = network().float()
    with torch.autocast("cpu", dtype):
        links, _ = net.log_links(net.circuit())
        logits = net(tokens().float())
    assert links.dtype == torch.float32
    torch.testing.assert_close(logits.float(), net(tokens().float()), atol=0.1, rtol=0.1)


def test_link_probability_is_the_formula_written_out() -> None:
    torch.manual_seed(0)
    receivers, senders = torch.randn(3, 5, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    for u, s_u in enumerate(receivers):
        for v, s_v in enumerate(senders):
            cosine = torch.dot(s_u, s_v) / (s_u.norm() * s_v.norm())
            expected = torch.exp(-(1 - cosine) / 1.0)
            torch.testing.assert_close(log_link_probability(receivers, senders)[u, v].exp(), expected)


# -- what is done in fewer passes, against the obvious way -------------------------------------------------------------


@pytest.mark.parametrize("batched", [False, True])
def test_modulated_geglu_and_its_gradients_equal_the_formula(batched: bool) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(3, 5, 14, dtype=torch.float64, requires_grad=True)
    gain = torch.randn(*((3,) if batched else ()), 5, 7, dtype=torch.float64, requires_grad=True)
    value, gate = hidden.chunk(2, dim=-1)
    obvious = value * torch.nn.functional.gelu(gate) * gain
    fast = modulated_geglu(hidden, gain)
    assert torch.equal(fast, obvious) or torch.allclose(fast, obvious, rtol=1e-14)
    seed = torch.randn_like(obvious)
    for own, other in zip(
        torch.autograd.grad(fast, (hidden, gain), seed), torch.autograd.grad(obvious, (hidden, gain), seed), strict=True
    ):
        assert torch.allclose(own, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("gain_shape", [(5, 7), (3, 5, 7), ()], ids=["shared", "for each example", "plain"])
def test_linear_layer_of_a_product_equals_the_formula(gain_shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    shapes = (3, 5, 7), gain_shape, (4, 7), (4,)
    made_of = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    x, gain, weight, bias = made_of
    ours, obvious = linear_of_product(x, gain, weight, bias), F.linear(x * gain, weight, bias)
    assert torch.equal(ours, obvious)
    seed = torch.randn_like(obvious)
    for own, other in zip(
        torch.autograd.grad(ours, made_of, seed), torch.autograd.grad(obvious, made_of, seed), strict=True
    ):
        assert torch.equal(own, other)


def test_linear_layers_of_products_keep_no_products() -> None:
    x, gain = torch.randn(16, 32, 64, requires_grad=True), torch.randn(32, 64, requires_grad=True)
    weight = torch.randn(64, 64, requires_grad=True)

    def peak(layer: Callable[[Tensor], Tensor]) -> int:
        def ten_layers() -> None:
            state = x
            for _ in range(10):
                state = layer(state)
            state.sum().backward()

        return peak_during(ten_layers, [x, gain, weight])

    obvious = peak(lambda state: F.linear(state * gain, weight))
    assert peak(lambda state: linear_of_product(state, gain, weight, None)) < 0.75 * obvious


def test_logarithm_of_the_sigmoid_has_its_gradient() -> None:
    x = torch.tensor([-800.0, -30, -1, 0, 1, 30, 800], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(log_sigmoid(x), F.logsigmoid(x))
    gradients = [torch.autograd.grad(f(x).sum(), x)[0] for f in (log_sigmoid, F.logsigmoid)]
    torch.testing.assert_close(*gradients)


def test_attend_with_a_learned_bias_equals_pytorch() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, size, 4, dtype=torch.float64, requires_grad=True) for size in (5, 6, 6))
    bias = torch.randn(2, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    inputs = (query, key, value, bias)
    own = attend(*inputs)
    theirs = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    assert torch.allclose(own, theirs, rtol=1e-12, atol=1e-14)
    seed = torch.randn_like(own)
    for mine, other in zip(
        torch.autograd.grad(own, inputs, seed), torch.autograd.grad(theirs, inputs, seed), strict=True
    ):
        assert torch.allclose(mine, other, rtol=1e-10, atol=1e-13)


def test_kept_gains_are_computed_again_after_any_change() -> None:
    net = network().float()
    circuit = net.circuit()
    layer = net.readout.attn.key
    assert layer.code_proj is not None
    assert layer.alpha is not None
    with torch.no_grad():
        first = net.gains(circuit)
        assert net.gains(circuit) is first
        for change in (circuit.processor_codes, layer.code_proj, layer.alpha):
            before = net.gains(circuit)
            change.mul_(2)
            after = net.gains(circuit)
            assert after is not before
            expected = torch.stack([gain_written_out(layer, code) for code in circuit.processor_codes])
            torch.testing.assert_close(after[layer], expected)
        other = copy.deepcopy(net)
        assert other.gains(other.circuit()).keys() == set(modulated_layers(other))  # layers of its own
        assert net.gains(other.circuit()) is not net.gains(circuit)
        with torch.autocast("cpu", torch.bfloat16):
            assert net.gains(circuit)[layer].dtype == torch.bfloat16
        kept = net.gains(circuit)
        assert kept[layer].dtype == torch.float32
        layer.alpha = torch.nn.Parameter(layer.alpha.clone())  # another tensor of the same version
        assert net.gains(circuit) is not kept
        kept = net.gains(circuit)
        net.train()
        assert net.gains(circuit) is not kept
    assert net.gains(circuit)[layer].requires_grad
