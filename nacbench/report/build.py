"""A report: tables in three formats and the learning curves, from folders of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.errors import UserError
from nacbench.files import write_text
from nacbench.report.cost import cost_table
from nacbench.report.mixture import mixtures
from nacbench.report.plots import curve_rows, draw_curves, save_figure
from nacbench.report.priors import prior_table
from nacbench.report.protocols import shift_table, shots_table
from nacbench.report.scores import score_table
from nacbench.report.series import group
from nacbench.results.index import read_runs

NAMES = ("table", "shifted", "few-shots", "priors", "cost")


@dataclass(frozen=True)
class Report:
    """What was written: the files, the tables as Markdown, and what could not be counted."""

    files: Sequence[Path]
    markdown: str
    warnings: Sequence[str]


def build_report(stores: Sequence[Path], out: Path, *, mixed: bool = False) -> Report:
    """Write ``table.md``, ``table.tex``, a CSV for each table, ``curves.png`` and ``curves.pdf``.

    Args:
        stores: folders of runs.
        out: folder to write to; files of these names there are replaced.
        mixed: show runs of a task side by side though they differ in code, data or scale, with a warning.

    Raises:
        UserError: if a folder does not exist, none holds a finished run, or runs are mixed and should not be.
    """
    found = read_runs(*stores)
    if not found.runs:
        named = ", ".join(str(store) for store in stores)
        raise UserError(f"no finished run in {named}; make one with: nacbench run --task digits --model nac")
    warnings = mixtures(found.runs)
    if warnings and not mixed:
        raise UserError(
            f"these runs should not stand side by side: {'; '.join(warnings)}; name folders of runs that were made "
            "alike, or use --mixed to show them together, with a warning"
        )
    series = group(found.runs)
    failures = found.failures
    made = (
        score_table(series, failures, warnings),
        shift_table(series),
        shots_table(series),
        prior_table(series),
        cost_table(series),
    )
    tables = [table for table in made if table is not None]
    parts = [tables[0].markdown(), *(f"## {table.title}\n\n{table.markdown()}" for table in tables[1:])]
    markdown = "\n".join(parts)
    files = [out / "table.md", out / "table.tex", *(out / f"{table.name}.csv" for table in tables)]
    write_text(files[0], markdown)
    write_text(files[1], "\n".join(table.latex() for table in tables))
    for file, table in zip(files[2:], tables, strict=True):
        write_text(file, table.frame.to_csv(index=False))
    curves = curve_rows(series)
    if len(curves):
        files += save_figure(draw_curves(curves), out / "curves")
    failed = [f"{f.task} · {f.model} · seed {f.seed} failed: {f.reason}" for f in failures if f.status == "failed"]
    for name in set(NAMES) - {table.name for table in tables}:  # of an earlier report
        (out / f"{name}.csv").unlink(missing_ok=True)
    return Report(files, markdown, [*warnings, *found.broken, *failed])
