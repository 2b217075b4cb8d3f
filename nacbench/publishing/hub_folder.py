"""Export a finished run as a folder for the Hugging Face hub: weights, settings, record and card."""

from __future__ import annotations

import filecmp
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nacbench.contracts.given import checked_data_files
from nacbench.data.mirror.hub import HubFiles
from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import fill_folder
from nacbench.filesystem.scratch import scratch_folder
from nacbench.formats.reading import parse_json, read_bytes
from nacbench.formats.weights_file import digest_of_tensors, read_weights_file
from nacbench.inspection.exported import CARD, CONFIG, TENSORS, Exported
from nacbench.inspection.trained import load_run
from nacbench.publishing.again import shape_of
from nacbench.publishing.card import model_card
from nacbench.recording.record import RECORD, RunRecord
from nacbench.recording.store import WEIGHTS
from nacbench.registry import MODELS, TASKS
from nacbench.running.config import RunConfig

FILES = (TENSORS, CONFIG, RECORD, CARD)


@dataclass(frozen=True)
class HubFolder:
    """A folder for the hub.

    Attributes:
        path: where it is.
        was_there: whether the same export was there already.
        has_own_card: whether it is the same but for its card, as after its user has edited that.
    """

    path: Path
    was_there: bool
    has_own_card: bool = False


def export_run(folder: Path, into: Path, *, force: bool = False, keep_card: bool = False) -> HubFolder:
    """Write a run's folder for the hub, ``<into>/<task>-<model>-<run id>``; it appears whole or not at all.

    Args:
        folder: of a finished run that trained a network.
        into: the folder that it is made in; created if necessary.
        force: replace an earlier export of the same run that differs, as after a change of the card.
        keep_card: take an earlier export that is the same but for its card as it is, unless ``force`` replaces it.

    Raises:
        UserError: if there is no such run, its weights are missing or damaged, or something else is in the place.
    """
    trained = load_run(folder)  # which compares the weights with the record and with the network
    record = trained.record
    name = folder_name(record)
    target = into / name
    into.mkdir(parents=True, exist_ok=True)
    with scratch_folder(target) as aside:
        made = aside / name
        made.mkdir()
        _fill(folder, record, trained.config, name, made)
        if target.exists() or target.is_symlink():
            differs = _differing(made, target)
            if not differs or (differs == [CARD] and keep_card and not force):
                return HubFolder(target, True, has_own_card=bool(differs))
            _refuse_others(target, record, force=force)
            target.rename(aside / "before")
        fill_folder(target, partial(_move, made))
    return HubFolder(target, False)


def folder_name(record: RunRecord) -> str:
    """Return the name of a run's folder for the hub, which is also allowed as a repository's name there."""
    words = re.sub(r"[^A-Za-z0-9._-]+|[-.]{2,}", "-", f"{record.task}-{record.model}")[:80].strip("-.")
    return f"{words}-{record.run_id}"


def hub_data_sets(config: RunConfig) -> list[str]:
    """Return the ids on the hub of the data sets that a run was trained on."""
    task = config.training_task
    return [files.name for files in checked_data_files(task, task.data_files()) if isinstance(files, HubFiles)]


def _fill(folder: Path, record: RunRecord, config: RunConfig, name: str, made: Path) -> None:
    content = read_weights_file(folder / WEIGHTS)
    plugins = _plugins(record)
    said = Exported.of(record, digest_of_tensors(content, folder / WEIGHTS), plugins)
    card = model_card(
        record,
        type(config.task_plugin),
        type(config.model_plugin),
        hub_data_sets(config),
        name,
        shape=shape_of(config),
        plugins=list(dict.fromkeys(file for file in plugins.values() if file.endswith(".py"))),  # no distributions
    )
    (made / TENSORS).write_bytes(content)
    (made / CONFIG).write_text(json.dumps(said.model_dump(mode="json"), indent=2, allow_nan=False) + "\n", "utf-8")
    (made / RECORD).write_bytes(read_bytes(folder / RECORD))
    (made / CARD).write_text(card, "utf-8")


def _plugins(record: RunRecord) -> dict[str, str]:
    """Return the file or the distribution of task and model, where they are not built in."""
    found = {}
    for kind, entry in (("task", TASKS.find(record.task)), ("model", MODELS.find(record.model))):
        if entry is not None and entry.origin != "built in":
            found[kind] = Path(entry.origin).name  # without the folders of this machine
    return found


def _differing(made: Path, target: Path) -> Sequence[str]:
    """Return the names of the files that are not the same in both; all if there is anything else in the target."""
    if not target.is_dir() or target.is_symlink() or sorted(file.name for file in target.iterdir()) != sorted(FILES):
        return FILES
    same, *_ = filecmp.cmpfiles(made, target, FILES, shallow=False)
    return [name for name in FILES if name not in same]


def _refuse_others(target: Path, record: RunRecord, *, force: bool) -> None:
    """Refuse to replace what is not an earlier export of the same run, or without ``force``."""
    strangers: Sequence[str] = ["it"]
    if target.is_dir() and not target.is_symlink():
        strangers = [file.name for file in target.iterdir() if file.name not in FILES]
    try:
        said = parse_json(read_bytes(target / CONFIG), target / CONFIG)
        ours = isinstance(said, dict) and said.get("run_id") == record.run_id
    except (UserError, BrokenFileError):
        ours = False
    if not ours or strangers:
        raise UserError(f"{target} exists and is not an export of this run alone; move it away, or name another --into")
    if not force:
        raise UserError(f"{target} is another export of this run; --force replaces it, or name another --into")


def _move(made: Path, target: Path) -> None:
    for file in made.iterdir():
        file.rename(target / file.name)
