"""Perceiver and Universal Transformer, which apply layers again, against slow versions in float64."""

from pathlib import Path
from typing import Any

import perceiver_pytorch
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.spec import TaskSpec
from nacbench.registry import MODELS
from nacbench.training.checkpoint import load_tensors, save_tensors

SPEC = TaskSpec(modality="symbols", classes=5, max_tokens=9, token_dim=12)
MASK = torch.arange(9) < torch.tensor([[9], [5], [1]])


def built(name: str, **options: Any) -> nn.Module:
    """The network in float64, in evaluation mode, with every parameter away from its initial value."""
    torch.manual_seed(0)
    net = MODELS.get(name).configured("model", "tiny", options).build(SPEC).double().eval()
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return net


def tokens() -> Tensor:
    return torch.randn(3, 9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("tied", [False, True])
def test_perceiver_is_the_librarys(tied: bool) -> None:
    net = built("perceiver", weight_tie_layers=tied, depth=3, self_per_cross=2)
    sizes = {"num_latents": 16, "latent_dim": 48, "latent_heads": 2, "latent_dim_head": 24, "cross_dim_head": 24}
    theirs = perceiver_pytorch.Perceiver(
        num_freq_bands=4, max_freq=8.0, fourier_encode_data=False, input_axis=1, input_channels=12, num_classes=5,
        depth=3, self_per_cross_attn=2, weight_tie_layers=tied, **sizes,
    ).double()  # fmt: skip
    theirs.load_state_dict(net.get_submodule("core").state_dict())
    assert torch.equal(net(tokens(), MASK), theirs(tokens(), mask=MASK))


def test_tied_layers_of_a_perceiver_are_the_second_one_again() -> None:
    tied, free = (built("perceiver", weight_tie_layers=tied, depth=3) for tied in (True, False))
    counts = [sum(parameter.numel() for parameter in net.parameters()) for net in (tied, free)]
    layer = sum(parameter.numel() for parameter in tied.get_submodule("core.layers.0").parameters())
    assert counts[1] - counts[0] == layer
    free.load_state_dict(tied.state_dict())
    torch.testing.assert_close(free(tokens()), tied(tokens()))


@pytest.mark.parametrize("name", ["perceiver", "perceiver-io"])
def test_tied_layers_are_stored_and_loaded(name: str, tmp_path: Path) -> None:
    net, other = (built(name, weight_tie_layers=True) for _ in range(2))
    for parameter in other.parameters():
        parameter.data.zero_()
    save_tensors(tmp_path / "weights", net.state_dict(), {})
    other.load_state_dict(load_tensors(tmp_path / "weights")[0])
    assert torch.equal(other(tokens(), MASK), net(tokens(), MASK))


def encoder_layer(layer: nn.Module, x: Tensor) -> Tensor:
    """A pre-norm encoder layer of the states N×width of one example, written out for each head."""
    attn, heads = layer.get_submodule("self_attn"), 2
    normal = layer.get_submodule("norm1")(x)
    weight, bias = (attn.get_parameter(f"in_proj_{part}") for part in ("weight", "bias"))
    query, key, value = F.linear(normal, weight, bias).chunk(3, -1)
    width = x.shape[-1] // heads
    read = torch.empty_like(x)
    for h in range(heads):
        own = slice(h * width, (h + 1) * width)
        weights = torch.softmax(query[:, own] @ key[:, own].T / width**0.5, dim=-1)
        read[:, own] = weights @ value[:, own]
    x = x + attn.get_submodule("out_proj")(read)
    hidden = layer.get_submodule("linear1")(layer.get_submodule("norm2")(x))
    return x + layer.get_submodule("linear2")(F.gelu(hidden))


def test_universal_transformer_is_its_equations_written_out() -> None:
    net = built("universal-transformer", depth=3)
    width = 136
    layer = net.get_submodule("layer")
    for example, real in enumerate(MASK):
        embedded = net.get_submodule("embed")(tokens()[example][real])  # padding is left out instead of masked
        x = torch.cat([net.get_parameter("class_token")[0], embedded])
        for step in range(3):
            angles = [step / 10_000 ** (j / (width // 2 - 1)) for j in range(width // 2)]
            angle = torch.tensor(angles, dtype=torch.float32)
            x = encoder_layer(layer, x + torch.cat([angle.sin(), angle.cos()]).double())
        expected = net.get_submodule("logits")(net.get_submodule("norm")(x[0]))
        torch.testing.assert_close(net(tokens(), MASK)[example], expected, rtol=1e-6, atol=1e-6)


def test_universal_transformer_of_one_step_is_a_transformer_of_one_layer() -> None:
    tied, plain = built("universal-transformer", depth=1), built("transformer", depth=1, width=136)
    own = tied.state_dict()
    names = {"encoder.layers.0.": "layer.", "encoder.norm.": "norm."}

    def in_tied(name: str) -> str:
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        return name

    plain.load_state_dict({name: own[in_tied(name)] for name in plain.state_dict()})
    # The embedding of step 0 is 0 in its sines and 1 in its cosines: add it to what both layers read
    plain.get_parameter("class_token").data += tied.get_buffer("steps")[0]
    plain.get_submodule("embed").get_parameter("bias").data += tied.get_buffer("steps")[0]
    torch.testing.assert_close(plain(tokens(), MASK), tied(tokens(), MASK), rtol=0, atol=1e-13)


@pytest.mark.parametrize("depth", [1, 5])
def test_steps_of_a_universal_transformer_cost_no_parameters(depth: int) -> None:
    count = sum(parameter.numel() for parameter in built("universal-transformer", depth=depth).parameters())
    assert count == sum(parameter.numel() for parameter in built("universal-transformer").parameters())
