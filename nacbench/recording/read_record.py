"""Read ``record.json`` and ``failure.json``, which others may have written: the one place where they are checked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from nacbench.errors import BrokenFileError, UserError, first_problem
from nacbench.formats.reading import parse_json, read_bytes
from nacbench.recording.identity import run_id_of
from nacbench.recording.record import SCHEMA_VERSION, Failure, RunRecord
from nacbench.recording.upgrade import upgraded

Kind = TypeVar("Kind", RunRecord, Failure)


class MisplacedRecordError(BrokenFileError):
    """A valid record lies in a folder that is not called by its run's id, such as a copy of a run's folder.

    Attributes:
        record: the record.
    """

    def __init__(self, message: str, record: RunRecord) -> None:
        super().__init__(message)
        self.record = record


def read_record(path: Path | str, run_id: str | None = None) -> RunRecord:
    """Read a ``record.json``.

    Args:
        path: the file.
        run_id: the run that it has to be of; by default the one whose folder it is in, by the folder's name.

    Raises:
        BrokenFileError: if it is not a complete, valid record of this run; the message names the file.
        UserError: if it cannot be opened, or a newer version wrote it.
    """
    return _of_run(_read(path, RunRecord), path, run_id)


def read_failure(path: Path | str, run_id: str | None = None) -> Failure:
    """Read a ``failure.json``; arguments and errors are those of `read_record`."""
    return _of_run(_read(path, Failure), path, run_id)


def _of_run(found: Kind, path: Path | str, run_id: str | None) -> Kind:
    # abspath: the name by which the folder was found, which for a link is not that of its target
    wanted = run_id or os.path.basename(os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH119, PTH120
    if found.run_id != wanted:
        where = f"{path} is the {_noun(type(found))} of run {found.run_id}"
        message = f"{where}, in a folder called {wanted!r}; a run's folder has the name of its id"
        raise MisplacedRecordError(message, found) if isinstance(found, RunRecord) else BrokenFileError(message)
    return found


def _noun(kind: type[RunRecord | Failure]) -> str:
    return "record" if kind is RunRecord else "failure"


def _read(path: Path | str, kind: type[Kind]) -> Kind:
    text = read_bytes(path)
    what = f"{path} is not a {_noun(kind)} of schema {SCHEMA_VERSION}"
    try:
        content = parse_json(text, "it", unicode_only=True)  # pyarrow cannot write others
    except BrokenFileError as error:
        raise BrokenFileError(f"{what}: {error}") from None
    written: Mapping[str, Any] = content if isinstance(content, dict) else {}
    version = written.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema {version}, from a newer nacbench; this one knows {SCHEMA_VERSION}")
    try:
        found = kind.model_validate(upgraded(written, version) if version in (1, 2) else written, strict=True)
    except ValidationError as error:
        raise BrokenFileError(f"{what}: {first_problem(error, '')}") from None
    _check_id(found, path, written.get("identity"))
    return found


def _check_id(found: RunRecord | Failure, path: Path | str, written: Any = None) -> None:
    """Check that a record's id is the digest of its identity.

    Args:
        found: the record; failures have no identity.
        path: its file.
        written: the identity with the names of its schema, if they may be others than those of this one.
    """
    if not isinstance(found, RunRecord):
        return
    digest = run_id_of(written or found.identity)
    if digest != found.run_id:
        what = f"{path} is not a {_noun(RunRecord)} of schema {SCHEMA_VERSION}"
        raise BrokenFileError(f"{what}: its run_id is {found.run_id}, but the digest of its identity is {digest}")
