"""The checks that every task and model must pass: run on ours in the tests, on anyone's by ``nacbench check NAME``."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.config import SIZE_OF_SCALE
from nacbench.data.image_task import ImageAugment, ImageRecipe, ImageTask
from nacbench.errors import UserError, unknown
from nacbench.model import Model
from nacbench.plugin import Plugin
from nacbench.registry import MODELS, TASKS
from nacbench.task import SCALES, Task, TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nacbench.data.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class ReferenceImages(ImageTask):
    """Made images for checks and for counting parameters: 32×32 pixels in colour, ten classes, 16 tokens."""

    title = "32×32 colour images in ten classes"
    classes = 10
    licence = "CC0"
    citation = "made by nacbench"
    source = "noise around one random image for each class"
    shape = (3, 32, 32)
    mean = (0.5, 0.5, 0.5)
    std = (0.25, 0.25, 0.25)
    label_names = tuple("abcdefghij")
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16},
        "mini": {"stem_width": 48, "position_dim": 32},
        "paper": {},
    }
    recipes = dict.fromkeys(SCALES, ImageRecipe(epochs=1, batch_size=32, lr=1e-3, augment=ImageAugment(flip=True)))

    def arrays(self, data_root: Path) -> "Arrays":
        import numpy as np

        from nacbench.data.cache import Arrays, fingerprint

        noise = np.random.default_rng(0)
        prototypes = noise.integers(0, 256, (self.classes, *self.shape))
        arrays: dict[str, np.ndarray] = {}
        for name, count in (("train", 160), ("validation", 40), ("test", 50)):
            labels = np.arange(count) % self.classes
            images = prototypes[labels] * 0.7 + noise.integers(0, 77, (count, *self.shape))
            arrays |= {f"{name}_images": images.astype(np.uint8), f"{name}_labels": labels.astype(np.int16)}
        return Arrays(arrays, fingerprint(arrays))


@dataclass(frozen=True)
class Result:
    """One check: of which kind of plug-in, what it asks for, and what is wrong if it is not so."""

    kind: str
    check: str
    problem: str | None


def check_plugin(name: str, data_root: Path) -> Iterator[Result]:
    """Check the task, the model, or both of this name, one result after another.

    Raises:
        UserError: if there is neither.
    """
    known = {**TASKS.entries(), **MODELS.entries()}
    if name not in known:
        raise unknown("task or model", name, known)
    if name in TASKS.entries():
        task = TASKS.get(name)
        yield from _results("task", [(c.__doc__, partial(c, task, data_root)) for c in TASK_CHECKS])
    if name in MODELS.entries():
        model = MODELS.get(name)
        yield from _results("model", [(c.__doc__, partial(c, model)) for c in MODEL_CHECKS])


def _results(kind: str, checks: list[tuple[str | None, Callable[[], None]]]) -> Iterator[Result]:
    for title, check in checks:
        try:
            check()
            problem = None
        except Exception as error:
            problem = (
                str(error) if isinstance(error, AssertionError | UserError) else f"{type(error).__name__}: {error}"
            )
        yield Result(kind, (title or "").strip().rstrip("."), problem)


# ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_fields(cls: type[Plugin], preset: str) -> None:
    decorated = "__dataclass_fields__" in vars(cls)  # Python itself sees to it that it is frozen, as its base is
    assert decorated, "its fields do not count: write @dataclass(frozen=True, kw_only=True) above the class"
    for field in dataclasses.fields(cls):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        assert has_default, f"field {field.name} has no default"
    plugin = cls.configured("plugin", preset, {})
    again = cls.configured("plugin", preset, plugin.options())
    assert again == plugin, "its options() do not give the same plug-in again"
    try:
        cls.configured("plugin", preset, {"no_such_option": 1})
    except UserError:
        return
    raise AssertionError("an unknown option is not refused")


# ── tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def task_is_described(cls: type[Task], data_root: Path) -> None:
    """It says what it is: title, modality, classes, metric, version, licence, citation, source, recipes."""
    for name in ("title", "modality", "metric", "licence", "citation", "source"):
        value = getattr(cls, name, None)
        assert isinstance(value, str) and value, f"{name} is {value!r}, and should be text"
    assert isinstance(cls.classes, int) and cls.classes >= 2, f"classes is {cls.classes!r}"
    assert isinstance(cls.version, int) and cls.version >= 1, f"version is {cls.version!r}"
    assert set(cls.recipes) == set(SCALES), f"recipes has {sorted(cls.recipes)}, and should have {sorted(SCALES)}"


def task_is_configurable(cls: type[Task], data_root: Path) -> None:
    """Its fields are its whole configuration: frozen, with defaults, unknown ones refused."""
    for scale in SCALES:
        _check_fields(cls, scale)


def task_matches_its_spec(cls: type[Task], data_root: Path) -> None:
    """Its tokenizer gives tokens of the width and number that its spec promises."""
    import torch

    task, live = _live(cls, data_root)
    batch = live.train_batches(4, 0)[0]
    tokens, mask, _ = task.tokenizer()(**batch.inputs)
    spec = live.spec
    assert tokens.shape[0] == 4 and tokens.shape[1] <= spec.max_tokens and tokens.shape[2] == spec.token_dim, (
        f"tokens are {tuple(tokens.shape)}, the spec says at most 4×{spec.max_tokens}×{spec.token_dim}"
    )
    assert mask is None or (mask.dtype == torch.bool and mask.shape == tokens.shape[:2]), "the mask is not boolean B×V"
    assert torch.isfinite(tokens).all(), "tokens are not finite"
    assert spec.classes <= cls.classes, f"{spec.classes} classes found, {cls.classes} declared"


def task_batches_are_pure(cls: type[Task], data_root: Path) -> None:
    """A training batch depends on seed and step alone, and on both."""
    import torch

    _, live = _live(cls, data_root)
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

    _, live = _live(cls, data_root)
    before = torch.get_rng_state()
    live.train_batches(4, 0)[1]
    assert torch.equal(before, torch.get_rng_state()), "torch.get_rng_state() changed"


def task_evaluates(cls: type[Task], data_root: Path) -> None:
    """Every split but train is scored whole, in order, and alike whatever the batch size."""
    import numpy as np
    import torch

    task, live = _live(cls, data_root)
    net = _probe(task, live.spec)
    assert "test" in live.split_sizes, "there is no test split"
    with torch.inference_mode():
        for split, size in live.split_sizes.items():
            if split == "train":
                continue
            outcome, other = live.evaluate(net, split, 64), live.evaluate(net, split, 7)
            assert cls.metric in outcome.metrics, f"the metric {cls.metric} is not among {sorted(outcome.metrics)}"
            index = np.asarray(outcome.predictions["index"])
            assert np.array_equal(index, np.arange(size)), f"{split}: predictions do not cover the split in order"
            labels = [np.asarray(o.predictions["label"]) for o in (outcome, other)]
            assert np.array_equal(labels[0], labels[1]), f"{split}: labels depend on the batch size"
            assert np.isfinite(list(outcome.metrics.values())).all(), f"{split}: a metric is not finite"


def task_loss_is_usable(cls: type[Task], data_root: Path) -> None:
    """Its loss is a finite scalar with a gradient."""
    import torch

    task, live = _live(cls, data_root)
    net = _probe(task, live.spec)
    loss = live.loss(net, live.train_batches(4, 0)[0])
    assert loss.dim() == 0 and torch.isfinite(loss), f"the loss is {loss!r}"
    loss.backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters()), "no gradient arrives"


def task_fingerprint_is_stable(cls: type[Task], data_root: Path) -> None:
    """Its fingerprint is the same when asked for again."""
    first, second = (cls.configured("task", "smoke", {}).fingerprint(data_root) for _ in range(2))
    assert first == second and first, f"{first!r}, then {second!r}"


def _live(cls: type[Task], data_root: Path) -> tuple[Task, Any]:
    task = cls.configured("task", "smoke", {})
    reason = task.missing(data_root)
    if reason:
        raise UserError(f"its data is not at hand: {reason}")
    return task, task.build(data_root, task.recipes["smoke"])


def _probe(task: Task, spec: TaskSpec) -> "nn.Module":
    """A small network of no model: the mean token through a linear layer."""
    import torch
    from torch import nn

    from nacbench.network import Network

    class MeanToken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Linear(spec.token_dim, spec.classes)

        def forward(self, tokens: "Tensor", mask: "Tensor | None" = None, condition: Any = None) -> "Tensor":
            weight = torch.ones(tokens.shape[:2]) if mask is None else mask.float()
            mean = (tokens * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
            logits: Tensor = self.logits(mean)
            return logits

    return Network(task.tokenizer(), MeanToken()).eval()


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


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SEQUENCE = TaskSpec(modality="symbols", classes=5, max_tokens=12, token_dim=20)


def model_is_configurable(cls: type[Model]) -> None:
    """Its fields are its whole configuration: frozen, with defaults, unknown ones refused, sizes that can be."""
    sizes = set(cls.presets)
    assert not sizes or sizes >= set(SIZE_OF_SCALE.values()), f"sizes are {sorted(sizes)}; tiny, mini, paper are needed"
    for size in SIZE_OF_SCALE.values():
        _check_fields(cls, size)


def model_gives_logits(cls: type[Model]) -> None:
    """It gives finite logits B×classes, in training and in evaluation."""
    import torch

    for spec, net, inputs in _nets(cls):
        for mode in (True, False):
            logits = net.train(mode)(**inputs)
            assert logits.shape == (3, spec.classes), f"{spec.modality}: logits are {tuple(logits.shape)}"
            assert torch.isfinite(logits).all(), f"{spec.modality}: logits are not finite"


def model_is_deterministic(cls: type[Model]) -> None:
    """In evaluation the same input gives the same logits, whatever stands beside it in the batch."""
    import torch

    for spec, net, inputs in _nets(cls):
        with torch.no_grad():
            together = net.eval()(**inputs)
            again = net(**inputs)
            alone = net(**{name: tensor[:1] for name, tensor in inputs.items()})
        assert torch.equal(together, again), f"{spec.modality}: two evaluations differ"
        torch.testing.assert_close(alone, together[:1], rtol=1e-4, atol=1e-5, msg=f"{spec.modality}: examples interact")


def model_is_seeded(cls: type[Model]) -> None:
    """Its fresh weights come from torch's generator: the same seed gives the same, another seed others."""
    import torch

    model, spec = cls.configured("model", "tiny", {}), _specs(cls)[0]
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(torch.cat([p.detach().flatten() for p in model.build(spec).parameters()]))
    assert torch.equal(weights[0], weights[1]), "the same seed gives other weights"
    assert not torch.equal(weights[0], weights[2]), "another seed gives the same weights"


