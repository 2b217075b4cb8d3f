"""The paper's tables: ours beside what was published, and never a number from memory."""

import pytest

from nacbench.errors import UserError
from nacbench.recording.row import Run, row_of
from nacbench.reporting.paper.tables import build, paper_table, read_published
from nacbench.reporting.tables.table import Table
from nacbench.sweep.config import suites
from tests.made import made_record


def run(prior: str = "scale-free", task: str = "tiny-imagenet", score: float = 0.6, seed: int = 0) -> Run:
    record = made_record(task=task, scale="paper", score=score, seed=seed)
    model = {**record.identity["config"]["model"], "prior": prior}
    config = {**record.identity["config"], "model": model}
    identity = {**record.identity, "config": config}
    return row_of(record.model_copy(update={"identity": identity}), f"f-{prior}-{task}-{seed}", 1, 1)


def row(table: Table, *beginning: str) -> tuple[str, ...]:
    (found,) = [own for own in table.rows if tuple(own[: len(beginning)]) == beginning]
    return tuple(found)


def test_ours_is_beside_the_published_figure_of_equal_settings() -> None:
    runs = [run(), run("ring-of-cliques", score=0.5), run("none", score=0.4)]
    table = build("priors", runs, ["tiny-imagenet"], "paper").main
    assert row(table, "tiny-imagenet", "paper", "nac (mini), model.prior=scale-free")[3:] == (
        "60.00",
        "1",
        "60.76",
        "nac-release",
    )
    assert row(table, "tiny-imagenet", "paper", "nac (mini), model.prior=ring-of-cliques")[5] == "60.54"
    assert row(table, "tiny-imagenet", "paper", "nac (mini), model.prior=none")[5] == "—"
    assert row(table, "tiny-imagenet", "paper", "nac, model.prior=erdos-renyi")[3:6] == ("—", "0", "60.33")
    assert len(table.rows) == 5
    assert table.frame["published"].tolist()[:2] == [0.6076, 0.6054]
    assert "the authors' code release" in table.markdown()
    assert "60.76" in table.latex()


def test_published_figures_appear_at_scale_paper_only() -> None:
    runs = [run()._replace(scale="mini")]
    table = build("priors", runs, ["tiny-imagenet"], "mini").main
    assert row(table, "tiny-imagenet", "mini", "nac (mini)")[5] == "—"
    assert row(table, "tiny-imagenet", "paper", "nac, model.prior=scale-free")[5] == "60.76"
    assert "cannot be compared with published ones" in table.markdown()
    assert build("priors", runs, ["tiny-imagenet"], "paper").main.frame["seeds"].unique().tolist() == [0]


def test_some_tables_have_special_tables() -> None:
    runs = [run(), run("none")]
    assert [table.name for table in build("priors", runs, ["tiny-imagenet"], "paper").special] == ["priors"]
    assert build("modalities", runs, ["tiny-imagenet"], "paper").special == []


def test_every_table_has_a_suite_and_every_figure_a_publication() -> None:
    published = read_published()
    assert {table.suite for table in published.tables.values()} <= set(suites())
    assert {figure.source for figure in published.figures} == set(published.sources)
    assert len(published.figures) == 8 + 14  # those of NAC.md, each of which was read
    with pytest.raises(UserError, match="unknown table of the paper 'prior'; did you mean 'priors'"):
        paper_table("prior")
