"""Comparing two models: what is paired, what is tested, and what may be said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nacbench.contracts.metric import ACCURACY
from nacbench.contracts.recipe import BEST_TEST
from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of
from nacbench.recording.index import read_runs
from nacbench.reporting.comparing import compare, only_task
from nacbench.reporting.comparison import Comparison
from nacbench.statistics import mcnemar
from tests.made import folder_of, made_record, write_run


def write(store: Path, model: str, scores: list[float], *, first_seed: int = 0, **changes: object) -> None:
    """Runs of a model, a score a seed."""
    for seed, score in enumerate(scores, first_seed):
        write_run(store, made_record(model=model, seed=seed, score=score, **changes))


def predict(store: Path, model: str, right: np.ndarray, splits: list[str], **columns: np.ndarray) -> None:
    """Predictions of a model's run with seed 0: whether each answer is right."""
    folder = folder_of(store, model=model)
    labels = np.zeros(len(right), dtype=np.int32)
    frame = {"split": splits, "index": np.arange(len(right)), "label": labels, "prediction": 1 - right}
    pd.DataFrame({**frame, **columns}).to_parquet(folder / "predictions.parquet")
    name_predictions(folder)


def name_predictions(folder: Path) -> None:
    """Write the SHA-256 of a run's predictions into its record, as the run does."""
    files = {"predictions.parquet": digest_of(folder / "predictions.parquet")}
    record = folder / "record.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "files": files}))


def compared(store: Path, first: str = "nac", second: str = "vit", scale: str | None = None) -> Comparison:
    return compare(read_runs(store), first, second, "digits", scale)


def test_scores_of_which_one_is_better_higher_and_the_other_lower_are_not_compared(tmp_path: Path) -> None:
    """As where a plug-in's metric was corrected between two runs: the order of the names would decide who is better."""
    write(tmp_path, "nac", [0.70, 0.71, 0.72])
    write(tmp_path, "vit", [0.80, 0.81, 0.82], metric=replace(ACCURACY, better="lower"))
    for pair in (("nac", "vit"), ("vit", "nac")):
        with pytest.raises(UserError, match=r"different main metrics \(accuracy \(%, higher is better\) and accuracy"):
            compare(read_runs(tmp_path), *pair, "digits")


def test_a_clear_difference_is_stated_with_its_interval(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90, 0.92, 0.91])
    write(tmp_path, "vit", [0.88, 0.895, 0.89])
    found = compared(tmp_path)
    assert found.difference is not None
    assert found.difference.p == pytest.approx(0.005865, abs=1e-6)
    assert found.verdict.startswith("nac is better than vit, by 1.")
    assert compared(tmp_path, "vit", "nac").verdict == found.verdict
    assert "nac: 91.00 ± 2.48 (3 seeds: 90.00, 92.00, 91.00)" in found.lines()


def test_an_epoch_chosen_on_test_is_compared_with_its_like_alone(tmp_path: Path) -> None:
    write(tmp_path, "vit", [0.88])
    record = made_record(model="nac")
    chosen = record.selection.model_copy(update={"rule": BEST_TEST})
    write_run(tmp_path, record.model_copy(update={"selection": chosen}))
    with pytest.raises(UserError, match=r"different entries in tables \(digits \(epoch chosen on test\) and digits\)"):
        compared(tmp_path)


def test_no_difference_is_no_proof_of_equality(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90, 0.92, 0.91])
    write(tmp_path, "vit", [0.91, 0.90, 0.92])
    verdict = compared(tmp_path).verdict
    assert verdict.startswith("No difference between nac and vit is shown: it lies between -")
    assert "does not show that they are equal: 3 seeds with this spread find a difference of " in verdict


def test_what_differs_around_two_runs_is_a_warning(tmp_path: Path) -> None:
    for model, threads, settings in (("nac", 1, {}), ("vit", 2, {"MKL_CBWR": "COMPATIBLE"})):
        record = made_record(model=model)
        hardware = record.environment.hardware.model_copy(update={"threads": threads, "cores": threads})
        environment = record.environment.model_copy(update={"hardware": hardware, "settings": settings})
        write_run(tmp_path, record.model_copy(update={"environment": environment}))
    (line,) = (line for line in compared(tmp_path).warnings if "threads differ (" in line)
    assert line == "threads differ (1, 2), MKL_CBWR differs (—, COMPATIBLE): last digits can differ by that alone"


