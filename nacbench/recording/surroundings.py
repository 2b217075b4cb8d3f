"""What differs between the surroundings of two runs: hardware, threads, processes, libraries and their settings."""

from __future__ import annotations

from nacbench.formats.dotted import flatten
from nacbench.recording.record import Environment

MISSING = "—"  # shown for a value that only one of two records has
NO_ROUNDING = ("cores", "platform", "python")  # what changes no digit
CODE = ("git_commit", "git_dirty")  # not compared: the code digests in the identity are more precise


def differing_surroundings(first: Environment, second: Environment) -> list[tuple[str, str, str]]:
    """Return what differs, as (name, value in the first, value in the second): ``("threads", "1", "2")`` …

    None of it is part of a run's id, and all of it can change the last digits of a number. What one of two records does
    not say is not said to differ: see `are_known`.
    """
    ours, theirs = _surroundings(first), _surroundings(second)
    if not are_known(first, second):
        del ours["instructions"], theirs["instructions"]
    if first.kernels is None or second.kernels is None:  # a network to which it makes no difference
        del ours["kernels"], theirs["kernels"]
    return [
        (name, ours.get(name, MISSING), theirs.get(name, MISSING))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, MISSING) != theirs.get(name, MISSING)
    ]


def are_known(first: Environment, second: Environment) -> bool:
    """Whether both records tell all that can differ: older ones lack the processor's instructions."""
    return None not in (first.hardware.instructions, second.hardware.instructions)


def in_words(differing: list[tuple[str, str, str]]) -> str:
    """Return differences of `differing_surroundings` in one line: ``threads differ (1, 2)``."""
    return ", ".join(
        f"{name} {'differ' if name.endswith('s') else 'differs'} ({ours}, {theirs})" for name, ours, theirs in differing
    )


def _surroundings(environment: Environment) -> dict[str, str]:
    """Return hardware, settings and library versions as text by name: ``cpu``, ``threads``, ``torch`` …"""
    content = environment.model_dump(exclude={"hardware", "versions", "settings", *CODE})
    return flatten({**environment.hardware.model_dump(), **content, **environment.settings, **environment.versions})
