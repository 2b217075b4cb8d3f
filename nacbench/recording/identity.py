"""Shape of a run's identity in a record, and the run id, which is its digest."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from nacbench.code_digest import short_digest
from nacbench.recording.bounded import Count, FolderName, Name, Part, RunId, Seed


class _Choice(BaseModel):
    """A plug-in's name, with any options."""

    model_config = ConfigDict(extra="ignore")

    name: FolderName


class _SizedChoice(_Choice):
    size: Name


class RecordedConfig(Part):
    """What every configuration (`nacbench.running.config.RunConfig`) has, whatever its plug-ins' options are."""

    task: _Choice
    model: _SizedChoice
    scale: Name
    seed: Seed
    precision: Name
    training: dict[str, Any]
    trained_on: "RecordedConfig | None" = None


class RecordedIdentity(Part):
    """What every identity (`nacbench.running.identity.Identity`) has."""

    config: RecordedConfig
    task_version: Count
    data: Name
    code: dict[Name, Name]
    trained_on: RunId | None = None


def run_id_of(identity: Mapping[str, Any]) -> str:
    """Return the digest of an identity, twelve hexadecimal digits.

    Args:
        identity: plain data, with the names of fields that it was written with.
    """
    return short_digest(json.dumps(identity, sort_keys=True).encode())
