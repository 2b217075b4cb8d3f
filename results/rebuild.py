"""Make everything again that is made from the committed records: reports, claims, and the tables of two pages.

`make results` calls it. The text around the tables is by hand; tests compare its numbers with the records.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nacbench.recording.index import read_runs
from nacbench.recording.row import Run
from nacbench.reporting.paper.read_claims import read_claims
from nacbench.reporting.paper.verdicts import Evidence, find, judge
from nacbench.reporting.series import Series, group
from nacbench.sweep.trials import known_choices

HERE = Path(__file__).parent
FRONT = HERE.parent / "README.md"
NOTES = HERE / "README.md"
LEADS = "## NAC against others"  # the heading above the table of leads
CLAIMS = "## The paper's claims"
APART = ("nac", "perceiver-io", "transformer")  # models with a column in the README
RIVALS = ("perceiver-io", "transformer", "floor-linear")  # and in the table of leads
NO_MODELS = ("task", "scale", "test examples", "chance", "most frequent class")
NONE = "—"

Rows = list[list[str]]


def main() -> None:
    """Rebuild every report that lies beside its records, then the tables."""
    for report in sorted(HERE.glob("*-report")):
        nacbench("report", str(HERE / report.name.removesuffix("-report")), "--out", str(report))
    mini = HERE / "mini-report"
    (mini / "claims.txt").write_text(nacbench("claims", str(HERE / "mini")))
    (mini / "claims.json").write_text(nacbench("claims", str(HERE / "mini"), "--json"))
    replace_table(FRONT, front_table((mini / "table.md").read_text()))
    runs = read_runs(HERE / "mini").runs
    replace_table(NOTES, leads_table(group(runs)), LEADS)
    replace_table(NOTES, claims_table(runs), CLAIMS)


def nacbench(*words: str) -> str:
    """Return what a command prints, in lines of one width wherever it runs.

    Raises:
        subprocess.CalledProcessError: if it fails; it has said why.
    """
    command = [sys.executable, "-m", "nacbench", *words]
    width = {"COLUMNS": "160"}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | width).stdout


def front_table(report: str) -> Rows:
    """Return the table of the README: every task that has NAC and Perceiver IO.

    Args:
        report: Markdown of the report, with its table of models side by side.
    """
    head, *rows = table_after(report, "## Models side by side")
    tasks = [dict(zip(head, row, strict=True)) for row in rows]
    return [
        ["task", "floor", *APART, "best other"],
        *(
            [task["task"], _floor(task), *(task[model] for model in APART), _best_other(task)]
            for task in tasks
            if task["nac"] != NONE != task["perceiver-io"]
        ),
    ]


def claims_table(runs: Sequence[Run]) -> Rows:
    """Return of each claim of the paper what the runs say, and of which task they are."""
    rows = [["claim", "by", "verdict", "measured"]]
    tuned = known_choices()
    for claim in read_claims().claims:
        evidence, found = find(claim, runs), judge(claim, runs, tuned)
        task = evidence.task if isinstance(evidence, Evidence) else NONE
        rows.append([claim.name, task, found.verdict, found.effect or NONE])
    return rows


def leads_table(series: Sequence[Series]) -> Rows:
    """Return by how much NAC leads its rivals on each task, and whichever other model did best."""
    return [["task", *RIVALS, "others"], *_leads(series)]


def _leads(series: Sequence[Series]) -> Iterator[list[str]]:
    for task in dict.fromkeys(own.first.task for own in series):
        models = {own.first.model: own for own in series if own.first.task == task and own.is_plain}
        nac = models.pop("nac", None)
        if nac is None or not models:
            continue
        others = [own for name, own in models.items() if name not in RIVALS and not name.startswith("floor-")]
        best = max(others, key=lambda own: own.score.value, default=None)
        leads = [lead(nac, models[rival]) if rival in models else NONE for rival in RIVALS]
        yield [task, *leads, NONE if best is None else f"{best.first.model} {lead(nac, best)}"]


def lead(ours: Series, theirs: Series) -> str:
    """Return by how many points one is better, paired by seed, with the half width of its interval.

    ¶ marks an interval that holds however often one looked, as seeds were added until a decision.
    """
    difference = ours.against(theirs)
    assert difference is not None
    mark = " ¶" if difference.looks else ""
    return f"{100 * difference.value:+.1f} ± {100 * difference.half_width:.1f}{mark}"


def _floor(row: dict[str, str]) -> str:
    """Return the highest floor in a row of the report's table of models side by side."""
    found = [row["chance"], row["most frequent class"], *(row[name] for name in row if name.startswith("floor-"))]
    return max((cell for cell in found if cell != NONE), key=_score)


def _best_other(row: dict[str, str]) -> str:
    """Return the highest mean in such a row with its model's name, besides floors and models with a column."""
    found = [
        cell if name == "best other" else f"{name} {cell}"
        for name, cell in row.items()
        if cell != NONE and name not in (*NO_MODELS, *APART) and not name.startswith("floor-")
    ]
    return max(found, key=lambda cell: _score(cell.partition(" ")[2]), default=NONE)


def _score(cell: str) -> float:
    return float(cell.split()[0])


def table_after(text: str, heading: str = "") -> Rows:
    """Return the cells of the first table after a heading, without the rule below its head."""
    return [cells(line) for line in text.splitlines()[slice(*_lines_of(text, heading))] if "---" not in line]


def replace_table(page: Path, rows: Rows, heading: str = "") -> None:
    """Put other rows in the place of the first table after a heading; the rule below its head stays."""
    lines = page.read_text().splitlines(keepends=True)
    first, last = _lines_of("".join(lines), heading)
    head, *others = [f"| {' | '.join(row)} |\n" for row in rows]
    page.write_text("".join([*lines[:first], head, lines[first + 1], *others, *lines[last:]]))


def _lines_of(text: str, heading: str) -> tuple[int, int]:
    """Return the first line of the first table after a heading, and the first after the table."""
    lines = text.splitlines()
    after = next(number for number, line in enumerate(lines) if line.startswith(heading))
    first = next(number for number in range(after, len(lines)) if lines[number].startswith("|"))
    return first, first + sum(1 for _ in itertools.takewhile(lambda line: line.startswith("|"), lines[first:]))


def cells(line: str) -> list[str]:
    """Return the cells of one line."""
    return [cell.strip() for cell in line.strip("|").split("|")]


if __name__ == "__main__":
    main()
