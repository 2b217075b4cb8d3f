"""Dropping modules for good, in training, and where a hard graph makes them useless."""

from typing import Any

import pytest
import torch

from nacbench.contracts.model import Prunable
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.nac.kernel import log_link_probability

SIZES: dict[str, Any] = {
    "token_dim": 6,
    "classes": 3,
    "modules": 12,
    "readout_modules": 3,
    "state_dim": 8,
    "signature_dim": 4,
    "depth": 2,
    "heads": 2,
    "head_dim": 4,
}


def made(**options: Any) -> NeuralAttentiveCircuit:
    torch.manual_seed(0)
    return NeuralAttentiveCircuit(**SIZES, **options).double().eval()


def masked(core: NeuralAttentiveCircuit, modules: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
    """The slow way: all modules compute, but no link leads from those that are dropped."""
    original = core.log_links
    gone = torch.ones(core.module_count, dtype=torch.bool)
    gone[modules] = False

    def cut(circuit: Any) -> tuple[torch.Tensor, ...]:
        return tuple(links.masked_fill(gone, -torch.inf) for links in original(circuit))

    core.log_links = cut  # type: ignore[method-assign, assignment]
    try:
        return core(*inputs)
    finally:
        del core.log_links


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("modules", [[0, 3, 4, 11], [7], list(range(12))])
def test_pruned_circuit_has_the_logits_of_a_masked_one(modules: list[int], conditional: bool) -> None:
    core = made(conditional=conditional, prior="scale-free")
    assert isinstance(core, Prunable)
    tokens, mask, condition = torch.randn(5, 9, 6).double(), torch.rand(5, 9) < 0.8, torch.randn(5, 4, 6).double()
    mask[:, 0] = True
    inputs = (tokens, mask, condition) if conditional else (tokens, mask)
    kept = torch.tensor(modules)
    small = core.kept(kept)
    assert small.module_count == len(modules) <= core.module_count == 12
    torch.testing.assert_close(small(*inputs), masked(core, kept, *inputs), rtol=1e-10, atol=1e-12)
    assert sum(p.numel() for p in small.parameters()) <= sum(p.numel() for p in core.parameters())
    assert core(*inputs).shape == (5, 3), "the whole one still works"


def test_pruned_circuit_has_the_parameters_of_a_smaller_model() -> None:
    core = made()
    small = core.kept(torch.tensor([1, 5, 8]))
    fresh = NeuralAttentiveCircuit(**{**SIZES, "modules": 3}).double().eval()
    fresh.load_state_dict(small.state_dict())
    tokens = torch.randn(2, 9, 6).double()
    assert torch.equal(fresh(tokens), small(tokens))


@pytest.mark.parametrize("conditional", [False, True])
def test_degrees_are_sums_of_links_to_other_modules(conditional: bool) -> None:
    core = made(conditional=conditional)
    condition = torch.randn(5, 4, 6).double()
    circuit = core.circuit(condition, None) if conditional else core.circuit()
    links = log_link_probability(circuit.processor_signatures, circuit.processor_signatures).exp()
    links = links if conditional else links[None]
    slow = [
        sum(float(one[u, v].detach()) for one in links for v in range(12) if u != v) / len(links) for u in range(12)
    ]
    found = core.degrees(condition) if conditional else core.degrees()
    assert found.tolist() == pytest.approx(slow)


def test_module_dropout_keeps_the_best_connected_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = made(module_dropout=0.75).train()
    order = core.degrees().argsort(descending=True).tolist()
    seen: list[list[int]] = []
    original = core.execute
    all_codes = core.circuit().processor_codes

    def execute(circuit: Any, *rest: Any) -> Any:
        seen.append([int((all_codes == code).all(1).nonzero()) for code in circuit.processor_codes])
        return original(circuit, *rest)

    monkeypatch.setattr(core, "execute", execute)
    for _ in range(60):
        core(torch.randn(2, 5, 6).double()).sum().backward()
    assert all(sorted(modules) == sorted(order[: len(modules)]) for modules in seen)
    assert {len(modules) for modules in seen} == set(range(3, 13))
    core.eval()(torch.randn(2, 5, 6).double())
    assert len(seen[-1]) == 12


def test_sparsity_loss_is_the_mean_link_and_pushes_modules_apart() -> None:
    core = made(sparsity_weight=2.0)
    loss = core.auxiliary_loss()
    assert loss is not None
    assert float(loss.detach()) == pytest.approx(2 * float(core.degrees().mean().detach()) / 11)
    optimizer = torch.optim.SGD([core.learned.processor.signatures], lr=0.5)
    loss.backward()
    optimizer.step()
    assert float(core.degrees().mean().detach()) * 2 / 11 < float(loss.detach())
    both = made(sparsity_weight=2.0, prior="erdos-renyi").auxiliary_loss()
    alone = made(prior="erdos-renyi").auxiliary_loss()
    assert both is not None
    assert alone is not None
    assert float(both.detach()) == pytest.approx(
        float(alone.detach()) + 2 * float(made().degrees().mean().detach()) / 11
    )


@pytest.mark.parametrize(("signature_dim", "some"), [(12, True), (4096, False)])
def test_threshold_skips_unreachable_modules_without_changing_logits(signature_dim: int, some: bool) -> None:
    torch.manual_seed(0)
    core = NeuralAttentiveCircuit(**{**SIZES, "signature_dim": signature_dim}, evaluation="threshold").double().eval()
    tokens = torch.randn(4, 9, 6).double()
    useful = core.reaching_readout(core.circuit())
    assert (1 < len(useful) < 12) if some else len(useful) == 1
    torch.testing.assert_close(core(tokens), core.execute(core.circuit(), tokens)["logits"], rtol=1e-10, atol=1e-12)
