"""What the notes on the committed records say is what the records give."""

import re
from csv import DictReader

from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.reporting.tables.table import percent
from results.rebuild import CLAIMS, LEADS, claims_table, lead, leads_table, table_after

from .committed import MINI, RUNS, lost
from .conftest import REPOSITORY

NOTES = (REPOSITORY / "results" / "README.md").read_text()
INTERVAL = re.compile(r"[+-]?\d+\.\d+ ± \d+\.\d+")


def test_its_differences_are_those_of_the_records() -> None:
    assert table_after(NOTES, LEADS) == leads_table(MINI)


def test_its_verdicts_on_the_claims_are_those_of_the_records() -> None:
    assert table_after(NOTES, CLAIMS) == claims_table(RUNS)


def test_its_ranks_are_those_of_the_report() -> None:
    with (REPOSITORY / "results" / "mini-report" / "ranks.csv").open() as file:
        rows = {(row["model"], row["against"]): row for row in DictReader(file)}
    assert {row["tasks"] for row in rows.values()} == {"5"}
    assert "Over the five tasks that all of NAC, Perceiver IO and Transformer" in NOTES
    assert "the order is Transformer, NAC, Perceiver IO on each; the first and the last are told apart" in NOTES
    assert rows["transformer", "nac"]["wins"] == rows["nac", "perceiver-io"]["wins"] == "5"
    assert rows["transformer", "perceiver-io"]["significantly_different"] == "True"


def test_it_says_how_much_was_computed() -> None:
    hours = sum(run.core_seconds for run in RUNS) / 3600
    assert f"So far it is {len(RUNS)} runs and {hours:.0f} core-hours." in NOTES


def test_each_of_its_intervals_is_that_of_some_records() -> None:
    scores = {percent(own.score) for own in MINI}
    pairs = [(ours, own) for ours in MINI for own in MINI if ours.first.task == own.first.task and ours is not own]
    leads = {lead(*pair).removesuffix(" ¶") for pair in pairs}
    claims = {text for row in claims_table(RUNS) for text in INTERVAL.findall(row[-1])}
    losses = {lost(own, kept) for own in MINI if own.first.protocol == "pruned" for kept in (15, 10, 5)}
    wholes = (own.metric("accuracy", "kept/100") for own in MINI if own.first.protocol == "pruned")
    whole = {percent(mean) for mean in wholes if mean is not None}
    said = set(INTERVAL.findall(NOTES))
    assert len(said) > 30
    assert said - scores - leads - losses - whole - claims == set()


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
