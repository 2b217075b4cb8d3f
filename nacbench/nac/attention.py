"""Attention layers of the circuit: cross-attention over tokens (read-in) and SKMDPA between modules.

SKMDPA: stochastic kernel-modulated dot-product attention, arXiv 2210.08031.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.kernels.attention import biased_attention, fits_biased_attention
from nacbench.kernels.path import in_use
from nacbench.kernels.softmax import biased_softmax, fits_biased_softmax
from nacbench.nac.modfc import Gains, ModFC, narrow, read_normal


class ReadInAttention(nn.Module):
    """Cross-attention from modules to tokens; query, key and value are modulated by the receiving module's code.

    The key of token v for module u is W_k (x̂_v ⊙ g_u). Since q_u · W_k (x̂_v ⊙ g_u) = ((W_kᵀ q_u) ⊙ g_u) · x̂_v, and the
    value projection commutes with the sum over tokens in the same way, this equals one ordinary attention over the
    normalised tokens with the projections on the module side. Keys per pair of token and module are never formed: time
    grows as B·U·V·T instead of B·U·V·T·D, memory as B·U·(V + T) instead of B·U·V·D.

    Args:
        state_dim: C.
        token_dim: T.
        code_dim: Z; None for plain linear layers.
        head_dim: D; there is one head.
    """

    def __init__(self, state_dim: int, token_dim: int, code_dim: int | None, head_dim: int) -> None:
        super().__init__()
        self.scale = head_dim**-0.5
        self.norm_receiver = nn.LayerNorm(state_dim)
        self.norm_sender = nn.LayerNorm(token_dim)
        self.query = ModFC(state_dim, head_dim, code_dim, bias=False)
        self.key = ModFC(token_dim, head_dim, code_dim, bias=False)
        self.value = ModFC(token_dim, head_dim, code_dim, bias=False)
        self.out = ModFC(head_dim, state_dim, code_dim)

    def forward(self, states: Tensor, tokens: Tensor, gains: Gains, mask: Tensor | None = None) -> Tensor:
        """Return what each module reads from the tokens, without the residual.

        Args:
            states: U×C, or B×U×C.
            tokens: B×V×T.
            gains: of this attention's layers, by the read-in codes.
            mask: B×V, true for a token and false for padding.

        Returns:
            B×U×C.
        """
        query, tokens = self._query(states, tokens, gains)
        # Keys and values are both the normalised tokens, of width T, so the scale must be given: it is 1/√D, not 1/√T
        read = F.scaled_dot_product_attention(
            query.unsqueeze(1),
            tokens.unsqueeze(1),
            tokens.unsqueeze(1),
            attn_mask=None if mask is None else mask[:, None, None, :],
            scale=self.scale,
        ).squeeze(1)  # B U T
        return self.out(self.value(read, gains), gains)

    def weights(self, states: Tensor, tokens: Tensor, gains: Gains, mask: Tensor | None = None) -> Tensor:
        """Return the attention weights of modules over tokens, B×U×V, each row summing to 1; arguments as `forward`."""
        query, tokens = self._query(states, tokens, gains)
        scores = self.scale * query @ tokens.transpose(1, 2)
        return (scores if mask is None else scores.masked_fill(~mask[:, None, :], -torch.inf)).softmax(-1)

    def _query(self, states: Tensor, tokens: Tensor, gains: Gains) -> tuple[Tensor, Tensor]:
        """Return the queries projected into token space, B×U×T, and the normalised tokens B×V×T."""
        tokens = narrow(self.norm_sender(tokens))
        query = self.query(self.norm_receiver(states), gains)  # (B) U D
        # W_kᵀ q_u ⊙ g_u of the identity above; without a batch axis it is computed once for the whole batch
        query = (query @ self.key.weight) * gains[self.key]  # (B) U T
        return query.expand(tokens.shape[0], *query.shape[-2:]).to(tokens.dtype), tokens


class KernelAttention(nn.Module):
    """SKMDPA: attention weights softmax(q · k / √D + log K), with the same links K for all heads.

    Args:
        state_dim: C, of receivers and senders.
        code_dim: Z; None for plain linear layers.
        heads: H.
        head_dim: D.
        same_modules: receivers and senders are the same modules and share one LayerNorm.
    """

    def __init__(self, state_dim: int, code_dim: int | None, heads: int, head_dim: int, *, same_modules: bool) -> None:
        super().__init__()
        self.heads = heads
        width = heads * head_dim
        self.norm_receiver = nn.LayerNorm(state_dim)
        if not same_modules:
            self.norm_sender = nn.LayerNorm(state_dim)
        self.same_modules = same_modules
        self.query = ModFC(state_dim, width, code_dim, bias=False)
        self.key = ModFC(state_dim, width, code_dim, bias=False)
        self.value = ModFC(state_dim, width, code_dim, bias=False)
        self.out = ModFC(width, state_dim, code_dim)

    def forward(self, receivers: Tensor, senders: Tensor, gains: Gains, bias: Tensor) -> Tensor:
        """Return what each receiving module gathers from the modules that it is linked to, without the residual.

        Args:
            receivers: states, (B×)U×C; if ``same_modules``, the senders' states too.
            senders: states, B×V×C; ignored if ``same_modules``.
            gains: of this attention's layers: by the receivers' codes for query and output projection, by the senders'
                for key and value.
            bias: log K or a boolean mask, (1 or B)×1×U×V (see `nacbench.nac.kernel.attention_bias`).

        Returns:
            B×U×C. Attention gives zeros for a module without any link.
        """
        query, key, value = self._projected(receivers, senders, gains)
        if _own_kernels(query, bias) and fits_biased_attention(query, key, value, bias, self.heads):
            return self.out(biased_attention(query, key, value, bias, self.heads), gains)
        gathered = attend(self._split(query), self._split(key), self._split(value), bias)
        return self.out(gathered.transpose(1, 2).flatten(2), gains)

    def weights(self, receivers: Tensor, senders: Tensor, gains: Gains, bias: Tensor) -> Tensor:
        """Return the attention weights of receivers over senders, B×U×V, averaged over heads; arguments as `forward`.

        Each row sums to 1; the row of a module without any link is zero.
        """
        query, key = map(self._split, self._projected(receivers, senders, gains)[:2])
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        scores = scores + bias if bias.is_floating_point() else scores.masked_fill(~bias, -torch.inf)
        return scores.softmax(-1).nan_to_num(0.0).mean(1)  # a row of -inf is NaN after softmax

    def _projected(self, receivers: Tensor, senders: Tensor, gains: Gains) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries B×U×(H·D), and keys and values B×V×(H·D)."""
        if self.same_modules:
            query, key, value = read_normal(receivers, self.norm_receiver, [self.query, self.key, self.value], gains)
        else:
            query = self.query(self.norm_receiver(receivers), gains)  # of codes, without the batch
            key, value = read_normal(senders, self.norm_sender, [self.key, self.value], gains)
        return query.expand(key.shape[0], *query.shape[-2:]), key, value

    def _split(self, x: Tensor) -> Tensor:
        """Split the heads: B×U×(H·D) → B×H×U×D."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _own_kernels(query: Tensor, bias: Tensor) -> bool:
    """Whether own kernels compute. In fp32, without a gradient of the bias, PyTorch's fused one is as fast."""
    return in_use(query) and (_learns(bias) or query.dtype == torch.bfloat16)


def _learns(bias: Tensor) -> bool:
    return bias.requires_grad and torch.is_grad_enabled()


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Return scaled dot-product attention with an additive bias or a mask on the scores.

    Args:
        query: B×H×U×D.
        key: B×H×V×D.
        value: B×H×V×D.
        bias: (1 or B)×1×U×V, added to the scores; or boolean, true where a link exists.

    Returns:
        B×H×U×D; zeros for a receiver without any link in a boolean mask.
    """
    if _own_kernels(query, bias) and fits_biased_softmax(query, key, bias):
        return biased_softmax(query @ key.transpose(-1, -2), bias, query.shape[-1] ** -0.5) @ value
    bias = bias.to(query.dtype) if bias.is_floating_point() else bias
    # PyTorch 2.14's fused kernel on a CPU has no gradient for a bias, and its fallback computes in float32 whatever the
    # autocast dtype; in bf16 it is also slower than separate products (docs/speed.md). On a GPU it has the gradient.
    if bias.dtype == torch.bool or bias.device.type != "cpu" or not (_learns(bias) or query.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return (scores + bias).softmax(-1) @ value
