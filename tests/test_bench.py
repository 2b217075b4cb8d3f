"""`make bench`: what it reads, and what it keeps if a later part fails."""

import importlib
import sys
from typing import Any

import pytest

from .conftest import REPOSITORY


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the benchmarks importable, which are scripts beside the package."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))


@pytest.mark.parametrize(("module", "reader"), [("steps", "_pruned_records"), ("loop", "_shares_of_records")])
def test_it_reads_every_committed_record(module: str, reader: str) -> None:
    rows = list(getattr(importlib.import_module(module), reader)(REPOSITORY / "results"))
    assert rows
    assert all(row.reached > 0 for row in rows)


def test_what_is_measured_is_kept_if_a_later_part_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = importlib.import_module("bench")
    row = importlib.import_module("common").Row

    def fails() -> Any:
        raise OSError("no space left")
        yield

    monkeypatch.setattr(bench, "PARTS", {"steps": lambda: iter([row(what="first", reached=2.0)]), "floor": fails})
    monkeypatch.setattr(sys, "argv", ["bench.py", "--out", str(tmp_path)])
    with pytest.raises(OSError, match="no space"):
        bench.main()
    (table,) = tmp_path.glob("*.md")
    assert "| first | 2 × |" in table.read_text()


def test_bf16_is_timed_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    common = importlib.import_module("common")
    for best, kinds in (("fp32", ("fp32",)), ("bf16", ("fp32", "bf16"))):
        monkeypatch.setattr(common, "best_precision", lambda best=best: best)
        assert common.kinds() == kinds
