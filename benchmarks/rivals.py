"""Benchmark: a training step of each rival beside the plain module of its library, at size mini.

    python benchmarks/rivals.py [MODEL …]        or as the part `rivals` of benchmarks/bench.py

The library's module has the same sizes and gets the same tokens or images, all of them real: it takes no mask. Before
it stands a linear layer that embeds tokens, after it the mean over what it returns and a linear layer for the logits,
as a user of the library would write them.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from common import Row, Work, device, precision
from torch import nn

from nacbench.contracts.model import Model, spec_for
from nacbench.contracts.spec import TaskSpec
from nacbench.nn.kernels import kernels_with_gradients
from nacbench.profiling.timing import time_side_by_side
from nacbench.registry import MODELS, TASKS

BATCH, GOAL = 32, 2.0
BUDGET = 3.0  # seconds for each comparison
TASKS_FOR = {"tokens": "parametric-shapes", "image": "cifar10"}


class Embedded(nn.Module):
    """Embeds tokens, lets a library's module change them, and gives the logits of the mean of what comes out."""

    def __init__(self, spec: TaskSpec, width: int, module: nn.Module) -> None:
        super().__init__()
        self.embed, self.module = nn.Linear(spec.token_dim, width), module
        self.logits = nn.LazyLinear(spec.classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits B×classes for tokens B×V×T."""
        out = self.module(self.embed(tokens))
        out = out[0] if isinstance(out, tuple) else out
        logits: torch.Tensor = self.logits(out.mean(dim=1) if out.dim() == 3 else out)
        return logits


def encoder_layer(model: Any) -> nn.TransformerEncoderLayer:
    """PyTorch's Transformer layer of a model's width and heads."""
    width = model.width
    return nn.TransformerEncoderLayer(width, model.heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)


def set_transformer(model: Any, spec: TaskSpec) -> nn.Module:
    """torch-geometric's aggregation, which gets all tokens of a batch as one list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from torch_geometric.nn.aggr import SetTransformerAggregation

    whole = SetTransformerAggregation(model.width, num_encoder_blocks=model.depth, heads=model.heads, layer_norm=True)

    class Aggregated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.whole = whole

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            example = torch.arange(len(x), device=x.device).repeat_interleave(x.shape[1])
            pooled: torch.Tensor = self.whole(x.flatten(0, 1), example)
            return pooled

    return Embedded(spec, model.width, Aggregated())


def soft_moe(model: Any, spec: TaskSpec) -> nn.Module:
    """PyTorch's Transformer layers, the second half with the library's layer as it is made by default."""
    from soft_moe_pytorch import SoftMoE

    def layer(index: int) -> nn.Module:
        own = encoder_layer(model)
        if index >= model.depth // 2:
            experts = SoftMoE(model.width, num_experts=model.experts, num_slots=model.slots)
            own.linear1, own.linear2, own.norm2, own.activation = nn.Identity(), experts, nn.Identity(), nn.Identity()  # type: ignore[assignment]
        return own

    return Embedded(spec, model.width, nn.Sequential(*(layer(index) for index in range(model.depth))))


def switch_moe(model: Any, spec: TaskSpec) -> nn.Module:
    """PyTorch's dense Transformer of the same depth and width, which does the same operations but for the routing."""
    layers = [encoder_layer(model) for _ in range(model.depth)]
    return Embedded(spec, model.width, nn.Sequential(*layers))


def mamba(model: Any, spec: TaskSpec) -> nn.Module:
    """mambapy's stack of layers."""
    from mambapy.mamba import Mamba, MambaConfig

    return Embedded(spec, model.width, Mamba(MambaConfig(d_model=model.width, n_layers=model.depth)))


def gru(model: Any, spec: TaskSpec) -> nn.Module:
    """PyTorch's recurrent layers."""
    return Embedded(
        spec, model.width, nn.GRU(model.width, model.width, model.depth, batch_first=True, bidirectional=True)
    )


def slot_attention(model: Any, spec: TaskSpec) -> nn.Module:
    """PyTorch's Transformer layers, then the library's module."""
    from slot_attention import SlotAttention

    slots = SlotAttention(model.slots, model.width, iters=model.rounds, hidden_dim=4 * model.width)
    layers = [encoder_layer(model) for _ in range(model.depth)]
    return Embedded(spec, model.width, nn.Sequential(*layers, slots))


def mlp_mixer(model: Any, spec: TaskSpec) -> nn.Module:
    """timm's class."""
    from timm.models.mlp_mixer import MlpMixer

    assert spec.image_shape is not None
    channels, side, _ = spec.image_shape
    patch = round(side / math.sqrt(spec.max_tokens))  # as many patches as the others have tokens
    return MlpMixer(spec.classes, side, channels, patch, model.depth, model.width)


def resnet(model: Any, spec: TaskSpec) -> nn.Module:
    """timm's class with the same stages and the stem for small images, which has 64 channels there."""
    from timm.models.resnet import BasicBlock, ResNet

    block: Any = BasicBlock  # timm's types ask for an instance where it takes the class
    widths = tuple(model.width * 2**index for index in range(model.stages))
    net: Any = ResNet(
        block,
        (model.depth,) * model.stages,
        spec.classes,
        channels=widths,
        norm_layer=lambda count, **_: nn.GroupNorm(model.groups, count),
    )
    assert spec.image_shape is not None
    net.conv1, net.maxpool = nn.Conv2d(spec.image_shape[0], 64, 3, padding=1, bias=False), nn.Identity()
    for missing in range(model.stages, 4):  # its pass names four
        net.add_module(f"layer{missing + 1}", nn.Identity())
    own: nn.Module = net
    return own


LIBRARIES: Mapping[str, Callable[[Any, TaskSpec], nn.Module]] = {
    "set-transformer": set_transformer,
    "soft-moe": soft_moe,
    "switch-moe": switch_moe,
    "mamba": mamba,
    "gru": gru,
    "slot-attention": slot_attention,
    "mlp-mixer": mlp_mixer,
    "resnet": resnet,
}


def rows(names: list[str] | None = None) -> Iterator[Row]:
    """Measure each rival's training step over its library's."""
    for name in names or LIBRARIES:
        torch.manual_seed(0)
        model = MODELS.get(name).configured("model", "mini", {})
        spec = spec_for(model, TASKS.training(TASKS_FOR[model.reads]).configured("task", "mini", {}).spec())
        things = [step(LIBRARIES[name](model, spec), model, spec), step(model.build(spec), model, spec)]
        ratio = time_side_by_side(things, device(), BUDGET)[1]
        yield Row(
            what=f"training step, mini, {model.title} over its library's module",
            reached=1 / ratio.ratio,
            goal=GOAL,
            note=f"{LIBRARIES[name].__doc__} Quartiles {1 / ratio.high:.2f} to {1 / ratio.low:.2f}".replace("\n", " "),
        )


def step(core: nn.Module, model: Model, spec: TaskSpec) -> Work:
    """Return a training step (forward, backward, AdamW) on random tokens or images."""
    shape = spec.image_shape if model.reads == "image" else (spec.max_tokens, spec.token_dim)
    assert shape is not None
    inputs, labels = torch.randn(BATCH, *shape), torch.randint(spec.classes, (BATCH,))
    core(inputs)  # lazy layers learn their size
    core, inputs, labels = core.to(device()).train(), inputs.to(device()), labels.to(device())
    optimizer = torch.optim.AdamW(core.parameters(), lr=1e-4, fused=True)
    own = getattr(core, "auxiliary_loss", None)

    def work() -> None:
        with precision("fp32"), kernels_with_gradients(device(), spec.max_tokens):
            loss = F.cross_entropy(core(inputs).float(), labels)
            auxiliary = own() if own else None
        (loss if auxiliary is None else loss + auxiliary).backward()
        optimizer.step()
        optimizer.zero_grad()

    return work


if __name__ == "__main__":
    for row in rows(sys.argv[1:]):
        print(f"{row.what}: {row.reached:.2f} (goal {row.goal:g}); {row.note}", flush=True)
