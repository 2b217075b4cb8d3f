"""Few-shot classification without fine-tuning: the nearest class mean of a network's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacbench.errors import RunSkippedError
from nacbench.nn.network import Network

Inputs = dict[str, Tensor]


class Prototypes(nn.Module):
    """Classifier by the nearest prototype in a network's features (Snell et al. 2017, arXiv 1703.05175).

    Equation 1: the prototype of class k is the mean of its support examples' features, c_k = Σ f(x_i) / n_k.
    Equation 2: the probabilities of x are the softmax over −d(f(x), c_k), with d the squared Euclidean distance
    d(a, b) = Σ (a_j − b_j)². Nothing is trained. Distances are computed in float32.

    Args:
        net: the network, in evaluation mode; it is not changed.
        inputs: all N support examples as keyword arguments of the tokenizer, on the network's device.
        labels: their class indices, N; every index below the largest occurs.
        batch_size: examples that pass the network at once.

    Raises:
        RunSkippedError: as `features`.
    """

    def __init__(self, net: Network, inputs: Inputs, labels: Tensor, batch_size: int) -> None:
        super().__init__()
        self.net = net
        parts = [
            features(self.net, {name: tensor[first : first + batch_size] for name, tensor in inputs.items()})
            for first in range(0, len(labels), batch_size)
        ]
        of = torch.cat(parts)
        self.means = torch.stack([of[labels == k].mean(dim=0) for k in range(int(labels.max()) + 1)])

    def forward(self, **inputs: Tensor) -> Tensor:
        """Return the logits B×classes for inputs of the tokenizer: −d, of which the softmax gives the probabilities."""
        of = features(self.net, inputs)
        # Not |a|² − 2ab + |b|²: features far from zero would lose the digits that tell classes apart. By class, since
        # the differences of all classes at once would not fit in memory
        return torch.stack([-(of - mean).square().sum(dim=-1) for mean in self.means], dim=1)


def features(net: Network, inputs: Inputs) -> Tensor:
    """Return what a network's last layer gets, B×D in float32.

    Raises:
        RunSkippedError: if the parameters that depend on the number of classes are not those of one module.
    """
    found: list[Tensor] = []
    owner = net.get_submodule(last_layer(net.head))

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])

    handle = owner.register_forward_pre_hook(keep)
    try:
        net(**inputs)
    finally:
        handle.remove()
    return found[-1].flatten(1).float()


def last_layer(head: tuple[str, ...]) -> str:
    """Return the name of the module that all parameters of a head belong to.

    Args:
        head: names of parameters, as in ``Network.head``.

    Raises:
        RunSkippedError: if there is none, or more than one.
    """
    owners = {name.rpartition(".")[0] for name in head}
    if len(owners) != 1:
        raise RunSkippedError(NO_FEATURES)
    return owners.pop()


NO_FEATURES = "its last layer is not one module, whose input would be its features"
