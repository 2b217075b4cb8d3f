"""The verbs that speak of the paper, of comparisons, and of moving runs, as users type them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nacbench.cli import app
from nacbench.errors import UserError
from tests.made import folder_of, made_record, write_run


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def said(*words: object) -> str:
    done = invoke(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two models on ListOps, three seeds each."""
    for seed in range(3):
        write_run(tmp_path / "runs", made_record(task="listops", seed=seed, score=0.5 + seed / 1000))
        write_run(tmp_path / "runs", made_record(task="listops", model="perceiver-io", seed=seed, score=0.4))
    return tmp_path / "runs"


def test_every_claim_has_a_verdict(store: Path) -> None:
    text = said("claims", store)
    (row,) = [line for line in text.splitlines() if line.startswith(" competitive-symbols ")]
    assert "agrees" in row
    assert "+10.10 ± 0.25 points, 3 seeds" in row
    assert "mini" in row
    assert text.count("no data") == 6
    content = json.loads(said("claims", store, "--json"))
    (claim,) = [claim for claim in content["claims"] if claim["name"] == "competitive-symbols"]
    assert (claim["verdict"], len(claim["runs"])) == ("agrees", 6)
    assert claim["value"] == pytest.approx(0.101)


MINE = """\
source: a hunch
claims:
  - {name: mine, kind: better, says: is better, task: listops, scale: mini, claimed: 0.05}
"""


def test_claims_of_anybody_are_judged(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    content = json.loads(said("claims", store, "--claims", file, "--json"))
    (claim,) = content["claims"]
    assert (content["source"], claim["name"], claim["bar"]) == ("a hunch", "mine", 0.025)
    assert "nac is better." in said("claims", store, "--claims", file)
    file.write_text(MINE.replace("listops", "listop"))
    done = invoke("claims", store, "--claims", file)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).endswith("task = 'listop': unknown task 'listop'; did you mean 'listops'?")


def test_how_much_was_tried_decides_whether_rates_may_differ(tmp_path: Path) -> None:
    runs, trials, rates = tmp_path / "runs", tmp_path / "trials", tmp_path / "rates.yaml"
    for model, lr in (("nac", 0.004), ("perceiver-io", 0.001)):
        for seed in range(2):
            write_run(runs, made_record(task="listops", model=model, lr=lr, seed=seed, score=0.5 + seed / 100))
        for rate in (0.001, 0.002, 0.004):
            write_run(trials, made_record(task="listops-tuning", model=model, lr=rate, score=1 - abs(rate - lr)))
    words = ("compare", "nac", "perceiver-io", "--task", "listops", "--out", runs)
    assert "they differ in training.lr (0.004, 0.001)." in said(*words)
    assert "† at the edge of the values tried" in said("tune", trials, "--to", rates)
    assert "not treated equally" not in said(*words, "--choices", rates)
    assert json.loads(said(*words, "--json"))["treatment"] == {"training.lr": ["0.004", "0.001"]}
    assert "§2: training.lr 0.001" in said("report", runs, "--out", tmp_path / "report")
    report = said("report", runs, "--out", tmp_path / "report", "--choices", rates)
    assert "§" not in report
    assert "listops: tuned to the edge of the values tried" in report


def test_claims_without_runs_have_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said("claims").count("no data") == 7
    assert invoke("claims", tmp_path / "nowhere").exit_code != 0


def test_the_paper_s_tables_are_listed_planned_and_built(store: Path, tmp_path: Path) -> None:
    assert "paper-graph-priors" in said("paper")
    text = said("paper", "table", "modalities", "--out", store, "--scale", "mini", "--to", tmp_path / "out")
    assert "| listops       | mini  | nac" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "modalities.csv",
        "modalities.md",
        "modalities.tex",
    ]
    planned = said("paper", "table", "priors", "--out", store, "--data-root", tmp_path)
    assert planned.startswith("paper-graph-priors: 70 without data; ")
    assert f"see nacbench sweep plan paper-graph-priors --out {store} --data-root {tmp_path}" in planned


def test_a_table_of_an_unknown_scale_is_refused(store: Path) -> None:
    done = invoke("paper", "table", "modalities", "--out", store, "--scale", "mimi")
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == "unknown scale 'mimi'; did you mean 'mini'?"


def test_compare_prints_the_conclusion(store: Path) -> None:
    text = said("compare", "nac", "perceiver-io", "--task", "listops", "--out", store)
    assert "nac is better than perceiver-io, by 9.8" in text
    content = json.loads(said("compare", "nac", "perceiver-io", "--task", "listops", "--out", store, "--json"))
    assert content["difference"]["count"] == 3
    assert content["verdict"] in text


def test_compare_warns_of_damaged_predictions(store: Path) -> None:
    record = folder_of(store, task="listops") / "record.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "files": {"predictions.parquet": "0" * 64}}))
    done = invoke("compare", "nac", "perceiver-io", "--task", "listops", "--out", store, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["examples"] == []
    assert done.stderr.startswith(f"warning: run {record.parent.name} (nac, seed 0) is not compared on")
    assert done.stderr.endswith("predictions.parquet is missing\n")


def test_text_for_a_terminal_is_not_escaped(store: Path, tmp_path: Path) -> None:
    shown = said("paper", "table", "modalities", "--out", store, "--scale", "mini", "--to", tmp_path / "out")
    written = (tmp_path / "out" / "modalities.md").read_text()
    assert "p &lt; 0.05" in written
    assert "p < 0.05" in shown
    assert "&lt;" not in shown


def test_pack_and_unpack_copy_runs(store: Path, tmp_path: Path) -> None:
    assert "6 runs in " in said("pack", store, "--out", tmp_path / "runs.tar.gz")
    assert "6 runs copied into" in said("unpack", tmp_path / "runs.tar.gz", "--into", tmp_path / "b")
    assert "0 runs copied into" in said("merge", store, "--into", tmp_path / "b")
    write_run(tmp_path / "one", made_record())
    assert said("merge", tmp_path / "one", "--into", tmp_path / "c") == f"1 run copied into {tmp_path / 'c'}\n"
    assert said("merge", tmp_path / "one", "--into", tmp_path / "c").endswith(", 1 was there already\n")
