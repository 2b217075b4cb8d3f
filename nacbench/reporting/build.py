"""Build a report from folders of runs: tables in three formats, figures, and an HTML page."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.errors import UserError
from nacbench.filesystem.files import absolute, write_text
from nacbench.formats.escape import csv_of
from nacbench.recording.choice import EVERYTHING, Choice
from nacbench.recording.decisions import decisions_of
from nacbench.recording.index import nothing_finished, read_runs
from nacbench.recording.searches import searches_of
from nacbench.reporting.answered import answered
from nacbench.reporting.figures.ablations import draw_ablations
from nacbench.reporting.figures.cost import draw_cost, draw_sizes
from nacbench.reporting.figures.curves import draw_curves
from nacbench.reporting.figures.decisions import draw_decisions
from nacbench.reporting.figures.lengths import draw_lengths
from nacbench.reporting.figures.protocols import draw_corruptions, draw_shots
from nacbench.reporting.figures.pruning import draw_pruning
from nacbench.reporting.figures.ranks import draw_ranks
from nacbench.reporting.figures.saving import save_pages
from nacbench.reporting.figures.scores import draw_scores
from nacbench.reporting.figures.searches import draw_searches
from nacbench.reporting.floors import with_floors
from nacbench.reporting.mixture import mixtures
from nacbench.reporting.page.page import Picture, render_page
from nacbench.reporting.paper.read_claims import read_claims
from nacbench.reporting.paper.verdicts import judge
from nacbench.reporting.rescored import rescored
from nacbench.reporting.searched import latest, states_of
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.ablations import ablation_table
from nacbench.reporting.tables.adaptations import adaptations_table
from nacbench.reporting.tables.cost import cost_table
from nacbench.reporting.tables.decisions import decisions_table
from nacbench.reporting.tables.lengths import length_table
from nacbench.reporting.tables.priors import prior_table
from nacbench.reporting.tables.protocols import shift_table, shots_table
from nacbench.reporting.tables.pruning import pruning_table, shares_of
from nacbench.reporting.tables.ranks import rank_table
from nacbench.reporting.tables.rows import TREATMENT
from nacbench.reporting.tables.scores import score_table
from nacbench.reporting.tables.searches import search_table
from nacbench.reporting.tables.side_by_side import side_by_side
from nacbench.reporting.tables.table import Table
from nacbench.reporting.treatment import Choices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "index.html"
TABLES = (
    "table",
    "models",
    "ranks",
    "decisions",
    "lengths",
    "shifted",
    "few-shots",
    "adaptations",
    "priors",
    "ablations",
    "pruning",
    "cost",
    "searches",
)


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        files: all files.
        markdown: all tables as Markdown.
        text: all tables as text for a terminal.
        warnings: mixed runs, broken records and failed runs, a line each.
    """

    files: Sequence[Path]
    markdown: str
    text: str
    warnings: Sequence[str]


def build_report(
    stores: Sequence[Path],
    out: Path,
    *,
    mixed: bool = False,
    html: bool = False,
    metric: str | None = None,
    tuned: Choices | None = None,
    choice: Choice = EVERYTHING,
) -> Report:
    """Write ``table.md``, ``table.tex``, a CSV file for each table, and each figure as PNG and PDF.

    Args:
        stores: folders of runs.
        out: folder to write to; files of these names are replaced.
        html: also write ``index.html``: everything on one page that needs no network.
        metric: score by this metric, recorded or computed from predictions; by default the main one of each task.
        tuned: what is known of tuning, which decides whether models with different learning rates were treated equally.
        mixed: accept runs of a task that differ in code, data or scale, and show them together with a warning.
        choice: which of the runs are reported.

    Raises:
        UserError: if a folder does not exist, none has a finished run, none is chosen, or runs are mixed and ``mixed``
            is false.
    """
    found = read_runs(*stores)
    if not found.runs:
        raise nothing_finished(found.broken, stores, found.failures)
    every = states_of(searches_of(found.runs), found.runs, found.failures)  # before a part of their runs is chosen
    finished = found.runs
    found = asked_of = choice.of(found)
    left_out: list[str] = []
    if metric is not None:
        found, left_out = rescored(found, metric)
        finished = rescored(replace(found, runs=finished), metric)[0].runs
    warnings = mixtures(found.runs)
    if warnings and not mixed:
        raise UserError(
            f"these runs are not comparable: {'; '.join(warnings)}; name folders of runs with the same code, data, "
            "scale and metric, or use --mixed to show them together, with a warning"
        )
    failures = found.failures
    # trials are no results, and too many to be tested against each other: they have a table of their own
    trials = {run_id for state in every for run_id in state.search.run_ids}
    shown = {run.run_id for run in found.runs}
    searched = latest(state for state in every if not shown.isdisjoint(state.search.run_ids))
    series = with_floors(
        group([run for run in found.runs if run.run_id not in trials], tuned),
        [run for run in finished if run.run_id not in trials],
    )
    left_out += _without_pruning(series, metric)
    asked = answered(list(decisions_of(asked_of.runs)), asked_of.runs)  # in the metric that was asked about
    made = (
        score_table(series, failures, warnings) if series else None,
        side_by_side(series),
        rank_table(series),
        decisions_table(asked, tuned or {}, OTHERWISE if metric else ""),
        length_table(series),
        shift_table(series),
        shots_table(series),
        adaptations_table(series),
        prior_table(series),
        ablation_table(series),
        pruning_table(series),
        cost_table(series),
        search_table(searched),
    )
    tables = [table for table in made if table is not None]
    tables[0] = replace(tables[0], notes=[*choice.notes(), *tables[0].notes])
    markdown, text = _below_each_other(tables, Table.markdown), _below_each_other(tables, Table.text)
    files = [out / "table.md", out / "table.tex", *(out / f"{table.name}.csv" for table in tables)]
    write_text(files[0], markdown)
    write_text(files[1], "\n".join(table.latex() for table in tables))
    for file, table in zip(files[2:], tables, strict=True):
        write_text(file, csv_of(table.frame))
    pictures = []
    broken = list(found.broken)
    figures = {
        **FIGURES,
        DECISIONS: (DECIDED, lambda series, broken: draw_decisions(asked)),
        SEARCHES: (SEARCHED, lambda series, broken: draw_searches(searched)),
    }
    for name, (caption, draw) in figures.items():
        pages = save_pages(draw(series, broken), out / name)
        for number, (picture, vectors) in enumerate(pages, 1):
            files += [picture, vectors]
            pictures.append(Picture(f"{caption} ({number} of {len(pages)})" if len(pages) > 1 else caption, picture))
    failed = [f"{f.task} · {f.model} · seed {f.seed} failed: {f.reason}" for f in failures if f.status == "failed"]
    if html:
        findings = [judge(claim, asked_of.runs, tuned) for claim in read_claims().claims]
        lines = [_without_paths(line, stores) for line in (*broken, *failed)]
        notes = [*tables[0].notes, *(f"Not counted: {line}." for line in lines)]
        files.append(out / PAGE)
        write_text(
            files[-1], render_page(series, tables[1:] if series else tables, pictures, findings, notes, warnings)
        )
    _remove_earlier(out, files)
    return Report(files, markdown, text, [*warnings, *left_out, *broken, *failed])


