"""Network of the Neural Interpreter: type inference, modulated layers, lines of code, functions and scripts.

Source: Rahaman et al. 2021 (arXiv 2110.06399), read as the code that its authors released
(nasimrahaman/neural-interpreter, presets/digits.yml). Letters: B batch, U functions, V tokens, C width of a token,
Z of a code, S of a type, H heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-6  # of the two normalisations, as in the authors' code


class ModLin(nn.Module):
    """A linear layer that is programmed by a code: ``W (x ⊙ LN(W_c c)) + b``; LN has no affine parameters.

    NAC's ModFC is ``W (x ⊙ (1 + α · LN(W_c c))) + b``: it starts as a plain layer, this one does not.
    """

    def __init__(self, in_dim: int, out_dim: int, code_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim, bias=bias)
        if bias:
            nn.init.zeros_(self.linear.bias)
        self.scale = nn.Linear(code_dim, in_dim, bias=False)

    def gain(self, codes: Tensor) -> Tensor:
        """Return ``LN(W_c c)``, U×1×in_dim, for codes U×Z."""
        scale = self.scale(codes)
        return F.layer_norm(scale, scale.shape[-1:]).unsqueeze(-2)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Apply the layer to (B×1 or B×U)×V×in_dim with codes U×Z → B×U×V×out_dim."""
        result: Tensor = self.linear(x * self.gain(codes))
        return result


class TypeInference(nn.Module):
    """How compatible every token is with every function: C, B×U×V.

    A network of two layers infers the token's type t_i. With d_ui = 1 - cos(s_u, t_i) for the function's signature s_u,
    ``C~_ui = exp(-d_ui / σ)`` if d_ui ≤ τ and 0 otherwise, and ``C_ui = C~_ui / (ε + Σ_w C~_wi)``.

    Args:
        width: C, of a token.
        type_dim: S.
        functions: U.
        truncation: τ, a cosine distance from 0 to 2.
    """

    signatures: Tensor

    def __init__(self, width: int, type_dim: int, functions: int, truncation: float) -> None:
        super().__init__()
        self.truncation = truncation
        self.infer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, type_dim))
        self.bandwidth = nn.Parameter(torch.tensor(1.0))  # σ
        self.register_buffer("signatures", torch.randn(functions, type_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return compatibilities B×U×V for tokens B×V×C; those of a token sum to 1, or to 0 if no function takes it."""
        types = self.infer(x)
        with torch.autocast(x.device.type, enabled=False):  # a cosine in bf16 is off by up to 0.4 %
            types = types.to(self.signatures.dtype)
            cosine = F.normalize(types, dim=-1) @ F.normalize(self.signatures, dim=-1).T  # B V U
            distance = 1 - cosine.transpose(1, 2)
            kernel = torch.exp(-distance / self.bandwidth).masked_fill(distance > self.truncation, 0.0)
            return kernel / (EPSILON + kernel.sum(1, keepdim=True))


class Line(nn.Module):
    """A line of code: modulated attention, then a modulated network of two layers, for all functions at once.

    ``x ← x + C_u ⊙ ModAttn(LN(x); c_u, C_u)`` and ``x ← x + C_u ⊙ ModMLP(LN(x); c_u)``. In ModAttn, for each head,
    ``W_uij = C_ui C_uj softmax_j(q_ui · k_uj / √D)`` is divided by ``ε + Σ_j W_uij``; a ModLin follows.
    """

    def __init__(self, width: int, code_dim: int, heads: int, head_dim: int, mlp_mult: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = ModLin(width, heads * head_dim, code_dim, bias=False)
        self.key = ModLin(width, heads * head_dim, code_dim, bias=False)
        self.value = ModLin(width, width, code_dim)
        self.out = ModLin(width, width, code_dim)
        self.up = ModLin(width, mlp_mult * width, code_dim)
        self.down = ModLin(mlp_mult * width, width, code_dim)

    def forward(self, x: Tensor, codes: Tensor, compatible: Tensor, mask: Tensor | None) -> Tensor:
        """Return the tokens that each function makes: (B×1 or B×U)×V×C, U×Z, B×U×V and mask B×V → B×U×V×C."""
        gate = compatible.unsqueeze(-1)
        x = x + gate * self.attend(self.norm_attention(x), codes, gate, mask)
        hidden = F.gelu(self.up(self.norm_mlp(x), codes))
        return x + gate * self.down(hidden, codes)

    def attend(self, x: Tensor, codes: Tensor, gate: Tensor, mask: Tensor | None) -> Tensor:
        """Return ModAttn of normalised tokens, B×U×V×C, with compatibilities B×U×V×1."""
        query, key, value = (self._split(layer(x, codes)) for layer in (self.query, self.key, self.value))
        # Σ_j softmax_ij C_j v_j and Σ_j softmax_ij C_j by one ordinary attention, so that no V×V weights are kept
        sender = gate.flatten(0, 1).unsqueeze(1)  # B·U 1 V 1
        value = torch.cat([value * sender, sender.expand(-1, self.heads, -1, -1)], dim=-1).to(query.dtype)
        padding = None if mask is None else mask[:, None, :].expand(-1, gate.shape[1], -1).flatten(0, 1)[:, None, None]
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=padding)
        gathered, total = read[..., :-1], read[..., -1:]
        normal = sender * gathered / (EPSILON + sender * total)  # B·U H V C/H
        return self.out(normal.transpose(1, 2).flatten(2).unflatten(0, gate.shape[:2]), codes)

    def _split(self, x: Tensor) -> Tensor:
        """Split the heads: B×U×V×(H·D) → B·U×H×V×D."""
        return x.flatten(0, 1).unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Script(nn.Module):
    """A script: functions that are called again and again. Each call infers the tokens' types anew.

    A call gives ``x_i = Σ_u C_ui f_u(x)_i``, where the lines of code in f_u carry the residual.
    """

    def __init__(self, types: TypeInference, lines: list[Line], functions: int, code_dim: int, calls: int) -> None:
        super().__init__()
        self.types = types
        self.lines = nn.ModuleList(lines)
        self.codes = nn.Parameter(torch.randn(functions, code_dim))
        self.calls = calls

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return tokens B×V×C for tokens B×V×C and mask B×V (true: a token)."""
        for _ in range(self.calls):
            compatible = self.types(x)
            made = x.unsqueeze(1)
            for line in self.lines:
                made = line(made, self.codes, compatible, mask)
            x = (compatible.unsqueeze(-1) * made).sum(1)
        return x


class Interpreter(nn.Module):
    """A Neural Interpreter with a class token, whose last state gives the logits."""

    no_weight_decay = ("class_token",)
    capturable = True

    def __init__(self, token_dim: int, width: int, classes: int, scripts: list[Script]) -> None:
        super().__init__()
        self.embed = nn.Linear(token_dim, width)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.scripts = nn.ModuleList(scripts)
        self.norm = nn.LayerNorm(width)
        self.logits = nn.Linear(width, classes)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits B×classes for tokens B×V×T and mask B×V."""
        x = torch.cat([self.class_token.expand(len(tokens), -1, -1), self.embed(tokens)], dim=1)
        mask = None if mask is None else F.pad(mask, (1, 0), value=True)
        for script in self.scripts:
            x = script(x, mask)
        logits: Tensor = self.logits(self.norm(x[:, 0]))
        return logits
