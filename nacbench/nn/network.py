"""The network that is trained: the task's tokenizer and a model's core on its tokens."""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nacbench.contracts.model import Model, spec_for
from nacbench.contracts.spec import TaskSpec, Tokens
from nacbench.contracts.task import Task
from nacbench.errors import UserError
from nacbench.machine.software import library_versions, other_versions
from nacbench.seeds import seed_for


class RawImage(nn.Module):
    """In place of a tokenizer, for models that read the image itself."""

    def forward(self, image: Tensor) -> Tokens:
        """The image as it is."""
        return Tokens(image)


class Network(nn.Module):
    """Tokenizer and core as one module: a batch's inputs as keywords in, logits out.

    Args:
        tokenizer: gives `nacbench.contracts.spec.Tokens`.
        core: of a model.
        conditional: whether the core takes a condition apart; else its tokens come after the others.
        head: names of the parameters whose shape depends on the number of classes.
    """

    def __init__(self, tokenizer: nn.Module, core: nn.Module, *, conditional: bool = False, head: tuple[str, ...] = ()):
        super().__init__()
        self.tokenizer = tokenizer
        self.core = core
        self.conditional = conditional
        self.head = head

    def forward(self, **inputs: Tensor) -> Tensor:
        """Logits B×classes for the inputs that the task's tokenizer takes."""
        tokens: Tokens = self.tokenizer(**inputs)
        return self.read(tokens)

    def read(self, tokens: Tokens) -> Tensor:
        """Logits B×classes for what the tokenizer gave."""
        if tokens.condition is None:
            logits: Tensor = self.core(tokens.tokens, tokens.mask)
        elif self.conditional:
            logits = self.core(*tokens)
        else:
            logits = self.core(*join(tokens))
        return logits

    def with_core(self, core: nn.Module) -> "Network":
        """The same tokenizer (not a copy) before another core."""
        return Network(self.tokenizer, core, conditional=self.conditional, head=self.head)

    @property
    def capturable(self) -> bool:
        """Whether the core says that its training passes are alike, and the tokenizer does not say otherwise (see
        `nacbench.contracts.model.Model.build`)."""
        return bool(getattr(self.core, "capturable", False) and getattr(self.tokenizer, "capturable", True))

    def auxiliary_loss(self) -> Tensor | None:
        """What the model adds to the task's loss in training (a graph prior …), or None."""
        own = getattr(self.core, "auxiliary_loss", None)
        return own() if own else None


def join(tokens: Tokens) -> tuple[Tensor, Tensor]:
    """The tokens and after them the condition's, with the mask of both."""
    assert tokens.condition is not None
    masks = [
        torch.ones(part.shape[:2], dtype=torch.bool, device=part.device) if mask is None else mask
        for part, mask in ((tokens.tokens, tokens.mask), (tokens.condition, tokens.condition_mask))
    ]
    return torch.cat([tokens.tokens, tokens.condition], dim=1), torch.cat(masks, dim=1)


def build_network(task: Task, spec: TaskSpec, model: Model, seed: int) -> Network:
    """A new network whose weights are a pure function of the seed; torch's global generator is left as it was."""
    told = spec_for(model, spec)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(seed, "tokenizer"))
        tokenizer = task.tokenizer() if model.reads == "tokens" else RawImage()
        torch.default_generator.manual_seed(seed_for(seed, "core"))
        core = model.build(told)
    return Network(tokenizer, core, conditional=model.conditional, head=head_parameters(model, told))


def head_parameters(model: Model, spec: TaskSpec) -> tuple[str, ...]:
    """Names, inside a network, of the parameters whose shape depends on the number of classes: the last layer."""
    with torch.device("meta"):
        core, wider = model.build(spec), model.build(dataclasses.replace(spec, classes=spec.classes + 1))
    shapes = {name: tensor.shape for name, tensor in wider.state_dict().items()}
    return tuple(f"core.{name}" for name, tensor in core.state_dict().items() if shapes[name] != tensor.shape)


def take_weights(
    net: Network,
    weights: Mapping[str, Tensor],
    *,
    keep_head: bool,
    made_with: Mapping[str, str] | None = None,
) -> None:
    """Give a network the weights that another run trained; without ``keep_head`` its last layer starts from zero.

    Args:
        net: gets them.
        weights: by parameter.
        keep_head: whether the last layer's are taken, too.
        made_with: versions of the libraries that made the weights, for the message: some rename parameters.

    Raises:
        UserError: if the weights are of another network.
    """
    own = net.state_dict()
    fresh = () if keep_head else net.head
    for name, tensor in own.items():
        given = weights.get(name)
        if name not in fresh and (given is None or given.shape != tensor.shape):
            raise UserError(
                f"the trained weights do not fit: {name} is {_shape(given)}, not {_shape(tensor)}"
                f"{_since_changed(made_with or {})}"
            )
    net.load_state_dict({name: torch.zeros_like(t) if name in fresh else weights[name] for name, t in own.items()})


def _since_changed(made_with: Mapping[str, str]) -> str:
    """The libraries that have another version now than when weights were made, as the end of a message."""
    changed = other_versions(made_with, library_versions()) if made_with else {}
    listed = ", ".join(f"{name} {then} (now {now})" for name, (then, now) in changed.items())
    return f"; they were made with {listed}" if listed else ""


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else "×".join(map(str, tensor.shape)) or "a number"
