"""Neural Interpreter (Rahaman et al. 2021, arXiv 2110.06399), by the authors of NAC and before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class NeuralInterpreter(Model):
    """A Neural Interpreter: scripts of functions, and every token is routed to the functions that fit its type.

    A function has a signature and a code, as NAC's modules have, but works on the tokens themselves. Written here from
    the authors' code (github.com/nasimrahaman/neural-interpreter, presets/digits.yml), whose width,
    functions, heads, calls, truncation, residuals, constant signatures and learned bandwidth are the defaults.

    Our own: there are no relative positions, since tokens bring theirs; the sizes; and padding, which the authors' code
    does not have, is hidden from the softmax of the attention.

    Attributes:
        width: C, of a token.
        code_dim: Z, of a function's code.
        type_dim: S, of types and signatures.
        functions: U of each script.
        scripts: one after the other, each with its own weights.
        calls: how often a script calls its functions (the paper's function iterations).
        lines: of code in each function.
        heads: H; must divide the width.
        head_dim: D, of queries and keys (the authors' setting of 32 is multiplied by the heads in their code).
        mlp_mult: hidden width of ModMLP as a multiple of C.
        truncation: τ, the cosine distance from 0 to 2 beyond which a function does not see a token.
    """

    title = "Neural Interpreter"
    citation = "Rahaman, Gondal, Joshi, Gehler, Bengio, Locatello, Schölkopf 2021, arXiv 2110.06399"
    resized_by = ("scripts", "width")
    presets = {
        "tiny": {"width": 136, "code_dim": 136, "head_dim": 24, "heads": 2, "functions": 4, "calls": 3},
        "mini": {"calls": 4, "head_dim": 32},
        "paper": {"width": 1024, "code_dim": 1024, "heads": 8, "head_dim": 64, "scripts": 3, "calls": 2},
    }

    width: Count = 192
    code_dim: Count = 192
    type_dim: Count = 24
    functions: Count = 5
    scripts: Count = 1
    calls: Count = 8
    lines: Count = 1
    heads: Count = 4
    head_dim: Count = 128
    mlp_mult: Count = 1
    truncation: Annotated[float, Field(gt=0, le=2)] = 1.42

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.heads = {self.heads}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        n, c, width = tokens + 1, self.width, self.heads * self.head_dim  # n: with the class token
        links = product(n, self.type_dim, self.functions)
        types = product(n, c, c + self.type_dim) + links
        attention = product(n, c, 2 * width + 2 * c) + product(n, width, n) + product(n, n, c + self.heads)
        line = attention + product(n, c, 2 * self.mlp_mult * c)
        call = types + self.lines * self.functions * line
        gains = product(self.functions, self.code_dim, (5 + self.mlp_mult) * c)
        calls = self.scripts * self.calls
        return Operations(
            example=product(tokens, spec.token_dim, c) + calls * call + product(1, c, spec.classes),
            once=calls * self.lines * gains,
            raw=calls * links,  # signatures are constants
        )

    def build(self, spec: TaskSpec) -> nn.Module:
        from nacbench.baselines._interpreter import Interpreter, Line, Script, TypeInference

        def script() -> Script:
            types = TypeInference(self.width, self.type_dim, self.functions, self.truncation)
            sizes = (self.width, self.code_dim, self.heads, self.head_dim, self.mlp_mult)
            return Script(types, [Line(*sizes) for _ in range(self.lines)], self.functions, self.code_dim, self.calls)

        return Interpreter(spec.token_dim, self.width, spec.classes, [script() for _ in range(self.scripts)])
