"""Options of the NAC model as a dataclass; separate from the plug-in, so that modules below need not import it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from nacbench.contracts.model import Model
from nacbench.contracts.numbers import Count

Prior = Literal["none", "scale-free", "planted-partition", "ring-of-cliques", "watts-strogatz", "erdos-renyi"]

OUTSIDE = 0.05  # p_out of graphs with clusters: link probability of two modules of different clusters (the authors')
SignatureStart = Literal["unit-normal", "unit-length"]
Pooling = Literal["softmax", "gumbel"]
Graph = Literal["kernel", "complete"]
TrainingLinks = Literal["sample", "expected"]

# options that can have no effect in some circuits, and the values at which they ask for none
ACT_ON_SIGNATURES: Mapping[str, object] = {"prior": "none", "sparsity_weight": 0}
ACT_ON_LINKS: Mapping[str, object] = {"training_links": "sample", "evaluation": "expected", "temperature": 0.5}


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
    graph: Graph = "kernel"
    training_links: TrainingLinks = "sample"
    evaluation: Literal["expected", "sample", "threshold"] = "expected"
    modulated: bool = True
    frozen: bool = False
    generator_depth: Count = 2
    prior: Prior = "none"
    prior_weight: Annotated[float, Field(ge=0)] = 0.1
    prior_clusters: Count = 10
    prior_outside: Annotated[float, Field(ge=0, le=1)] = OUTSIDE
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
        # an option without effect would give one network two ids
        if self.graph == "complete":
            idle = {**ACT_ON_SIGNATURES, **ACT_ON_LINKS, "initial_graph": "none"}
            self._refuse(idle, "acts on signatures or their links", "model.graph = complete has none")
        if self.frozen:
            self._refuse(ACT_ON_SIGNATURES, "acts on signatures", "model.frozen = true keeps them")

    def _refuse(self, idle: Mapping[str, object], what: str, cause: str) -> None:
        for name, off in idle.items():
            if (value := getattr(self, name)) != off:
                raise ValueError(f"model.{name} = {value} {what}, and {cause}; set model.{name}={off}")
