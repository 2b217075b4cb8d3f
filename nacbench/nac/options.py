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
    """Options of a circuit. Defaults are the published setting for Tiny-ImageNet.

    Attributes:
        modules: U, processor modules.
        readout_modules: R, modules that read the result out.
        state_dim: C, of a module's state; codes have the same width, since a module's initial state is its code.
        signature_dim: S, of a module's signature.
        depth: L, number of propagators.
        heads: H, of each propagator; read-in and read-out have one head.
        head_dim: D, of a head.
        ffn_mult: m, hidden width of the feed-forward layers as a multiple of C.
        temperature: τ of the relaxed Bernoulli links.
        graph: what links modules: the ``kernel`` of their signatures; or nothing, a ``complete`` graph without
            signatures, whose attention is the usual softmax.
        training_links: how links are used in training: a ``sample`` for each example, or ``expected``.
        evaluation: how links are used outside training: ``expected``, ``sample`` or ``threshold``
            (see `nacbench.nac.kernel.attention_bias`).
        modulated: whether codes modulate every layer. If not, all layers are plain linear ones (α = 0), and codes are
            the modules' initial states only.
        frozen: keep the whole circuit (codes and signatures) as it is drawn; not for a conditional circuit.
        generator_depth: number of cross-attentions of the conditional generator.
        prior: graph prior on the processor modules' links (see `nacbench.nac.priors`).
        prior_weight: weight of the prior's loss, added to the task's loss.
        prior_clusters: number of clusters, for priors and initial graphs that have clusters.
        prior_outside: link probability between clusters, for the same.
        prior_match_every: number of training steps that share one matching of modules with the prior.
        signature_start: the signatures' start: ``unit-normal``, numbers of deviation 1, as published; ``unit-length``,
            vectors of length about 1, which turn faster in short trainings.
        initial_graph: initialise the processor signatures to a random graph of this kind (see
            `nacbench.nac.initialisation`); ``none``: at random.
        module_dropout: each training step drops a share of the processor modules, the least connected first, as pruning
            does; the share is drawn uniformly from 0 to this number.
        pooling: weights of the read-out modules in training: the ``softmax`` of their confidences, or a relaxed one-hot
            sample of it (``gumbel``).
        sparsity_weight: weight of the mean link probability between processor modules, added to the task's loss.
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
