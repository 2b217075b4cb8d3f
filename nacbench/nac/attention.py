"""The two attentions of a circuit: over raw tokens (read-in), and between modules weighed by the kernel (SKMDPA)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.nac.modfc import ModFC, narrow


class ReadInAttention(nn.Module):
    """Attention in which each module reads the tokens its own way: query, key and value are modulated by its code.

    The key of token v for module u is W_k (x̂_v ⊙ g_u), but q_u · W_k (x̂_v ⊙ g_u) = ((W_kᵀ q_u) ⊙ g_u) · x̂_v, and the
    value projection commutes with the sum over tokens in the same way. So this is one ordinary attention over the
    normalised tokens, with the projections on the module side: time and memory grow as B·U·V·T, never as B·U·V·T·D.

    Args:
        state_dim: C.
        token_dim: T.
        code_dim: Z.
        head_dim: D. There is one head.
    """

    def __init__(self, state_dim: int, token_dim: int, code_dim: int, head_dim: int) -> None:
        super().__init__()
        self.scale = head_dim**-0.5
        self.norm_receiver = nn.LayerNorm(state_dim)
        self.norm_sender = nn.LayerNorm(token_dim)
        self.query = ModFC(state_dim, head_dim, code_dim, bias=False)
        self.key = ModFC(token_dim, head_dim, code_dim, bias=False)
        self.value = ModFC(token_dim, head_dim, code_dim, bias=False)
        self.out = ModFC(head_dim, state_dim, code_dim)

    def forward(self, states: Tensor, tokens: Tensor, codes: Tensor, mask: Tensor | None = None) -> Tensor:
        """What each module reads.

        Args:
            states: U×C, or B×U×C.
            tokens: B×V×T.
            codes: the read-in codes, U×Z or B×U×Z.
            mask: B×V, true where a token is there and false where it is padding.

        Returns:
            B×U×C.
        """
        query, tokens = self._query(states, tokens, codes)
        read = F.scaled_dot_product_attention(
            query.unsqueeze(1),
            tokens.unsqueeze(1),
            tokens.unsqueeze(1),
            attn_mask=None if mask is None else mask[:, None, None, :],
            scale=self.scale,
        ).squeeze(1)  # B U T
        return self.out(self.value(read, codes), codes)

    def weights(self, states: Tensor, tokens: Tensor, codes: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each module looks at each token, B×U×V, summing to 1 over the tokens; arguments as `forward`."""
        query, tokens = self._query(states, tokens, codes)
        scores = self.scale * query @ tokens.transpose(1, 2)
        return (scores if mask is None else scores.masked_fill(~mask[:, None, :], -torch.inf)).softmax(-1)

    def _query(self, states: Tensor, tokens: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """What each module asks, in the tokens' own space, B×U×T; and the normalised tokens B×V×T."""
        tokens = narrow(self.norm_sender(tokens))
        query = self.query(self.norm_receiver(states), codes)  # (B) U D
        query = (query @ self.key.weight) * self.key.gain(codes)  # (B) U T
        return query.expand(tokens.shape[0], *query.shape[-2:]).to(tokens.dtype), tokens


class KernelAttention(nn.Module):
    """SKMDPA: softmax(q · k / √D + log K), where the kernel K says who is linked to whom, alike for all heads.

    Args:
        state_dim: C, of receivers and senders.
        code_dim: Z.
        heads: H.
        head_dim: D.
        same_modules: receivers and senders are one set of modules, with one LayerNorm.
    """

    def __init__(self, state_dim: int, code_dim: int, heads: int, head_dim: int, *, same_modules: bool) -> None:
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

    def forward(
        self, receivers: Tensor, senders: Tensor, receiver_codes: Tensor, sender_codes: Tensor, bias: Tensor
    ) -> Tensor:
        """What each receiving module gathers from the modules that it is linked to.

        Args:
            receivers: states, (B×)U×C; where ``same_modules``, also the senders'.
            senders: states, B×V×C.
            receiver_codes: modulate query and exit, U×Z or B×U×Z.
            sender_codes: modulate key and value, V×Z or B×V×Z.
            bias: log K or a boolean mask, (1 or B)×1×U×V (see `nacbench.nac.kernel.attention_bias`).

        Returns:
            B×U×C. A module without any link gathers zeros.
        """
        query, key, senders, bias = self._prepared(receivers, senders, receiver_codes, sender_codes, bias)
        value = self._split(self.value(senders, sender_codes))
        gathered = attend(query, key, value, bias)
        return self.out(gathered.transpose(1, 2).flatten(2), receiver_codes)

    def weights(
        self, receivers: Tensor, senders: Tensor, receiver_codes: Tensor, sender_codes: Tensor, bias: Tensor
    ) -> Tensor:
        """How much each receiver looks at each sender, B×U×V, the mean over heads; arguments as `forward`.

        Rows sum to 1; those of a module without any link are zeros.
        """
        query, key, _, bias = self._prepared(receivers, senders, receiver_codes, sender_codes, bias)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        scores = scores + bias if bias.is_floating_point() else scores.masked_fill(~bias, -torch.inf)
        return scores.softmax(-1).nan_to_num(0.0).mean(1)

    def _prepared(
        self, receivers: Tensor, senders: Tensor, receiver_codes: Tensor, sender_codes: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries B×H×U×D, keys B×H×V×D, the senders' normalised states, and the bias in the queries' precision."""
        receivers = narrow(self.norm_receiver(receivers))
        senders = receivers if self.same_modules else narrow(self.norm_sender(senders))
        query = self._split(self.query(receivers, receiver_codes))
        key = self._split(self.key(senders, sender_codes))
        query = query.expand(key.shape[0], -1, -1, -1)
        return query, key, senders, bias.to(query.dtype) if bias.is_floating_point() else bias

    def _split(self, x: Tensor) -> Tensor:
        """(B×)U×(H·D) → (B or 1)×H×U×D."""
        x = x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        return x if x.dim() == 4 else x.unsqueeze(0)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Attention with a bias on the scores.

    On a CPU it is written out where PyTorch's fused kernel does not serve: it gives a bias no gradient (what it falls
    back to computes in float32 whatever the precision), and in bf16 it takes half as long again.

    Args:
        query: B×H×U×D.
        key: B×H×V×D.
        value: B×H×V×D.
        bias: (1 or B)×1×U×V, added to the scores; or boolean, true where a link is.

    Returns:
        B×H×U×D; zeros for a receiver without any link.
    """
    learns = bias.requires_grad and torch.is_grad_enabled()
    if bias.dtype == torch.bool or bias.device.type != "cpu" or not (learns or query.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return (scores + bias).softmax(-1) @ value
