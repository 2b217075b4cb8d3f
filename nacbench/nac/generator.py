"""Circuit generator: gives every module its signature (whom it talks to) and its code (what it computes)."""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.nac.options import SignatureStart


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """One configuration of modules; every tensor may have a leading batch axis B (one circuit per example).

    Attributes:
        read_in_codes: U×Z, the initial states of the processor modules; they also modulate how each reads the input.
        processor_signatures: U×S; None in a complete graph, where nothing depends on them.
        processor_codes: U×Z; the read-in codes where codes modulate nothing.
        readout_signatures: R×S, or None, as those of the processor modules.
        readout_codes: R×Z, also the initial states of the read-out modules.
    """

    read_in_codes: Tensor
    processor_signatures: Tensor | None
    processor_codes: Tensor
    readout_signatures: Tensor | None
    readout_codes: Tensor

    def part(self, modules: Tensor) -> "Circuit":
        """Return the circuit with only these processor modules, in this order; the read-out is unchanged."""
        signatures = self.processor_signatures
        return replace(
            self,
            read_in_codes=self.read_in_codes[..., modules, :],
            processor_signatures=None if signatures is None else signatures[..., modules, :],
            processor_codes=self.processor_codes[..., modules, :],
        )


class ModuleBank(nn.Module):
    """Codes M×Z and signatures M×S of one set of M modules: parameters, or, if ``frozen``, constants (buffers).

    Codes exist if ``code_dim`` is given, signatures if ``signature_dim`` is.
    """

    no_weight_decay = ("signatures",)
    codes: Tensor
    signatures: Tensor

    def __init__(
        self,
        modules: int,
        code_dim: int | None,
        signature_dim: int | None = None,
        start: SignatureStart = "unit-normal",
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        held = nn.Buffer if frozen else nn.Parameter
        # Unit normals, because codes are also initial states (and as perceiver-pytorch initialises its latents)
        if code_dim is not None:
            self.codes = held(torch.randn(modules, code_dim))
        if signature_dim is not None:
            # Of unit normals the length is about √S. Only the direction matters, and Adam turns a vector √S times
            # shorter √S times faster: with unit normals graphs hardly moved in mini runs (docs/design.md).
            length = math.sqrt(signature_dim) if start == "unit-length" else 1
            self.signatures = held(torch.randn(modules, signature_dim) / length)

    def keep(self, modules: Tensor) -> None:
        """Keep only these modules, in this order, in place."""
        for name, parameter in list(self.named_parameters()):
            setattr(self, name, nn.Parameter(parameter.detach()[modules]))
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer[modules])


