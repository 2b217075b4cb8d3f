"""What tells the runs of one task, model, size and scale apart, of which some may not have begun."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from nacbench.recording.identity import canonical
from nacbench.reporting.names import Described, defaults_of, differing, settings_of, told_apart

UNKNOWN = "{}"  # settings of a run of which nothing is known
BESIDE = ("task_version", "data", "code")  # what the settings of a run that has begun have beside its configuration
Kind = tuple[str, str, str, str]  # task, model, size and scale: what variants have in common


def kind_of(run: Described) -> Kind:
    """Return what a run has in common with the runs that it is compared with."""
    return run.task, run.model, run.model_size, run.scale


def variants(runs: Iterable[Described]) -> dict[tuple[Kind, str], Mapping[str, str]]:
    """Return what tells runs of one kind apart, as tables tell it: texts by setting, by kind and settings of the runs.

    A run that has not begun has a configuration, but no data and code yet. It is compared by its configuration alone,
    and is called like the runs that have begun with the same one, but for their data and code. Of a run of which
    nothing is known nothing is told, and no other run is told apart from it.
    """
    kinds: dict[Kind, dict[str, Described]] = defaultdict(dict)
    for run in runs:
        kinds[kind_of(run)].setdefault(run.settings, run)
    return {(kind, text): told for kind, known in kinds.items() for text, told in _variants_of(known).items()}


def _variants_of(known: Mapping[str, Described]) -> dict[str, Mapping[str, str]]:
    """Return what tells runs of one kind apart, by their settings."""
    whole, bare = dict[str, Mapping[str, Any]](), dict[str, Mapping[str, Any]]()
    for text in known:
        own = settings_of(text)
        if text != UNKNOWN:
            (whole if any(map(_is_beside, own)) else bare)[text] = own
    begun = {_configuration(text): text for text in reversed(whole)} if bare else {}  # of several the first
    alone = {text: own for text, own in bare.items() if text not in begun}
    compared = {**whole, **alone}
    found: dict[str, Mapping[str, str]] = {text: {} for text in known}
    if len(compared) < 2:
        return found
    configurations = [{name: own[name] for name in own if not _is_beside(name)} for own in compared.values()]
    names = dict.fromkeys([*(differing(whole.values()) if whole else ()), *differing(configurations)])
    told = told_apart(list(compared.values()), list(names), defaults_of(known[next(iter(compared))]))
    found |= zip(compared, told, strict=True)
    for text in bare:
        found[text] = {name: own for name, own in found[begun.get(text, text)].items() if not _is_beside(name)}
    return found


def _is_beside(name: str) -> bool:
    """Whether a setting, by its dotted key, is none of the configuration."""
    return name.partition(".")[0] in BESIDE


@lru_cache(4096)  # the runs of a series have equal settings
def _configuration(settings: str) -> str:
    """Return the settings that a run had before it began."""
    return canonical({key: value for key, value in json.loads(settings).items() if key not in BESIDE}, 1)
