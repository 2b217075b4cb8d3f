"""Operations by formula against those that are counted, for every model that has a formula."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nacbench.contracts.model import Model, Operations, product, spec_for
from nacbench.contracts.spec import TaskSpec
from nacbench.errors import UserError
from nacbench.profiling.counting import backward_flops, forward_flops
from nacbench.profiling.sizing import operations_of, parameters_of, size_to
from nacbench.registry import MODELS, TASKS

TASK_NAMES = ["cifar10", "parametric-shapes", "listops-short", "nlvr-synthetic"]


class Learned(nn.Module):
    """A core on tokens that something learned has made, as most tokenizers do: so they ask for gradients."""

    def __init__(self, core: nn.Module, spec: TaskSpec) -> None:
        super().__init__()
        self.core = core
        self.offset = nn.Parameter(torch.zeros(spec.token_dim))

    def forward(self, tokens: Tensor, condition: Tensor | None = None) -> Tensor:
        if tokens.shape[-1] == len(self.offset):
            tokens = tokens + self.offset
        extra = () if condition is None else (None, condition + self.offset)
        logits: Tensor = self.core(tokens, *extra)
        return logits


def subject(name: str, size: str, task: str, batch: int) -> tuple[nn.Module, dict[str, Tensor], Operations]:
    model, spec = (
        MODELS.get(name).configured("model", size, {}),
        TASKS.training(task).configured("task", "mini", {}).spec(),
    )
    spec = spec_for(model, spec)
    assert model.unsupported(spec) is None
    shape = spec.image_shape if model.reads == "image" else (spec.max_tokens, spec.token_dim)
    assert shape is not None
    inputs = {"tokens": torch.randn(batch, *shape)}
    if spec.condition_tokens:
        inputs["condition"] = torch.randn(batch, spec.condition_tokens, spec.token_dim)
    operations = model.operations(spec, spec.max_tokens, spec.condition_tokens)
    assert operations is not None
    return Learned(model.build(spec), spec), inputs, operations


CASES = [
    (name, task)
    for name in ("nac", "perceiver-io", "transformer", "vit")
    for task in (TASK_NAMES if name != "vit" else ["cifar10"])
]


@pytest.mark.parametrize(("name", "task"), CASES)
@pytest.mark.parametrize("size", ["tiny", "mini"])
@pytest.mark.parametrize("batch", [1, 3])
def test_formula_equals_counted_flops(name: str, task: str, size: str, batch: int) -> None:
    net, inputs, operations = subject(name, size, task, batch)
    assert operations.forward(batch) == forward_flops(net, inputs)
    assert operations.backward(batch) == backward_flops(partial(net, **inputs), list(net.parameters()))


@pytest.mark.parametrize("task", TASK_NAMES)
def test_formula_covers_every_option_of_a_circuit(task: str) -> None:
    """Sizes that all differ, so that no two can be mistaken for each other."""
    options = {"modules": 11, "readout_modules": 3, "state_dim": 20, "signature_dim": 7, "depth": 2, "heads": 5}
    model = MODELS.get("nac").configured("model", "tiny", {**options, "head_dim": 6, "ffn_mult": 2})
    spec = TASKS.training(task).configured("task", "smoke", {}).spec()
    inputs = {"tokens": torch.randn(2, 13, spec.token_dim)}
    if spec.condition_tokens:
        inputs["condition"] = torch.randn(2, 9, spec.token_dim)
    operations = model.operations(spec, 13, 9 if spec.condition_tokens else 0)
    assert operations is not None
    assert operations.forward(2) == forward_flops(Learned(model.build(spec), spec), inputs)


# -- a baseline of NAC's size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["perceiver-io", "transformer", "vit"])
@pytest.mark.parametrize("size", ["mini", "paper"])
@pytest.mark.parametrize("cost", [parameters_of, operations_of])
def test_baseline_is_resized_to_the_cost_of_nac(name: str, size: str, cost: object) -> None:
    assert callable(cost)
    task = TASKS.training("cifar10").configured("task", size, {})
    model, nac = (MODELS.get(other).configured("model", size, {}) for other in (name, "nac"))
    wanted = cost(nac, task)
    found = size_to(model, spec_for(model, task.spec()), lambda other: cost(other, task) / wanted)
    assert found.near
    sized = MODELS.get(name).configured("model", size, found.options)
    assert cost(sized, task) == pytest.approx(wanted, rel=0.02)
    assert cost(sized, task) / wanted == found.ratio


def test_resizing_prefers_the_shape_nearest_to_the_original() -> None:
    model = MODELS.get("transformer").configured("model", "mini", {"depth": 4, "width": 64})
    spec = TASKS.training("cifar10").configured("task", "mini", {}).spec()
    twice = size_to(model, spec, lambda other: other.depth * other.width**2 / (8 * 64**2))  # type: ignore[attr-defined]
    assert twice.options == {"depth": 7, "width": 68}  # 1.2 % too small, and less of a change than twice the layers
    same = size_to(model, spec, lambda other: other.depth * other.width**2 / (4 * 64**2))  # type: ignore[attr-defined]
    assert same.options == {"depth": 4, "width": 64}


def test_resizing_reports_when_no_size_matches() -> None:
    model = MODELS.get("transformer").configured("model", "mini", {"depth": 1, "width": 96, "heads": 96})
    spec = TASKS.training("cifar10").configured("task", "mini", {}).spec()
    found = size_to(model, spec, lambda other: other.width / 150, [1])  # type: ignore[attr-defined]
    assert found.options == {"depth": 1, "width": 192}
    assert not found.near


def test_model_that_cannot_be_resized_is_refused() -> None:
    model: Model = MODELS.get("pointnet").configured("model", "mini", {})
    spec = TASKS.training("cifar10").configured("task", "mini", {}).spec()
    with pytest.raises(UserError, match="PointNet cannot be resized"):
        size_to(model, spec, lambda other: 1.0)


def test_flops_are_counted_without_a_formula() -> None:
    model = MODELS.get("pointnet").configured("model", "tiny", {"width": 10, "pooled_width": 8})
    task = TASKS.training("cifar10").configured("task", "smoke", {})
    spec = task.spec()
    each = product(spec.max_tokens, spec.token_dim, 10) + product(spec.max_tokens, 10, 10 + 8)
    pooled = product(1, 8, 10) + product(1, 10, 5) + product(1, 5, spec.classes)
    assert operations_of(model, task) == each + pooled