class LearnedCircuit(nn.Module):
    """Unconditional generator: one circuit of learned parameters for the whole data set.

    Args:
        modules: U, processor modules.
        readout_modules: R.
        code_dim: Z.
        signature_dim: S; None for a complete graph, without signatures.
        start: of the signatures: numbers of deviation 1, or vectors of length about 1.
        modulated: whether codes modulate layers. If not, processor modules have none besides their initial states.
        frozen: keep all codes and signatures as they are drawn.
    """

    def __init__(
        self,
        modules: int,
        readout_modules: int,
        code_dim: int,
        signature_dim: int | None,
        start: SignatureStart,
        *,
        modulated: bool = True,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.modulated, self.linked = modulated, signature_dim is not None
        self.read_in = ModuleBank(modules, code_dim, frozen=frozen)
        own_codes = code_dim if modulated else None
        self.processor = ModuleBank(modules, own_codes, signature_dim, start, frozen=frozen)
        self.readout = ModuleBank(readout_modules, code_dim, signature_dim, start, frozen=frozen)

    def forward(self) -> Circuit:
        """Return the circuit, without a batch axis."""
        return Circuit(
            read_in_codes=self.read_in.codes,
            processor_signatures=self.processor.signatures if self.linked else None,
            processor_codes=self.processor.codes if self.modulated else self.read_in.codes,
            readout_signatures=self.readout.signatures if self.linked else None,
            readout_codes=self.readout.codes,
        )

    def keep(self, modules: Tensor) -> None:
        """Keep only these processor modules, in this order, in place."""
        self.read_in.keep(modules)
        self.processor.keep(modules)


class ConditionalCircuit(nn.Module):
    """Conditional generator: one circuit per example, computed from a condition such as a sentence.

    The condition's tokens pass through one layer of self-attention. Every module has a learned seed vector; the seeds
    attend to the tokens in a stack of cross-attentions, and projections of the result are added to learned codes and
    signatures. Training therefore starts near an unconditional circuit.

    Args:
        modules: U, processor modules.
        readout_modules: R.
        code_dim: Z, also the width of the seeds.
        signature_dim: S, or None, as for `LearnedCircuit`.
        start: of the learned signatures, as for `LearnedCircuit`.
        condition_dim: T, width of the condition's tokens.
        depth: number of cross-attentions.
        heads: of each attention; must divide Z.
        modulated: as for `LearnedCircuit`.
    """

    def __init__(
        self,
        modules: int,
        readout_modules: int,
        code_dim: int,
        signature_dim: int | None,
        start: SignatureStart,
        condition_dim: int,
        depth: int,
        heads: int,
        *,
        modulated: bool = True,
    ) -> None:
        super().__init__()
        self.processors = modules
        self.base = LearnedCircuit(modules, readout_modules, code_dim, signature_dim, start, modulated=modulated)
        self.seeds = nn.Parameter(torch.randn(modules + readout_modules, code_dim))
        self.embed = nn.Linear(condition_dim, code_dim)
        self.reader = nn.TransformerEncoderLayer(
            code_dim, heads, 4 * code_dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm_condition = nn.LayerNorm(code_dim)
        self.layers = nn.ModuleList(SeedAttention(code_dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(code_dim)
        self.read_in_code = nn.Linear(code_dim, code_dim)
        self.code = nn.Linear(code_dim, code_dim)
        self.signature = None if signature_dim is None else _signature_head(code_dim, signature_dim)

    no_weight_decay = ("seeds",)

    def forward(self, condition: Tensor, mask: Tensor | None = None) -> Circuit:
        """Return one circuit per example, with a batch axis.

        Args:
            condition: B×W×T.
            mask: B×W, true for a token; every example needs at least one, or attention gives NaN.
        """
        padding = None if mask is None else ~mask
        tokens = self.norm_condition(self.reader(self.embed(condition), src_key_padding_mask=padding))
        seeds = self.seeds.expand(len(condition), -1, -1)
        for layer in self.layers:
            seeds = layer(seeds, tokens, mask)
        seeds = self.norm(seeds)
        processor, readout = seeds[:, : self.processors], seeds[:, self.processors :]
        base = self.base()
        read_in_codes = base.read_in_codes + self.read_in_code(processor)
        return Circuit(
            read_in_codes=read_in_codes,
            processor_signatures=self._shifted(base.processor_signatures, processor),
            processor_codes=base.processor_codes + self.code(processor) if self.base.modulated else read_in_codes,
            readout_signatures=self._shifted(base.readout_signatures, readout),
            readout_codes=base.readout_codes + self.code(readout),
        )

    def _shifted(self, signatures: Tensor | None, seeds: Tensor) -> Tensor | None:
        return None if signatures is None or self.signature is None else signatures + self.signature(seeds)

    def keep(self, modules: Tensor) -> None:
        """Keep only these processor modules, in this order, in place."""
        processor, readout = self.seeds.detach().split([self.processors, len(self.seeds) - self.processors])
        self.seeds = nn.Parameter(torch.cat([processor[modules], readout]))
        self.processors = len(modules)
        self.base.keep(modules)


def _signature_head(code_dim: int, signature_dim: int) -> nn.Linear:
    """Return a layer whose output has length about 1 at most, which does not drown the learned signatures' graph."""
    head = nn.Linear(code_dim, signature_dim)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.div_(math.sqrt(signature_dim))
    return head


class SeedAttention(nn.Module):
    """Cross-attention from seeds to the condition's tokens, then a feed-forward layer; both pre-norm and residual."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.ffn = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, seeds: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Update the seeds: seeds B×N×Z (N = U + R), tokens B×W×Z, mask B×W (true: a token) → seeds B×N×Z."""
        query = self.query(self.norm(seeds)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in self.key_value(tokens).chunk(2, -1))
        read = F.scaled_dot_product_attention(
            query, key, value, attn_mask=None if mask is None else mask[:, None, None, :]
        )
        seeds = seeds + self.out(read.transpose(1, 2).flatten(2))
        return seeds + self.ffn(seeds)
