"""How much tuning tried for each model, from files of choices: what reports need to know of learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from nacbench.reporting.treatment import Choices, Tuned
from nacbench.sweep.content import read_choices
from nacbench.sweep.evidence import trials_text

KEYS = ("task", "model", "model.size", "scale")  # of ``when``, as `nacbench.sweep.tuning.choices_file` writes them


def known_choices(paths: Iterable[Path] = ()) -> Choices:
    """Return what is known of tuning: from the suites' own choices, and from these files, which count first.

    Args:
        paths: files that ``nacbench tune --to`` wrote. A choice without evidence says nothing of trials.

    Raises:
        UserError: if a file cannot be read, or has no list of choices.
    """
    folder = files("nacbench.sweep.suites").joinpath("choices")
    own = [Path(str(entry)) for entry in sorted(folder.iterdir(), key=str) if entry.name.endswith(".yaml")]
    return dict(pair for path in (*own, *paths) for choice in read_choices(path) for pair in _tuned(choice))


def _tuned(choice: Any) -> Iterable[tuple[tuple[str, str, str, str], Tuned]]:
    """Return the choice, if it says of which task, model, size and scale it is, and what was tried."""
    content = choice if isinstance(choice, Mapping) else {}
    when, use, evidence = (_mapping(content.get(key)) for key in ("when", "use", "evidence"))
    tried = _mapping(evidence.get("tried"))
    task, model, size, scale = (str(when.get(key, "")) for key in KEYS)
    if not tried or not use:
        return []
    seeds = ", ".join(map(str, evidence.get("seeds", ())))
    edges = tuple(map(str, evidence.get("at_the_edge", ())))
    if search := _mapping(evidence.get("search")):
        return [((task, model, size, scale), Tuned(use, f"{trials_text(search)}; seeds {seeds}", edges))]
    (only,) = use if len(use) == 1 else ("",)
    values = ", ".join(str(label).removeprefix(f"{only}=") for label in tried)
    trials = f"best of {len(tried)} tried: {values}; seeds {seeds}; epochs {evidence.get('epochs', 0)}"
    return [((task, model, size, scale), Tuned(use, trials, edges))]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
