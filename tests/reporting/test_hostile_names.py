"""Every file of a report shows hostile names as text, whatever language its reader speaks."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from nacbench.formats.escape import csv_of, figure_text, visible
from nacbench.recording.row import Run, row_of
from nacbench.reporting.answered import answered
from nacbench.reporting.figures.ablations import draw_ablations
from nacbench.reporting.figures.cost import draw_cost
from nacbench.reporting.figures.curves import draw_curves
from nacbench.reporting.figures.decisions import draw_decisions
from nacbench.reporting.figures.saving import save_figure
from nacbench.reporting.figures.scores import draw_scores
from nacbench.reporting.figures.searches import draw_searches
from nacbench.reporting.page.page import render_page
from nacbench.reporting.searched import state_of
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.cost import cost_table
from nacbench.reporting.tables.scores import score_table
from nacbench.reporting.tables.side_by_side import side_by_side
from nacbench.reporting.tables.table import Table
from nacbench.sweep.searching import searches_in
from tests.hostile import IN_RECORDS
from tests.made import made_failure, made_record, write_run

from ..sweep.test_search import finished, plan_of
from .test_ablations import SCORES
from .test_ablations import runs as runs_of_rungs
from .test_decisions import EVERY, asked, decision, runs_of


@pytest.fixture(scope="module")
def series() -> list[Series]:
    """A series a name, which is the name of its task and model and in all of its free text; and one more model."""
    made = row_of(made_record(), "made", 1, 1)
    free = ("task", "model", "scale", "notes", "machine", "protocol", "metric", "commit")
    names: list[dict[str, Any]] = [{"run_id": f"r{i}", **dict.fromkeys(free, n)} for i, n in enumerate(IN_RECORDS)]
    facts = [json.dumps({name: {"unit": name[:40], "about": name[:400]}}) for name in IN_RECORDS]
    rows = [made._replace(**own, facts=its) for own, its in zip(names, facts, strict=True)]
    others = [
        made._replace(run_id=f"o{i}", series="o", task=name, scale=name, metric=name, facts=its)
        for i, (name, its) in enumerate(zip(IN_RECORDS, facts, strict=True))
    ]
    return group([*rows, *others])


@pytest.fixture(scope="module")
def tables(series: list[Series]) -> list[Table]:
    failures = [made_failure(seed=i, model=f"vit-{i}", reason=name) for i, name in enumerate(IN_RECORDS)]
    made = [score_table(series, failures, [IN_RECORDS[0]]), cost_table(series), side_by_side(series)]
    return [table for table in made if table is not None]


def test_markdown_has_the_names_in_its_cells_and_nothing_else(tables: Sequence[Table]) -> None:
    for table in tables:
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table.markdown())
        kinds = {token.type for token in tokens} | {child.type for t in tokens for child in t.children or []}
        allowed = r"inline|text|text_special|softbreak|hardbreak|(paragraph|table|thead|tbody|tr|th|td)_(open|close)"
        assert [kind for kind in kinds if not re.fullmatch(allowed, kind)] == []
        cells = {"".join(c.content for c in token.children or []) for token in tokens if token.type == "inline"}
        assert {_cell(name) for name in IN_RECORDS} <= cells
        rows = sum(token.type == "tr_open" for token in tokens)
        assert rows == 1 + len(table.rows)


def _cell(name: str) -> str:
    return visible(name.replace("\n", " ")).strip(" ")


def test_a_terminal_gets_a_line_a_row(tables: Sequence[Table]) -> None:
    for table in tables:
        text = table.text()
        assert len(text.split("\n")) == 2 + len(table.rows) + 1 + len(table.notes) + 1
        assert visible(text, keep="\n") == text


def test_csv_has_no_formula_and_gives_the_names_back(tables: Sequence[Table]) -> None:
    for table in tables:
        read = pd.read_csv(io.StringIO(csv_of(table.frame)), keep_default_na=False)
        tasks = {re.sub(r"^'(?='* *[=+\-@])", "", task) for task in read["task"]}
        assert {visible(name) for name in IN_RECORDS} <= tasks
        texts = [value for column in read for value in [column, *read[column]] if isinstance(value, str)]
        assert [text for text in texts if text.strip().startswith(("=", "+", "-", "@"))] == []


@pytest.mark.latex
def test_latex_takes_the_tables(tables: Sequence[Table], tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("needs LaTeX, which make test-report installs")
    body = "\n\n".join(re.sub("x{100,}", "x", table.latex()) for table in tables if table.name != "models")
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


# -- figures -----------------------------------------------------------------------------------------------------------


def texts_of(figure: Any) -> set[str]:
    """All that is drawn as text, as matplotlib has it."""
    from matplotlib.text import Text

    return {text.get_text() for text in figure.findobj(Text)}


def test_figures_draw_the_names_without_mathematics(series: list[Series], tmp_path: Path) -> None:
    few = [item for item in series if any(mark in item.first.task for mark in ("$", "_hidden", "日本", "xxx"))]
    assert len({item.first.task for item in few}) == 6
    for number, (figure,) in enumerate((draw_scores(few), draw_cost(few))):
        save_figure(figure, tmp_path / str(number))
        drawn = texts_of(figure)
        assert {figure_text(item.label, 48) for item in few} <= drawn
        assert max(map(len, drawn)) < 80
        assert max(figure.get_size_inches()) < 20


def test_figures_of_all_kinds_draw_a_metric_without_mathematics(tmp_path: Path) -> None:
    name, unit = r"$\frac{1}{0}$", "$x^$"  # neither is valid mathematics
    facts = json.dumps({name: {"unit": unit}})

    def foreign(run: Run) -> Run:
        return run._replace(metric=name, facts=facts)

    (search, *_) = searches_in(plan_of({}))
    tried = finished(search, {(0, trial): trial / 10 for trial in range(4)})
    asking = [decision(asked("nac", "vit"))]
    drawn = [
        draw_ablations(group(map(foreign, runs_of_rungs(SCORES)))),
        draw_decisions(answered(asking, [foreign(run) for run in runs_of(EVERY)])),
        draw_searches([state_of(search, {run_id: foreign(run) for run_id, run in tried.items()}, {})]),
    ]
    for number, (figure,) in enumerate(drawn):
        save_figure(figure, tmp_path / str(number))
        assert any(figure_text(unit) in text for text in texts_of(figure))


def test_learning_curves_of_two_long_names_stay_apart(tmp_path: Path) -> None:
    names = ["_$x$" + "y" * 2000 + end for end in "ab"]
    rows = []
    for number, name in enumerate(names):
        folder = write_run(tmp_path / str(number), made_record())
        row = row_of(made_record(), str(folder), 1, 1)
        rows.append(row._replace(model=name, series=str(number)))
    (figure,) = draw_curves(group(rows), [])
    save_figure(figure, tmp_path / "curves")
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == [*(figure_text(name, 48) for name in names), "best floor: chance"]
    assert all(len(axes.get_lines()) >= 2 for axes in figure.axes)


# -- the page ----------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Elements with their attributes, and the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts = [""]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def test_the_page_has_the_names_as_text_and_no_element_of_theirs(series: list[Series], tables: list[Table]) -> None:
    page = Reader()
    page.feed(render_page(series, tables, [], [], IN_RECORDS, IN_RECORDS, title=IN_RECORDS[0]))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 2
    assert set(tags) & {"b", "img", "iframe", "svg"} == set()
    assert [name for _, own in page.elements for name in own if name.startswith("on")] == []
    assert {visible(name) for name in IN_RECORDS} <= set(page.texts)
