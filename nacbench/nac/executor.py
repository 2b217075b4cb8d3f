"""Circuit executor and the whole NAC network: read-in, L propagators, read-out (arXiv 2210.08031)."""

import copy
import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.nac.attention import KernelAttention, ReadInAttention
from nacbench.nac.generator import Circuit, ConditionalCircuit, LearnedCircuit
from nacbench.nac.initialisation import start_as_graph
from nacbench.nac.kernel import Evaluation, attention_bias, log_link_probability, mean_degrees
from nacbench.nac.modfc import Gains, KeptGains, ModFFN, gains_of, modulated_layers
from nacbench.nac.options import OUTSIDE, Graph, Pooling, Prior, SignatureStart, TrainingLinks
from nacbench.nac.priors import GraphPrior


class ReadIn(nn.Module):
    """Read-in: tokens → states of the processor modules. A module's initial state is its read-in code."""

    def __init__(self, state_dim: int, token_dim: int, code_dim: int | None, head_dim: int, ffn_mult: int) -> None:
        super().__init__()
        self.attn = ReadInAttention(state_dim, token_dim, code_dim, head_dim)
        self.ffn = ModFFN(state_dim, code_dim, ffn_mult)

    def forward(self, tokens: Tensor, codes: Tensor, gains: Gains, mask: Tensor | None = None) -> Tensor:
        """Return states B×U×C for tokens B×V×T, codes U×C or B×U×C and mask B×V (true: a token)."""
        return self.ffn(codes + self.attn(codes, tokens, gains, mask), gains)


class Propagator(nn.Module):
    """Propagator: one layer of message passing between the processor modules."""

    def __init__(self, state_dim: int, code_dim: int | None, heads: int, head_dim: int, ffn_mult: int) -> None:
        super().__init__()
        self.attn = KernelAttention(state_dim, code_dim, heads, head_dim, same_modules=True)
        self.ffn = ModFFN(state_dim, code_dim, ffn_mult)

    def forward(self, states: Tensor, gains: Gains, bias: Tensor) -> Tensor:
        """Return the next states B×U×C for states B×U×C and bias (1 or B)×1×U×U."""
        states = states + self.attn(states, states, gains, bias)
        return self.ffn(states, gains)


class ReadOut(nn.Module):
    """Read-out: states of the processor modules → logits, pooled over the read-out modules by confidence.

    With ``gumbel`` pooling the weights of a training pass are a sample of a relaxed one-hot variable of temperature 1
    (Jang et al. 2017, arXiv 1611.01144); outside training they are the softmax, as links are expected ones.
    """

    def __init__(
        self, state_dim: int, code_dim: int | None, head_dim: int, ffn_mult: int, classes: int, pooling: Pooling
    ) -> None:
        super().__init__()
        self.attn = KernelAttention(state_dim, code_dim, 1, head_dim, same_modules=False)
        self.ffn = ModFFN(state_dim, code_dim, ffn_mult)
        self.confidence = nn.Linear(state_dim, 1)
        self.logits = nn.Linear(state_dim, classes)
        self.pooling = pooling

    def gather(self, states: Tensor, codes: Tensor, gains: Gains, bias: Tensor) -> Tensor:
        """Return states B×R×C of the read-out modules for processor states B×U×C; the attention has no residual.

        Args:
            states: B×U×C.
            codes: initial states of the read-out modules, R×C or B×R×C.
            gains: of this part's layers.
            bias: (1 or B)×1×R×U.
        """
        return self.ffn(self.attn(codes, states, gains, bias), gains)

    def forward(self, states: Tensor) -> Tensor:
        """Return logits B×classes for states B×R×C of the read-out modules."""
        confidence = self.confidence(states)  # B R 1
        drawn = self.training and self.pooling == "gumbel"
        weight = F.gumbel_softmax(confidence, dim=-2) if drawn else confidence.softmax(dim=-2)
        return self.logits((weight * states).sum(dim=-2))


