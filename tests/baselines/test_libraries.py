"""Each baseline computes what its library's own module computes: outputs and gradients in float64, same weights."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from timm.models.mlp_mixer import MlpMixer
from torch import Tensor, nn

from nacbench.contracts.spec import TaskSpec
from nacbench.registry import MODELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from torch_geometric.nn.aggr import SetTransformerAggregation

TOKENS = TaskSpec(modality="symbols", classes=5, max_tokens=12, token_dim=20)
IMAGE = TaskSpec(modality="image", classes=5, max_tokens=16, token_dim=20, image_shape=(3, 8, 8))


def core(name: str, spec: TaskSpec = TOKENS, **options: Any) -> Any:
    """A network of size tiny in float64; its own parts are looked at, so nothing is said of its type."""
    torch.manual_seed(0)
    return MODELS.get(name).configured("model", "tiny", options).build(spec).double()


def some_tokens() -> tuple[Tensor, Tensor]:
    """Three examples with 12, 7 and 1 tokens, and what is a token among them."""
    torch.manual_seed(1)
    mask = torch.arange(12) < torch.tensor([[12], [7], [1]])
    return torch.randn(3, 12, 20).double(), mask


def gradients(net: nn.Module, work: Callable[[], Tensor]) -> list[Tensor]:
    """The gradients of a sum of squares, by parameter; zeros where there is none."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    found = torch.autograd.grad(work().square().sum(), parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]


def assert_same(net: nn.Module, ours: Callable[[], Tensor], library: Callable[[], Tensor]) -> None:
    """Outputs and all gradients agree to the last digits of float64."""
    exact = {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(ours(), library(), **exact)  # type: ignore[call-overload]
    pairs = zip(gradients(net, ours), gradients(net, library), strict=True)
    assert all(torch.allclose(own, theirs, **exact) for own, theirs in pairs)


def test_set_transformer_is_torch_geometric_s_aggregation() -> None:
    net, (tokens, mask) = core("set-transformer", seeds=2), some_tokens()
    whole = SetTransformerAggregation(100, 2, num_encoder_blocks=2, heads=4, layer_norm=True).double()
    whole.load_state_dict(net.aggregation.state_dict())
    net.aggregation = whole
    example = torch.arange(3).repeat_interleave(mask.sum(1))
    assert_same(net, lambda: net(tokens, mask), lambda: net.logits(whole(net.embed(tokens[mask]), example)))


def test_mlp_mixer_is_timm_s() -> None:
    net, image = core("mlp-mixer", IMAGE), torch.randn(2, 3, 8, 8).double()
    mixer = MlpMixer(num_classes=5, img_size=8, patch_size=2, num_blocks=3, embed_dim=92).double()
    mixer.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(image), mixer(image), rtol=0, atol=0)
    for ours, theirs in zip(gradients(net, lambda: net(image)), gradients(mixer, lambda: mixer(image)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
