"""Routing to one expert: its equations by a slow loop, its loss, and that no token is dropped."""

import copy

import pytest
import torch
from torch import Tensor

from nacbench.nn.switch import SwitchFeedForward, SwitchTransformer


def layer(experts: int = 3) -> SwitchFeedForward:
    torch.manual_seed(0)
    return SwitchFeedForward(8, 2, experts).double()


def slow(own: SwitchFeedForward, tokens: Tensor) -> tuple[Tensor, float]:
    """Equations 1, 2 and 4 to 6 of the paper, token by token: what V×C tokens become, and the balancing loss."""
    out, counts, sums = [], [0] * len(own.experts), torch.zeros(len(own.experts)).double()
    for token in tokens:
        y = own.norm(token)
        scores = (own.router.weight @ y).exp()
        p = scores / scores.sum()
        best = max(range(len(p)), key=lambda i: float(p[i].detach()))
        out.append(p[best] * own.experts[best](y))
        counts[best] += 1
        sums += p.detach()
    shares = [count / len(tokens) for count in counts]
    return torch.stack(out), len(p) * sum(f * float(s) / len(tokens) for f, s in zip(shares, sums, strict=True))


def test_output_and_loss_are_those_of_the_equations() -> None:
    own, x = layer(), torch.randn(2, 5, 8).double()
    expected, loss = slow(own, x.flatten(0, 1))
    torch.testing.assert_close(own(x).flatten(0, 1), expected)
    assert float(own.take_imbalance().detach()) == pytest.approx(loss, rel=1e-12)


def test_padding_passes_no_expert_and_counts_in_no_loss() -> None:
    own, x = layer(), torch.randn(2, 5, 8).double()
    mask = torch.tensor([[True, True, False, False, False], [True, True, True, True, False]])
    expected, loss = slow(own, x[mask])
    out = own(torch.where(mask[..., None], x, float("inf")), mask)
    torch.testing.assert_close(out[mask], expected)
    assert not out[~mask].any()
    assert float(own.take_imbalance().detach()) == pytest.approx(loss, rel=1e-12)


def test_no_token_is_dropped_where_all_choose_the_same_expert() -> None:
    own, x = layer(), torch.randn(1, 1, 8).double().expand(1, 40, 8)
    torch.testing.assert_close(own(x), own(x[:, :1]).expand(1, 40, 8))
    own(x)
    assert 1 <= float(own.take_imbalance().detach()) <= 3


def test_loss_is_one_at_a_balance_and_falls_as_its_gradient_is_followed() -> None:
    own, x = layer(), torch.randn(4, 50, 8).double()
    x[..., 0] += 2
    own.router.weight.data[0, 0] += 2  # one expert is preferred
    losses = []
    for _ in range(60):
        own(x)
        losses.append(own.take_imbalance())
        (gradient,) = torch.autograd.grad(losses[-1], [own.router.weight])
        own.router.weight.data -= 0.5 * gradient
    assert losses[0] > 1.2
    assert 0.95 < losses[-1] < losses[0]


def transformer(**changes: int) -> SwitchTransformer:
    torch.manual_seed(0)
    sizes = {"token_dim": 6, "classes": 3, "width": 8, "depth": 4, "heads": 2, "ffn_mult": 2, "experts": 3}
    return SwitchTransformer(**{**sizes, **changes}, balance=0.01)


def test_auxiliary_loss_is_that_of_the_last_pass_and_is_taken_once() -> None:
    net, x = transformer(), torch.randn(2, 5, 6)
    net(x)
    loss = net.auxiliary_loss()
    assert loss is not None
    assert 0.01 < float(loss.detach()) < 2 * 0.01 * 3  # two layers have experts
    copy.deepcopy(net)  # as averaged weights and searches do; tensors of a pass could not be copied
    with pytest.raises(AssertionError, match="no pass in training mode"):
        net.auxiliary_loss()
    assert transformer(depth=1).auxiliary_loss() is None