def model_learns_with_all_its_parameters(cls: type[Model]) -> None:
    """Every parameter gets a finite gradient."""
    import torch

    for spec, net, inputs in _nets(cls):
        net.train()(**inputs).square().sum().backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{spec.modality}: {name} gets no gradient"
            assert torch.isfinite(parameter.grad).all(), f"{spec.modality}: the gradient of {name} is not finite"


def model_keeps_its_state(cls: type[Model]) -> None:
    """Its weights can be saved and loaded into a new network, which then computes the same."""
    import torch

    model = cls.configured("model", "tiny", {})
    for spec, net, inputs in _nets(cls):
        other = model.build(spec)
        other.load_state_dict(net.state_dict())
        with torch.no_grad():
            assert torch.equal(net.eval()(**inputs), other.eval()(**inputs)), f"{spec.modality}: logits differ"


def model_ignores_padding(cls: type[Model]) -> None:
    """What the mask leaves out changes no logit."""
    import torch

    if cls.reads != "tokens" or cls.configured("model", "tiny", {}).unsupported(SEQUENCE):
        return
    net = _build(cls, SEQUENCE).eval()
    tokens = torch.randn(3, SEQUENCE.max_tokens, SEQUENCE.token_dim)
    mask = torch.ones(3, SEQUENCE.max_tokens, dtype=torch.bool)
    mask[:, 8:] = False
    garbage = torch.where(mask[..., None], tokens, 100 * torch.randn_like(tokens))
    with torch.no_grad():
        logits = net(tokens, mask)
        torch.testing.assert_close(net(garbage, mask), logits, rtol=1e-4, atol=1e-5, msg="padding changes logits")
        short = net(tokens[:, :8], mask[:, :8])
        torch.testing.assert_close(short, logits, rtol=1e-4, atol=1e-5, msg="the amount of padding changes logits")


