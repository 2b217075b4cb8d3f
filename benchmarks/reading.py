"""Benchmark of readers: meshes beside the parser for all files, images on one core and two, data of smoke runs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from common import Row
from mesh_size import size_of_mesh
from PIL import Image

from nacbench.data.images.reading import fitted
from nacbench.data.mirror.parallel import worked
from nacbench.data.points.meshes import _check, _parsed, read_mesh
from nacbench.data.unreadable import read_all
from nacbench.machine.cores import granted_cores

ROUNDS = 3
MESHES = 200  # of about 2.7 MB each, as the larger ones of ModelNet40
VERTICES = 40_000
PHOTOGRAPHS = 6000
SHAPE = (3, 224, 224)
GENERATED = ("nlvr-synthetic", "parametric-shapes", "listops")
MAKE = """
import sys, time
from pathlib import Path
from nacbench.registry import TASKS
import numpy, torch
task = TASKS.get(sys.argv[1]).configured("task", sys.argv[2], {})
started = time.process_time()
task.arrays(Path("none"))
print(time.process_time() - started)
"""


def rows() -> Iterator[Row]:
    """Measure the readers side by side, in turns."""
    yield from mesh_rows()
    yield from image_rows()
    yield from smoke_rows()


def mesh_rows() -> Iterator[Row]:
    """Compare reading OFF files with the parser for all files, which was the only one, with the same checks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mesh.off"
        file.write_text(mesh(VERTICES), encoding="ascii")

        def parsed(times: int = 1) -> None:
            for _ in range(times):
                _check(*_parsed(file.read_text(encoding="utf-8")))

        ratios = [_cpu(parsed) / _cpu(lambda: read_mesh(file)) for _ in range(2 * ROUNDS)]
        yield _row("reading OFF meshes on one core", ratios, 2.2, "parser for all files / pyarrow, CPU time")
        if granted_cores() > 1:
            ratios = [
                _wall(lambda: parsed(MESHES)) / _wall(lambda: read_side_by_side([file] * MESHES)) for _ in range(ROUNDS)
            ]
            yield _row("reading OFF meshes on two cores", ratios, 4.0, "parser on one core / pyarrow on two, wall time")


def mesh(vertices: int) -> str:
    """Return a random mesh with two triangles for each vertex, as an OFF file."""
    rng = np.random.default_rng(0)
    points = "".join(f"{x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in rng.normal(size=(vertices, 3)).tolist())
    faces = "".join(f"3 {a} {b} {c}\n" for a, b, c in rng.integers(0, vertices, (2 * vertices, 3)).tolist())
    return f"OFF\n{vertices} {2 * vertices} 0\n{points}{faces}"


def read_side_by_side(files: list[Path]) -> None:
    """Read meshes with two processes, as ModelNet's reader does."""
    for _ in worked(size_of_mesh, files, len(files), "reading meshes", cores=2, few=1, together=5):
        pass


def image_rows() -> Iterator[Row]:
    """Compare decoding of photographs on two cores with one."""
    if granted_cores() < 2:
        return
    contents = [photograph(number) for number in range(20)]
    jobs = [contents[number % len(contents)] for number in range(PHOTOGRAPHS)]
    read = partial(fitted, shape=SHAPE, where="made")

    def decode(cores: int) -> None:
        few = None if cores > 1 else PHOTOGRAPHS + 1  # so few that no processes are started
        read_all(read, jobs, len(jobs), SHAPE, "photographs", few=few)

    ratios = [_wall(lambda: decode(1)) / _wall(lambda: decode(2)) for _ in range(ROUNDS)]
    yield _row("decoding photographs on two cores", ratios, 1.8, "one core / two, wall time")


def photograph(seed: int) -> bytes:
    """Return a JPEG of 500×375 pixels."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (47, 63, 3), dtype=np.uint8))
    content = io.BytesIO()
    small.resize((500, 375), Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
    return content.getvalue()


def smoke_rows() -> Iterator[Row]:
    """Compare generating the data of a smoke run with all of it, each in a process and a cache of its own."""
    for name in GENERATED:
        times = {scale: _making(name, scale) for scale in ("smoke", "paper")}
        note = f"CPU time, {times['smoke']:.1f} of {times['paper']:.1f} s"
        yield Row(
            what=f"{name}: data of a smoke run / all", reached=times["smoke"] / times["paper"], goal=0.1, note=note
        )


def _making(task: str, scale: str) -> float:
    with tempfile.TemporaryDirectory() as cache:
        environ = {**os.environ, "NACBENCH_CACHE": cache}
        command = [sys.executable, "-c", MAKE, task, scale]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout)


def _row(what: str, ratios: list[float], goal: float, note: str) -> Row:
    spread = f"{note}; median of {len(ratios)} in turns, {min(ratios):.2f} to {max(ratios):.2f}"
    return Row(what=what, reached=median(ratios), goal=goal, at_least=True, note=spread)


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _wall(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
