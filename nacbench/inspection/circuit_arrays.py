"""Circuit and attention of a network as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CircuitArrays:
    """A circuit of U processor modules and R read-out modules; those of N sentences have a leading axis N.

    Attributes:
        links: probability that a module (row) receives from another one (column), U×U in [0, 1].
        readout: the same of the read-out modules, R×U.
        read_in_codes: U×Z, the modules' initial states; they also say how each reads the input.
        processor_codes: U×Z, which modulate what a module computes.
        readout_codes: R×Z.
        processor_signatures: U×S, whose distances are the links; None in a complete graph.
        readout_signatures: R×S, or None.
    """

    links: np.ndarray
    readout: np.ndarray
    read_in_codes: np.ndarray
    processor_codes: np.ndarray
    readout_codes: np.ndarray
    processor_signatures: np.ndarray | None
    readout_signatures: np.ndarray | None

    def __repr__(self) -> str:
        return _shapes_of(self)


@dataclass(frozen=True)
class Attention:
    """Attention of a circuit of L layers, U modules and R read-out modules on B examples of V tokens; see
    `nacbench.nac.flow.Flow`.

    Attributes:
        tokens: share of every token in the prediction, B×V; each row sums to 1.
        reading: attention of every module over the tokens, B×U×V; each row sums to 1.
        modules: share of every module after the read-in and after each layer, (L+1)×B×U; each row sums to 1.
        links: share that passes from sender (column) to receiver (row) in each layer, L×B×U×U.
        readout: share that passes from each module to each read-out module, B×R×U.
    """

    tokens: np.ndarray
    reading: np.ndarray
    modules: np.ndarray
    links: np.ndarray
    readout: np.ndarray

    def __repr__(self) -> str:
        return _shapes_of(self)


def as_array(tensor: Tensor) -> np.ndarray:
    """Return a tensor as an array in memory, in float32."""
    found: np.ndarray = tensor.detach().float().cpu().numpy()
    return found


def joined(parts: list[Any], axes: Mapping[str, int]) -> dict[str, Any]:
    """Return the arrays of batches as one each, along their axis of examples; tokens are padded with 0 to the longest.

    Args:
        parts: of the same class.
        axes: of the examples, where it is not the first one.
    """
    whole: dict[str, Any] = {}
    for part in fields(parts[0]):
        arrays = [getattr(own, part.name) for own in parts]
        if arrays[0] is None:
            whole[part.name] = None
            continue
        longest = max(array.shape[-1] for array in arrays)
        padded = [np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, longest - a.shape[-1])]) for a in arrays]
        whole[part.name] = np.concatenate(padded, axis=axes.get(part.name, 0))
    return whole


def _shapes_of(found: Any) -> str:
    arrays = {part.name: getattr(found, part.name) for part in fields(found)}
    shapes = (f"{name} {'×'.join(map(str, own.shape))}" for name, own in arrays.items() if own is not None)
    return f"{type(found).__name__}({', '.join(shapes)})"
