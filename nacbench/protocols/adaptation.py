"""Few-shot fine-tuning of a trained network: which parameters are trained, and the optimisation loop."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.spec import Batch
from nacbench.errors import RunSkippedError
from nacbench.nn.network import Network
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.seeds import seed_for

Inputs = dict[str, Tensor]


def adaptable_parameters(net: Network, what: str) -> set[str]:
    """Return the names of the parameters to fine-tune.

    Args:
        net: the network; ``net.head`` has the names of its last layer's parameters.
        what: ``all``, ``head`` (the last layer), or a group that the core defines in ``adaptable`` (NAC: ``circuit``),
            which is fine-tuned together with the last layer.

    Raises:
        RunSkippedError: if the core has no such group, or no last layer with parameters.
    """
    names = {name for name, _ in net.named_parameters()}
    if what == "all":
        return names
    if not names & set(net.head):
        raise RunSkippedError("its last layer has no weights to fine-tune")
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
    """Fine-tune a copy of a network on support examples by AdamW with a cosine schedule. ``net`` is not changed.

    Args:
        net: the trained network, on its device.
        what: parameters to fine-tune; see `adaptable_parameters`.
        inputs: all N support examples as keyword arguments of the tokenizer, on the same device.
        labels: their class indices, N.
        recipe: steps, batch size, weight decay and clipping; the same for every model.
        lr: learning rate at the first step; it falls to nearly 0 by a half cosine.
        seed: seed of the batches and of random numbers in the network.

    Returns:
        The fine-tuned copy, in evaluation mode.

    Raises:
        RunSkippedError: as `adaptable_parameters`.
    """
    adapted = copy.deepcopy(net)
    moving = adaptable_parameters(adapted, what)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_(name in moving)
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=recipe.weight_decay)
    adapted.train()
    # Evaluation runs under no_grad. fork_rng: the generator's state afterwards must not depend on the adaptation
    with torch.enable_grad(), torch.random.fork_rng():
        for step in range(recipe.steps):
            torch.manual_seed(seed_for(seed, "adapt", step))
            for group in optimizer.param_groups:
                group["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
            chosen = torch.randperm(len(labels))[: recipe.batch_size].to(labels.device)
            batch = Batch({name: tensor[chosen] for name, tensor in inputs.items()}, labels[chosen])
            adapted.learn(batch)
            F.cross_entropy(adapted(**batch.inputs).float(), batch.target).backward()
            nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            # Autocast caches bf16 copies of the weights until it is left. The caller's autocast encloses all steps, so
            # without this every step would compute with the weights of the first one
            torch.clear_autocast_cache()
    return adapted.eval()
