"""All speed benchmarks as one table: measured values beside their goals.

    make bench                                    on an otherwise idle machine: 15 minutes on two cores
    python benchmarks/bench.py steps processes    only these parts; --seconds 12 for a quicker run

Writes results/bench/MACHINE.json and .md. Every figure is a ratio or a time measured in this run on this machine.
Nothing here is a test: a missed goal is shown, not an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import floor
import loop
import processes
import reading
import rivals
import scaling
import steps
import torch
from common import Row, device

from nacbench.data.mirror.places import default_data_root
from nacbench.filesystem.files import utc_now, write_json, write_text
from nacbench.machine.hardware import describe
from nacbench.machine.memory import keep_freed_memory
from nacbench.machine.software import git_state, library_versions

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "steps": lambda: steps.rows(REPOSITORY / "results"),
    "scaling": scaling.rows,
    "loop": lambda: loop.rows(default_data_root(), REPOSITORY / "results"),
    "processes": processes.rows,
    "reading": reading.rows,
    "floor": floor.rows,
    "rivals": rivals.rows,
}


def main() -> None:
    """Measure the chosen parts, print each row, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "results" / "bench", help="where the table goes")
    parser.add_argument("--seconds", type=float, default=steps.BUDGET, help="for each comparison of steps")
    options = parser.parse_args()
    steps.BUDGET = options.seconds
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    machine = describe(device())
    if device() == "cpu":
        keep_freed_memory()  # as training does
    found: dict[str, list[Row]] = {}
    for name in options.parts or PARTS:
        found[name] = []
        for row in PARTS[name]():
            found[name].append(row)
            print(line(row), flush=True)
    write(options.out, machine, found)


def write(folder: Path, machine: dict[str, Any], found: dict[str, list[Row]]) -> None:
    """Write the rows as JSON and as a Markdown table; parts that were not measured keep their old rows."""
    name = re.sub(r"[^a-z0-9]+", "-", str(machine["gpu"] or f"{machine['cpu']} {machine['threads']} threads").lower())
    file = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(file.read_text()) if file.exists() else {}
    for part, rows in found.items():
        content[part] = {
            "measured": utc_now(),
            "machine": machine,
            "versions": library_versions(),
            "commit": git_state()[0],
            "dirty": git_state()[1],
            "rows": [dataclasses.asdict(row) | {"met": row.met} for row in rows],
        }
    write_json(file, content)
    rows = [_row(item) for part in PARTS if part in content for item in content[part]["rows"]]
    table = ["| what | reached | goal | | how |", "| --- | ---: | ---: | --- | --- |", *map(line, rows)]
    title = f"{machine['gpu'] or machine['cpu']}, {machine['threads']} threads, torch {torch.__version__}"
    write_text(file.with_suffix(".md"), "\n".join([f"# {title}", "", *table, ""]))
    print(file.with_suffix(".md"))


def _row(item: dict[str, Any]) -> Row:
    return Row(**{name: value for name, value in item.items() if name != "met"})


def line(row: Row) -> str:
    """Format a row of the table."""
    goal = "" if row.goal is None else f"{'≥' if row.at_least else '≤'} {row.goal:g} {row.unit}".strip()
    verdict = {True: "reached", False: "missed", None: ""}[row.met]
    return f"| {row.what} | {row.reached:.3g} {row.unit} | {goal} | {verdict} | {row.note} |"


if __name__ == "__main__":
    main()
