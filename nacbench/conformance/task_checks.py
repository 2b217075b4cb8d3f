"""Conformance checks of tasks. ``nacbench check`` prints a check's docstring as the requirement."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.conformance.fields import check_fields
from nacbench.conformance.reference import ReferenceModel
from nacbench.contracts.given import check_loss, check_tokens, checked_fingerprint, checked_live, checked_module
from nacbench.contracts.given_scores import checked_evaluation, checked_numbers
from nacbench.contracts.model import Model, spec_for
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import SCALES, AnyTask, Evaluation, EvaluationTask, LiveTask, ScoredTask, Task
from nacbench.errors import UserError
from nacbench.registry import MODELS, TASKS

if TYPE_CHECKING:
    from nacbench.nn.network import Network

RIGHT = ("label", "labels", "target")  # column of predictions with what is right: a class, labels, or values
Check = Callable[[Any, Path], None]


def task_is_described(cls: type[AnyTask], data_root: Path) -> None:
    """The class has title, modality, classes, metrics, version, protocol, licence, citation, provenance, recipes."""
    for name in ("title", "modality", "metric", "protocol", "licence", "citation", "provenance"):
        value = getattr(cls, name, None)
        assert isinstance(value, str) and value, f"{name} is {value!r}, and should be text"
    least = 2 if cls.targets == "classes" else 1
    assert isinstance(cls.classes, int) and cls.classes >= least, f"classes is {cls.classes!r}"
    cls.main_metric()  # raises if it is not described
    assert isinstance(cls.version, int) and cls.version >= 1, f"version is {cls.version!r}"
    assert set(cls.recipes) == set(SCALES), f"recipes has {sorted(cls.recipes)}, and should have {sorted(SCALES)}"


def task_is_configurable(cls: type[AnyTask], data_root: Path) -> None:
    """Its fields are its complete configuration: frozen, with defaults, unknown ones refused."""
    for scale in SCALES:
        check_fields(cls, scale)


def task_matches_its_spec(cls: type[Task], data_root: Path) -> None:
    """Its tokenizer returns tokens of the width and at most the number in its spec."""
    import torch

    task, live = _live(cls, data_root)
    tokenizer = checked_module(task, "tokenizer", task.tokenizer())
    given = tokenizer(**live.train_batches(4, 0)[0].inputs)
    spec = live.spec
    check_tokens(tokenizer, given, spec)
    assert len(given.tokens) == 4, f"there are {len(given.tokens)} examples of tokens for a batch of 4"
    for name, tokens in (("tokens", given.tokens), ("condition", given.condition)):
        assert tokens is None or torch.isfinite(tokens).all(), f"{name}: not finite"
    assert spec.targets == cls.targets, f"the spec's targets are {spec.targets}, those of the class {cls.targets}"
    assert spec.classes <= cls.classes, f"{spec.classes} classes found, {cls.classes} declared"


def task_batches_are_pure(cls: type[Task], data_root: Path) -> None:
    """A training batch is a function of seed and step, and depends on both."""
    import torch

    _, live = _live(cls, data_root)
    batches = live.train_batches(4, 0)
    steps = len(batches)
    assert steps >= 1, "an epoch has no step"
    first, later = batches[0], batches[steps]  # the second is the first batch of the second epoch
    torch.rand(3)  # changes the state of torch's generator, which must not matter
    again, other_object, other_seed = batches[0], live.train_batches(4, 0)[0], live.train_batches(4, 1)[0]
    for name in first.inputs:
        assert torch.equal(first.inputs[name], again.inputs[name]), f"{name} differs in a second call"
        assert torch.equal(first.inputs[name], other_object.inputs[name]), f"{name} depends on batches requested before"
    assert torch.equal(first.target, again.target), "the target differs in a second call"
    changing = [not _equal(first, other) for other in (later, other_seed)]
    assert all(changing), "the first batch is the same in another epoch, or for another seed"


def task_draws_leave_no_trace(cls: type[Task], data_root: Path) -> None:
    """Making a batch does not change the state of torch's random generator."""
    import torch

    _, live = _live(cls, data_root)
    before = torch.get_rng_state()
    live.train_batches(4, 0)[1]
    assert torch.equal(before, torch.get_rng_state()), "torch.get_rng_state() changed"


def task_evaluates(cls: type[AnyTask], data_root: Path) -> None:
    """Every split except train is evaluated completely, in order, and independently of the batch size."""
    import numpy as np
    import torch

    task, live, net = _scored(cls, data_root)
    metrics = {}
    with torch.no_grad():
        for split, size in live.split_sizes.items():
            if split == "train":
                continue
            outcome, other = (
                checked_evaluation(live, split, live.evaluate(net, split, size), cls.metric, net) for size in (64, 7)
            )
            metrics[split] = outcome.metrics
            index = np.asarray(outcome.predictions["index"])
            assert np.array_equal(index, np.arange(size)), f"{split}: predictions do not cover the split in order"
            right = next((name for name in RIGHT if name in outcome.predictions), None)
            assert right, f"{split}: predictions have none of the columns {', '.join(RIGHT)}"
            labels = [np.asarray(o.predictions[right]) for o in (outcome, other)]
            assert np.array_equal(labels[0], labels[1]), f"{split}: {right} depends on the batch size"
            _check_metrics(cls, split, outcome)
    headline = checked_numbers(f"{cls.__name__}.headline()", "metrics", task.headline(metrics), [cls.metric])
    line = task.score_line({**metrics, "test": headline}, live.split_sizes)
    assert line and "\n" not in line, f"score_line() gives {line!r}, and should give one line"


