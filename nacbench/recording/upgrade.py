"""Upgrade records, failures and states of earlier schemas when they are read.

Schema 2 had no ``metric_facts``. Schema 1 had the key ``source`` for what is now ``trained_on``: in the record, in the
run's identity, and in the configuration in it. The ``run_id`` is kept, although it is the digest of an identity with
the old names.
"""

from collections.abc import Mapping
from typing import Any

from nacbench.recording.metric_facts import facts_before


def upgraded(record: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return the content of a ``record.json`` or ``failure.json`` of schema 1 or 2 in schema 3."""
    content = upgraded_state(renamed(record)) if version == 1 else dict(record)
    metric = content.get("metric")  # a failure has none
    facts = {"metric_facts": facts_before(metric)} if isinstance(metric, str) and "metric_facts" not in content else {}
    return {**content, **facts, "schema_version": 3}


def upgraded_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a ``state.json``, or of a record, with ``source`` renamed in its identity."""
    content, identity = dict(state), state.get("identity")
    if isinstance(identity, Mapping):
        config = identity.get("config")
        new = {"config": renamed(config)} if isinstance(config, Mapping) else {}
        content["identity"] = {**renamed(identity), **new}
    return content


def renamed(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with the key ``source`` renamed to ``trained_on``; unchanged if it has both."""
    if "trained_on" in section:
        return dict(section)
    return {"trained_on" if key == "source" else key: value for key, value in section.items()}
