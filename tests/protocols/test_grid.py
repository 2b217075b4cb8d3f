"""Grids that are extended while the best value lies at an edge."""

import pytest

from nacbench.protocols.grid import beyond, is_at_edge, search


@pytest.mark.parametrize(
    ("values", "best", "following"),
    [
        ([0.0005, 0.0015, 0.0045], 0.0045, 0.0135),
        ([0.0005, 0.0015, 0.0045], 0.0005, 0.000166667),
        ([0.0005, 0.0015, 0.0045], 0.0015, None),
        ([0.0, 0.1, 0.2], 0.2, 0.3),
        ([0.0, 0.1, 0.2], 0.0, -0.1),
        ([2, 4, 8], 8, 16),
        ([2, 4, 8], 2, 1),
        ([1, 2], 1, None),  # a half is no integer
        ([0.1], 0.1, None),
    ],
)
def test_the_next_value_continues_the_grid(values: list[float], best: float, following: float | None) -> None:
    found = beyond(values, best)
    assert found == (following if following is None else pytest.approx(following, rel=1e-5))
    assert type(found) is type(following)


def test_a_single_value_is_at_no_edge() -> None:
    assert not is_at_edge([0.1, 0.1], 0.1)
    assert is_at_edge([0.1, 0.2], 0.1)


def test_the_search_goes_on_until_the_best_lies_inside() -> None:
    tried = search([0.01, 0.1], lambda value: -abs(value - 10), more=5)
    assert list(tried) == [0.01, 0.1, 1.0, 10.0, 100.0]


def test_the_search_is_bounded_and_does_not_leave_a_plateau() -> None:
    assert list(search([0.01, 0.1], lambda value: value, more=2)) == [0.01, 0.1, 1.0, 10.0]
    assert list(search([0.1, 0.01], lambda value: 0.5, more=3)) == [0.01, 0.1, 0.001]
    assert list(search([0.1, 0.01], lambda value: value, more=0)) == [0.01, 0.1]
