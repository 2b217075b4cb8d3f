"""Write a file of choices: for each model and task the settings that tuning chose, and the scores they are based on."""

from __future__ import annotations

from typing import Any

from nacbench.formats.yaml_text import as_yaml
from nacbench.reporting.searched import Searched
from nacbench.statistics import Mean
from nacbench.sweep.tuning import Tuned, TuningResult, label


def choices_file(outcome: TuningResult, written_by: str) -> str:
    """Return a YAML file for the key ``choices`` of a sweep, with the scores that the choices are based on.

    Args:
        outcome: the choices.
        written_by: the command that wrote it, for readers.
    """
    choices = [
        {
            "when": {
                "task": one.cell.task,
                "model": one.cell.model,
                "model.size": one.cell.size,
                "scale": one.cell.scale,
            },
            "use": dict(one.best.settings),
            "evidence": _of_search(one.searched) if one.searched is not None else _of_grid(one),
        }
        for one in outcome.tuned
    ]
    head = f"# Written by: {written_by}\n# tried: scores on validation examples; test examples were not read.\n"
    return head + as_yaml({"choices": choices}, width=160)


def _of_grid(one: Tuned) -> dict[str, Any]:
    """Return what is said about settings that were all tried."""
    return {
        "tried": {label(tried.settings): _told(tried.score) for tried in one.tried},
        "seeds": sorted(one.best.seeds),
        "epochs": one.epochs,
        **({"at_the_edge": one.at_the_edge} if one.at_the_edge else {}),
    }


def _told(score: Mean | None) -> float | str:
    return "failed" if score is None else round(score.value, 6)


def _of_search(state: Searched) -> dict[str, Any]:
    """Return what is said about a search."""
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
        "tried": {label(point.settings): _scores(state, number) for number, point in enumerate(own.points)},
        "seeds": list(own.seeds),
        "epochs": own.budgets[-1],
        **({"failed": failed} if (failed := len({result.number for result in state.lost})) else {}),
        **({"at_the_edge": state.at_the_edge} if state.at_the_edge else {}),
    }


def _scores(state: Searched, number: int) -> list[float | str]:
    """Return the scores of a trial on the rungs that it reached."""
    results = [result for rung in state.rungs for result in rung.results if result.number == number]
    return ["failed" if result.is_lost else round(result.score, 6) for result in results]
