"""Records and configurations of earlier versions, in today's names."""

from collections.abc import Mapping
from typing import Any


def upgraded(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a ``record.json`` or ``failure.json`` of schema 1 as schema 2 has it.

    Schema 1 called the run that a network was trained in its ``source``: in the record, in its identity, and in the
    configuration there. Its ``run_id`` stays, although it is the digest of an identity with the old names.
    """
    content = {**renamed(record), "schema_version": 2}
    if isinstance(identity := content.get("identity"), Mapping):
        content["identity"] = {**renamed(identity), "config": renamed(identity.get("config", {}))}
    return content


def renamed(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with ``trained_on`` for a key ``source``; with both, it is left as it is."""
    if "trained_on" in section:
        return dict(section)
    return {"trained_on" if key == "source" else key: value for key, value in section.items()}
