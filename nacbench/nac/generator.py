"""The circuit generator: what gives every module its signature (whom it talks to) and its code (what it computes)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """One configuration of modules; every tensor may have a leading batch axis B (one circuit per example).

    Attributes:
        read_in_codes: U×Z, initial states of the processor modules and how they read the input.
        processor_signatures: U×S.
        processor_codes: U×Z.
        readout_signatures: R×S.
        readout_codes: R×Z, also the initial states of the read-out modules.
    """

    read_in_codes: Tensor
    processor_signatures: Tensor
    processor_codes: Tensor
    readout_signatures: Tensor
    readout_codes: Tensor


class ModuleBank(nn.Module):
    """The learned codes, and where given the learned signatures, of one set of modules.

    Codes start as unit normals, since they are also initial states; signatures as unit normals, since only their
    direction counts.
    """

    no_weight_decay = ("signatures",)

    def __init__(self, modules: int, code_dim: int, signature_dim: int | None = None) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(modules, code_dim))
        if signature_dim is not None:
            self.signatures = nn.Parameter(torch.randn(modules, signature_dim))


class LearnedCircuit(nn.Module):
    """The unconditional generator: one circuit for the whole data set, all of it learned parameters.

    Args:
        modules: U, processor modules.
        readout_modules: R.
        code_dim: Z.
        signature_dim: S.
    """

    def __init__(self, modules: int, readout_modules: int, code_dim: int, signature_dim: int) -> None:
        super().__init__()
        self.read_in = ModuleBank(modules, code_dim)
        self.processor = ModuleBank(modules, code_dim, signature_dim)
        self.readout = ModuleBank(readout_modules, code_dim, signature_dim)

    def forward(self) -> Circuit:
        """The circuit, without a batch axis."""
        return Circuit(
            read_in_codes=self.read_in.codes,
            processor_signatures=self.processor.signatures,
            processor_codes=self.processor.codes,
            readout_signatures=self.readout.signatures,
            readout_codes=self.readout.codes,
        )
