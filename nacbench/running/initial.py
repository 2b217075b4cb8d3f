"""The weights that a run begins with, if they are not drawn: where they are, and the digest that counts for its id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nacbench.errors import BrokenFileError, UserError, first_problem, shown, unknown
from nacbench.formats.reading import parse_json, read_bytes, read_text
from nacbench.formats.weights_file import DIGITS, digest_of_tensors, read_weights_file, weights_in
from nacbench.formats.yaml_text import parse_yaml
from nacbench.recording.locate import locate
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD, RunRecord
from nacbench.recording.store import CONFIG, INITIAL, WEIGHTS, damage, finished

EXPORTED = "model.safetensors"  # in a folder for the hub
KEYS = ("path", "head", "weights")


class InitFrom(BaseModel):
    """Weights that a run begins with.

    Attributes:
        weights: digest of names, types, shapes and values of the tensors; see `nacbench.formats.weights_file`.
        head: ``keep`` takes the last layer, too; ``new`` draws it anew, as for another number of classes.
        path: where they were; None in a record. Not part of the run's id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    weights: str = Field(pattern=rf"^[0-9a-f]{{{DIGITS}}}$")
    head: Literal["keep", "new"] = "keep"
    path: str | None = None

    def identifying(self) -> dict[str, str]:
        """Return what counts for the run's id."""
        return self.model_dump(exclude={"path"}, exclude_defaults=True)

    def content(self, folder: Path) -> bytes:
        """Return the content of the file of weights: the copy that a run keeps until it is finished, or the original.

        Args:
            folder: the run's folder.

        Raises:
            UserError: if both are gone, or hold other weights now.
        """
        kept = folder / INITIAL
        if kept.is_file() and (content := self._matching(kept)) is not None:
            return content
        if self.path is None or not os.path.lexists(self.path):
            place = f"not at {self.path}" if self.path else "at a place that is not known"
            raise UserError(
                f"the weights that this run begins with (digest {self.weights}) are {place}; put them there, or name "
                "them with nacbench run --init-from"
            )
        file = weights_file(Path(self.path))
        if (content := self._matching(file)) is None:
            raise UserError(f"{file} has changed: the run begins with weights of digest {self.weights}; start it again")
        return content

    def _matching(self, file: Path) -> bytes | None:
        content = read_weights_file(file)
        try:
            return content if digest_of_tensors(content, file) == self.weights else None
        except BrokenFileError:
            return None


def given_weights(place: str | os.PathLike[str] | None, head: str | None) -> Any:
    """Return the setting ``init_from`` for weights and what to do with their last layer; None if neither is given."""
    if head is None:
        return None if place is None else os.fspath(place)
    return {"head": head} if place is None else {"path": os.fspath(place), "weights": None, "head": head}