class NeuralAttentiveCircuit(nn.Module):
    """The NAC: a circuit generator and its executor, trained together end to end.

    Args:
        token_dim: T.
        classes: number of classes.
        conditional: compute a circuit for each example from a condition, whose tokens also have width T.

    All others are those of `nacbench.nac.options.CircuitOptions`.
    """

    # Prefixes of the parameters that low-shot adaptation trains with ``adapt=circuit``; all others are frozen
    adaptable = {"circuit": ("circuit.", "readout.")}

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
        graph: Graph = "kernel",
        training_links: TrainingLinks = "sample",
        evaluation: Evaluation = "expected",
        modulated: bool = True,
        frozen: bool = False,
        conditional: bool = False,
        generator_depth: int = 2,
        prior: Prior = "none",
        prior_weight: float = 0.1,
        prior_clusters: int = 10,
        prior_outside: float = OUTSIDE,
        prior_match_every: int = 1,
        signature_start: SignatureStart = "unit-normal",
        initial_graph: Prior = "none",
        module_dropout: float = 0.0,
        pooling: Pooling = "softmax",
        sparsity_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self._kept = KeptGains()
        self.temperature = temperature
        complete = graph == "complete"
        # All links of a complete graph have probability 1: there is nothing to sample
        self.training_links: Evaluation = "expected" if complete else training_links
        self.evaluation: Evaluation = "expected" if complete else evaluation
        sizes = (modules, readout_modules, state_dim, None if complete else signature_dim, signature_start)
        self.conditional = conditional
        self.circuit = (
            ConditionalCircuit(*sizes, token_dim, generator_depth, heads, modulated=modulated)
            if conditional
            else LearnedCircuit(*sizes, modulated=modulated, frozen=frozen)
        )
        code_dim = state_dim if modulated else None
        self.read_in = ReadIn(state_dim, token_dim, code_dim, head_dim, ffn_mult)
        layers = (Propagator(state_dim, code_dim, heads, head_dim, ffn_mult) for _ in range(depth))
        self.propagator = nn.ModuleList(layers)
        self.readout = ReadOut(state_dim, code_dim, head_dim, ffn_mult, classes, pooling)
        self.prior = (
            GraphPrior(prior, modules, prior_clusters, prior_match_every, prior_outside) if prior != "none" else None
        )
        self.prior_weight = prior_weight
        self.module_dropout = module_dropout
        self.sparsity_weight = sparsity_weight
        if initial_graph != "none":
            start_as_graph(self.learned.processor.signatures, initial_graph, prior_clusters, prior_outside)

    @property
    def learned(self) -> LearnedCircuit:
        """The learned codes and signatures: the whole circuit, or the base of a conditional one."""
        return self.circuit.base if isinstance(self.circuit, ConditionalCircuit) else self.circuit

    @property
    def capturable(self) -> bool:
        """Whether every training pass launches the same kernels, as a CUDA graph needs."""
        # module_dropout draws the number of modules on the host, so shapes change from step to step
        return not self.module_dropout

    def auxiliary_loss(self) -> Tensor | None:
        """Return the weighted losses of graph prior and sparsity on the learned signatures, or None without any."""
        if self.prior is None and not self.sparsity_weight:
            return None
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
        """Return logits B×classes.

        Args:
            tokens: B×V×T.
            mask: B×V, true for a token, false for padding; None: no padding.
            condition: B×W×T, for a conditional circuit only.
            condition_mask: B×W, like ``mask``.
        """
        assert (condition is not None) == self.conditional, "a conditional circuit takes a condition, no other does"
        circuit = self.circuit(condition, condition_mask) if self.conditional else self.circuit()
        if self.training and self.module_dropout:
            circuit = circuit.part(self._drawn(circuit))
        elif not self.training and self.evaluation == "threshold" and not self.conditional:
            circuit = circuit.part(self.reaching_readout(circuit))
        return self.execute(circuit, tokens, mask)["logits"]

    def _drawn(self, circuit: Circuit) -> Tensor:
        """Draw the number of processor modules for this training step, and return those with the highest degrees."""
        with torch.no_grad():
            degrees = mean_degrees(self.log_links(circuit)[0].exp())
        # Drawn on the CPU, so that a seed drops the same modules on every device
        share = 1 - self.module_dropout * float(torch.rand((), device="cpu"))
        return degrees.topk(max(1, round(share * len(degrees)))).indices

    def reaching_readout(self, circuit: Circuit) -> Tensor:
        """Return the processor modules whose state can reach the read-out over links with P ≥ 1/2, at least one.

        With ``threshold`` evaluation no other module can change a logit, so they are not computed.
        """
        between, to_readout = (links >= math.log(0.5) for links in self.log_links(circuit))
        reaching = to_readout.any(0)
        for _ in self.propagator:  # a path from a module to the read-out has at most L links between modules
            reaching = reaching | between[reaching].any(0)
        reaching[0] |= ~reaching.any()  # keep one module if none reaches it: attention needs a sender
        return reaching.nonzero().squeeze(1)

    def execute(self, circuit: Circuit, tokens: Tensor, mask: Tensor | None = None) -> Mapping[str, Tensor]:
        """Run a circuit on tokens and return the output of every stage.

        Args:
            circuit: without a batch axis, or with one circuit for each example.
            tokens: B×V×T.
            mask: B×V, true for a token.

        Returns:
            ``read_in`` and ``propagator.l`` (states B×U×C), ``readout`` (states B×R×C) and ``logits`` (B×classes).
        """
        batch = tokens.shape[0]
        mode = self.training_links if self.training else self.evaluation
        processor_links, readout_links = self.log_links(circuit)
        gains = self.gains(circuit)
        stages = {"read_in": self.read_in(tokens, circuit.read_in_codes, gains, mask)}
        states = stages["read_in"]
        for index, propagator in enumerate(self.propagator):
            # Inside the loop: with ``sample`` every propagator draws its own links
            bias = attention_bias(processor_links, batch, mode, self.temperature)
            states = stages[f"propagator.{index}"] = propagator(states, gains, bias)
        bias = attention_bias(readout_links, batch, mode, self.temperature)
        stages["readout"] = self.readout.gather(states, circuit.readout_codes, gains, bias)
        stages["logits"] = self.readout(stages["readout"])
        return stages

    def gains(self, circuit: Circuit) -> Gains:
        """Return the gain on the input of every layer.

        Without gradients, the gains of learned codes are kept until a weight or the precision changes: at batch size 1
        they would be a third of all operations.
        """
        codes = (circuit.read_in_codes, circuit.processor_codes, circuit.readout_codes)
        made = not all(isinstance(own, nn.Parameter | nn.Buffer) for own in codes)  # for this pass
        if torch.is_grad_enabled() or made or torch.compiler.is_compiling():
            return self._gains(circuit)
        own = (x for layer in modulated_layers(self) for x in (layer.code_proj, layer.alpha) if x is not None)
        return self._kept.gains([*codes, *own], lambda: self._gains(circuit))

    def _gains(self, circuit: Circuit) -> Gains:
        attn = self.readout.attn
        read_out = [attn.query, attn.out, *modulated_layers(self.readout.ffn)]
        between = [*modulated_layers(self.propagator), attn.key, attn.value]
        return {
            **gains_of(circuit.read_in_codes, modulated_layers(self.read_in)),
            **gains_of(circuit.processor_codes, between),
            **gains_of(circuit.readout_codes, read_out),
        }

    def train(self, mode: bool = True) -> "NeuralAttentiveCircuit":
        """Switch between training and evaluation, and forget the gains that were kept."""
        self._kept = KeptGains()
        return super().train(mode)

    def log_links(self, circuit: Circuit) -> tuple[Tensor, Tensor]:
        """Return log P between processor modules (U×U), and of read-out (rows) and processor modules (R×U)."""
        receivers, senders = circuit.readout_signatures, circuit.processor_signatures
        if receivers is None or senders is None:  # a complete graph: P is 1
            codes, readout = circuit.processor_codes, circuit.readout_codes.shape[-2]
            *batch, modules, _ = codes.shape
            return codes.new_zeros(*batch, modules, modules), codes.new_zeros(*batch, readout, modules)
        # float32 also under autocast: a cosine in bf16 is off by up to 0.4 %
        with torch.autocast(senders.device.type, enabled=False):
            return log_link_probability(senders, senders), log_link_probability(receivers, senders)

    # -- pruning: see `nacbench.contracts.model.Prunable` ----------------------------------------------------------

    @property
    def module_count(self) -> int:
        """U, the number of processor modules."""
        return len(self.learned.read_in.codes)

    def degrees(self, condition: Tensor | None = None, condition_mask: Tensor | None = None) -> Tensor:
        """Return each processor module's expected degree, U; for a conditional circuit the mean over the conditions."""
        circuit = self.circuit(condition, condition_mask) if self.conditional else self.circuit()
        return mean_degrees(self.log_links(circuit)[0].exp())

    def kept(self, modules: Tensor) -> "NeuralAttentiveCircuit":
        """Return a pruned copy with only these processor modules.

        Its logits equal those of the whole circuit with all links to the other modules cut.

        Args:
            modules: indices of the modules to keep, in their new order.
        """
        small = copy.deepcopy(self)
        small.prior = None  # its graphon is U×U for the old U
        small.circuit.keep(modules)
        return small
