"""Figures: what is drawn where, and nothing where there is nothing to draw."""

import math
from collections.abc import Iterable
from typing import Any

import pytest

from nacbench.recording.record import RunRecord
from nacbench.recording.row import row_of
from nacbench.reporting.figures.figures import draw_corruptions, draw_cost, draw_scores, draw_shots, draw_sizes
from nacbench.reporting.figures.plots import palette
from nacbench.reporting.series import Series, group
from tests.made import made_record


def series(records: Iterable[RunRecord]) -> list[Series]:
    return group([row_of(record, f"made-{number}", 1, 1) for number, record in enumerate(records)])


def changed(record: RunRecord, **metrics: float) -> RunRecord:
    return record.model_copy(update={"metrics": {**record.metrics, "test": {**record.metrics["test"], **metrics}}})


def sized(modules: int, score: float, seconds: float) -> RunRecord:
    record = made_record(score=score)
    model = {**record.identity["config"]["model"], "modules": modules}
    config = {**record.identity["config"], "model": model}
    cost = record.cost.model_copy(update={"evaluate_seconds": seconds})
    return record.model_copy(update={"identity": {**record.identity, "config": config}, "cost": cost})


def axes_of(figure: Any) -> list[Any]:
    assert figure is not None
    return [axes for axes in figure.axes if axes.axison]


def test_scores_have_a_panel_a_task_and_wide_enough_axes() -> None:
    records = [made_record(seed=seed, score=0.9 + seed / 100) for seed in range(3)]
    records += [made_record(model="vit", score=0.905), made_record(task="cifar10", score=0.5)]
    cifar, digits = axes_of(draw_scores(series(records)))
    assert [label.get_text() for label in digits.get_yticklabels()] == ["nac", "vit"]
    assert cifar.get_title("left") == "cifar10, mini (dashed: chance)"
    assert all(high - low >= 12 - 1e-9 for low, high in (cifar.get_xlim(), digits.get_xlim()))
    many, single = digits.containers
    assert many.lines[0].get_markerfacecolor() == palette(["nac"])["nac"]
    assert single.lines[0].get_markerfacecolor() == "white"
    assert (many.has_xerr, single.has_xerr) == (True, False)


def test_many_panels_of_scores_are_in_two_balanced_columns() -> None:
    figure = draw_scores(series([made_record(task=f"task-{number:02}") for number in range(11)]))
    assert figure is not None
    left, right = figure.subfigs
    assert [len(left.axes), len(right.axes)] in ([5, 6], [6, 5])
    titles = [axes.get_title("left") for axes in axes_of(figure)]
    assert sorted(titles) == [f"task-{number:02}, mini (dashed: chance)" for number in range(11)]
    assert titles == sorted(titles)
    assert [axes.get_xlabel() != "" for axes in left.axes] == [False] * (len(left.axes) - 1) + [True]
    assert axes_of(draw_scores(series([made_record()])))[0].get_xlabel() == "accuracy (%)"


def test_axes_of_scores_stay_within_0_and_100() -> None:
    records = [made_record(seed=seed, score=score) for seed, score in enumerate((0.7, 0.99, 0.999))]
    (axes,) = axes_of(draw_scores(series(records)))
    assert axes.get_xlim()[1] <= 101, "their interval reaches beyond 100 %"


def test_the_cost_figure_has_the_pareto_front() -> None:
    def record(model: str, score: float, flops: int) -> RunRecord:
        made = made_record(model=model, score=score)
        return made.model_copy(update={"cost": made.cost.model_copy(update={"forward_flops": flops})})

    (axes,) = axes_of(
        draw_cost(
            series([record("nac", 0.9, 3 * 10**9), record("vit", 0.8, 10**9), record("pointnet", 0.7, 2 * 10**9)])
        )
    )
    (front,) = [line for line in axes.lines if line.get_color() == "0.6"]
    assert front.get_xydata().tolist() == [[1.0, 80.0], [3.0, 90.0]]
    assert axes.get_xlim() == pytest.approx((0.5, 9.0))
    assert draw_cost(series([made_record()])) is None


def test_variants_at_equal_cost_are_shifted() -> None:
    records = [made_record(seed=seed, score=score) for seed, score in enumerate((0.5, 0.99, 0.999))]
    records += [made_record(seed=seed, score=0.9, lr=0.003) for seed in range(3)]
    (axes,) = axes_of(draw_cost(series(records)))
    points = [line for line in axes.lines if line.get_marker() in "os"]
    assert sorted(line.get_marker() for line in points) == ["o", "s"]
    places = [line.get_transform().transform(line.get_xydata()[0])[0] for line in points]
    assert places[0] != places[1]
    low, high = axes.get_ylim()
    assert high == 101
    assert low < 50, "the interval of the first reaches below"


def test_shots_have_a_logarithmic_axis_and_intervals() -> None:
    record = changed(
        made_record(task="lowshot", protocol="low-shot"), **{f"accuracy/{k}-shot": k / 50 for k in (4, 1, 16)}
    )
    splits = {f"shots-{k}": {"accuracy": k / 50, "half_width_95": 0.01} for k in (1, 4, 16)}
    record = record.model_copy(update={"metrics": {**record.metrics, **splits}})
    (axes,) = axes_of(draw_shots(series([record])))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4", "16"]
    assert axes.containers[0].lines[0].get_ydata().tolist() == [2, 8, 32]
    assert draw_shots(series([made_record()])) is None


def test_corruptions_are_beside_the_clean_error() -> None:
    metrics = {"clean_accuracy": 0.95, "error/fog": 0.4, "error/jpeg_compression": 0.2}
    panel, _ = axes_of(draw_corruptions(series([changed(made_record(task="digits-c", protocol="ood"), **metrics)])))
    assert [label.get_text() for label in panel.get_xticklabels()] == ["clean", "fog", "jpeg compression"]
    assert [text.get_text() for text in panel.texts] == ["5", "40", "20", "90", "90", "90"]  # chance last
    assert draw_corruptions(series([made_record()])) is None


def test_sizes_show_the_measured_speed_up() -> None:
    (axes,) = axes_of(draw_sizes(series([sized(320, 0.9, 8.0), sized(80, 0.88, 2.0), sized(40, 0.8, 1.0)])))
    assert [text.get_text() for text in axes.texts] == ["8.0×", "4.0×", "1.0×"]
    assert axes.lines[0].get_xdata().tolist() == [40, 80, 320]
    assert draw_sizes(series([sized(320, 0.9, 8.0)])) is None
    assert draw_sizes(series([made_record()])) is None


def test_a_model_keeps_its_colour_in_every_figure() -> None:
    assert palette(["nac", "a"])["nac"] == palette(["b", "nac"])["nac"]
    assert not any(math.isnan(part) for part in palette(["nac"])["nac"])
