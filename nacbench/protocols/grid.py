"""Grids of values that are extended while the best one lies at an edge; for tuning and for low-shot learning rates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence


def is_at_edge(values: Collection[float], best: float) -> bool:
    """Whether the best of two or more different values is the smallest or the largest: beyond it may be better ones."""
    return len(set(values)) > 1 and best in (min(values), max(values))


def beyond(values: Collection[float], best: float) -> float | None:
    """Return the next value beyond the edge that the best value lies at; None if it lies at none.

    It is as far from the edge as the edge is from its neighbour: by the same factor if all values are positive,
    otherwise by the same difference. Six digits are kept, as people write such values. It is an integer if all values
    are, and None if they are and it would not be one.
    """
    if not is_at_edge(values, best):
        return None
    ordered = sorted(set(values), reverse=best == min(values))
    neighbour, edge = ordered[-2:]
    following = edge * edge / neighbour if min(values) > 0 else edge + (edge - neighbour)
    if all(isinstance(value, int) for value in values):
        return int(following) if following == int(following) else None
    return float(f"{following:.6g}")


def search(values: Sequence[float], score: Callable[[float], float], more: int) -> dict[float, float]:
    """Score all values, and then values beyond the edge for as long as the best one lies there.

    Args:
        values: to begin with.
        score: returns the score of a value; larger is better.
        more: number of values to add at most.

    Returns:
        Scores by value: the given values in ascending order, then those beyond the edge as they were tried.
    """
    tried = {value: score(value) for value in sorted(values)}
    for _ in range(more):
        following = beyond(tried, best_of(tried))
        if following is None:
            break
        tried[following] = score(following)
    return tried


def best_of(tried: Mapping[float, float]) -> float:
    """Return the value with the best score; of equally good ones the first.

    So a value beyond the edge has to be better: where all are perfect, or all guess, the search does not drift away.
    """
    return max(tried, key=lambda value: tried[value])
