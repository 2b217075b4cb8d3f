"""The Neural Interpreter against its equations, written out in float64 for one token and function at a time."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nacbench.baselines._interpreter import EPSILON, Interpreter, Line, ModLin, Script, TypeInference
from nacbench.contracts.spec import TaskSpec
from nacbench.registry import MODELS

SPEC = TaskSpec(modality="symbols", classes=5, max_tokens=6, token_dim=12)
OPTIONS: dict[str, Any] = {
    "width": 16, "code_dim": 10, "type_dim": 7, "functions": 3, "scripts": 2, "calls": 2, "lines": 2, "heads": 2,
    "head_dim": 5, "mlp_mult": 3,
}  # fmt: skip
MASK = torch.arange(6) < torch.tensor([[6], [4], [1]])


def interpreter(**changes: Any) -> Interpreter:
    """A network in float64 with every parameter away from its initial value."""
    torch.manual_seed(0)
    net = MODELS.get("neural-interpreter").configured("model", "tiny", {**OPTIONS, **changes}).build(SPEC).double()
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    assert isinstance(net, Interpreter)
    return net.eval()


def tokens() -> Tensor:
    return torch.randn(3, 6, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


# -- the equations, one vector at a time -------------------------------------------------------------------------------


def mod_lin(layer: nn.Module, x: Tensor, code: Tensor) -> Tensor:
    assert isinstance(layer, ModLin)
    scale = layer.scale.weight @ code
    normal = (scale - scale.mean()) / (scale.var(correction=0) + 1e-5).sqrt()
    out = layer.linear.weight @ (x * normal)
    return out if layer.linear.bias is None else out + layer.linear.bias


def compatibility(types: TypeInference, x: Tensor) -> Tensor:
    """C_ui, U×V, for the tokens V×C of one example."""
    found = torch.zeros(len(types.signatures), len(x), dtype=torch.float64)
    for i, token in enumerate(x):
        own = types.infer(token)
        for u, signature in enumerate(types.signatures):
            distance = 1 - torch.dot(signature, own) / (signature.norm() * own.norm())
            if distance <= types.truncation:
                found[u, i] = torch.exp(-distance / types.bandwidth)
        found[:, i] = found[:, i] / (EPSILON + found[:, i].sum())
    return found


def attended(line: Line, x: Tensor, code: Tensor, seen: Tensor, i: int) -> Tensor:
    """ModAttn of token i for one function, with its compatibilities ``seen`` with all tokens."""
    normal = [line.norm_attention(token) for token in x]
    query = mod_lin(line.query, normal[i], code).chunk(line.heads)
    keys = [mod_lin(line.key, token, code).chunk(line.heads) for token in normal]
    values = [mod_lin(line.value, token, code).chunk(line.heads) for token in normal]
    heads = []
    for h in range(line.heads):
        weight = torch.softmax(torch.stack([torch.dot(query[h], key[h]) for key in keys]) / math.sqrt(len(query[h])), 0)
        weight = weight * seen[i] * seen
        weight = weight / (EPSILON + weight.sum())
        heads.append(sum((weight[j] * values[j][h] for j in range(len(x))), torch.zeros(())))
    return mod_lin(line.out, torch.cat(heads), code)


def line_of_code(line: Line, x: Tensor, code: Tensor, seen: Tensor) -> Tensor:
    between = [x[i] + seen[i] * attended(line, x, code, seen, i) for i in range(len(x))]
    made = []
    for i, state in enumerate(between):
        hidden = nn.functional.gelu(mod_lin(line.up, line.norm_mlp(state), code))
        made.append(state + seen[i] * mod_lin(line.down, hidden, code))
    return torch.stack(made)


def script_of(script: Script, x: Tensor) -> Tensor:
    for _ in range(script.calls):
        seen = compatibility(script.types, x)
        out = torch.zeros_like(x)
        for u, code in enumerate(script.codes):
            made = x
            for line in script.lines:
                assert isinstance(line, Line)
                made = line_of_code(line, made, code, seen[u])
            out = out + seen[u][:, None] * made
        x = out
    return x


@pytest.mark.parametrize("truncation", [2.0, 1.2, 0.9])
def test_network_is_its_equations_written_out(truncation: float) -> None:
    net = interpreter(truncation=truncation)
    with torch.no_grad():
        logits = net(tokens(), MASK)
        for example, real in enumerate(MASK):
            x = torch.cat([net.class_token[0], net.embed(tokens()[example][real])])  # without padding, not masked
            for script in net.scripts:
                assert isinstance(script, Script)
                x = script_of(script, x)
            torch.testing.assert_close(logits[example], net.logits(net.norm(x[0])), rtol=1e-11, atol=1e-12)


def test_some_functions_see_some_tokens_and_none_sees_all() -> None:
    """So that the test of the equations is one of routing, too."""
    types = interpreter(truncation=0.9).scripts[0].types
    assert isinstance(types, TypeInference)
    seen = types(torch.randn(8, 20, 16, dtype=torch.float64)) > 0
    assert 0.1 < float(seen.double().mean()) < 0.9
    assert not seen.all(-1).any()


def test_compatibilities_of_a_token_sum_to_one_unless_no_function_takes_it() -> None:
    types = TypeInference(16, 7, 3, truncation=0.8)
    total = types(torch.randn(8, 50, 16)).sum(1)
    taken = total > 0
    assert 0 < int(taken.sum()) < taken.numel()
    torch.testing.assert_close(total[taken], torch.ones_like(total[taken]), rtol=0, atol=1e-4)


def test_without_any_function_a_token_is_zero_and_gradients_are_finite() -> None:
    net = interpreter(truncation=1e-9)
    given = tokens().requires_grad_()
    logits = net(given)
    torch.testing.assert_close(logits, net.logits(net.norm(torch.zeros(3, 16, dtype=torch.float64))))
    logits.sum().backward()
    assert given.grad is not None
    assert torch.isfinite(given.grad).all()


def test_signatures_are_constants_that_are_stored() -> None:
    net = interpreter()
    assert not any("signatures" in name for name, _ in net.named_parameters())
    assert sum("signatures" in name for name in net.state_dict()) == 2


def test_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(Exception, match=r"model.width = 10 must be a multiple of model.heads = 4"):
        MODELS.get("neural-interpreter").configured("model", "mini", {"width": 10})