def _without_pruning(series: Sequence[Series], metric: str | None) -> list[str]:
    """Return a line for each task of pruned networks that lacks a metric at each share, and so table and figure."""
    tasks = [item.first.task_label for item in series if metric and item.has("kept") and not shares_of(item)]
    return [
        f"{task} is not in the table and figure of fewer modules: its records have no {metric} at each share"
        for task in dict.fromkeys(tasks)
    ]


def _without_paths(line: str, stores: Sequence[Path]) -> str:
    """Return a line with paths relative to the stores: paths of this machine do not belong on a page that is shared."""
    for store in stores:
        line = line.replace(f"{absolute(store)}/", "")
    return line


def _below_each_other(tables: Sequence[Table], shown: Callable[[Table], str]) -> str:
    """Join all tables, each under its title; the first has none, as it is what the report is about."""
    return "\n".join([shown(tables[0]), *(f"## {table.title}\n\n{shown(table)}" for table in tables[1:])])


# Draws a figure of all series as pages, none if there is nothing to show; adds a line for each unreadable file
Draw = Callable[[Sequence[Series], list[str]], "Sequence[Figure]"]


def _of_rows(draw: "Callable[[Sequence[Series]], Sequence[Figure]]") -> Draw:
    return lambda series, broken: draw(series)


FLOOR = "broken line: the best floor"
OTHERWISE = "In the main metric of each task, which was asked about, whatever metric the other tables have."
SEARCHES, DECISIONS = "searches", "decisions"  # figures of searches and of questions instead of series
SEARCHED = (
    "Searches for settings on validation examples: the best so far against the budget spent, and the last score of "
    "every trial against its values; hollow: given up on an earlier rung"
)
DECIDED = (
    "What was asked of added seeds: every seed (small dots), the mean, and the interval of the verdict, which may be "
    "wider than the panel; band: margin of equivalence; grey: undecided"
)
CUT = "arrow: an interval that is cut at the end of the metric's range"
FIGURES: Mapping[str, tuple[str, Draw]] = {
    "scores": (
        "Scores: every seed (dots), mean and 95 % interval over seeds; grey: of a single seed, over test examples; "
        f"{CUT}; {FLOOR}; {TREATMENT}: not treated equally, see the notes of the table",
        _of_rows(draw_scores),
    ),
    "ranks": (
        "Mean ranks over the tasks that all models share; bars join models that are not told apart",
        _of_rows(draw_ranks),
    ),
    "cost": (
        f"Scores against the operations of a forward pass; grey line: the best at each cost; {CUT}; {FLOOR}",
        _of_rows(draw_cost),
    ),
    "lengths": (
        f"Scores by length of training, mean and 95 % interval over seeds; {CUT}; {FLOOR}",
        _of_rows(draw_lengths),
    ),
    "shots": (f"Accuracy after adapting to few examples per class; {CUT}; broken line: guessing", _of_rows(draw_shots)),
    "corruptions": ("Error under each corruption; last row: guessing", _of_rows(draw_corruptions)),
    "sizes": (
        "Scores against the number of modules or latents; ×: the time in evaluations of the largest over this one's, "
        f"each in its own runs, which is rough; {CUT}; {FLOOR}",
        _of_rows(draw_sizes),
    ),
    "ablations": (
        "By how much each circuit is better than NAC, and than the one that it is a step from: every seed (dots), mean "
        "and 95 % interval of paired differences",
        _of_rows(draw_ablations),
    ),
    "pruning": (
        f"Accuracy with fewer modules, and the speed-up that was measured; {CUT}; {FLOOR}",
        _of_rows(draw_pruning),
    ),
    "curves": (f"Learning curves: mean and range over seeds; {FLOOR}, on test examples", draw_curves),
}


def _remove_earlier(out: Path, files: Sequence[Path]) -> None:
    """Delete files of an earlier report that this one does not have; readers would take them for part of it."""
    pages = re.compile(rf"({'|'.join([*FIGURES, SEARCHES, DECISIONS])})(-\d+)?\.(png|pdf)")
    tables = {f"{name}.csv" for name in TABLES}
    for path in sorted(out.iterdir()):
        if (path.name in tables or path.name == PAGE or pages.fullmatch(path.name)) and path not in files:
            path.unlink()
