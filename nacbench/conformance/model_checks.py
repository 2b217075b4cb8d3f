"""Conformance checks of models. ``nacbench check`` prints a check's docstring as the requirement."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nacbench.conformance.fields import check_fields
from nacbench.conformance.reference import ReferenceImages
from nacbench.contracts.given import check_logits, checked_module, checked_reason
from nacbench.contracts.model import Model, input_shape
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import SIZES

if TYPE_CHECKING:
    from torch import Tensor, nn

SEQUENCE = TaskSpec(modality="symbols", classes=5, max_tokens=12, token_dim=20)
POINTS = TaskSpec(modality="points", classes=5, max_tokens=12, token_dim=20, point_shape=(12, 3))
CONDITIONED = dataclasses.replace(SEQUENCE, modality="symbols with a condition", condition_tokens=7)


def model_is_configurable(cls: type[Model]) -> None:
    """Its fields are its complete configuration: frozen, with defaults, unknown ones refused, all sizes valid."""
    sizes = set(cls.presets)
    assert not sizes or all(sizes.intersection(names) for names in SIZES.values()), (
        f"presets has {sorted(sizes)}; tiny, mini, paper are needed"
    )
    for size in sizes or {""}:
        check_fields(cls, size)


def model_gives_logits(cls: type[Model]) -> None:
    """It returns finite logits B×classes, in training and in evaluation mode."""
    import torch

    for spec, net, inputs in _nets(cls):
        for mode in (True, False):
            logits = net.train(mode)(**inputs)
            check_logits(net, logits, 3, spec.classes)
            assert torch.isfinite(logits).all(), f"{spec.modality}: logits are not finite"


def model_is_deterministic(cls: type[Model]) -> None:
    """In evaluation mode the logits of an example depend on that example only, not on others in the batch."""
    import torch

    for spec, net, inputs in _nets(cls):
        with torch.no_grad():
            together = net.eval()(**inputs)
            again = net(**inputs)
            alone = net(**{name: tensor[:1] for name, tensor in inputs.items()})
        assert torch.equal(together, again), f"{spec.modality}: two evaluations differ"
        torch.testing.assert_close(alone, together[:1], rtol=1e-4, atol=1e-5, msg=f"{spec.modality}: examples interact")


def model_is_seeded(cls: type[Model]) -> None:
    """Its initial weights come from torch's generator: equal for equal seeds, different for different seeds."""
    import torch

    model, spec = cls.configured("model", "tiny", {}), _specs(cls)[0]
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        parameters = list(model.build(spec).parameters())
        weights.append(torch.cat([p.detach().flatten() for p in parameters]))
    assert torch.equal(weights[0], weights[1]), "the same seed gives different weights"
    nothing_to_draw = all(p.dim() == 0 for p in parameters)  # such as a scale that begins at one
    assert nothing_to_draw or not torch.equal(weights[0], weights[2]), "another seed gives the same weights"


def model_learns_with_all_its_parameters(cls: type[Model]) -> None:
    """Every parameter gets a finite gradient."""
    import torch

    for spec, net, inputs in _nets(cls):
        net.train()(**inputs).square().sum().backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{spec.modality}: {name} gets no gradient"
            assert torch.isfinite(parameter.grad).all(), f"{spec.modality}: the gradient of {name} is not finite"


def model_keeps_its_state(cls: type[Model]) -> None:
    """A new network with its weights loaded computes the same logits."""
    import torch

    model = cls.configured("model", "tiny", {})
    for spec, net, inputs in _nets(cls):
        other = model.build(spec)
        other.load_state_dict(net.state_dict())
        with torch.no_grad():
            assert torch.equal(net.eval()(**inputs), other.eval()(**inputs)), f"{spec.modality}: logits differ"


