"""All speed benchmarks as one table: measured values beside their goals.

    make bench                                    on an otherwise idle machine: 15 minutes on two cores
    make bench AGAINST=REV                        a committed revision and the working tree in turns: half an hour
    python benchmarks/bench.py steps processes    only these parts; --seconds 12 for a quicker run
    python benchmarks/bench.py --against REV      the same as make bench AGAINST=REV, which takes parts, too

Writes results/bench/MACHINE.json and .md, or MACHINE-against-REV.json and .md. Every figure is a ratio or
a time measured in this run on this machine. Nothing here is a test: a missed goal is shown, not an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import against
import contest
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
    known = f"of {', '.join(PARTS)}; with --against of {', '.join(against.PARTS)}; default: all"
    parser.add_argument("parts", nargs="*", metavar="PART", help=known)
    parser.add_argument("--against", metavar="REV", help="compare the working tree with a committed revision")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "results" / "bench", help="where the table goes")
    parser.add_argument("--seconds", type=float, default=steps.BUDGET, help="for each comparison of steps")
    options = parser.parse_args()
    steps.BUDGET = options.seconds
    parts = against.PARTS if options.against else PARTS
    if unknown := set(options.parts) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    chosen = options.parts or list(parts)
    if options.against:
        _against(options.against, chosen, options.out, options.seconds)
        return
    machine, state = describe(device()), git_state()
    if device() == "cpu":
        keep_freed_memory()  # as training does
    for name in chosen:
        found: list[Row] = []
        for row in PARTS[name]():
            found.append(row)
            print(line(row), flush=True)
        write(options.out, machine, {name: found}, state)


def _against(revision: str, parts: list[str], out: Path, seconds: float) -> None:
    """Compare the working tree with a committed revision, and write the table."""
    torch.set_num_threads(1)  # as the compared processes, so that the table says so
    machine, state = describe(device()), git_state()
    found: dict[str, list[Row]] = {}

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        commit = contest.commit_of(REPOSITORY, revision)[:8]
        with contest.sides(REPOSITORY, commit) as (then, now):
            made = against.Comparison(then, now, default_data_root(), device(), seconds)
            for part, row in against.measured(made, parts, tell):
                found.setdefault(part, []).append(row)
                print(line(row), flush=True)
    except contest.NotMeasuredError as error:
        sys.exit(f"--against {revision}: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing is written")
    write(out, machine, found, state, parts=against.PARTS, against=commit)


def write(
    folder: Path,
    machine: dict[str, Any],
    found: dict[str, list[Row]],
    state: tuple[str | None, bool | None],
    *,
    parts: Iterable[str] = PARTS,
    against: str | None = None,
) -> None:
    """Write the rows as JSON and as a Markdown table; parts that were not measured keep their old rows.

    Args:
        folder: of the tables.
        machine: as `describe` returns it.
        found: rows by part.
        state: commit, and whether the working tree differed from it, before anything was written.
        parts: all parts, in the order of the table.
        against: commit that the working tree was compared with.
    """
    name = re.sub(r"[^a-z0-9]+", "-", str(machine["gpu"] or f"{machine['cpu']} {machine['threads']} threads").lower())
    file = folder / f"{name}{f'-against-{against}' if against else ''}.json"
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(file.read_text()) if file.exists() else {}
    for part, rows in found.items():
        content[part] = {
            "measured": utc_now(),
            "machine": machine,
            "versions": library_versions(),
            "commit": state[0],
            "dirty": state[1],
            **({"against": against} if against else {}),
            "rows": [dataclasses.asdict(row) | {"met": row.met} for row in rows],
        }
    write_json(file, content)
    rows = [_row(item) for part in parts if part in content for item in content[part]["rows"]]
    table = ["| what | reached | goal | | how |", "| --- | ---: | ---: | --- | --- |", *map(line, rows)]
    title = f"{machine['gpu'] or machine['cpu']}, {machine['threads']} threads, torch {torch.__version__}"
    title += f", against {against}" if against else ""
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