def _check_metrics(cls: type[AnyTask], split: str, outcome: Evaluation) -> None:
    """Check the numbers of an evaluation against what the task says of its metrics."""
    for metric in cls.metrics:
        value = outcome.metrics.get(metric.name)
        if value is None:
            continue
        assert metric.allows(value), (
            f"{split}: {metric.name} is {value:g}, and should lie between {metric.least:g} and {metric.most:g}"
        )
        if metric.is_computable and outcome.predictions.keys() >= set(metric.columns):
            again = metric.of(outcome.predictions)
            assert math.isclose(value, again, rel_tol=1e-6, abs_tol=1e-9), (
                f"{split}: {metric.name} is {value:g}, but {again:g} from the predictions"
            )


def task_tests(cls: type[Task], data_root: Path) -> None:
    """It has a train and a test split."""
    _live(cls, data_root)


def task_takes_a_trained_network(cls: type[EvaluationTask], data_root: Path) -> None:
    """Its trained_on is the name of a task that trains a network."""
    assert isinstance(cls.trained_on, str), f"trained_on is {cls.trained_on!r}, and should be the name of a task"
    TASKS.training(cls.trained_on)


def task_leaves_the_network(cls: type[EvaluationTask], data_root: Path) -> None:
    """Evaluating a network does not change its weights."""
    import torch

    _, live, net = _scored(cls, data_root)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with torch.no_grad():
        live.evaluate(net, next(iter(live.split_sizes)), 64)
    changed = [name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])]
    assert not changed, f"{', '.join(changed)} changed: adapt a copy"


def task_loss_is_usable(cls: type[Task], data_root: Path) -> None:
    """Its loss is a finite scalar with a gradient."""
    import torch

    task, live = _live(cls, data_root)
    net = _network(task, live.spec, ReferenceModel())
    loss = live.loss(net, live.train_batches(4, 0)[0])
    check_loss(live, loss)
    assert torch.isfinite(loss), f"the loss is {loss!r}"
    loss.backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters()), "no gradient arrives"


def task_fingerprint_is_stable(cls: type[AnyTask], data_root: Path) -> None:
    """Its fingerprint is the same in a second call."""
    tasks = [cls.configured("task", "smoke", {}) for _ in range(2)]
    first, second = (checked_fingerprint(task, task.fingerprint(data_root)) for task in tasks)
    assert first == second, f"{first!r}, then {second!r}"


def _check_data(task: AnyTask, data_root: Path) -> None:
    if reason := task.missing(data_root):
        raise UserError(f"its data is missing: {reason}")


def _live(cls: type[Task], data_root: Path) -> tuple[Task, LiveTask]:
    """Return a task, and the same task with its data opened."""
    task = cls.configured("task", "smoke", {})
    _check_data(task, data_root)
    return task, checked_live(task, "build", task.build(data_root, task.recipes["smoke"]), trains=True)


def _scored(cls: type[AnyTask], data_root: Path) -> "tuple[AnyTask, ScoredTask, Network]":
    """Return a task, the same task with its data opened, and an untrained network."""
    if issubclass(cls, Task):
        training, opened = _live(cls, data_root)
        return training, opened, _network(training, opened.spec, ReferenceModel())
    assert issubclass(cls, EvaluationTask), "it is neither a Task nor an EvaluationTask"
    task, trained = cls.configured("task", "smoke", {}), TASKS.training(cls.trained_on).configured("task", "smoke", {})
    for one in (task, trained):
        _check_data(one, data_root)
    live = checked_live(task, "build_on", task.build_on(trained, data_root, task.recipes["smoke"]), trains=False)
    return task, live, _network(trained, live.spec, _suited(task, trained.spec()))


def _suited(task: EvaluationTask, spec: TaskSpec) -> Model:
    """Return the first model that supports this spec and whose networks the task can evaluate."""
    for model in _models():
        if not model.unsupported(spec_for(model, spec)) and not task.unsuited(model, spec):
            return model
    raise AssertionError("there is no model whose networks it can evaluate")


def _models() -> Iterator[Model]:
    yield ReferenceModel()
    for cls in MODELS.load_all()[0].values():
        if cls.missing() is None:
            yield cls.configured("model", "tiny", {})


def _network(task: Task, spec: TaskSpec, model: Model) -> "Network":
    from nacbench.nn.network import build_network

    return build_network(task, spec, model, seed=0).eval()


def _equal(a: Any, b: Any) -> bool:
    import torch

    return all(a.inputs[k].shape == b.inputs[k].shape and torch.equal(a.inputs[k], b.inputs[k]) for k in a.inputs)


_ANY_TASK_CHECKS: tuple[Check, ...] = (
    task_is_described,
    task_is_configurable,
    task_evaluates,
    task_fingerprint_is_stable,
)
TASK_CHECKS: tuple[Check, ...] = (
    *_ANY_TASK_CHECKS,
    task_matches_its_spec,
    task_batches_are_pure,
    task_draws_leave_no_trace,
    task_tests,
    task_loss_is_usable,
)
EVALUATION_TASK_CHECKS: tuple[Check, ...] = (*_ANY_TASK_CHECKS, task_takes_a_trained_network, task_leaves_the_network)


def checks_of(cls: type[AnyTask]) -> tuple[Check, ...]:
    """Return the checks for tasks of this kind."""
    return EVALUATION_TASK_CHECKS if issubclass(cls, EvaluationTask) else TASK_CHECKS
