"""Checkpoints: weights, optimiser state and counters of a training run in one atomically written safetensors file."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from nacbench.errors import BrokenFileError
from nacbench.filesystem.files import write_bytes
from nacbench.formats.reading import parse_json

CHECKSUM = "crc32"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-serialisable metadata to one file, atomically."""
    content: dict[str, Tensor] = {}
    held: set[int] = set()
    for name, tensor in tensors.items():
        # safetensors 0.8.0 refuses tensors that are not contiguous, and those that share memory, as tied layers do
        own = tensor.detach().cpu().contiguous()
        place = own.untyped_storage().data_ptr()
        content[name] = own.clone() if place in held else own
        held.add(place)
    # in one entry: safetensors 0.8.0 writes several in random order, and the same weights would have other digests
    metadata = {"nacbench": json.dumps({**meta, CHECKSUM: _checksum(content)})}
    write_bytes(path, save(content, metadata=metadata))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and metadata that `save_tensors` wrote, onto the CPU.

    Raises:
        BrokenFileError: if the file cannot be read, was not written by `save_tensors`, or fails its checksum.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            meta = parse_json(metadata["nacbench"], "its metadata")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, KeyError, BrokenFileError) as error:
        raise BrokenFileError(f"checkpoint {path} cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(meta, dict):
        raise BrokenFileError(f"checkpoint {path} was not written by nacbench: its metadata is not a mapping")
    expected = meta.pop(CHECKSUM, metadata.get(CHECKSUM))  # files of nacbench before schema 2 have an entry of its own
    if expected is not None and str(expected) != str(_checksum(tensors)):
        raise BrokenFileError(f"checkpoint {path} is damaged: its tensors do not match its checksum")
    return tensors, meta


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Return the CRC-32 of all tensors' bytes in the order of their names; safetensors itself has no checksum."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, total)
    return total


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Return a module's parameters and buffers under names ``<prefix>/<name>``."""
    return {f"{prefix}/{name}": tensor for name, tensor in module.state_dict().items()}


def load_module(module: nn.Module, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Load what `module_tensors` returned; names and shapes must match exactly."""
    module.load_state_dict(part(tensors, prefix))


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state tensors as ``optimizer/<parameter index>/<name>``.

    Its settings are not stored: they come from the recipe.
    """
    state = optimizer.state_dict()["state"]
    return {f"optimizer/{index}/{name}": value for index, entry in state.items() for name, value in entry.items()}


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load what `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in part(tensors, "optimizer").items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``<prefix>/``, with the prefix removed."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
