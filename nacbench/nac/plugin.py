"""The Neural Attentive Circuit as a model of the suite; it comes in by the same entry point as anyone's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nacbench.model import Model, Operations
from nacbench.task import TaskSpec

if TYPE_CHECKING:
    from torch import nn

Prior = Literal["none", "scale-free", "planted-partition", "ring-of-cliques", "watts-strogatz", "erdos-renyi"]
Count = Annotated[int, Field(gt=0, strict=True)]


@dataclass(frozen=True, kw_only=True)
class NAC(Model):
    """See `nacbench.nac.executor.NeuralAttentiveCircuit` for what each option means."""

    title = "NAC"
    citation = "Weiss, Rahaman, Locatello, Pal, Bengio, Schölkopf, Li, Ballas 2022, arXiv 2210.08031"
    conditional = True
    resized_by = ("depth", "state_dim")
    presets = {
        "tiny": {
            "modules": 16,
            "readout_modules": 4,
            "state_dim": 48,
            "signature_dim": 16,
            "depth": 2,
            "heads": 2,
            "head_dim": 24,
            "generator_depth": 1,
        },
        "mini": {
            "modules": 32,
            "readout_modules": 8,
            "state_dim": 64,
            "signature_dim": 32,
            "depth": 3,
            "heads": 4,
            "head_dim": 16,
            "generator_depth": 1,
        },
        "paper": {"prior": "scale-free"},
    }

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
    prior: Literal["none", "scale-free", "planted-partition", "ring-of-cliques", "watts-strogatz", "erdos-renyi"] = (
        "none"
    )
    prior_weight: Annotated[float, Field(ge=0)] = 0.1
    prior_clusters: Count = 8
    prior_match_every: Count = 10
    initial_graph: Literal[
        "none", "scale-free", "planted-partition", "ring-of-cliques", "watts-strogatz", "erdos-renyi"
    ] = "none"
    module_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sparsity_weight: Annotated[float, Field(ge=0)] = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("prior", self.prior), ("initial_graph", self.initial_graph)):
            if kind in ("planted-partition", "ring-of-cliques") and self.modules % self.prior_clusters:
                raise ValueError(
                    f"prior_clusters = {self.prior_clusters} must divide modules = {self.modules} for {name} {kind!r}"
                )

    def unsupported(self, spec: TaskSpec) -> str | None:
        if spec.condition_tokens and self.state_dim % self.heads:
            return f"a conditional circuit needs state_dim = {self.state_dim} to be a multiple of heads = {self.heads}"
        return None

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        from nacbench.nac.operations import circuit_operations

        return circuit_operations(self, spec, tokens, words)

    def build(self, spec: TaskSpec) -> nn.Module:
        from nacbench.nac.executor import NeuralAttentiveCircuit

        return NeuralAttentiveCircuit(
            token_dim=spec.token_dim, classes=spec.classes, conditional=spec.condition_tokens > 0, **self.options()
        )
