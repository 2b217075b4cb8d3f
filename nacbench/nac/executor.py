"""The circuit executor: read the tokens in, propagate between modules, read the prediction out."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nacbench.nac.attention import KernelAttention, ReadInAttention
from nacbench.nac.generator import Circuit, ConditionalCircuit, LearnedCircuit
from nacbench.nac.initialisation import start_as_graph
from nacbench.nac.kernel import Evaluation, attention_bias, log_link_probability, mean_degrees
from nacbench.nac.modfc import ModFFN
from nacbench.nac.options import Prior
from nacbench.nac.priors import GraphPrior


class ReadIn(nn.Module):
    """Tokens → states of the processor modules. A module's initial state is its read-in code."""

    def __init__(self, state_dim: int, token_dim: int, head_dim: int, ffn_mult: int) -> None:
        super().__init__()
        self.attn = ReadInAttention(state_dim, token_dim, state_dim, head_dim)
        self.ffn = ModFFN(state_dim, state_dim, ffn_mult)

    def forward(self, tokens: Tensor, codes: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens B×V×T, codes U×C or B×U×C, mask B×V (true: a token) → states B×U×C."""
        return self.ffn(codes + self.attn(codes, tokens, codes, mask), codes)


class Propagator(nn.Module):
    """One round of messages between the processor modules."""

    def __init__(self, state_dim: int, heads: int, head_dim: int, ffn_mult: int) -> None:
        super().__init__()
        self.attn = KernelAttention(state_dim, state_dim, heads, head_dim, same_modules=True)
        self.ffn = ModFFN(state_dim, state_dim, ffn_mult)

    def forward(self, states: Tensor, codes: Tensor, bias: Tensor) -> Tensor:
        """States B×U×C, codes U×C or B×U×C, bias (1 or B)×1×U×U → states B×U×C."""
        states = states + self.attn(states, states, codes, codes, bias)
        return self.ffn(states, codes)


class ReadOut(nn.Module):
    """States of the processor modules → logits, pooled over the read-out modules by their confidence."""

    def __init__(self, state_dim: int, head_dim: int, ffn_mult: int, classes: int) -> None:
        super().__init__()
        self.attn = KernelAttention(state_dim, state_dim, 1, head_dim, same_modules=False)
        self.ffn = ModFFN(state_dim, state_dim, ffn_mult)
        self.confidence = nn.Linear(state_dim, 1)
        self.logits = nn.Linear(state_dim, classes)

    def gather(self, states: Tensor, codes: Tensor, sender_codes: Tensor, bias: Tensor) -> Tensor:
        """States B×U×C of processor modules → states B×R×C of read-out modules; the attention has no residual."""
        return self.ffn(self.attn(codes, states, codes, sender_codes, bias), codes)

    def forward(self, states: Tensor) -> Tensor:
        """States B×R×C of the read-out modules → logits B×classes."""
        weight = self.confidence(states).softmax(dim=-2)  # B R 1
        return self.logits((weight * states).sum(dim=-2))


class NeuralAttentiveCircuit(nn.Module):
    """A circuit generator and its executor, trained together.

    Args:
        token_dim: T.
        classes: number of classes.
        modules: U, processor modules.
        readout_modules: R.
        state_dim: C; codes have the same width, since a module's initial state is its code.
        signature_dim: S.
        depth: L, propagators.
        heads: H, of each propagator; read-in and read-out have one.
        head_dim: D.
        ffn_mult: m, hidden width of the feed-forward layers over C.
        temperature: τ of the relaxed Bernoulli links.
        evaluation: how links are taken outside training: ``expected``, ``sample`` or ``threshold``
            (see `nacbench.nac.kernel.attention_bias`).
        conditional: make a circuit for each example from a condition, whose tokens are as wide as the others.
        generator_depth: cross-attentions of the conditional generator.
        prior: what kind of graph the processor modules shall form (see `nacbench.nac.priors`).
        prior_weight: of its loss beside the task's.
        prior_clusters: of the priors that have clusters, and of an initial graph that has.
        prior_match_every: training losses that share one matching of the modules with the prior.
        initial_graph: signatures start as a random graph of this kind (see `nacbench.nac.initialisation`); ``none``:
            at random.
        module_dropout: each training step drops a share of the processor modules, the least connected first, as pruning
            will; the share is drawn evenly from 0 to this number.
        sparsity_weight: of the mean link probability between processor modules beside the task's loss.
    """

    adaptable = {"circuit": ("circuit.", "readout.")}  # what low-shot adaptation may be confined to

    def __init__(
        self,
        *,
        token_dim: int,
        classes: int,
        modules: int,
        readout_modules: int,
        state_dim: int,
        signature_dim: int,
        depth: int,
        heads: int,
        head_dim: int,
        ffn_mult: int = 4,
        temperature: float = 0.5,
        evaluation: Evaluation = "expected",
        conditional: bool = False,
        generator_depth: int = 2,
        prior: Prior = "none",
        prior_weight: float = 0.1,
        prior_clusters: int = 8,
        prior_match_every: int = 1,
        initial_graph: Prior = "none",
        module_dropout: float = 0.0,
        sparsity_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.evaluation: Evaluation = evaluation
        sizes = (modules, readout_modules, state_dim, signature_dim)
        self.conditional = conditional
        self.circuit = (
            ConditionalCircuit(*sizes, token_dim, generator_depth, heads) if conditional else LearnedCircuit(*sizes)
        )
        self.read_in = ReadIn(state_dim, token_dim, head_dim, ffn_mult)
        self.propagator = nn.ModuleList(Propagator(state_dim, heads, head_dim, ffn_mult) for _ in range(depth))
        self.readout = ReadOut(state_dim, head_dim, ffn_mult, classes)
        self.prior = GraphPrior(prior, modules, prior_clusters, prior_match_every) if prior != "none" else None
        self.prior_weight = prior_weight
        self.module_dropout = module_dropout
        self.sparsity_weight = sparsity_weight
        if initial_graph != "none":
            start_as_graph(self.learned.processor.signatures, initial_graph, prior_clusters)

    @property
    def learned(self) -> LearnedCircuit:
        """The learned codes and signatures: all of the circuit, or what a condition's are added to."""
        return self.circuit.base if isinstance(self.circuit, ConditionalCircuit) else self.circuit

    @property
    def capturable(self) -> bool:
        """Whether all training passes do the same: none drops modules."""
        return not self.module_dropout

    def auxiliary_loss(self) -> Tensor | None:
        """What is added to the task's loss in training: of graph prior and sparsity, on the learned signatures."""
        signatures = self.learned.processor.signatures
        loss = self.prior_weight * self.prior(signatures) if self.prior is not None else None
        if self.sparsity_weight:
            links = log_link_probability(signatures, signatures).exp()
            sparsity = self.sparsity_weight * mean_degrees(links).mean() / max(1, len(links) - 1)
            loss = sparsity if loss is None else loss + sparsity
        return loss

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        condition: Tensor | None = None,
        condition_mask: Tensor | None = None,
    ) -> Tensor:
        """Tokens B×V×T and padding mask B×V (true: a token), where it is conditional also B×W×T and B×W → logits."""
        assert (condition is not None) == self.conditional, "a conditional circuit takes a condition, no other does"
        circuit = self.circuit(condition, condition_mask) if self.conditional else self.circuit()
        if self.training and self.module_dropout:
            circuit = circuit.part(self._drawn(circuit))
        elif not self.training and self.evaluation == "threshold" and not self.conditional:
            circuit = circuit.part(self.reaching_readout(circuit))
        return self.execute(circuit, tokens, mask)["logits"]

    def _drawn(self, circuit: Circuit) -> Tensor:
        """The modules that a training step is done with."""
        with torch.no_grad():
            degrees = mean_degrees(self.log_links(circuit)[0].exp())
        share = 1 - self.module_dropout * float(torch.rand((), device="cpu"))
        return degrees.topk(max(1, round(share * len(degrees)))).indices

    def reaching_readout(self, circuit: Circuit) -> Tensor:
        """The modules whose state can reach the read-out over links with P ≥ 1/2, at least one: no other changes a
        logit where only such links count."""
        between, to_readout = (links >= math.log(0.5) for links in self.log_links(circuit))
        reaching = to_readout.any(0)
        for _ in self.propagator:
            reaching = reaching | between[reaching].any(0)
        reaching[0] |= ~reaching.any()
        return reaching.nonzero().squeeze(1)

    def execute(self, circuit: Circuit, tokens: Tensor, mask: Tensor | None = None) -> Mapping[str, Tensor]:
        """Run a circuit on tokens and keep what every stage gave.

        Args:
            circuit: without a batch axis, or with one circuit for each example.
            tokens: B×V×T.
            mask: B×V, true where a token is there.

        Returns:
            ``read_in`` and ``propagator.l`` (states B×U×C), ``readout`` (states B×R×C) and ``logits`` (B×classes).
        """
        batch = tokens.shape[0]
        mode: Evaluation = "sample" if self.training else self.evaluation
        processor_links, readout_links = self.log_links(circuit)
        codes = circuit.processor_codes
        stages = {"read_in": self.read_in(tokens, circuit.read_in_codes, mask)}
        states = stages["read_in"]
        for index, propagator in enumerate(self.propagator):
            bias = attention_bias(processor_links, batch, mode, self.temperature)
            states = stages[f"propagator.{index}"] = propagator(states, codes, bias)
        bias = attention_bias(readout_links, batch, mode, self.temperature)
        stages["readout"] = self.readout.gather(states, circuit.readout_codes, codes, bias)
        stages["logits"] = self.readout(stages["readout"])
        return stages

    def log_links(self, circuit: Circuit) -> tuple[Tensor, Tensor]:
        """log P between processor modules (U×U) and from them to the read-out modules (R×U), in full precision."""
        senders = circuit.processor_signatures
        with torch.autocast(senders.device.type, enabled=False):
            return (
                log_link_probability(circuit.processor_signatures, senders),
                log_link_probability(circuit.readout_signatures, senders),
            )

    # -- pruning: see `nacbench.contracts.model.Prunable` ----------------------------------------------------------

    @property
    def module_count(self) -> int:
        """U, the processor modules that there are."""
        return len(self.learned.processor.codes)

    def degrees(self, condition: Tensor | None = None, condition_mask: Tensor | None = None) -> Tensor:
        """Expected number of other processor modules that each is linked to, U; the mean over conditions."""
        circuit = self.circuit(condition, condition_mask) if self.conditional else self.circuit()
        return mean_degrees(self.log_links(circuit)[0].exp())

    def kept(self, modules: Tensor) -> "NeuralAttentiveCircuit":
        """A smaller circuit of these processor modules alone, a copy: the same logits as if no link led to the others.

        Args:
            modules: numbers of the modules that stay, in the order that they shall have.
        """
        small = copy.deepcopy(self)
        small.prior = None
        small.circuit.keep(modules)
        return small
