"""Adapting a trained network to a few examples: which of its weights move, and how."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.errors import RunSkippedError
from nacbench.nn.network import Network
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.seeds import seed_for

Inputs = dict[str, Tensor]


def adaptable_parameters(net: Network, what: str) -> set[str]:
    """Names of the parameters that move.

    Args:
        net: with ``head``, the names of its last layer's parameters, and a ``core``.
        what: ``all``, ``head``, or a group that the core names itself in ``adaptable`` (NAC: ``circuit``); the head
            moves with every group.

    Raises:
        RunSkippedError: if the core has no such group.
    """
    names = {name for name, _ in net.named_parameters()}
    if what == "all":
        return names
    if what == "head":
        return names & set(net.head)
    groups = getattr(net.core, "adaptable", {})
    if what not in groups:
        raise RunSkippedError(f"it has no {what} to adapt")
    prefixes = tuple(f"core.{prefix}" for prefix in groups[what])
    return {name for name in names if name.startswith(prefixes)} | (names & set(net.head))


def adapt(
    net: Network, what: str, inputs: Inputs, labels: Tensor, recipe: AdaptRecipe, lr: float, seed: int
) -> Network:
    """A copy of a network, adapted to some examples by AdamW with a cosine schedule; the network stays as it is.

    Args:
        net: on its device.
        what: see `adaptable_parameters`.
        inputs: all support examples, as the tokenizer takes them.
        labels: their classes.
        recipe: steps, batch size and weight decay; the same for every model.
        lr: peak learning rate.
        seed: of batches and of what the network draws itself.

    Returns:
        The adapted copy, in evaluation mode.
    """
    adapted = copy.deepcopy(net)
    moving = adaptable_parameters(adapted, what)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_(name in moving)
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=recipe.weight_decay)
    adapted.train()
    with torch.enable_grad(), torch.random.fork_rng():
        for step in range(recipe.steps):
            torch.manual_seed(seed_for(seed, "adapt", step))
            for group in optimizer.param_groups:
                group["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
            chosen = torch.randperm(len(labels))[: recipe.batch_size].to(labels.device)
            logits = adapted(**{name: tensor[chosen] for name, tensor in inputs.items()})
            F.cross_entropy(logits.float(), labels[chosen]).backward()
            nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            torch.clear_autocast_cache()  # inside one long autocast, it would go on with the weights before this step
    return adapted.eval()
