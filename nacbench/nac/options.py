"""Options of the NAC model as a dataclass; separate from the plug-in, so that modules below need not import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from nacbench.contracts.model import Model
from nacbench.contracts.numbers import Count

Prior = Literal["none", "scale-free", "planted-partition", "ring-of-cliques", "watts-strogatz", "erdos-renyi"]

SignatureStart = Literal["unit-normal", "unit-length"]
Pooling = Literal["softmax", "gumbel"]


@dataclass(frozen=True, kw_only=True)
class CircuitOptions(Model):
    """Options of a circuit; `nacbench.nac.executor.NeuralAttentiveCircuit` documents each.

    Defaults are the published setting for Tiny-ImageNet.
    """

    modules: Count = 320
    readout_modules: Count = 64
    state_dim: Count = 384
    signature_dim: Count = 64
    depth: Count = 8
    heads: Count = 6
    head_dim: Count = 64
    ffn_mult: Count = 4
    temperature: Annotated[float, Field(gt=0)] = 0.5
    evaluation: Literal["expected", "sample", "threshold"] = "expected"
    generator_depth: Count = 2
    prior: Prior = "none"
    prior_weight: Annotated[float, Field(ge=0)] = 0.1
    prior_clusters: Count = 10
    prior_match_every: Count = 1
    signature_start: SignatureStart = "unit-normal"
    initial_graph: Prior = "none"
    module_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pooling: Pooling = "softmax"
    sparsity_weight: Annotated[float, Field(ge=0)] = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("prior", self.prior), ("initial_graph", self.initial_graph)):
            if kind in ("planted-partition", "ring-of-cliques") and self.modules % self.prior_clusters:
                raise ValueError(
                    f"prior_clusters = {self.prior_clusters} must divide modules = {self.modules} for {name} {kind!r}"
                )
