"""Render a report as one HTML file that needs no network: leaderboard, tables, figures, claims, and details of runs.

Records may come from anyone, so their text is not trusted: characters that are not visible are shown as escapes, the
template escapes HTML, the script sets text only (no HTML), and the page's Content-Security-Policy allows only its own
style and script, by hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from nacbench import __version__
from nacbench.formats.escape import all_visible, script_json, visible
from nacbench.reporting.floors import Floors
from nacbench.reporting.paper.read_claims import read_claims
from nacbench.reporting.paper.verdicts import Finding
from nacbench.reporting.series import Series
from nacbench.reporting.significance import RULE, best
from nacbench.reporting.tables.scores import SCORE, score_cells, score_values
from nacbench.reporting.tables.scores import columns as columns_of
from nacbench.reporting.tables.table import Table

MOST_RUNS = 20_000  # with more, details of runs are left out: the file would be too large for a browser
NUMBER, BREAK = re.compile(r"[-+]?\d"), re.compile(r" (?=± |\()")  # start of a number; where its interval follows
RUN_COLUMNS = ("seed", "score", "run", "finished", "attempts", "commit", "machine", "versions", "folder")


@dataclass(frozen=True)
class Picture:
    """A figure: caption and PNG file."""

    title: str
    path: Path


def render_page(
    series: Sequence[Series],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    findings: Sequence[Finding],
    notes: Sequence[str],
    warnings: Sequence[str],
    title: str = "nacbench",
) -> str:
    """Return the page's HTML.

    Args:
        series: rows of the leaderboard.
        tables: shown below it.
        pictures: figures.
        findings: verdicts on the paper's claims.
        notes: last section of the page.
        warnings: shown at the top of the page.
        title: of the page.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    folder = files("nacbench.reporting.page")
    template, style, script = (folder.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("html.j2", "css", "js"))
    winners = {id(item) for item in best(series)}
    count = sum(len(item.runs) for item in series)
    columns = columns_of(series)
    rows = [_row(item, winners, with_runs=count <= MOST_RUNS) for item in series]
    data = {"columns": [column.head for column in columns], "run_columns": RUN_COLUMNS, "rows": rows}
    floors = Floors(series)
    shown = [
        {
            "cells": score_cells(item, floors),
            "best": id(item) in winners,
            "label": item.label,
            "task": item.first.task_label,
        }
        for item in series
    ]
    environment = Environment(autoescape=True, keep_trailing_newline=True, finalize=_visible)
    environment.filters["together"] = _together
    page: str = environment.from_string(template).render(
        title=title,
        version=__version__,
        count=f"{count:,}",
        columns=columns,
        score_column=SCORE,
        rows=shown,
        any_best=bool(winners),
        rule=RULE,
        choices=_choices(series),
        tables=tables,
        figures=[_shown(picture) for picture in pictures],
        findings=findings,
        claims_source=f"Claims: {read_claims().source}." if findings else "",
        notes=notes,
        warnings=warnings,
        data=Markup(script_json(all_visible(data))),  # noqa: S704 (escaped by script_json)
        style=Markup(style),  # noqa: S704 (our own file)
        script=Markup(script),  # noqa: S704 (our own file)
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page


def _row(item: Series, winners: Collection[int], *, with_runs: bool) -> dict[str, Any]:
    """Return what the script needs of a row: values to sort by, words to filter by, and the runs."""
    first = item.first
    runs = [
        [
            r.seed,
            r.score,
            r.run_id,
            r.finished,
            r.attempts,
            r.commit,
            r.machine,
            _versions(r.versions),
            _place(r.folder),
        ]
        for r in (item.runs if with_runs else ())
    ]
    return {
        "sort": [None if isinstance(value, float) and math.isnan(value) else value for value in score_values(item)],
        "filter": {"task": first.task_label, "scale": first.scale, "model": first.model},
        "half_width_95": None if math.isnan(item.score.half_width) else item.score.half_width,
        "significantly_best": id(item) in winners,
        "runs": runs,
        "settings": json.loads(first.settings),
    }


def _place(folder: str) -> str:
    """Return a run's folder relative to its store; paths of the machine do not belong on a page that is shared."""
    return "/".join(Path(folder).parts[-3:])


def _versions(text: str) -> str:
    versions: dict[str, str] = json.loads(text)
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _choices(series: Sequence[Series]) -> dict[str, list[str]]:
    return {
        "task": sorted({item.first.task_label for item in series}),
        "scale": sorted({item.first.scale for item in series}),
        "model": sorted({item.first.model for item in series}),
    }


def _visible(value: Any) -> Any:
    """Return what the template shows of a value, before it is escaped as HTML; our own markup stays as it is."""
    return visible(value) if type(value) is str else value


def _shown(picture: Picture) -> dict[str, Any]:
    """Return what the template shows of a figure; with its size, the page does not jump when the figure is loaded."""
    content = picture.path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])  # of a PNG's header
    return {"title": picture.title, "data": _base64(content), "width": width, "height": height}


def _together(cell: str) -> str:
    """Return a number's HTML: a line may break before its interval and nowhere else, so columns of many models fit."""
    from markupsafe import Markup

    if not NUMBER.match(cell):
        return visible(cell)
    parts = [Markup('<span class="together">{}</span>').format(part) for part in BREAK.split(visible(cell))]
    return Markup(" ").join(parts).replace("± ", Markup("±&nbsp;"))


def _hash(text: str) -> str:
    return _base64(hashlib.sha256(text.encode()).digest())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
