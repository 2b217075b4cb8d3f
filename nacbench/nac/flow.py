"""Attention rollout through a circuit: from the read-out over the modules back to the input tokens."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nacbench.nac.executor import NeuralAttentiveCircuit, Propagator
from nacbench.nac.generator import Circuit
from nacbench.nac.kernel import attention_bias


@dataclass(frozen=True)
class Flow:
    """Shares of attention in the prediction.

    For each example, ``modules`` of each stage, ``readout`` and ``tokens`` sum to 1; ``reading`` does for each module.

    Attributes:
        reading: attention weights of each module over the tokens, B×U×V.
        modules: share of every module after the read-in and after each propagator, (L+1)×B×U.
        links: share that passes from sender to receiver in each propagator, without the residual part, L×B×U×U
            (row: receiver); half of the stage's total.
        readout: share that passes from each processor module to each read-out module, B×R×U.
        tokens: share of every token, B×V.
    """

    reading: Tensor
    modules: Tensor
    links: Tensor
    readout: Tensor
    tokens: Tensor


def attention_flow(core: NeuralAttentiveCircuit, circuit: Circuit, tokens: Tensor, mask: Tensor | None = None) -> Flow:
    """Compute attention rollout from the prediction back to the tokens (Abnar and Zuidema 2020, arXiv 2005.00928).

    Half of a module's state after a propagator is attributed to its previous state and half to what it gathered, as
    rollout treats residual connections. It follows attention weights alone, not the values that are passed.

    Args:
        core: in evaluation mode.
        circuit: without a batch axis, or one for each example.
        tokens: B×V×T.
        mask: B×V, true for a token.
    """
    assert not core.training, "attention_flow needs core.eval(): in training every pass samples other links"
    stages = core.execute(circuit, tokens, mask)
    between, to_readout = (
        attention_bias(links, len(tokens), core.evaluation, core.temperature) for links in core.log_links(circuit)
    )
    gains = core.gains(circuit)
    names = ["read_in", *(f"propagator.{index}" for index in range(len(core.propagator)))]
    states = [stages[name] for name in names]
    gathered = core.readout.attn.weights(circuit.readout_codes, states[-1], gains, to_readout)
    readout = core.readout.confidence(stages["readout"]).softmax(dim=-2) * gathered  # B R U
    modules: list[Tensor] = [readout.sum(1)]
    links: list[Tensor] = []
    # Backwards from the last propagator: ``modules[0]`` is the share after the layer, ``before`` the states before it
    for layer, before in zip(reversed(core.propagator), reversed(states[:-1]), strict=True):
        assert isinstance(layer, Propagator)
        passed = modules[0].unsqueeze(-1) * layer.attn.weights(before, before, gains, between) / 2  # B U U
        links.insert(0, passed)
        modules.insert(0, modules[0] / 2 + passed.sum(1))
    reading = core.read_in.attn.weights(circuit.read_in_codes, tokens, gains, mask)
    seen = (modules[0].unsqueeze(1) @ reading).squeeze(1)
    return Flow(reading, torch.stack(modules), torch.stack(links), readout, seen)
