"""The network that is trained: the task's tokenizer and a model's core on its tokens."""

import torch
from torch import Tensor, nn

from nacbench.model import Model
from nacbench.seeds import seed_for
from nacbench.task import Task, TaskSpec, Tokens


class RawImage(nn.Module):
    """In place of a tokenizer, for models that read the image itself."""

    def forward(self, image: Tensor) -> Tokens:
        """The image as it is."""
        return Tokens(image)


class Network(nn.Module):
    """Tokenizer and core as one module: a batch's inputs as keywords in, logits out."""

    def __init__(self, tokenizer: nn.Module, core: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.core = core

    def forward(self, **inputs: Tensor) -> Tensor:
        """Logits B×classes for the inputs that the task's tokenizer takes."""
        logits: Tensor = self.core(*self.tokenizer(**inputs))
        return logits


def build_network(task: Task, spec: TaskSpec, model: Model, seed: int) -> Network:
    """A new network whose weights are a pure function of the seed; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(seed, "tokenizer"))
        tokenizer = task.tokenizer() if model.reads == "tokens" else RawImage()
        torch.default_generator.manual_seed(seed_for(seed, "core"))
        core = model.build(spec)
    return Network(tokenizer, core)
