"""Series that were trained for several lengths: how much a ranking hangs on the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nacbench.reporting.names import settings_of
from nacbench.reporting.series import Series, by_cell

LENGTHS = ("training.epochs", "trained_on.training.epochs")
# a warm-up is a share of the training, so that it is shorter in a shorter one
CHANGED = frozenset({*LENGTHS, "training.warmup_epochs", "trained_on.training.warmup_epochs"})

ByLength = dict[float, Series]


def epochs_of(item: Series) -> float | None:
    """Return for how many epochs the networks of a series were trained; None if its records do not say."""
    settings = settings_of(item.first.settings)
    found = (settings.get(name) for name in LENGTHS)
    return next((value for value in found if isinstance(value, int | float)), None)


def by_length(series: Sequence[Series]) -> dict[tuple[str, str], dict[str, ByLength]]:
    """Return series by task and scale, label without the length, and epochs, in ascending order.

    Series of one line differ in nothing but the length. Models of one length are left out, and tasks with no other.
    """
    found: dict[tuple[str, str], dict[str, ByLength]] = {}
    for cell, rows in by_cell(series).items():
        lines: dict[tuple[str, ...], ByLength] = {}
        for item in rows:
            if (epochs := epochs_of(item)) is not None:
                lines.setdefault(_settings(item), {})[epochs] = item
        for line in lines.values():
            if len(line) > 1:
                own = found.setdefault(cell, {})
                item = next(iter(line.values()))
                short = item.label_without(CHANGED)
                own[", ".join(_settings(item)) if short in own else short] = dict(sorted(line.items()))
    return found


def _settings(item: Series) -> tuple[str, ...]:
    """Return what a series has in common with those of other lengths: model, size and what its variants differ in."""
    others = (f"{name}={value}" for name, value in item.differing.items() if name not in CHANGED)
    return (item.first.model, item.first.model_size, *others)


def without_length(item: Series) -> Series:
    """Return a series whose label does not tell the length of training."""
    return replace(item, told={name: text for name, text in item.told.items() if name not in CHANGED})
