"""The network: a task's tokenizer followed by a model's core, as one `torch.nn.Module`."""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nacbench.contracts.given import check_logits, check_tokens, checked_module
from nacbench.contracts.model import Model, spec_for
from nacbench.contracts.spec import Batch, TaskSpec, Tokens
from nacbench.contracts.task import Task
from nacbench.errors import UserError
from nacbench.machine.software import library_versions, other_versions
from nacbench.seeds import seed_for


class Raw(nn.Module):
    """Identity tokenizer for models that read the raw image or the raw points, such as ViT and PointNet.

    Args:
        name: of the batch's input that the model ``reads``.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, mask: Tensor | None = None, **inputs: Tensor) -> Tokens:
        """Return the input unchanged in place of tokens, with the batch's mask of what is no padding, if it has one."""
        return Tokens(inputs[self.name], mask)


class Network(nn.Module):
    """Tokenizer and core as one module: takes a batch's inputs as keywords, returns logits.

    Args:
        tokenizer: returns `nacbench.contracts.spec.Tokens`.
        core: the model's module: tokens → logits.
        conditional: whether the core takes the condition as separate arguments; otherwise the condition's tokens are
            appended to the others.
        head: names of the parameters whose shape depends on the number of classes.
        spec: of the task; if given, tokens and logits are checked against it in every pass. Only types and shapes are,
            so that this costs nothing.
    """

    def __init__(
        self,
        tokenizer: nn.Module,
        core: nn.Module,
        *,
        conditional: bool = False,
        head: tuple[str, ...] = (),
        spec: TaskSpec | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.tokenizer = tokenizer
        self.core = core
        self.conditional = conditional
        self.head = head

    def forward(self, **inputs: Tensor) -> Tensor:
        """Return logits B×classes for the inputs of the task's tokenizer.

        Raises:
            UserError: if tokenizer or core give something else than the spec says.
        """
        tokens: Tokens = self.tokenizer(**inputs)
        if self.spec is not None and not isinstance(self.tokenizer, Raw):
            check_tokens(self.tokenizer, tokens, self.spec)
        return self.read(tokens)

    def read(self, tokens: Tokens) -> Tensor:
        """Return logits B×classes for the tokenizer's output."""
        if tokens.condition is None:
            logits: Tensor = self.core(tokens.tokens, tokens.mask)
        elif self.conditional:
            logits = self.core(*tokens)
        else:
            logits = self.core(*join(tokens))
        if self.spec is not None:
            check_logits(self.core, logits, len(tokens.tokens), self.spec.classes)
        return logits

    def learn(self, batch: Batch) -> None:
        """Let a core that counts instead of descending a gradient look at a batch; do nothing for any other core."""
        own = getattr(self.core, "learn", None)
        if own is None:
            return
        with torch.no_grad():
            tokens: Tokens = self.tokenizer(**batch.inputs)
            own(*(tokens[:2] if tokens.condition is None else join(tokens)), batch.target)

    def with_core(self, core: nn.Module) -> "Network":
        """Return a network with another core that shares this one's tokenizer (not a copy)."""
        return Network(self.tokenizer, core, conditional=self.conditional, head=self.head, spec=self.spec)

    @property
    def capturable(self) -> bool:
        """Whether training passes may be captured as a CUDA graph: every pass launches the same kernels.

        A core must declare it, a tokenizer may deny it (see `nacbench.contracts.model.Model.build`).
        """
        return bool(getattr(self.core, "capturable", False) and getattr(self.tokenizer, "capturable", True))

    def auxiliary_loss(self) -> Tensor | None:
        """Return the model's own training loss (for example a graph prior), a scalar, or None if it has none."""
        own = getattr(self.core, "auxiliary_loss", None)
        return own() if own else None


def join(tokens: Tokens) -> tuple[Tensor, Tensor]:
    """Append the condition's tokens: B×V×T and B×W×T → tokens B×(V+W)×T and mask B×(V+W) (true: a token)."""
    assert tokens.condition is not None
    masks = [
        torch.ones(part.shape[:2], dtype=torch.bool, device=part.device) if mask is None else mask
        for part, mask in ((tokens.tokens, tokens.mask), (tokens.condition, tokens.condition_mask))
    ]
    return torch.cat([tokens.tokens, tokens.condition], dim=1), torch.cat(masks, dim=1)


def build_network(task: Task, spec: TaskSpec, model: Model, seed: int) -> Network:
    """Build a network whose initial weights are a pure function of the seed; torch's global generator is unchanged.

    Args:
        task: provides the tokenizer.
        spec: of the task, with the number of classes of the data at hand.
        model: provides the core.
        seed: of the run.

    Raises:
        UserError: if a library that the model needs is missing or broken, or a plug-in gives no module.
    """
    if absent := model.missing():
        raise UserError(absent)
    told = spec_for(model, spec)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(seed, "tokenizer"))
        tokenizer = checked_module(task, "tokenizer", task.tokenizer()) if model.reads == "tokens" else Raw(model.reads)
        # A seed of its own, so that the core's weights do not depend on how many numbers the tokenizer drew
        torch.default_generator.manual_seed(seed_for(seed, "core"))
        core = checked_module(model, "build", _built(model, told))
    return Network(tokenizer, core, conditional=model.conditional, head=head_parameters(model, told), spec=spec)


def _built(model: Model, spec: TaskSpec) -> nn.Module:
    """Return the core of a model whose library, if it has one, is installed by its metadata, which says not all."""
    try:
        return model.build(spec)
    except ImportError as error:
        if not model.library:
            raise
        raise UserError(
            f"{model.title} cannot be built ({error}); its library is installed, but perhaps not whole: "
            f"pip install --force-reinstall --no-deps {model.library}"
        ) from error


def head_parameters(model: Model, spec: TaskSpec) -> tuple[str, ...]:
    """Return the names, within a network, of the parameters whose shape depends on the number of classes.

    The core is built for two numbers of classes and the shapes are compared, so that a plug-in need not name its last
    layer. On the meta device this allocates nothing.
    """
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
