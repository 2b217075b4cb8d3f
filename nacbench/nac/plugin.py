"""NAC as a model plug-in, registered by the same entry point as any other model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Operations
from nacbench.contracts.spec import TaskSpec
from nacbench.nac.options import CircuitOptions

if TYPE_CHECKING:
    from torch import nn

# Short trainings, in which the published start hardly moves (docs/design.md, "The circuit"), and fewer modules
OURS = {"prior_clusters": 8, "prior_match_every": 10, "signature_start": "unit-length"}
# What the sizes of the authors' release for ImageNet have in common; those of the names in it
RELEASED = {"heads": 8, "prior": "scale-free", "initial_graph": "scale-free"}


@dataclass(frozen=True, kw_only=True)
class NAC(CircuitOptions):
    """Neural Attentive Circuit; `nacbench.nac.executor.NeuralAttentiveCircuit` documents each option."""

    title = "NAC"
    idea = "modules with codes, which change their weights, and signatures, which decide whom they attend to"
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
            **OURS,
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
            **OURS,
        },
        "paper": {"prior": "scale-free", "pooling": "gumbel"},
        "chonker": {**RELEASED, "modules": 640},
        "heckinchonker": {**RELEASED, "modules": 960, "state_dim": 512, "ffn_mult": 3},
        "heftychonk": {**RELEASED, "modules": 1120, "state_dim": 512, "ffn_mult": 3},
        "superchonker": {
            **RELEASED,
            "modules": 1280,
            "readout_modules": 128,
            "state_dim": 768,
            "heads": 12,
            "ffn_mult": 3,
        },
    }

    def unsupported(self, spec: TaskSpec) -> str | None:
        if spec.condition_tokens and self.state_dim % self.heads:
            return f"a conditional circuit needs state_dim = {self.state_dim} to be a multiple of heads = {self.heads}"
        if spec.condition_tokens and self.frozen:
            return "a frozen circuit is the same for every sentence"
        return None

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        from nacbench.nac.operations import circuit_operations

        return circuit_operations(self, spec, tokens, words)

    def build(self, spec: TaskSpec) -> nn.Module:
        from nacbench.nac.executor import NeuralAttentiveCircuit

        return NeuralAttentiveCircuit(
            token_dim=spec.token_dim, classes=spec.classes, conditional=spec.condition_tokens > 0, **self.options()
        )