def test_one_shared_seed_or_none_gives_no_conclusion(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    write(tmp_path, "pointnet", [0.7], first_seed=5)
    assert "With one shared seed there is no conclusion" in compared(tmp_path).verdict
    assert "share no seed" in compared(tmp_path, "nac", "pointnet").verdict


def test_networks_are_compared_on_the_same_examples(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    rng = np.random.default_rng(0)
    a, b = (rng.random(500) < share for share in (0.9, 0.8))
    splits = ["test"] * 400 + ["validation"] * 100
    for model, right in (("nac", a), ("vit", b)):
        predict(tmp_path, model, right.astype(int), splits)
    (on,) = compared(tmp_path).examples
    assert (on.units, on.unit) == (400, "examples")
    assert on.p == mcnemar(a[:400], b[:400])
    assert on.value == pytest.approx(a[:400].mean() - b[:400].mean())
    assert on.interval[0] < on.value < on.interval[1]
    assert "seed 0: these two networks differ by +" in "\n".join(compared(tmp_path).lines())


def test_an_image_under_many_corruptions_is_one_unit_and_so_is_an_episode(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    right = np.random.default_rng(1).integers(0, 2, 60)
    splits = [f"ood/fog-{number // 20}" for number in range(60)]
    index = np.tile(np.arange(20), 3)
    for model in ("nac", "vit"):
        predict(tmp_path, model, right if model == "nac" else 1 - right, splits, index=index)
    (on,) = compared(tmp_path).examples
    assert (on.units, on.unit, on.p) == (20, "examples", None)
    for model in ("nac", "vit"):
        predict(tmp_path, model, right, ["shots-1"] * 60, episode=np.repeat(np.arange(6), 10))
    (on,) = compared(tmp_path).examples
    assert (on.units, on.unit, on.value) == (6, "episodes", 0)


def test_predictions_that_do_not_match_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    predict(tmp_path, "nac", np.ones(10, int), ["test"] * 10)
    assert compared(tmp_path).examples == []  # the other has none
    predict(tmp_path, "vit", np.ones(9, int), ["test"] * 9)
    assert compared(tmp_path).examples == []
    predict(tmp_path, "vit", np.ones(10, int), ["test"] * 10, label=np.arange(10))
    assert compared(tmp_path).examples == []
    assert compared(tmp_path).warnings == [
        f"run {made_record(model='nac').run_id} (nac, seed 0) and run {made_record(model='vit').run_id} (vit, seed 0) "
        "were evaluated on different examples"
    ]


def recorded(store: Path) -> Path:
    """The predictions of two runs; the second run's file."""
    for model in ("nac", "vit"):
        write(store, model, [0.9])
        predict(store, model, np.arange(10) % 2, ["test"] * 10)
    return folder_of(store, model="vit") / "predictions.parquet"


def test_changed_predictions_are_not_compared(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    assert (len(compared(tmp_path).examples), compared(tmp_path).warnings) == (1, [])
    left_out = f"run {path.parent.name} (vit, seed 0) is not compared on examples: "
    table = pd.read_parquet(path)
    table.assign(prediction=1).to_parquet(path)
    changed = compared(tmp_path)
    assert changed.examples == []
    assert changed.warnings == [
        f"{left_out}{path} is damaged or changed: its SHA-256 is not the one in the record",
    ]
    path.unlink()
    assert compared(tmp_path).examples == []
    assert compared(tmp_path).warnings == [f"{left_out}{path} is missing"]


def test_a_copy_without_predictions_is_told_of_in_one_line(tmp_path: Path) -> None:
    first = recorded(tmp_path)
    for model in ("nac", "vit"):
        write(tmp_path, model, [0.9, 0.9], first_seed=1)
    folders = {(run.model, run.seed): Path(run.folder) for run in read_runs(tmp_path).runs}
    for key in (("vit", 1), ("nac", 2), ("vit", 2)):
        (folders[key] / "predictions.parquet").write_bytes(first.read_bytes())
        name_predictions(folders[key])
        (folders[key] / "predictions.parquet").unlink()
    found = compared(tmp_path)
    assert len(found.examples) == 1
    assert found.warnings == ["seeds 1, 2 are not compared on examples: files of their predictions are missing"]


def test_predictions_that_the_record_does_not_name_are_not_compared(tmp_path: Path) -> None:
    record = recorded(tmp_path).with_name("record.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "files": {}}))
    assert compared(tmp_path).examples == []


def test_no_model_is_better_by_more_than_is_possible(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.99, 0.95, 1.0])
    write(tmp_path, "vit", [0.01, 0.1, 0.2])
    verdict = compared(tmp_path).verdict
    assert verdict.startswith("nac is better than vit, by 64.59 to 100.00 points (95 %)")


def test_an_interval_of_differences_ends_where_differences_end(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.1, 0.9])
    write(tmp_path, "vit", [0.9, 0.1])
    assert "it lies between -100.00 and +100.00 points (95 %)" in compared(tmp_path).verdict
    assert "seldom find even the largest difference that is possible" in compared(tmp_path).verdict


def test_broken_predictions_are_a_warning_and_absent_ones_are_not(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    assert compared(tmp_path).warnings == []  # nothing was recorded
    folder = folder_of(tmp_path, model="vit")
    (folder / "predictions.parquet").write_text("broken")
    name_predictions(folder)
    assert compared(tmp_path).examples == []
    (warning,) = compared(tmp_path).warnings
    assert "predictions.parquet cannot be read as Parquet: " in warning


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("index", [f"{number}" for number in range(10)]),
        ("label", [[0]] * 10),
        ("label", [0.5] * 10),
        ("prediction", [None, *range(9)]),
        ("prediction", [{"a": 1}] * 10),
        ("split", [*range(10)]),
        ("episode", [b"1"] * 10),
    ],
)
def test_predictions_of_other_types_are_a_warning(tmp_path: Path, name: str, values: list[object]) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    predict(tmp_path, "nac", np.ones(10, int), ["test"] * 10)
    frame = {"split": ["test"] * 10, "index": [*range(10)], "label": [0] * 10, "prediction": [1] * 10, name: values}
    folder = folder_of(tmp_path, model="vit")
    pd.DataFrame(frame).to_parquet(folder / "predictions.parquet")
    name_predictions(folder)
    assert compared(tmp_path).examples == []
    (warning,) = compared(tmp_path).warnings
    assert f"predictions.parquet: the column {name} is " in warning and "and should be " in warning


def test_a_small_p_is_a_bound(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.9, 0.9001, 0.9002, 0.9])
    write(tmp_path, "vit", [0.5, 0.5, 0.5001, 0.5001])
    text = "\n".join(compared(tmp_path).lines())
    assert text.count("p < 0.0001") == 2
    assert "p = <" not in text


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("nac", "nac", "are the same runs"),
        (
            "nac",
            "zebra",
            r"'zebra' is not a model or a run's id here; there are: nac; perceiver-io, lr=.*; vit",
        ),
        (
            "nac",
            "perceiver-io",
            r"'perceiver-io' is not unique here: .*lr=0.001 .*; name a label or an id, or choose with --where$",
        ),
    ],
)
def test_series_that_cannot_be_compared_are_refused(tmp_path: Path, first: str, second: str, message: str) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80])
    for lr in (0.001, 0.003):
        write(tmp_path, "perceiver-io", [0.7], lr=lr)
    with pytest.raises(UserError, match=message):
        compared(tmp_path, first, second)
    for label in ("perceiver-io, lr=0.003", "perceiver-io (mini), training.lr=0.003"):
        assert compared(tmp_path, "nac", label).second.label == "perceiver-io, lr=0.003"


