"""Read a folder that was exported for the Hugging Face hub. Others may have written it: nothing in it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.reading import checked, parse_json, read_bytes
from nacbench.formats.weights_file import digest_of_tensors, read_weights_file, weights_in
from nacbench.machine.software import library_versions
from nacbench.recording.bounded import Classes, Digest, FolderName, Name, Part, RunId
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD, RunRecord
from nacbench.recording.store import WEIGHTS, damage
from nacbench.registry import MODELS, TASKS
from nacbench.running.config import RunConfig
from nacbench.running.resolve import resolve

if TYPE_CHECKING:
    from torch import Tensor

FORMAT: Literal[1] = 1
CONFIG = "config.json"
TENSORS = "model.safetensors"
CARD = "README.md"
PRUNED = "config.yaml"  # beside the weights of a pruned network
FOREIGN = ("pytorch_model.bin", "model.safetensors.index.json")  # which show that a folder is of the hub


class Exported(Part):
    """Content of ``config.json``."""

    library_name: Literal["nacbench"] = "nacbench"
    format: Literal[1] = FORMAT
    run_id: RunId
    task: FolderName
    model: FolderName
    size: Name
    classes: Classes
    settings: dict[str, Any] = Field(description="all settings of the run, with every default")
    weights: Digest = Field(description="of the tensors: names, types, shapes and values")
    task_version: int
    data: Name = Field(description="fingerprint of the data that it was trained on")
    code: dict[Name, Name] = Field(description="digests of the code that computed it")
    versions: dict[Name, Name] = Field(description="of the libraries that computed it")
    plugins: dict[Literal["task", "model"], Name] = Field({}, description="where plug-ins come from that it needs")

    @classmethod
    def of(cls, record: RunRecord, weights: str, plugins: dict[str, str]) -> Exported:
        """Return what a run's folder for the hub says in ``config.json``.

        Args:
            record: of the run.
            weights: digest of its tensors.
            plugins: file or distribution of its task and its model, where they are not built in.
        """
        identity = record.identity
        return cls.model_validate(
            {
                "run_id": record.run_id,
                "task": record.task,
                "model": record.model,
                "size": record.size,
                "classes": record.data.classes,
                "settings": identity["config"],
                "weights": weights,
                "task_version": identity["task_version"],
                "data": identity["data"],
                "code": identity["code"],
                "versions": record.environment.versions,
                "plugins": plugins,
            }
        )


def is_exported(folder: Path) -> bool:
    """Return whether a folder is one for the hub, perhaps of others, rather than a run's or a pruned network's."""
    ours = any((folder / name).exists() for name in (WEIGHTS, PRUNED))
    return not ours and any((folder / name).exists() for name in (CONFIG, TENSORS, *FOREIGN))


def read_exported(folder: Path) -> tuple[RunRecord, RunConfig, dict[str, Tensor]]:
    """Return the record, the configuration and the tensors by parameter of an exported run, all compared.

    Raises:
        BrokenFileError: if a file is not as ``nacbench export`` writes it, or they contradict each other.
        UserError: if a file is missing or a pickle, another version wrote it, or a plug-in that it needs is not loaded.
    """
    from nacbench.training.initial import tensors_of

    file = weights_in(folder, TENSORS)
    said = _read_config(folder / CONFIG)
    record = read_record(folder / RECORD, said.run_id)
    if problem := damage(file, record.files.get(WEIGHTS)):
        raise BrokenFileError(f"{problem}; get the folder again")
    content = read_weights_file(file)
    again = Exported.of(record, digest_of_tensors(content, file), {}).model_dump()
    for name, value in said.model_dump().items():
        if name != "plugins" and value != again[name]:
            raise BrokenFileError(
                f"{folder / CONFIG}: {name} is not that of {RECORD} or {TENSORS}; get the folder again"
            )
    return record, _resolved(said, folder), tensors_of(content)


def _read_config(path: Path) -> Exported:
    content = parse_json(read_bytes(path), path)
    format_ = content.get("format") if isinstance(content, dict) else None
    if isinstance(content, dict) and content.get("library_name") == "nacbench" and format_ != FORMAT:
        raise UserError(
            f"{path} has format {format_!r}; this nacbench reads {FORMAT}: install the version that wrote it"
        )
    if not isinstance(content, dict) or content.get("library_name") != "nacbench":
        raise UserError(f"{path} was not written by nacbench export; only such folders can be loaded")
    return checked(content, Exported, path)


def _resolved(said: Exported, folder: Path) -> RunConfig:
    for kind, name, registry in (("task", said.task, TASKS), ("model", said.model, MODELS)):
        if registry.find(name) is None:
            origin = said.plugins.get(kind)  # type: ignore[call-overload]
            whose = f" of {origin}" if origin else ""
            raise UserError(
                f"{folder} needs the {kind} {name!r}, a plug-in{whose} that is not installed here; give its file with "
                "--plugin FILE (in Python: plugins=[FILE])"
            )
    try:
        return resolve(said.settings)
    except UserError as error:
        then, now = said.versions.get("nacbench", "?"), library_versions().get("nacbench", "?")
        raise UserError(f"{folder}: {error} (nacbench {then} wrote it, this is {now})") from None