def model_says_what_it_cannot(cls: type[Model]) -> None:
    """It either supports a task or says why not, in words."""
    model = cls.configured("model", "tiny", {})
    assert _specs(cls), "it supports neither images nor sequences of tokens"
    for spec in (_image_spec(), SEQUENCE, dataclasses.replace(SEQUENCE, condition_dim=4)):
        reason = model.unsupported(spec)
        assert reason is None or (isinstance(reason, str) and reason), f"unsupported() gave {reason!r}"


def _image_spec() -> TaskSpec:
    return ReferenceImages.configured("task", "smoke", {}).spec()


def _specs(cls: type[Model]) -> list[TaskSpec]:
    model = cls.configured("model", "tiny", {})
    return [spec for spec in (_image_spec(), SEQUENCE) if not model.unsupported(spec)]


def _build(cls: type[Model], spec: TaskSpec) -> "nn.Module":
    import torch

    torch.manual_seed(0)
    return cls.configured("model", "tiny", {}).build(spec)


def _nets(cls: type[Model]) -> "Iterator[tuple[TaskSpec, nn.Module, dict[str, Tensor]]]":
    """For each kind of input that a model supports: its spec, a network of size tiny, an input of three examples."""
    import torch

    for spec in _specs(cls):
        net = _build(cls, spec)
        shape = spec.image_shape if cls.reads == "image" else (spec.max_tokens, spec.token_dim)
        assert shape is not None
        yield spec, net, {"tokens": torch.randn(3, *shape)}


MODEL_CHECKS = (
    model_is_configurable,
    model_gives_logits,
    model_is_deterministic,
    model_is_seeded,
    model_learns_with_all_its_parameters,
    model_keeps_its_state,
    model_ignores_padding,
    model_says_what_it_cannot,
)
