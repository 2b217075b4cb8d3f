"""Each baseline computes what its library's own module computes: outputs and gradients in float64, same weights."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mambapy.mamba import Mamba, MambaConfig
from slot_attention import SlotAttention
from soft_moe_pytorch import SoftMoE
from timm.models.mlp_mixer import MlpMixer
from torch import Tensor, nn
from torch.func import functional_call
from torchvision.models import resnet18

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


def weights(net: nn.Module) -> dict[str, Tensor]:
    """The parameters themselves, for a module of the library to compute with."""
    return dict(net.named_parameters())


def assert_same(
    net: nn.Module, ours: Callable[[], Tensor], library: Callable[[], Tensor], digits: float = 1e-10
) -> None:
    """Outputs and all gradients agree, relative to the largest number of each."""
    mine = [ours().detach(), *gradients(net, ours)]
    for own, theirs in zip(mine, [library().detach(), *gradients(net, library)], strict=True):
        assert float((own - theirs).abs().max()) <= digits * float(theirs.abs().max() + 1e-6)


def test_set_transformer_is_torch_geometric_s_aggregation() -> None:
    net, (tokens, mask) = core("set-transformer", seeds=2), some_tokens()
    whole = SetTransformerAggregation(100, 2, num_encoder_blocks=2, heads=4, layer_norm=True)
    example = torch.arange(3).repeat_interleave(mask.sum(1))

    def library() -> Tensor:
        pooled: Tensor = functional_call(whole, weights(net.aggregation), (net.embed(tokens[mask]), example))
        return net.logits(pooled)

    assert_same(net, lambda: net(tokens, mask), library)


def test_mlp_mixer_is_timm_s() -> None:
    net, image = core("mlp-mixer", IMAGE), torch.randn(2, 3, 8, 8).double()
    mixer = MlpMixer(num_classes=5, img_size=8, patch_size=2, num_blocks=3, embed_dim=92)
    assert_same(net, lambda: net(image), lambda: functional_call(mixer, weights(net), (image,)))


def test_soft_moe_is_the_library_s_layer_in_a_transformer() -> None:
    net, (tokens, mask) = core("soft-moe"), some_tokens()
    layer = SoftMoE(68, num_experts=4, num_slots=4)
    dense, routed = net.layers

    def library() -> Tensor:
        x = dense(net.embed(tokens), mask)
        y = routed.norm(x)
        x = x + routed.attention(y, y, y, key_padding_mask=~mask)[0]
        x = x + functional_call(layer, weights(routed.feed_forward), (x, mask))
        return net.logits((net.norm(x) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    assert_same(net, lambda: net(tokens, mask), library)


def test_gru_reads_each_example_as_pytorch_s_layers_read_it_alone() -> None:
    net, (tokens, mask) = core("gru"), some_tokens()

    def alone() -> Tensor:
        parts = [net.layers(net.embed(own[there]))[0].mean(0) for own, there in zip(tokens, mask, strict=True)]
        return net.logits(torch.stack(parts))

    assert_same(net, lambda: net(tokens, mask), alone)


@pytest.mark.parametrize("recompute", [False, True])
def test_mamba_is_mambapy_s_and_its_scan_is_the_sequential_one(recompute: bool) -> None:
    net, (tokens, mask) = core("mamba", recompute=recompute), some_tokens()
    steps = Mamba(MambaConfig(d_model=84, n_layers=4, pscan=False))

    def alone() -> Tensor:
        states = [net.core(net.embed(own[there][None])) for own, there in zip(tokens, mask, strict=True)]
        return net.logits(torch.stack([net.norm(own)[0].mean(0) for own in states]))

    assert_same(net, lambda: net(tokens, mask), alone, digits=1e-6)  # gradients of its decay rates are float32
    x = net.embed(tokens).detach()
    assert_same(net.core, lambda: net.core(x), lambda: functional_call(steps, weights(net.core), (x,)))


def test_slot_attention_is_the_library_s_from_the_same_first_slots() -> None:
    net, (tokens, _) = core("slot-attention"), some_tokens()
    whole = SlotAttention(8, 72, hidden_dim=4 * 72)

    def library() -> Tensor:
        torch.manual_seed(7)
        x = net.embed(tokens)
        for layer in net.layers:
            x = layer(x)
        return net.logits(net.norm(functional_call(whole, weights(net.parts), (x,))).mean(1))

    def ours() -> Tensor:
        torch.manual_seed(7)
        return net.train()(tokens)

    assert_same(net, ours, library)


def test_slot_attention_reads_each_example_as_the_library_reads_it_alone() -> None:
    """The library takes no mask; in evaluation its first slots are made those that were drawn once."""
    net, (tokens, mask) = core("slot-attention").eval(), some_tokens()
    for index, (own, there) in enumerate(zip(tokens, mask, strict=True)):
        torch.testing.assert_close(net(tokens, mask)[index], net(own[there][None])[0])


def test_resnet_is_torchvision_s_with_the_stem_for_small_images() -> None:
    net, image = core("resnet", IMAGE, width=64, depth=2, stages=4), torch.randn(2, 3, 8, 8).double()
    whole = resnet18(num_classes=5, norm_layer=lambda count: nn.GroupNorm(4, count))
    whole.conv1, whole.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    theirs = {"stem.0": "conv1", "stem.1": "bn1", "logits": "fc", **{f"stages.{i}": f"layer{i + 1}" for i in range(4)}}

    def library() -> Tensor:
        named = {}
        for name, parameter in weights(net).items():
            own = next(prefix for prefix in theirs if name.startswith(f"{prefix}."))
            named[theirs[own] + name.removeprefix(own)] = parameter
        return functional_call(whole, named, (image,))

    assert_same(net, lambda: net(image), library)


def test_resnet_has_torchvision_s_own_stem_for_larger_images() -> None:
    large = TaskSpec(modality="image", classes=5, max_tokens=16, token_dim=20, image_shape=(3, 96, 65))
    net, image = core("resnet", large, width=64, depth=2, stages=4), torch.randn(1, 3, 96, 65).double()
    whole = resnet18(norm_layer=lambda count: nn.GroupNorm(4, count)).double()
    whole.conv1.weight, whole.layer1 = net.stem[0].weight, net.stages[0]
    x = whole.layer1(whole.maxpool(whole.relu(whole.bn1(whole.conv1(image)))))
    torch.testing.assert_close(net.stages[0](net.pool(net.stem(image))), x)
    assert net.stages[1:](x).shape == (1, 512, 3, 3)


def test_mamba_keeps_one_input_of_a_layer_where_it_recomputes() -> None:
    """Bytes that a pass keeps for its gradients: states of 16 tokens of 168 × 16 numbers, or the tokens alone."""
    kept = {}
    for recompute in (False, True):
        net = core("mamba", recompute=recompute)
        parameters = {p.untyped_storage().data_ptr() for p in net.parameters()}
        storages: dict[int, int] = {}

        def keep(tensor: Tensor, known: dict[int, int] = storages) -> Tensor:
            known[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = net(torch.randn(1, 16, 20).double())
        kept[recompute] = sum(size for place, size in storages.items() if place not in parameters)
        del out
    states = 16 * 168 * 16 * 8
    assert kept[False] > 4 * 3 * states  # of four layers
    assert kept[True] < states


@pytest.mark.parametrize(
    ("name", "part", "whole"),
    [
        ("set-transformer", "aggregation", lambda: SetTransformerAggregation(100, 1, 2, heads=4, layer_norm=True)),
        ("mamba", "core", lambda: Mamba(MambaConfig(d_model=84, n_layers=4))),
        ("slot-attention", "parts", lambda: SlotAttention(8, 72, hidden_dim=4 * 72)),
    ],
)
def test_weights_start_as_the_library_s(name: str, part: str, whole: Callable[[], nn.Module]) -> None:
    ours = core(name).get_submodule(part)
    torch.manual_seed(0)
    theirs = whole().double()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
