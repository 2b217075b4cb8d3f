"""Benchmark of the command line: start-up time of whole processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median

from common import Row

ROUNDS = 7


def rows() -> Iterator[Row]:
    """Measure `--help`, the list of tasks, and `run` on a finished run."""
    with tempfile.TemporaryDirectory() as folder:
        run = ["run", "--task", "digits", "--model", "nac", "--scale", "smoke", "--out", folder, "--quiet"]
        _seconds(run)  # the run itself; later calls only recognise that it is done
        for what, words, goal in (
            ("nacbench --help", ["--help"], 0.3),
            ("nacbench tasks", ["tasks"], 0.5),
            ("a finished run is recognised", run, 1.0),
        ):
            times = [_seconds(words) for _ in range(ROUNDS)]
            note = f"median of {ROUNDS} whole processes, {min(times):.2f} to {max(times):.2f} s"
            yield Row(what=what, reached=median(times), goal=goal, unit="s", note=note)


def _seconds(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "nacbench", *words], check=True, capture_output=True)
    return time.perf_counter() - started