def model_ignores_padding(cls: type[Model]) -> None:
    """Padding, as marked by the mask, changes no logit."""
    import torch

    only_images = cls.reads == "tokens" and cls.configured("model", "tiny", {}).unsupported(SEQUENCE)
    if cls.reads == "image" or only_images:
        return
    same = functools.partial(torch.testing.assert_close, rtol=1e-4, atol=1e-5)
    for spec in _specs(cls):
        net = _build(cls, spec).eval()
        shape = input_shape(cls, spec)
        assert shape is not None
        count, width = shape
        parts = [_padded(count, width, 8)]
        if spec.condition_tokens:
            parts.append(_padded(spec.condition_tokens, spec.token_dim, 4))
        with torch.no_grad():
            logits = net(*(x for tokens, mask, _ in parts for x in (tokens, mask)))
            garbage = [x for tokens, mask, _ in parts for x in (_with_garbage(tokens, mask), mask)]
            same(net(*garbage), logits, msg="padding changes logits")
            short = [x[:, :kept] for tokens, mask, kept in parts for x in (tokens, mask)]
            same(net(*short), logits, msg="the amount of padding changes logits")


def model_takes_points_in_any_order(cls: type[Model]) -> None:
    """The order of points changes no logit."""
    import torch

    if cls.reads != "points":
        return
    for spec, net, inputs in _nets(cls):
        turned = {name: tensor.flip(1) for name, tensor in inputs.items()}
        with torch.no_grad():
            logits, again = net.eval()(**inputs), net(**turned)
        torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5, msg=f"{spec.modality}: the order counts")


def _padded(count: int, width: int, kept: int) -> "tuple[Tensor, Tensor, int]":
    """Return random tokens 3×count×width, a mask 3×count with the first ``kept`` true, and ``kept``."""
    import torch

    mask = torch.ones(3, count, dtype=torch.bool)
    mask[:, kept:] = False
    return torch.randn(3, count, width), mask, kept


def _with_garbage(tokens: "Tensor", mask: "Tensor") -> "Tensor":
    """Return the tokens with large random numbers in place of padding."""
    import torch

    return torch.where(mask[..., None], tokens, 100 * torch.randn_like(tokens))


def model_says_what_it_cannot(cls: type[Model]) -> None:
    """It supports a task, or unsupported() says why not."""
    model = cls.configured("model", "tiny", {})
    assert _specs(cls), "it supports neither images nor points nor sequences of tokens"
    for spec in (_image_spec(), SEQUENCE, POINTS, CONDITIONED):
        checked_reason(model, "unsupported", model.unsupported(spec))


def _image_spec() -> TaskSpec:
    return ReferenceImages.configured("task", "smoke", {}).spec()


def _specs(cls: type[Model]) -> list[TaskSpec]:
    model = cls.configured("model", "tiny", {})
    specs = [_image_spec(), SEQUENCE]
    specs += [POINTS] if cls.reads == "points" else []
    specs += [CONDITIONED] if cls.conditional else []
    return [spec for spec in specs if not model.unsupported(spec)]


def _build(cls: type[Model], spec: TaskSpec) -> "nn.Module":
    import torch

    torch.manual_seed(0)
    model = cls.configured("model", "tiny", {})
    net: nn.Module = checked_module(model, "build", model.build(spec))
    return net


def _nets(cls: type[Model]) -> "Iterator[tuple[TaskSpec, nn.Module, dict[str, Tensor]]]":
    """Yield, for each kind of input that a model supports, a spec, a network of size tiny, and three examples."""
    import torch

    for spec in _specs(cls):
        net = _build(cls, spec)
        shape = input_shape(cls, spec)
        assert shape is not None
        inputs = {"tokens": torch.randn(3, *shape)}
        if spec.condition_tokens:
            inputs["condition"] = torch.randn(3, spec.condition_tokens, spec.token_dim)
        yield spec, net, inputs


MODEL_CHECKS = (
    model_is_configurable,
    model_gives_logits,
    model_is_deterministic,
    model_is_seeded,
    model_learns_with_all_its_parameters,
    model_keeps_its_state,
    model_ignores_padding,
    model_takes_points_in_any_order,
    model_says_what_it_cannot,
)