def test_a_model_s_plain_name_is_its_variant_with_default_options(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    for lr in (0.001, 0.002):  # the task's own is 0.002
        write(tmp_path, "vit", [0.8], lr=lr)
    assert compared(tmp_path, "nac", "vit").second.variant == "training.lr=0.002"
    assert compared(tmp_path, "vit", "vit, lr=0.001").second.variant == "training.lr=0.001"


def test_a_task_without_runs_and_other_scales_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "nac", [0.90])
    write(tmp_path, "vit", [0.80], scale="paper", size="paper")
    with pytest.raises(UserError, match=r"have different scale \(mini and paper\)"):
        compared(tmp_path)
    with pytest.raises(UserError, match="no finished run of task 'cifar10'; there are: digits"):
        compare(read_runs(tmp_path), "nac", "vit", "cifar10")
    with pytest.raises(UserError, match=r"of task 'digits' at scale 'smoke'; there are scales: mini, paper$"):
        compared(tmp_path, scale="smoke")
    write(tmp_path, "vit", [0.80])
    with pytest.raises(UserError, match=r"name a label or an id, or choose with --where, or give --scale$"):
        compared(tmp_path)


def test_without_a_named_task_it_is_the_one_that_both_have(tmp_path: Path) -> None:
    for model, tasks in {"nac": ("digits", "cifar10"), "vit": ("digits",), "pointnet": ("modelnet40",)}.items():
        for task in tasks:
            write(tmp_path, model, [0.9], task=task)
    runs = read_runs(tmp_path).runs
    one = next(run for run in runs if (run.task, run.model) == ("digits", "nac"))
    assert only_task(runs, "nac", "vit") == only_task(runs, "vit", one.run_id[:6]) == "digits"
    with pytest.raises(UserError, match="'nac' and 'nac' have runs of several tasks: cifar10, digits; name one with"):
        only_task(runs, "nac", "nac")
    with pytest.raises(UserError, match="no task has runs of both: 'nac' has cifar10, digits, and 'pointnet' has mod"):
        only_task(runs, "nac", "pointnet")
    with pytest.raises(UserError, match="'vot' is not a model or a run's id here; did you mean 'vit'"):
        only_task(runs, "nac", "vot")
