"""The checks that every task must pass. A check's docstring is what ``nacbench check`` prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.conformance.fields import check_fields
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import SCALES, LiveTask, ScoredTask, Task
from nacbench.errors import UserError
from nacbench.registry import TASKS

if TYPE_CHECKING:
    from torch import Tensor, nn


def task_is_described(cls: type[Task], data_root: Path) -> None:
    """It says what it is: title, modality, classes, metric, version, licence, citation, provenance, recipes."""
    for name in ("title", "modality", "metric", "licence", "citation", "provenance"):
        value = getattr(cls, name, None)
        assert isinstance(value, str) and value, f"{name} is {value!r}, and should be text"
    assert isinstance(cls.classes, int) and cls.classes >= 2, f"classes is {cls.classes!r}"
    assert isinstance(cls.version, int) and cls.version >= 1, f"version is {cls.version!r}"
    assert set(cls.recipes) == set(SCALES), f"recipes has {sorted(cls.recipes)}, and should have {sorted(SCALES)}"


def task_is_configurable(cls: type[Task], data_root: Path) -> None:
    """Its fields are its whole configuration: frozen, with defaults, unknown ones refused."""
    for scale in SCALES:
        check_fields(cls, scale)


def task_matches_its_spec(cls: type[Task], data_root: Path) -> None:
    """Its tokenizer gives tokens of the width and number that its spec promises."""
    import torch

    trained, live = _trained(cls, data_root)
    given = trained.tokenizer()(**live.train_batches(4, 0)[0].inputs)
    spec = live.spec
    pairs = [("tokens", given.tokens, given.mask, spec.max_tokens)]
    assert (given.condition is not None) == (spec.condition_tokens > 0), (
        "the spec and the tokenizer disagree on a condition"
    )
    if given.condition is not None:
        pairs.append(("condition", given.condition, given.condition_mask, spec.condition_tokens))
    for name, tokens, mask, most in pairs:
        assert tokens.shape[0] == 4 and tokens.shape[1] <= most and tokens.shape[2] == spec.token_dim, (
            f"{name}: {tuple(tokens.shape)}, the spec says at most 4×{most}×{spec.token_dim}"
        )
        boolean = mask is None or (mask.dtype == torch.bool and mask.shape == tokens.shape[:2])
        assert boolean, f"the mask of the {name} is not boolean B×V"
        assert torch.isfinite(tokens).all(), f"{name}: not finite"
    if cls.trained_on is None:
        assert spec.classes <= cls.classes, f"{spec.classes} classes found, {cls.classes} declared"


def task_batches_are_pure(cls: type[Task], data_root: Path) -> None:
    """A training batch depends on seed and step alone, and on both."""
    import torch

    _, live = _trained(cls, data_root)
    batches = live.train_batches(4, 0)
    steps = len(batches)
    assert steps >= 1, "an epoch has no step"
    first, later = batches[0], batches[steps]  # the second epoch's first
    torch.rand(3)
    again, other_object, other_seed = batches[0], live.train_batches(4, 0)[0], live.train_batches(4, 1)[0]
    for name in first.inputs:
        assert torch.equal(first.inputs[name], again.inputs[name]), f"{name} differs when asked for again"
        assert torch.equal(first.inputs[name], other_object.inputs[name]), f"{name} depends on what was asked before"
    assert torch.equal(first.target, again.target), "the target differs when asked for again"
    changing = [not _equal(first, other) for other in (later, other_seed)]
    assert all(changing), "the first batch is the same in another epoch, or for another seed"


def task_draws_leave_no_trace(cls: type[Task], data_root: Path) -> None:
    """Making a batch leaves torch's random generator as it was."""
    import torch

    _, live = _trained(cls, data_root)
    before = torch.get_rng_state()
    live.train_batches(4, 0)[1]
    assert torch.equal(before, torch.get_rng_state()), "torch.get_rng_state() changed"


