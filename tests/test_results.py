"""What the notes on the committed records say is what the records give."""

import json
import re
from csv import DictReader
from typing import Any

from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD
from nacbench.reporting.tables.table import percent
from results.rebuild import CLAIMS, LEADS, claims_table, lead, leads_table, table_after

from .committed import MINI, RUNS, lost, plain
from .conftest import REPOSITORY

NOTES = (REPOSITORY / "results" / "README.md").read_text()
KINDS = ("check", "map")  # of files on circuits of sentences
INTERVAL = re.compile(r"[+-]?\d+\.\d+ ± \d+\.\d+")


def test_its_differences_are_those_of_the_records() -> None:
    assert table_after(NOTES, LEADS) == leads_table(MINI)


def test_its_verdicts_on_the_claims_are_those_of_the_records() -> None:
    assert table_after(NOTES, CLAIMS) == claims_table(RUNS)


def test_its_ranks_are_those_of_the_report() -> None:
    with (REPOSITORY / "results" / "mini-report" / "ranks.csv").open() as file:
        rows = {(row["model"], row["against"]): row for row in DictReader(file)}
    assert {row["tasks"] for row in rows.values()} == {"7"}
    assert "Over the seven tasks that all of NAC, Perceiver IO and Transformer" in NOTES
    assert "the order is Transformer, NAC, Perceiver IO on each but real NLVR, where no model is above" in NOTES
    assert "its floors; the first and the last are told apart" in NOTES
    assert rows["transformer", "nac"]["wins"] == rows["transformer", "perceiver-io"]["wins"] == "6"
    assert rows["nac", "perceiver-io"]["wins"] == "7"
    assert rows["transformer", "perceiver-io"]["significantly_different"] == "True"


def test_it_says_how_much_was_computed() -> None:
    hours = sum(run.core_seconds for run in RUNS) / 3600
    assert f"So far it is {len(RUNS)} runs and {hours:.0f} core-hours." in NOTES
    before = sum(run.finished < "2026-11-30T08" for run in RUNS)
    assert f"The first {before} runs, until 08:00 UTC of 30 November, were on a host without AVX-512" in NOTES


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
    cost = read_record(REPOSITORY / "results" / "demo" / "digits" / "nac" / ids[0] / RECORD, ids[0]).cost
    assert f"  trained in {cost.train_seconds:.0f} s at {cost.examples_per_second:.0f} examples/s, fp32 on" in page
    assert set(re.findall(r"\b[0-9a-f]{12}\b", page)) == set(ids)
    why = CliRunner().invoke(app, ["why", *ids, "--out", str(REPOSITORY / "results" / "demo")]).output
    assert f"nacbench why {' '.join(ids)}\n" in page and f"```text\n{why}```" in page
    lines = [line for line in said.output.splitlines() if not line.startswith("seed ")]
    assert " ".join(" ".join(lines).split()) in " ".join(page.split())


def test_what_it_says_of_circuits_of_sentences_is_what_was_measured() -> None:
    """Each range is over the three seeds: (what is said of it, numbers)."""
    folder = REPOSITORY / "results" / "graphs" / "sentences"
    checks, maps = ([json.loads(file.read_text()) for file in sorted(folder.glob(f"*-{name}.json"))] for name in KINDS)
    runs = {run.run_id for run in plain("nlvr-synthetic", "nac").runs if run.seed < 3}
    assert {found["run_id"] for found in (*checks, *maps)} == runs and len(runs) == len(checks) == len(maps) == 3
    notes = " ".join(NOTES.split())
    for said, values in {
        "validation examples is {} %, with": [found["shuffled"] for found in checks],
        "with their own {} %.": [found["accuracy"] for found in checks],
        "another sentence in {} % of comparisons": [found["links"]["share"] for found in checks],
        "(by codes in {} %)": [found["codes"]["share"] for found in checks],
        "the share is {} % (": [found["untrained_links"]["share"] for found in checks],
        "% ({} %), and word counts": [found["untrained_codes"]["share"] for found in checks],
        "without any network, reach {} %": [found["words"]["share"] for found in checks],
        "the same colour in {} % of cases": _agreement(maps, "colour", "circuits"),
        "before training in {} %, by word": _agreement(maps, "colour", "untrained"),
        "by word counts in {} %": _agreement(maps, "colour", "words"),
        "by chance in {} %": [found["agreement"]["colour"]["chance"] for found in maps],
        "For shapes ({} %, word": _agreement(maps, "shape", "circuits"),
        "word counts {} %) and boxes": _agreement(maps, "shape", "words"),
        "boxes ({} %, word": _agreement(maps, "box", "circuits"),
        "word counts {} %) the agreement": _agreement(maps, "box", "words"),
        "from words ({} %) and": _agreement(maps, "statement", "words"),
        "before training ({} %; after": _agreement(maps, "statement", "untrained"),
        "after it {} %)": _agreement(maps, "statement", "circuits"),
        "in two seeds below that before training ({} %)": sorted(_agreement(maps, "box", "untrained"))[1:],
    }.items():
        ends = dict.fromkeys(f"{100 * value:.1f}" for value in (min(values), max(values)))
        assert said.format((" and " if "two seeds" in said else " to ").join(ends)) in notes, said


def _agreement(maps: list[dict[str, Any]], attribute: str, by: str) -> list[float]:
    return [found["agreement"][attribute][by]["share"] for found in maps]