def init_from(given: Any) -> InitFrom | None:
    """Return the setting ``init_from`` with its digest.

    Args:
        given: None, or a mapping with ``path``, ``head``, ``weights``. Without this digest, the file is read; with it,
            the file may be gone, as for a run that is resumed.

    Raises:
        UserError: if there is no such file, it holds no weights, or not those of the digest.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise UserError(
            f"init_from = {shown(given)}: write the place of the weights, as in init_from=runs/digits/nac/ID"
        )
    for key in given:
        if key not in KEYS:
            raise unknown("setting of init_from", str(key), KEYS)
    path, digest = given.get("path"), given.get("weights")
    if path is None and digest is None:
        raise UserError(
            "init_from.head says what to do with the last layer of given weights; name them with --init-from"
        )
    if path is not None and not isinstance(path, str):
        raise UserError(
            f"init_from.path = {shown(path)}: write a folder or a file, in quotation marks if it is a number"
        )
    place = None if path is None else os.path.abspath(path)  # noqa: PTH100 (pathlib's resolve would follow links)
    if place is not None and (digest is None or os.path.lexists(place)):
        found = _digest_at(place)
        if digest is not None and found != digest:
            raise UserError(
                f"{path} holds weights of digest {found} now, not {shown(digest)}; name the others with --init-from"
            )
        digest = found
    try:
        return InitFrom.model_validate({"weights": digest, "head": given.get("head") or "keep", "path": place})
    except ValidationError as error:
        raise UserError(first_problem(error, "init_from")) from None


def weights_file(place: Path) -> Path:
    """Return the file of weights of a run's folder, of a folder for the hub, or the file itself.

    Raises:
        UserError: if there is none, or they are not those that the record beside them tells of.
    """
    if not place.is_dir():
        if not os.path.lexists(place):
            raise UserError(f"init_from: there is no {place}; name a folder with weights, a .safetensors file or a run")
        return place
    file = weights_in(place, EXPORTED, WEIGHTS)
    record = finished(place) if file == place / WEIGHTS else _exported_record(place)
    if record is not None and (problem := damage(file, record.files.get(WEIGHTS))):
        raise BrokenFileError(f"{problem}; copy it again")
    return file


def _exported_record(folder: Path) -> RunRecord | None:
    """Return the record in a folder for the hub; None for a folder of others, which has weights only."""
    file = folder / "config.json"
    content = parse_json(read_bytes(file), file) if file.exists() else None
    if not isinstance(content, dict) or content.get("library_name") != "nacbench":
        return None
    return read_record(folder / RECORD, str(content.get("run_id")))


def located(layer: Mapping[str, Any], store: Path) -> Mapping[str, Any]:
    """Return settings with what a store knows of weights to begin with: the folder of a run that is named by its id,
    and the digest of weights that are gone, but which a run began with.

    Args:
        layer: settings as for `nacbench.running.resolve.resolve`.
        store: folder of runs in which ids are looked up.

    Raises:
        UserError: if no run or several have this id.
    """
    if isinstance(before := layer.get("trained_on"), Mapping):
        layer = {**layer, "trained_on": located(before, store)}
    given = layer.get("init_from")
    name = given.get("path") if isinstance(given, Mapping) else given
    if not isinstance(name, str) or os.path.lexists(name):
        return layer
    section = dict(given) if isinstance(given, Mapping) else {"path": name}
    if known := _begun_with(name, store):  # a run that is resumed, or finished
        return {**layer, "init_from": {**section, "weights": section.get("weights") or known}}
    if not name.isalnum():
        return layer
    try:
        place = str(locate(name, store))
    except UserError as error:
        raise UserError(f"init_from: {error}; name a run, a folder with weights, or a .safetensors file") from None
    return {**layer, "init_from": {"weights": None, **section, "path": place}}


def _begun_with(name: str, store: Path) -> str | None:
    """Return the digest of the weights that were at a place when a run of a store began with them; None if none did.

    Raises:
        UserError: if they were others for other runs.
    """
    place = os.path.abspath(name)  # noqa: PTH100 (as the runs have it)
    found = set()
    for file in store.glob(f"*/*/*/{CONFIG}"):
        try:
            text = read_text(file)
            content = parse_yaml(text, file) if "init_from" in text else {}
        except UserError:
            continue
        sections = [content, content.get("trained_on")] if isinstance(content, Mapping) else []
        for given in (part.get("init_from") for part in sections if isinstance(part, Mapping)):
            if isinstance(given, Mapping) and given.get("path") == place:
                found.add(str(given.get("weights")))
    if len(found) > 1:
        raise UserError(
            f"init_from: {name} is gone, and runs in {store} began with {len(found)} different weights from there; "
            "resume one with --config RUN/config.yaml"
        )
    return found.pop() if found else None


def with_places(config: Mapping[str, Any], written: Any, store: Path) -> dict[str, Any]:
    """Return a record's configuration with the places of the weights that its runs began with.

    Args:
        config: of a record.
        written: content of the run's ``config.yaml``, without checks: of its places those of the same weights are used.
        store: folder of runs, which may have been moved since: a place that is gone is looked up in it.
    """
    found = dict(config)
    written = written if isinstance(written, Mapping) else {}
    own, theirs = config.get("init_from"), written.get("init_from")
    if isinstance(own, Mapping):
        known = theirs if isinstance(theirs, Mapping) and own.get("weights") == theirs.get("weights") else {}
        place = known.get("path")
        if not isinstance(place, str) or not os.path.lexists(place):
            place = _same_weights(str(own.get("weights")), place, store) or place
        found["init_from"] = {**own, "path": place} if isinstance(place, str) else dict(own)
    if isinstance(config.get("trained_on"), Mapping):
        found["trained_on"] = with_places(config["trained_on"], written.get("trained_on"), store)
    return found


def _same_weights(digest: str, place: object, store: Path) -> str | None:
    """Return the folder of a run in a store whose weights have a digest; that of the same id as before comes first."""
    before = Path(str(place)).name
    folders = sorted((path.parents[1] for path in store.glob(f"*/*/*/{WEIGHTS}")), key=lambda own: own.name != before)
    for folder in folders:
        try:
            if _digest_at(str(folder)) == digest:
                return str(folder)
        except UserError:
            continue
    return None


def _digest_at(place: str) -> str:
    file = weights_file(Path(place))
    try:
        stat = file.stat()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    return _digest(str(file), (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


@lru_cache(256)  # the runs of a sweep begin with few files, and each is asked for several times
def _digest(file: str, stamp: tuple[int, ...]) -> str:
    return digest_of_tensors(read_weights_file(Path(file)), file)
