"""What a file of choices says about the search that it was chosen by, and what reports make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nacbench.formats.dotted import as_text
from nacbench.reporting.searched import Searched


def evidence(state: Searched) -> dict[str, Any]:
    """Return what a file of choices says about a search."""
    own = state.search
    return {
        "search": {
            "method": own.method,
            "trials": len(own.points),
            "seed": own.seed,
            "by": own.by,
            "budgets": list(own.budgets),
            "sizes": list(own.sizes),
            "budget": own.budget,
            "space": dict(own.space),
        },
        "tried": {_label(point.settings): _scores(state, number) for number, point in enumerate(own.points)},
        "seeds": list(own.seeds),
        "epochs": own.budgets[-1],
        **({"failed": failed} if (failed := len({result.number for result in state.lost})) else {}),
        **({"at_the_edge": state.at_the_edge} if state.at_the_edge else {}),
    }


def _scores(state: Searched, number: int) -> list[float | str]:
    """Return the scores of a trial on the rungs that it reached."""
    results = [result for rung in state.rungs for result in rung.results if result.number == number]
    return ["failed" if result.is_lost else round(result.score, 6) for result in results]


def _label(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={as_text(value)}" for name, value in settings.items())


def trials_text(search: Mapping[str, Any]) -> str:
    """Return how much a search tried, as text that is equal for models that were searched equally.

    Options of models are left out: each model has its own.

    Args:
        search: as in `evidence`, perhaps written by others.
    """
    space = search.get("space")
    names = space.items() if isinstance(space, Mapping) else []
    training = ", ".join(f"{name} {values}" for name, values in names if str(name).startswith("training."))
    told = ", ".join(f"{key} {search.get(key)}" for key in ("method", "seed", "by", "budgets", "sizes"))
    return f"best of {search.get('trials')} trials of a search ({told}){f' in {training}' if training else ''}"
