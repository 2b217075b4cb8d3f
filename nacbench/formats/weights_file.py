"""Read files of weights: safetensors only, never a pickle; a digest of what the tensors are, not of their file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.reading import open_regular, parse_json

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
OWN = "model/"  # beginning of the names of a network's tensors in files of runs, which hold other tensors, too
DIGITS = 16  # of a digest of tensors


def read_weights_file(path: Path) -> bytes:
    """Return the content of a file of weights.

    Raises:
        UserError: if it cannot be opened, or is a pickle by its name; the message says how to convert it.
        BrokenFileError: if it is no regular file.
    """
    if path.suffix in PICKLES:
        raise UserError(
            f"{path} may be a pickle, which can run any code when it is opened, and is not read; convert it where you "
            "trust it: safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')"
        )
    with open_regular(path) as stream:
        return stream.read()


def weights_in(folder: Path, *names: str) -> Path:
    """Return the first of some files that a folder has.

    Raises:
        UserError: if it has none of them; the message names pickles that it has instead.
    """
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is not None:
        return found
    pickle = next((file for file in sorted(folder.iterdir()) if file.suffix in PICKLES), None)
    if pickle is not None:
        read_weights_file(pickle)  # which refuses it
    raise UserError(
        f"{folder} holds no weights (no {' or '.join(names)}); name a run, its folder, or a .safetensors file"
    )


def digest_of_tensors(content: bytes, where: object) -> str:
    """Return a digest of the names, types, shapes and values of a file's tensors, sixteen hexadecimal digits.

    The order of the tensors and the metadata do not count, so that equal weights have one digest in any file.

    Args:
        content: of a safetensors file.
        where: the place it comes from, for errors.

    Raises:
        BrokenFileError: if it is no safetensors file.
    """
    from safetensors import SafetensorError, deserialize

    try:
        tensors: dict[str, Any] = dict(deserialize(content))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise BrokenFileError(
            f"{where} is not a safetensors file ({error}); it may be cut off: copy it again"
        ) from None
    digest = hashlib.sha256()
    for name, tensor in sorted(plain_names(tensors).items()):
        digest.update(json.dumps([name, tensor["dtype"], list(tensor["shape"]), len(tensor["data"])]).encode())
        digest.update(tensor["data"])
    return digest.hexdigest()[:DIGITS]


def plain_names(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors by the names that they have in their network, in whichever file of ours or of others they are."""
    ours = bool(tensors) and all(name.startswith(OWN) for name in tensors)
    return {name.removeprefix(OWN) if ours else name: tensor for name, tensor in tensors.items()}


def run_that_wrote(content: bytes) -> str | None:
    """Return the id of the run that wrote a file of weights, as its metadata says; None if it says nothing."""
    size = int.from_bytes(content[:8], "little")
    try:
        header = parse_json(content[8 : 8 + size], "the header")
        meta = parse_json(header["__metadata__"]["nacbench"], "the metadata")
        run_id = meta.get("run_id")
    except (BrokenFileError, KeyError, TypeError, AttributeError):  # a file of another program may hold anything
        return None
    return run_id if isinstance(run_id, str) and run_id.isalnum() and len(run_id) <= 64 else None
