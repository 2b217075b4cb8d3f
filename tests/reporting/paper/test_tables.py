"""The paper's tables: ours beside what was published under the same conditions, and never a number from memory."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from nacbench.errors import UserError
from nacbench.recording.row import Run, row_of
from nacbench.reporting.paper.published import Published, differences, paper_table, read_published
from nacbench.reporting.paper.tables import build
from nacbench.reporting.tables.table import Table
from nacbench.sweep.read_sweep import suites
from tests.made import made_record

MODEL = {
    "modules": 320,
    "state_dim": 384,
    "depth": 8,
    "heads": 6,
    "ffn_mult": 4,
    "readout_modules": 64,
    "module_dropout": 0.0,
}
TASK = {"patch": 4}
TRAINING = {
    "epochs": 400,
    "batch_size": 512,
    "lr": 5e-4,
    "augment": {"flip": True},
    "selection": "best-test, as published",
}
AS_PUBLISHED: Mapping[str, Mapping[str, Any]] = {"task": TASK, "model": MODEL, "training": TRAINING}


def run(
    prior: str = "scale-free",
    task: str = "tiny-imagenet",
    score: float = 0.6,
    seed: int = 0,
    changes: Mapping[str, Mapping[str, Any]] = AS_PUBLISHED,
    model: str = "nac",
) -> Run:
    record = made_record(task=task, scale="paper", score=score, seed=seed, model=model)
    config = record.identity["config"]
    config = {**config, **{part: {**config[part], **some} for part, some in changes.items()}}
    config["model"] = {**config["model"], "prior": prior}
    identity = {**record.identity, "config": config}
    return row_of(record.model_copy(update={"identity": identity}), f"f-{prior}-{task}-{seed}-{model}", 1, 1)


def row(table: Table, *beginning: str) -> tuple[str, ...]:
    (found,) = [own for own in table.rows if tuple(own[: len(beginning)]) == beginning]
    return tuple(found)


def note(table: Table, cell: str) -> str:
    """The footnote that a cell refers to by its mark."""
    mark = cell[cell.index("[") :]
    (found,) = [own for own in table.notes if own.startswith(f"{mark} ")]
    return found.removeprefix(f"{mark} ")


def test_ours_is_beside_the_published_figure_of_equal_conditions() -> None:
    runs = [run(), run("ring-of-cliques", score=0.5), run("none", score=0.4)]
    table = build("priors", runs, ["tiny-imagenet"], "paper").main
    found = row(table, "tiny-imagenet", "paper", "nac (mini), prior=scale-free")
    assert found[3:6] == ("60.00", "1", "60.76")
    assert found[7] == "yes"
    assert "selection: best epoch on the test images, raw weights; pre-training: none" in note(table, found[6])
    assert row(table, "tiny-imagenet", "paper", "nac (mini), prior=ring-of-cliques")[5] == "60.54"
    without = row(table, "tiny-imagenet", "paper", "nac (mini)")
    assert without[5] == "—"
    assert note(table, without[7]) == "no figure of this model and these settings was read."
    alone = row(table, "tiny-imagenet", "paper", "nac, prior=erdos-renyi")
    assert alone[3:6] == ("—", "0", "60.33")
    assert note(table, alone[7]) == "no run of ours is of this model and these settings."
    assert len(table.rows) == 5
    assert table.frame["published"].tolist()[1:3] == [0.6076, 0.6054]
    assert "the authors' code release" in table.markdown()
    assert "60.76" in table.latex()


@pytest.mark.parametrize(
    ("part", "key", "value", "why"),
    [
        ("training", "epochs", 100, "training.epochs is 100, published: 400"),
        ("training", "selection", "last", "training.selection is last, published: best-test, as published"),
        ("training", "batch_size", 1024, "training.batch_size is 1024, published: 512"),
        ("model", "modules", 160, "model.modules is 160, published: 320"),
        ("model", "module_dropout", 0.95, "model.module_dropout is 0.95, published: 0.0"),
        ("training", "lr", 0.01, "training.lr is 0.01, published: 0.0005"),
        ("task", "train_examples", 1000, "task.train_examples is 1000, published: 0"),
    ],
)
def test_a_figure_of_other_conditions_has_a_row_of_its_own(part: str, key: str, value: Any, why: str) -> None:
    changed = {**AS_PUBLISHED, part: {**AS_PUBLISHED[part], key: value}}
    table = build("priors", [run(changes=changed)], ["tiny-imagenet"], "paper").main
    ours = row(table, "tiny-imagenet", "paper", "nac (mini)")
    theirs = row(table, "tiny-imagenet", "paper", "nac, prior=scale-free")
    assert (ours[5], theirs[3], theirs[5]) == ("—", "—", "60.76")
    assert note(table, ours[7]) == note(table, theirs[7]) == f"{why}."


def test_a_run_on_a_part_of_the_data_or_at_another_scale_is_not_comparable() -> None:
    conditions = read_published().conditions["nac-tiny-imagenet"]
    assert differences(run(), conditions) == []
    assert differences(run()._replace(partial="30 of 200 classes"), conditions) == ["a part of the data"]
    assert differences(run()._replace(scale="mini"), conditions) == ["scale mini is not paper"]
    table = build("priors", [run()._replace(scale="mini")], ["tiny-imagenet"], "mini").main
    assert row(table, "tiny-imagenet", "mini", "nac")[5] == "—"
    assert row(table, "tiny-imagenet", "paper", "nac, prior=scale-free")[5] == "60.76"


def test_renditions_compare_how_the_network_was_trained() -> None:
    record = made_record(task="tiny-imagenet-r", scale="paper", protocol="ood", trained_on="tiny-imagenet")
    config = {**record.identity["config"], "model": {**record.identity["config"]["model"], **MODEL}}
    config["model"]["prior"] = "scale-free"
    config["trained_on"] = {"task": {"name": "tiny-imagenet", **TASK}, "training": TRAINING}
    identity = {**record.identity, "config": config}
    own = row_of(record.model_copy(update={"identity": identity}), "f", 1, 1)
    table = build("ood", [own], ["tiny-imagenet-r"], "paper").main
    assert row(table, "tiny-imagenet-r", "paper", "nac (mini)")[5::2] == ("19.52", "yes")


def test_the_listops_column_of_2020_is_not_beside_ours_and_the_table_says_why() -> None:
    runs = [run(task="listops", model="transformer", score=0.4)]
    table = build("modalities", runs, ["listops"], "paper").main
    assert [own[2] for own in table.rows] == ["transformer (mini)", "S4 (approximate)", "S5", "MEGA"]
    assert [own[5] for own in table.rows] == ["—", "59.50", "62.15", "63.14"]
    assert "(secondary source)" in note(table, table.rows[2][6])
    assert "(secondary source)" not in note(table, table.rows[1][6])
    (why,) = [own for own in table.notes if own.startswith("Not shown: 7 figures on listops")]
    assert "drops every bracket" in why
    assert "36.37" not in table.markdown()


def test_models_and_tasks_that_are_not_ours_have_rows_of_their_own() -> None:
    runs = [run(task="imdb-bytes", model="transformer"), run(task="nlvr2", model="nac")]
    table = build("modalities", runs, ["imdb-bytes", "modelnet40", "nlvr2"], "paper").main
    theirs = [own for own in table.rows if own[4] == "0"]
    assert len(theirs) == 7 + 3 + 5 + 1
    assert {own[3] for own in theirs} == {"—"}
    assert "1,000 bytes" in note(table, row(table, "imdb-bytes", "paper", "BigBird (Long Range Arena)")[6])
    assert note(table, row(table, "nlvr2", "paper", "LXMERT")[7]) == "the model; it is pre-trained, ours is not."


def test_some_tables_have_special_tables() -> None:
    runs = [run(), run("none")]
    assert [table.name for table in build("priors", runs, ["tiny-imagenet"], "paper").special] == ["priors"]
    assert build("modalities", runs, ["tiny-imagenet"], "paper").special == []


def test_every_figure_has_a_publication_and_conditions_and_every_table_a_suite() -> None:
    published = read_published()
    assert {table.suite for table in published.tables.values()} <= set(suites())
    assert {figure.source for figure in published.figures} == set(published.sources)
    assert {figure.conditions for figure in published.figures} == set(published.conditions)
    assert len(published.figures) == 8 + 14 + 6 + 5 + 3 + 2 + 2 + 1  # those that were read
    for figure in published.figures:  # a figure without a rule would stand beside anything
        conditions = published.conditions_of(figure)
        assert conditions.settings or conditions.differs or conditions.withheld, figure
    with pytest.raises(UserError, match="unknown table of the paper 'prior'; did you mean 'priors'"):
        paper_table("prior")


@pytest.mark.parametrize("lacking", ["length", "epochs", "size", "selection", "pretraining", "protocol"])
def test_no_condition_may_be_left_out(lacking: str) -> None:
    content = read_published().model_dump(by_alias=True)
    del content["conditions"]["lra-text"][lacking]
    with pytest.raises(ValidationError, match=rf"conditions\.lra-text\.{lacking}\n.*Field required"):
        Published.model_validate(content)


def test_a_figure_without_conditions_is_refused() -> None:
    content = read_published().model_dump(by_alias=True)
    content["figures"][0]["conditions"] = "none"
    with pytest.raises(ValidationError, match="the figure of nac on tiny-imagenet has no conditions 'none'"):
        Published.model_validate(content)
