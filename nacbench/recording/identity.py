"""Shape of a run's identity in a record, and the run id, which is its digest."""

import json
import marshal
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nacbench.code_digest import short_digest
from nacbench.recording.bounded import Count, Digest, FolderName, Name, Part, RunId, Seed


class Choice(BaseModel):
    """A plug-in's name, with any options."""

    model_config = ConfigDict(extra="ignore")

    name: FolderName


class SizedChoice(Choice):
    """A model's name and size, with any options."""

    size: Name


class InitialChoice(Part):
    """Weights that training began with."""

    weights: Digest = Field(description="of the tensors: names, types, shapes and values")
    head: Literal["keep", "new"] = Field("keep", description="whether the last layer was taken or drawn anew")


class RecordedConfig(Part):
    """What every configuration (`nacbench.running.config.RunConfig`) has, whatever its plug-ins' options are."""

    task: Choice
    model: SizedChoice
    scale: Name
    seed: Seed
    precision: Name
    skip_unreadable: bool = False
    training: dict[str, Any]
    init_from: InitialChoice | None = None
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
    return short_digest(canonical(dict(identity), 2).encode())


def canonical(value: Any, depth: int = 0) -> str:
    """Return plain data as ``json.dumps`` does with sorted keys.

    Args:
        value: plain data.
        depth: levels of mappings whose values are converted one by one and remembered: runs of a store have most
            sections of their identities in common, so that 100,000 identities take a quarter of the time.
    """
    if depth and isinstance(value, dict):
        pairs = [f"{_quoted(key)}: {canonical(value[key], depth - 1)}" for key in sorted(value)]
        return f"{{{', '.join(pairs)}}}"
    return _text_of(marshal.dumps(value, 2))  # version 2: equal values give equal bytes


@lru_cache
def _quoted(key: str) -> str:
    return json.dumps(key)


@lru_cache(maxsize=10_000)
def _text_of(content: bytes) -> str:
    return json.dumps(marshal.loads(content), sort_keys=True)  # noqa: S302 (made above)
