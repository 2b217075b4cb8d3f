"""Reports and comparisons in any metric: one of which lower is better, one below zero, one from kept predictions."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.metric import ACCURACY, NLL, Metric
from nacbench.contracts.task import Evaluation
from nacbench.data.classification import classification_scores
from nacbench.data.metrics.classes import CALIBRATION_ERROR, MACRO_F1, TOP_5
from nacbench.data.metrics.values import R2, RMSE
from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of
from nacbench.recording.index import read_runs
from nacbench.recording.predictions import leave_logits_out
from nacbench.recording.row import Run, row_of
from nacbench.reporting.comparing import compare
from nacbench.reporting.figures.confusion import class_rows, confusion_matrix
from nacbench.reporting.floors import Floors
from nacbench.reporting.kept import read_kept
from nacbench.reporting.rescored import rescored, with_metric
from nacbench.reporting.series import Series, group
from nacbench.reporting.significance import best
from nacbench.reporting.tables.scores import score_table
from nacbench.running.scoring import write_predictions

from ..conftest import REPOSITORY
from ..made import made_record, write_run


def rows(metric: Metric, **scores: Sequence[float]) -> list[Run]:
    return [
        row_of(made_record(metric=metric, model=model, seed=seed, score=score), f"{model}{seed}", 1, 1)
        for model, own in scores.items()
        for seed, score in enumerate(own)
    ]


def series(metric: Metric, **scores: Sequence[float]) -> list[Series]:
    return group(rows(metric, **scores))


# -- direction and unit ------------------------------------------------------------------------------------------------


def test_the_lowest_error_comes_first_and_is_bold() -> None:
    made = series(RMSE, nac=[5.0, 5.1, 4.9], vit=[9.0, 9.1, 8.8], pointnet=[7.0, 7.2, 7.1])
    assert [item.first.model for item in made] == ["nac", "pointnet", "vit"]
    assert [item.first.model for item in best(made)] == ["nac"]
    table = score_table(made, [])
    assert table.columns[3].head == "test score"
    assert [row[3] for row in table.rows] == ["5.000 ± 0.248", "7.100 ± 0.248", "8.967 ± 0.379"]
    assert table.bold == {(0, 3)}
    assert any("digits: rmse (root of the mean squared error; lower is better)" in note for note in table.notes)


def test_scores_of_different_units_name_their_metric_in_one_table() -> None:
    tasks = (("a", ACCURACY), ("b", replace(RMSE, unit="mm")))
    made = [made_record(task=task, metric=metric, score=0.5) for task, metric in tasks]
    table = score_table(group([row_of(record, record.task, 1, 1) for record in made]), [])
    assert [row[3] for row in table.rows] == ["accuracy 50.00 %", "rmse 0.5000 mm"]


def test_the_floor_of_an_error_is_the_lowest_one_and_a_score_must_lie_below_it() -> None:
    scores = {"nac": [5.0, 5.1], "vit": [6.9, 7.1], "floor-linear": [7.0, 7.0], "floor-nearest-mean": [8.0, 8.0]}
    made = series(RMSE, **scores)
    floors = Floors(made)
    by_model = {item.first.model: item for item in made}
    assert [floor.name for floor in floors.of(by_model["nac"])] == ["floor-nearest-mean", "floor-linear"]
    assert "‡" not in floors.marked(by_model["nac"])
    assert floors.marked(by_model["vit"]).endswith("‡")


def test_a_score_below_zero_and_one_that_is_nan_are_compared_and_sorted() -> None:
    made = series(R2, nac=[-0.5, -0.6, -0.55], vit=[0.5, 0.6, 0.55], pointnet=[-3.0, -3.2, -3.1])
    assert [item.first.model for item in made] == ["vit", "nac", "pointnet"]
    nan = [run._replace(score=math.nan) if run.model == "vit" else run for run in rows(R2, nac=[-0.5], vit=[0.5])]
    assert [item.first.model for item in group(nan)] == ["nac", "vit"]


def test_a_comparison_names_the_better_one_by_the_metric_s_direction(tmp_path: Path) -> None:
    for model, scores in (("nac", (5.0, 5.1, 4.9)), ("vit", (9.0, 9.2, 9.1))):
        for seed, score in enumerate(scores):
            write_run(tmp_path, made_record(metric=RMSE, model=model, seed=seed, score=score))
    found = compare(read_runs(tmp_path), "nac", "vit", "digits")
    head, first, second, difference, _, verdict = found.lines()
    assert head == "digits · mini · rmse, lower is better"
    assert first == "nac: 5.000 ± 0.248 (3 seeds: 5.000, 5.100, 4.900)"
    assert second == "vit: 9.100 ± 0.248 (3 seeds: 9.000, 9.200, 9.100)"
    assert difference.startswith("difference -4.100 ± 0.248 over 3 shared seeds")
    assert verdict.startswith("nac is better than vit, by 3.852 to 4.348 (95 %)")


# -- from kept predictions ---------------------------------------------------------------------------------------------


def scores_of(seed: int, sharp: float, examples: int = 60) -> Evaluation:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(examples) % 6
    logits = torch.randn(examples, 6, generator=draw) + sharp * torch.nn.functional.one_hot(labels, 6)
    return classification_scores(logits, labels)


def keep(store: Path, scored: Mapping[str, Evaluation], **changes: object) -> Path:
    """The folder of a made run that keeps these predictions; its score is their mean accuracy over splits."""
    counted = [own for name, own in scored.items() if name != "validation"]
    record = made_record(score=float(np.mean([own.metrics["accuracy"] for own in counted])), **changes)
    folder = write_run(store, record)
    write_predictions(folder / "predictions.parquet", scored)
    splits = {"train": 100, **{name: len(own.predictions["index"]) for name, own in scored.items()}}
    content = record.model_dump(mode="json")
    content["data"]["splits"] = splits
    content["files"] = {"predictions.parquet": digest_of(folder / "predictions.parquet")}
    (folder / "record.json").write_text(json.dumps(content))
    return folder


def test_a_report_in_another_metric_needs_predictions_alone(tmp_path: Path) -> None:
    for seed in range(3):
        keep(tmp_path, {"validation": scores_of(9, 0), "test": scores_of(seed, 2.0)}, seed=seed)
        keep(tmp_path, {"test": scores_of(seed, 0.1)}, seed=seed, model="vit")
    write_run(tmp_path, made_record(model="pointnet"))
    found, left_out = rescored(read_runs(tmp_path), "macro-f1")
    assert len(found.runs) == 6
    assert [line.endswith("has no macro-f1: it keeps no predictions") for line in left_out] == [True]
    first = next(run for run in found.runs if (run.model, run.seed) == ("nac", 0))
    assert first.score == MACRO_F1.of(scores_of(0, 2.0).predictions)
    assert Floors(()).of(Series([first], {}, {})) == []  # chance is known of an accuracy alone
    made = group(found.runs)
    assert score_table(made, []).columns[3].head == "test score (%)"
    assert [item.first.model for item in made] == ["nac", "vit"]
    lowest, _ = rescored(read_runs(tmp_path), "nll")
    assert {run.score for run in lowest.runs} == {0.3}  # as recorded, although predictions give another number


def test_an_unknown_metric_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    keep(tmp_path, {"test": scores_of(0, 1.0)})
    with pytest.raises(UserError, match=r"macro-f1"):
        rescored(read_runs(tmp_path), "macro-f2")
    with pytest.raises(UserError, match="its predictions have no target"):
        rescored(read_runs(tmp_path), "rmse")


def test_networks_are_compared_on_examples_in_the_metric_that_is_asked_for(tmp_path: Path) -> None:
    pairs = [scores_of(0, 2.0), scores_of(1, 0.5)]
    for model, scored in zip(("nac", "vit"), pairs, strict=True):
        keep(tmp_path, {"test": scored}, model=model)
    for metric in (ACCURACY, NLL, MACRO_F1, CALIBRATION_ERROR):
        runs, _ = rescored(read_runs(tmp_path), metric.name)
        (on,) = compare(runs, "nac", "vit", "digits").examples
        if metric is not NLL:  # whose values in these records are made up
            assert on.value == pytest.approx(metric.of(pairs[0].predictions) - metric.of(pairs[1].predictions))
        assert on.interval[0] < on.value < on.interval[1]
        assert (on.p is None) == (metric is not ACCURACY)


def test_earlier_records_give_top_5_by_their_logits_or_say_that_they_are_not_kept(tmp_path: Path) -> None:
    scored = scores_of(0, 0.5)
    earlier = {name: column for name, column in scored.predictions.items() if name not in ("rank", "confidence")}
    folder = keep(tmp_path, {"test": Evaluation(metrics=scored.metrics, predictions=earlier)})
    (run,) = read_runs(tmp_path).runs
    assert with_metric(run, "top-5").score == TOP_5.of(scored.predictions)
    assert with_metric(run, "ece").score == pytest.approx(CALIBRATION_ERROR.of(scored.predictions), abs=1e-3)
    leave_logits_out(folder)
    (run,) = read_runs(tmp_path).runs
    with pytest.raises(UserError, match="no rank, and no logits that would give it; run it again"):
        with_metric(run, "top-5")


def test_ranks_stay_when_logits_are_left_out(tmp_path: Path) -> None:
    folder = keep(tmp_path, {"test": scores_of(0, 0.5)})
    before = with_metric(read_runs(tmp_path).runs[0], "top-5").score
    leave_logits_out(folder)
    assert "logits" not in pq.read_schema(folder / "predictions.parquet").names
    assert with_metric(read_runs(tmp_path).runs[0], "top-5").score == before


def test_episodes_are_scored_one_by_one_and_their_labels_are_no_classes(tmp_path: Path) -> None:
    """Twelve queries of five episodes each, for two numbers of shots."""
    episode = np.repeat(np.arange(5, dtype=np.int32), 12)
    scored = {
        f"shots-{k}": Evaluation(metrics=own.metrics, predictions={**own.predictions, "episode": episode})
        for k, own in ((1, scores_of(1, 0.5)), (5, scores_of(5, 1.5)))
    }
    keep(tmp_path, scored, protocol="low-shot")
    (run,) = read_runs(tmp_path).runs
    assert read_kept(run, ACCURACY).value(ACCURACY) == pytest.approx(run.score)
    slow = [
        MACRO_F1.of({name: values[episode == e] for name, values in own.predictions.items()})
        for own in scored.values()
        for e in range(5)
    ]
    assert with_metric(run, "macro-f1").score == pytest.approx(np.mean(slow))
    with pytest.raises(UserError, match="another class in every episode"):
        confusion_matrix([run])


def test_a_confusion_matrix_has_the_classes_shares_and_nan_for_a_class_without_examples(tmp_path: Path) -> None:
    for seed, given in enumerate(([0, 0, 2, 0], [0, 2, 2, 0])):
        columns = {"label": np.array([0, 0, 2, 2]), "prediction": np.array(given), "index": np.arange(4)}
        keep(tmp_path, {"test": Evaluation(metrics={"accuracy": 0.5}, predictions=columns)}, seed=seed)
    runs = read_runs(tmp_path).runs
    shares = confusion_matrix(runs)
    np.testing.assert_allclose(shares, [[0.75, 0, 0.25], [math.nan] * 3, [0.5, 0, 0.5]])
    zero, one, two = class_rows(runs)
    assert (zero["accuracy"], two["accuracy"], zero["examples"]) == (0.75, 0.5, 2)
    assert math.isnan(one["accuracy"])
    assert zero["precision"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_committed_predictions_give_the_recorded_accuracy_for_every_protocol() -> None:
    store = Path(__file__).resolve().parents[2] / "results" / "mini"
    for task in ("digits", "digits-c", "parametric-shapes-pruned", "lowshot-omniglot"):
        kept = [run for run in read_runs(store / task).runs if Path(run.folder, "predictions.parquet").exists()]
        assert kept, task
        for run in kept[:2]:
            assert read_kept(run, ACCURACY).value(ACCURACY) == pytest.approx(run.score, abs=1e-12), task


# -- nacbench metrics --------------------------------------------------------------------------------------------------


def test_all_metrics_of_a_series_are_printed_with_its_classes_and_a_confusion_matrix(tmp_path: Path) -> None:
    folders = [str(keep(tmp_path, {"test": scores_of(seed, 2.0)}, seed=seed)) for seed in range(2)]
    words = ["metrics", *folders, "--classes", "--confusion", str(tmp_path / "matrix.png")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "digits · nac · mini · seeds 0, 1"
    shown = [line.split()[0] for line in lines[1:] if line.split()]
    known = ["accuracy", "nll", "top-5", "macro-f1", "balanced-accuracy", "ece"]
    assert [name for name in shown if name in known] == known
    assert "class" in shown
    assert "r2" not in done.output  # nothing is said of metrics of other kinds of tasks
    assert (tmp_path / "matrix.pdf").stat().st_size > 1000

    found = json.loads(CliRunner().invoke(app, [*words[:3], "--json"]).stdout)
    top = next(metric for metric in found["metrics"] if metric["name"] == "top-5")
    assert top["values"] == {str(seed): TOP_5.of(scores_of(seed, 2.0).predictions) for seed in range(2)}


def test_a_broken_record_among_them_is_named(tmp_path: Path) -> None:
    broken, *_ = [keep(tmp_path, {"test": scores_of(seed, 2.0)}, seed=seed) for seed in range(3)]
    (broken / "record.json").write_text("{")
    done = CliRunner().invoke(app, ["metrics", str(broken.parent)])
    assert done.stdout.splitlines()[0] == "digits · nac · mini · seeds 1, 2"
    assert f"warning: {broken}/record.json" in done.stderr


@pytest.mark.parametrize(
    ("given", "written"), [("my.v1.png", "my.v1"), ("my.v1", "my.v1"), ("my.PDF", "my"), ("m", "m")]
)
def test_the_confusion_matrix_has_the_name_that_was_given(tmp_path: Path, given: str, written: str) -> None:
    folder = keep(tmp_path / "runs", {"test": scores_of(0, 2.0)})
    done = CliRunner().invoke(app, ["metrics", str(folder), "--confusion", str(tmp_path / given)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.glob("m*")) == [f"{written}.pdf", f"{written}.png"]


@pytest.mark.parametrize("place", [".", "..", "/", ""])
def test_a_confusion_matrix_cannot_have_the_name_of_a_folder(tmp_path: Path, place: str) -> None:
    folder = keep(tmp_path, {"test": scores_of(0, 2.0)})
    done = CliRunner().invoke(app, ["metrics", str(folder), "--confusion", place])
    assert "is a folder; give the name of a file" in str(done.exception)


def test_runs_that_differ_in_more_than_their_seed_have_no_common_metrics(tmp_path: Path) -> None:
    folders = [str(keep(tmp_path, {"test": scores_of(0, 2.0)}, model=model)) for model in ("nac", "vit")]
    done = CliRunner().invoke(app, ["metrics", *folders])
    assert "differ in more than their seed" in str(done.exception)


def test_a_report_in_a_metric_of_a_plug_in_is_made_with_the_plug_in(tmp_path: Path) -> None:
    """It knows the usual sizes of the task, too."""
    of_plugin = Metric(name="mae", better="lower", least=0, mean_of="values")
    write_run(tmp_path / "runs", made_record(task="diabetes", size="tiny", scale="smoke", metric=of_plugin, score=40.0))
    given = ["report", str(tmp_path / "runs"), "--out", str(tmp_path / "report")]
    found = CliRunner().invoke(app, [*given, "--plugin", str(REPOSITORY / "examples" / "diabetes.py")])
    assert found.exit_code == 0 and "nac " in found.output and "nac (tiny)" not in found.output
