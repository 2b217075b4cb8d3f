"""What the notes on the committed records say is what the records give."""

import re

from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.reporting.tables.table import percent
from results.rebuild import LEADS, lead, leads_table, table_after

from .committed import MINI, lost
from .conftest import REPOSITORY

NOTES = (REPOSITORY / "results" / "README.md").read_text()


def test_its_differences_are_those_of_the_records() -> None:
    assert table_after(NOTES, LEADS) == leads_table(MINI)


def test_each_of_its_intervals_is_that_of_some_records() -> None:
    scores = {percent(own.score) for own in MINI}
    leads = {lead(ours, own) for ours in MINI for own in MINI if ours.first.task == own.first.task and ours is not own}
    losses = {lost(own, kept) for own in MINI if own.first.protocol == "pruned" for kept in (15, 10, 5)}
    wholes = (own.metric("accuracy", "kept/100") for own in MINI if own.first.protocol == "pruned")
    whole = {percent(mean) for mean in wholes if mean is not None}
    said = set(re.findall(r"[+-]?\d+\.\d+ ± \d+\.\d+", NOTES))
    assert len(said) > 30
    assert said - scores - leads - losses - whole == set()


def test_the_example_of_the_first_page_is_the_demo() -> None:
    page = (REPOSITORY / "docs" / "getting-started.md").read_text()
    table = (REPOSITORY / "results" / "demo-report" / "table.md").read_text().splitlines()
    assert "\n".join(table[:4]) in page
    said = CliRunner().invoke(app, ["compare", "nac", "perceiver-io", "--out", str(REPOSITORY / "results" / "demo")])
    ids = ["415112851eae", "025cb0c435f2"]
    why = CliRunner().invoke(app, ["why", *ids, "--out", str(REPOSITORY / "results" / "demo")]).output
    assert f"nacbench why {' '.join(ids)}\n" in page and f"```text\n{why}```" in page
    lines = [line for line in said.output.splitlines() if not line.startswith("seed ")]
    assert " ".join(" ".join(lines).split()) in " ".join(page.split())
