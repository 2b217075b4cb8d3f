"""Scale ``paper`` on Tiny-ImageNet and ImageNet is as published; what is not has a reason."""

import pytest

from .as_published import OURS, PAGE, Row, page, rows


@pytest.fixture(scope="module")
def found() -> list[Row]:
    return rows()


def test_every_setting_is_as_the_authors_or_as_explained(found: list[Row]) -> None:
    assert [(row.setting, row.ours) for row in found] == [(row.setting, row.expected) for row in found]
    assert {row.setting for row in found} == set(OURS)


def test_every_difference_has_a_reason_and_no_reason_is_left_over(found: list[Row]) -> None:
    for row in found:
        assert bool(row.why) == (row.ours != row.authors), row.setting


def test_the_committed_page_is_that_of_the_code(found: list[Row]) -> None:
    """To fix a failure, run: python -m tests.as_published"""
    assert PAGE.read_text(encoding="utf-8") == page(found)
