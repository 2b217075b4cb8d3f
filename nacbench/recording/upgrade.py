"""What earlier versions wrote of runs, in today's names.

Schema 1 of records called the run that a network comes from its ``source``: in the record, in the identity of the run,
and in the configuration there. The ``run_id`` of such a run stays, though it is the digest of the old names.
"""

from collections.abc import Mapping
from typing import Any


def upgraded(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a ``record.json`` or ``failure.json`` of schema 1 as schema 2 has it."""
    return {**upgraded_state(renamed(record)), "schema_version": 2}


def upgraded_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a ``state.json``, or a part of a record, with the names of today in its identity."""
    content, identity = dict(state), state.get("identity")
    if isinstance(identity, Mapping):
        config = identity.get("config")
        new = {"config": renamed(config)} if isinstance(config, Mapping) else {}
        content["identity"] = {**renamed(identity), **new}
    return content


def renamed(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with ``trained_on`` for a key ``source``; where it has both, it is left as it is."""
    if "trained_on" in section:
        return dict(section)
    return {"trained_on" if key == "source" else key: value for key, value in section.items()}