def task_evaluates(cls: type[Task], data_root: Path) -> None:
    """Every split but train is scored whole, in order, and alike whatever the batch size."""
    import numpy as np
    import torch

    trained, live = _scored(cls, data_root)
    net = _probe(trained, live.spec)
    assert cls.trained_on or "test" in live.split_sizes, "there is no test split"
    metrics = {}
    with torch.no_grad():
        for split, size in live.split_sizes.items():
            if split == "train":
                continue
            outcome, other = live.evaluate(net, split, 64), live.evaluate(net, split, 7)
            metrics[split] = outcome.metrics
            assert cls.metric in outcome.metrics, f"the metric {cls.metric} is not among {sorted(outcome.metrics)}"
            index = np.asarray(outcome.predictions["index"])
            assert np.array_equal(index, np.arange(size)), f"{split}: predictions do not cover the split in order"
            labels = [np.asarray(o.predictions["label"]) for o in (outcome, other)]
            assert np.array_equal(labels[0], labels[1]), f"{split}: labels depend on the batch size"
            assert np.isfinite(list(outcome.metrics.values())).all(), f"{split}: a metric is not finite"
    headline = cls.configured("task", "smoke", {}).headline(metrics)
    assert cls.metric in headline, f"the headline {sorted(headline)} lacks the metric {cls.metric}"


def task_loss_is_usable(cls: type[Task], data_root: Path) -> None:
    """Its loss is a finite scalar with a gradient."""
    import torch

    task, live = _trained(cls, data_root)
    net = _probe(task, live.spec)
    loss = live.loss(net, live.train_batches(4, 0)[0])
    assert loss.dim() == 0 and torch.isfinite(loss), f"the loss is {loss!r}"
    loss.backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters()), "no gradient arrives"


def task_fingerprint_is_stable(cls: type[Task], data_root: Path) -> None:
    """Its fingerprint is the same when asked for again."""
    first, second = (cls.configured("task", "smoke", {}).fingerprint(data_root) for _ in range(2))
    assert first == second and first, f"{first!r}, then {second!r}"


def _ready(cls: type[Task], data_root: Path) -> Task:
    task = cls.configured("task", "smoke", {})
    reason = task.missing(data_root)
    if reason:
        raise UserError(f"its data is not at hand: {reason}")
    return task


def _source(cls: type[Task]) -> type[Task]:
    """The class of the task that trains: this one, or its source."""
    return TASKS.get(cls.trained_on) if cls.trained_on else cls


def _trained(cls: type[Task], data_root: Path) -> tuple[Task, LiveTask]:
    """The task that trains the network, with its data."""
    task = _ready(_source(cls), data_root)
    return task, task.build(data_root, task.recipes["smoke"])


def _scored(cls: type[Task], data_root: Path) -> tuple[Task, ScoredTask]:
    """The task that trains the network, and the one that is scored with its data."""
    if cls.trained_on is None:
        return _trained(cls, data_root)
    task, source = _ready(cls, data_root), _ready(_source(cls), data_root)
    return source, task.build_on(source, data_root, task.recipes["smoke"])


def _probe(task: Task, spec: TaskSpec) -> "nn.Module":
    """A small network of no model: the mean token through a linear layer."""
    import torch
    from torch import nn

    from nacbench.nn.network import Network

    class MeanToken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Linear(spec.token_dim, spec.classes)

        def forward(self, tokens: "Tensor", mask: "Tensor | None" = None) -> "Tensor":
            weight = torch.ones(tokens.shape[:2]) if mask is None else mask.float()
            mean = (tokens * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
            logits: Tensor = self.logits(mean)
            return logits

    return Network(task.tokenizer(), MeanToken(), head=("core.logits.weight", "core.logits.bias")).eval()


def _equal(a: Any, b: Any) -> bool:
    import torch

    return all(a.inputs[k].shape == b.inputs[k].shape and torch.equal(a.inputs[k], b.inputs[k]) for k in a.inputs)


TASK_CHECKS = (
    task_is_described,
    task_is_configurable,
    task_matches_its_spec,
    task_batches_are_pure,
    task_draws_leave_no_trace,
    task_evaluates,
    task_loss_is_usable,
    task_fingerprint_is_stable,
)
