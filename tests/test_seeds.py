"""Seeds as hashes of named factors."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacbench.seeds import seed_for

FACTORS = st.lists(st.integers() | st.text(alphabet=st.characters(blacklist_characters="\x1f", codec="utf-8")))


def test_seeds_are_stable_across_machines_and_versions() -> None:
    assert seed_for(0, "augment", 17) == 5559787854193166880


def test_seed_depends_on_the_order_of_factors() -> None:
    factors: tuple[str | int, ...] = (1, 2, "augment")
    assert len({seed_for(*order) for order in permutations(factors)}) == 6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1",), (1,)),
        (("a", "b"), ("ab",)),
        (("a", "b", ""), ("a", "b")),
        ((1, 23), (12, 3)),
        ((0,), ()),
        ((0, "order", 1), (0, "augment", 1)),
    ],
)
def test_different_factors_give_different_seeds(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> None:
    assert seed_for(*one) != seed_for(*other)


@given(FACTORS)
def test_seed_is_deterministic_and_valid_for_torch_and_numpy(factors: list[str | int]) -> None:
    seed = seed_for(*factors)
    assert 0 <= seed < 2**63
    assert seed == seed_for(*factors)


def test_seeds_cover_the_whole_range() -> None:
    seeds = [seed_for("step", step) for step in range(1000)]
    assert len(set(seeds)) == 1000
    assert min(seeds) < 2**63 // 100
    assert max(seeds) > 2**63 // 100 * 99
