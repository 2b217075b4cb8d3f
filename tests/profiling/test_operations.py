"""Operations by formula against those that are counted, for every model that has a formula."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nacbench.conformance.reference import ReferenceModel
from nacbench.contracts.model import Model, Operations, input_shape, product, spec_for
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Task
from nacbench.errors import UserError
from nacbench.profiling.counting import backward_flops, by_example, forward_flops, forward_operations
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
    shape = input_shape(model, spec)
    assert shape is not None
    inputs = {"tokens": torch.randn(batch, *shape)}
    if spec.condition_tokens:
        inputs["condition"] = torch.randn(batch, spec.condition_tokens, spec.token_dim)
    operations = model.operations(spec, spec.max_tokens, spec.condition_tokens)
    assert operations is not None
    return Learned(model.build(spec), spec), inputs, operations


def has_formula(name: str, task: str) -> bool:
    model, spec = MODELS.get(name).configured("model", "mini", {}), TASKS.training(task)().spec()
    spec = spec_for(model, spec)
    return model.unsupported(spec) is None and model.operations(spec, spec.max_tokens) is not None


# The class means of floor-nearest-mean are counted, not descended to: no product of its has a gradient
NAMES = sorted(set(MODELS.entries()) - {"floor-nearest-mean"})
CASES = [(name, task) for name in NAMES for task in TASK_NAMES if has_formula(name, task)]


@pytest.mark.parametrize(("name", "task"), CASES)
@pytest.mark.parametrize("size", ["tiny", "mini"])
@pytest.mark.parametrize("batch", [1, 3])
def test_formula_equals_counted_flops(name: str, task: str, size: str, batch: int) -> None:
    net, inputs, operations = subject(name, size, task, batch)
    assert operations.forward(batch) == forward_flops(net, inputs)
    assert operations.backward(batch) == backward_flops(partial(net, **inputs), list(net.parameters()))


@pytest.mark.parametrize(("name", "task"), CASES)
def test_counted_work_is_told_apart_by_example_and_batch(name: str, task: str) -> None:
    net, inputs, operations = subject(name, "tiny", task, 1)
    counted = forward_operations(net, inputs)
    assert (counted.example, counted.once) == (operations.example, operations.once)
    # of a sentence NAC makes codes for each example
    assert (counted.once > 0) == (name == "neural-interpreter" or (name == "nac" and "nlvr" not in task))


@pytest.mark.parametrize(("one", "two", "example", "once"), [(10, 14, 4, 6), (10, 50, 10, 0), (10, 4, 0, 10)])
def test_work_that_is_not_linear_in_the_examples_gives_no_negative_cost(
    one: int, two: int, example: int, once: int
) -> None:
    counts = {1: one, 2: two}
    found = by_example(lambda inputs: counts[len(inputs["tokens"])], {"tokens": torch.zeros(1, 3)})
    assert (found.example, found.once) == (example, once)


def at_paper(model: str, size: str, task: str = "tiny-imagenet") -> Operations:
    return operations_of(
        MODELS.get(model).configured("model", size, {}), TASKS.training(task).configured("task", "paper", {})
    )


def test_cost_of_an_example_is_that_at_the_batch_that_is_used() -> None:
    nac, batch = at_paper("nac", "paper"), TASKS.training("tiny-imagenet").recipes["paper"].batch_size
    assert nac.once / 1e9 == pytest.approx(7.85, abs=0.005)
    assert nac.per_example(1) / 1e9 == pytest.approx(22.64, abs=0.005)
    assert batch == 512
    assert nac.per_example(batch) / 1e9 == pytest.approx(14.8, abs=0.05)
    assert nac.per_example(1) / nac.per_example(batch) == pytest.approx(1.53, abs=0.005)


@pytest.mark.parametrize("task", ["tiny-imagenet", "cifar10"])
def test_perceiver_io_of_as_many_parameters_does_more_than_nac(task: str) -> None:
    nac, matched, published = (
        at_paper("nac", "paper", task),
        *(at_paper("perceiver-io", size, task) for size in ("matched", "published")),
    )
    assert 1.64 <= matched.per_example(512) / nac.per_example(512) <= 1.69
    assert published.per_example(512) / nac.per_example(512) == pytest.approx(0.983, abs=0.001)


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


KNOBS: list[dict[str, object]] = [
    {"graph": "complete"},
    {"modulated": False},
    {"training_links": "expected"},
    {"frozen": True},
    {"frozen": True, "modulated": False, "graph": "complete", "readout_modules": 1},
]


@pytest.mark.parametrize(
    ("task", "knobs"),
    # no frozen circuit is made from a sentence
    [
        (task, knobs)
        for task in ("cifar10", "nlvr-synthetic")
        for knobs in KNOBS
        if task == "cifar10" or not knobs.get("frozen")
    ],
)
def test_formula_covers_every_knob_of_a_circuit(task: str, knobs: dict[str, object]) -> None:
    model = MODELS.get("nac").configured("model", "tiny", knobs)
    spec = TASKS.training(task).configured("task", "smoke", {}).spec()
    assert model.unsupported(spec) is None
    inputs = {"tokens": torch.randn(2, 13, spec.token_dim)}
    if spec.condition_tokens:
        inputs["condition"] = torch.randn(2, 9, spec.token_dim)
    operations = model.operations(spec, 13, 9 if spec.condition_tokens else 0)
    net = Learned(model.build(spec), spec)
    assert operations is not None
    assert operations.forward(2) == forward_flops(net, inputs)
    assert operations.backward(2) == backward_flops(partial(net, **inputs), list(net.parameters()))


# -- a baseline of NAC's size ------------------------------------------------------------------------------------------


# Not resnet: its widths are multiples of the groups of its norm, too coarse for 2 % in networks this small
RESIZED = [name for name in NAMES if name not in ("nac", "resnet") and MODELS.get(name).resized_by]


def operations_in_a_batch(model: Model, task: Task) -> int:
    return operations_of(model, task).per_example(128)


@pytest.mark.parametrize(
    ("name", "size", "scale", "task_name"),
    [
        *((name, "mini", "mini", "cifar10") for name in RESIZED if MODELS.get(name).reads != "points"),
        ("perceiver-io", "published", "paper", "cifar10"),
        ("transformer", "paper", "paper", "cifar10"),
        ("vit", "paper", "paper", "cifar10"),
        *((name, "mini", "mini", "parametric-shapes") for name in RESIZED if MODELS.get(name).reads == "points"),
    ],
)
@pytest.mark.parametrize("cost", [parameters_of, operations_in_a_batch])
def test_baseline_is_resized_to_the_cost_of_nac(
    name: str, size: str, scale: str, task_name: str, cost: Callable[[Model, Task], int]
) -> None:
    task = TASKS.training(task_name).configured("task", scale, {})
    model, nac = (MODELS.get(other).configured("model", own, {}) for other, own in ((name, size), ("nac", scale)))
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
    model: Model = MODELS.get("floor-linear").configured("model", "mini", {})
    spec = TASKS.training("cifar10").configured("task", "mini", {}).spec()
    with pytest.raises(UserError, match="cannot be resized"):
        size_to(model, spec, lambda other: 1.0)


def test_flops_are_counted_without_a_formula() -> None:
    task = TASKS.training("cifar10").configured("task", "smoke", {})
    counted, spec = operations_of(ReferenceModel(), task), task.spec()
    assert (counted.example, counted.once) == (product(1, spec.token_dim, spec.classes), 0)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_gradients_of_a_convolution_cost_as_much_as_itself_each(groups: int) -> None:
    net = nn.Conv1d(6, 12, 3, groups=groups, padding=2)
    x = torch.randn(5, 6, 10, requires_grad=True)
    forward = 5 * product(12, 3 * 6 // groups, 12)  # 12 positions, 12 channels
    assert forward_flops(net, {"input": x}) == forward
    assert backward_flops(partial(net, x), [net.weight]) == forward
    assert backward_flops(partial(net, x), [net.weight, x]) == 2 * forward
