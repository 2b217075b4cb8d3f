"""How much tuning tried for each model, from files of choices: what reports need to know of learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from nacbench.formats.dotted import leaves
from nacbench.reporting.treatment import Choices, Tuned
from nacbench.sweep.block import nested_settings
from nacbench.sweep.choice import Choice
from nacbench.sweep.content import read_choices

KEYS = ("task", "model", "model.size", "scale")  # of ``when``, as `nacbench.sweep.choices_file` writes them


def known_choices(paths: Iterable[Path] = ()) -> Choices:
    """Return what is known of tuning: from the suites' own choices, and from these files, which count first.

    Args:
        paths: files that ``nacbench tune --to`` wrote. A choice without evidence says nothing of trials.

    Raises:
        UserError: if a file cannot be read, or has no list of choices, or one of the list is no choice.
    """
    folder = files("nacbench.sweep.suites").joinpath("choices")
    own = [Path(str(entry)) for entry in sorted(folder.iterdir(), key=str) if entry.name.endswith(".yaml")]
    choices = (Choice.model_validate(one) for path in (*own, *paths) for one in read_choices(path))
    return {place: tuned for choice in choices if (tuned := _tuned(choice)) for place in _places(choice.when)}


def _places(when: Mapping[str, Any]) -> Iterable[tuple[str, str, str, str]]:
    """Return each task, model, size and scale that a choice is for."""
    given = [when.get(key, "") for key in KEYS]
    for task, model, size, scale in product(*(one if isinstance(one, list) else [one] for one in given)):
        yield str(task), str(model), str(size), str(scale)


def _tuned(choice: Choice) -> Tuned | None:
    """Return a choice with how much was tried; None if it does not say so."""
    use, evidence = leaves(nested_settings(choice.use)), choice.evidence
    if not evidence.tried:
        return None
    seeds = ", ".join(map(str, evidence.seeds))
    if evidence.search:
        return Tuned(use, f"{_trials_text(evidence.search)}; seeds {seeds}", evidence.at_the_edge)
    (only,) = use if len(use) == 1 else ("",)
    values = ", ".join(label.removeprefix(f"{only}=") for label in evidence.tried)
    trials = f"best of {len(evidence.tried)} tried: {values}; seeds {seeds}; epochs {evidence.epochs}"
    return Tuned(use, trials, evidence.at_the_edge)


def _trials_text(search: Mapping[str, Any]) -> str:
    """Return how much a search tried, as text that is equal for models that were searched equally.

    Options of models are left out: each model has its own.

    Args:
        search: from a file of choices, perhaps written by others.
    """
    space = search.get("space")
    names = space.items() if isinstance(space, Mapping) else []
    training = ", ".join(f"{name} {values}" for name, values in names if str(name).startswith("training."))
    told = ", ".join(f"{key} {search.get(key)}" for key in ("method", "seed", "by", "budgets", "sizes"))
    return f"best of {search.get('trials')} trials of a search ({told}){f' in {training}' if training else ''}"
