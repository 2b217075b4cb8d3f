"""Figures: what is drawn where, and nothing where there is nothing to draw."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

from nacbench.contracts.metric import Metric
from nacbench.recording.record import RunRecord
from nacbench.recording.row import row_of
from nacbench.reporting.figures.cost import draw_cost, draw_sizes
from nacbench.reporting.figures.curves import draw_curves
from nacbench.reporting.figures.layout import MOST_ROWS, panels_of
from nacbench.reporting.figures.protocols import draw_corruptions, draw_shots
from nacbench.reporting.figures.saving import save_pages
from nacbench.reporting.figures.scores import draw_scores
from nacbench.reporting.figures.style import COLUMN, PAGE, SMALL, TALLEST, Encoding
from nacbench.reporting.series import Series, group
from tests.made import made_record, write_run

ARROWS = {"left": 4, "right": 5, "up": 6, "down": 7}  # matplotlib's numbers of carets


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


def costing(record: RunRecord, flops: int) -> RunRecord:
    return record.model_copy(update={"cost": record.cost.model_copy(update={"forward_flops": flops})})


def axes_of(pages: Iterable[Any]) -> list[Any]:
    return [axes for figure in pages for axes in figure.axes if axes.axison]


def marked(axes: Any, marker: Any) -> list[Any]:
    """Lines of a panel that are drawn with this marker."""
    return [line for line in axes.lines if line.get_marker() == marker]


def of_seeds(*scores: float, **changes: Any) -> list[RunRecord]:
    return [made_record(seed=seed, score=score, **changes) for seed, score in enumerate(scores)]


def test_scores_have_a_panel_a_task_and_wide_enough_axes() -> None:
    records = [
        *of_seeds(0.9, 0.91, 0.92),
        made_record(model="vit", score=0.905),
        made_record(task="cifar10", score=0.5),
    ]
    cifar, digits = axes_of(draw_scores(series(records)))
    assert [label.get_text() for label in digits.get_yticklabels()] == ["nac", "vit"]
    assert cifar.get_title("left") == "cifar10"
    assert all(high - low >= 12 - 1e-9 for low, high in (cifar.get_xlim(), digits.get_xlim()))


def test_rows_that_were_not_treated_equally_have_their_marks_in_the_figure_of_scores() -> None:
    (axes,) = axes_of(draw_scores(series([made_record(), made_record(model="vit", training={"epochs": 9})])))
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == ["nac §1", "vit §2"]


def test_a_panel_has_the_first_rows_of_very_many_and_says_so() -> None:
    rows = series(made_record(lr=number / 1000, score=number / 100) for number in range(1, 31))
    ((title, shown),) = panels_of(rows)
    assert title == f"digits, first {MOST_ROWS} of 30"
    assert shown == rows[:MOST_ROWS]
    assert panels_of(rows[:MOST_ROWS]) == [("digits", rows[:MOST_ROWS])]


def test_scores_show_every_seed_beside_the_mean_and_its_interval() -> None:
    (axes,) = axes_of(draw_scores(series([*of_seeds(0.9, 0.91, 0.95), made_record(model="vit", score=0.905)])))
    mean, seeds = marked(axes, "o")[1], marked(axes, "o")[0]
    assert list(seeds.get_xdata()) == [90, 91, 95]
    assert mean.get_xdata() == pytest.approx([92])
    assert len(marked(axes, "|")) == 2, "the caps of one interval: a single seed has none"
    assert len(marked(axes, "^")) == 1, "a single seed is its own mean"


def test_many_panels_of_scores_are_in_two_balanced_columns() -> None:
    (figure,) = draw_scores(series([made_record(task=f"task-{number:02}") for number in range(11)]))
    left, right = figure.subfigs
    assert [len(left.axes), len(right.axes)] in ([5, 6], [6, 5])
    assert [axes.get_title("left") for axes in axes_of([figure])] == [f"task-{number:02}" for number in range(11)]
    assert [axes.get_xlabel() != "" for axes in left.axes] == [False] * (len(left.axes) - 1) + [True]
    assert axes_of(draw_scores(series([made_record()])))[0].get_xlabel() == "accuracy (%)"


def test_intervals_of_scores_are_cut_at_0_and_100_with_an_arrow() -> None:
    (axes,) = axes_of(draw_scores(series([*of_seeds(0.7, 0.99, 0.999), *of_seeds(0.0, 0.02, 0.2, model="vit")])))
    assert axes.get_xlim() == (-1, 101)
    (right,), (left,) = marked(axes, ARROWS["right"]), marked(axes, ARROWS["left"])
    assert (right.get_xdata(), left.get_xdata()) == ([100], [0])
    assert len(marked(axes, "|")) == 2, "the ends that are not cut"


def test_the_cost_figure_has_the_pareto_front() -> None:
    costs = {"nac": (0.9, 3 * 10**9), "vit": (0.8, 10**9), "pointnet": (0.7, 2 * 10**9)}
    records = [costing(made_record(model=model, score=score), flops) for model, (score, flops) in costs.items()]
    (axes,) = axes_of(draw_cost(series(records)))
    (front,) = [line for line in axes.lines if line.get_color() == "0.6"]
    assert front.get_xydata().tolist() == [[1.0, 80.0], [3.0, 90.0]]
    assert axes.get_xlim() == pytest.approx((0.5, 6.0))
    assert draw_cost(series([made_record()])) == []
    assert draw_cost(series([made_record(), made_record(lr=0.1)])) == [], "variants that cost the same"


def test_points_stand_where_they_were_measured_also_at_equal_cost() -> None:
    other = costing(made_record(model="vit"), 10**9)
    mine = series([*of_seeds(0.5, 0.99, 0.999), *of_seeds(0.9, 0.9, 0.9, lr=0.003), other])
    (figure,) = draw_cost(mine)
    (axes,) = axes_of([figure])
    points = marked(axes, "o")
    assert [line.get_xdata()[0] for line in points] == [0.021, 0.021]
    assert all(line.get_transform() == axes.transData for line in points), "nothing shifts them"
    assert [line.get_fillstyle() for line in points] == ["full", "none"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["nac, lr=0.001", "nac, lr=0.003"]
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
    (line,) = marked(axes, "o")
    assert line.get_xydata().tolist() == [[1, 2], [4, 8], [16, 32]]
    assert [mark.get_xdata()[0] for mark in marked(axes, "_")] == [1, 1, 4, 4, 16, 16]
    (figure,) = draw_shots(series([record]))
    assert figure.legends[0].get_texts()[-1].get_text().startswith("guessing: ")  # other floors are lines of their own
    assert draw_shots(series([made_record()])) == []


def test_corruptions_are_beside_the_clean_error_in_one_range_of_colours() -> None:
    metrics = {"clean_accuracy": 0.95, "error/fog": 0.4, "error/jpeg_compression": 0.2}
    records = [changed(made_record(task=task, protocol="ood"), **metrics) for task in ("cifar10-c", "digits-c")]
    cifar, digits, _ = axes_of(draw_corruptions(series(records)))
    assert [label.get_text() for label in digits.get_xticklabels()] == ["clean", "fog", "jpeg compression"]
    assert [text.get_text() for text in digits.texts] == ["5", "40", "20", "90", "90", "90"]  # chance last
    assert [axes.images[0].get_clim() for axes in (cifar, digits)] == [(0, 100), (0, 100)]
    assert draw_corruptions(series([made_record()])) == []


def test_sizes_show_the_measured_speed_up() -> None:
    (axes,) = axes_of(draw_sizes(series([sized(320, 0.9, 8.0), sized(80, 0.88, 2.0), sized(40, 0.8, 1.0)])))
    assert [text.get_text() for text in axes.texts] == ["8.0×", "4.0×", "1.0×"]
    assert axes.lines[0].get_xdata().tolist() == [40, 80, 320]
    assert draw_sizes(series([sized(320, 0.9, 8.0)])) == []
    assert draw_sizes(series([made_record()])) == []


def with_curves(store: Path, tasks: int) -> list[Series]:
    folders = [(made := made_record(task=f"task-{n:02}"), write_run(store, made)) for n in range(tasks)]
    return group([row_of(record, str(folder), 1, 1) for record, folder in folders])


def test_curves_of_many_tasks_are_several_pages_that_fit_on_paper(tmp_path: Path) -> None:
    pages = draw_curves(with_curves(tmp_path / "runs", 12), [])
    assert [len(axes_of([page])) for page in pages] == [16, 8]
    assert all(page.get_figwidth() == PAGE and page.get_figheight() <= TALLEST for page in pages)
    loss, accuracy, *_ = axes_of(pages)
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("training loss", "validation accuracy (%)")
    assert [line.get_ydata().tolist() for line in marked(accuracy, "o")] == [[40, 80]]
    names = [[path.name for path in page] for page in save_pages(pages, tmp_path / "curves")]
    assert names == [["curves.png", "curves.pdf"], ["curves-2.png", "curves-2.pdf"]]


def test_figures_are_as_wide_as_a_column_or_a_page_and_their_text_is_not_small(tmp_path: Path) -> None:
    few, many = series([made_record()]), series([made_record(task=f"task-{n:02}") for n in range(11)])
    variants = series([costing(made_record(model="m" * 40, lr=n / 100), n * 10**9) for n in range(1, 9)])
    pages = [*draw_scores(few), *draw_scores(many), *draw_scores(variants), *draw_cost(variants)]
    assert [page.get_figwidth() for page in pages] == [COLUMN, PAGE, PAGE, COLUMN]
    for page in [*pages, *draw_curves(with_curves(tmp_path, 2), [])]:
        assert page.get_figheight() <= TALLEST + 0.5
        assert all(float(text.get_fontsize()) >= SMALL for text in page.findobj(Text) if text.get_text())


def test_fonts_are_embedded_whole(tmp_path: Path) -> None:
    ((_, pdf),) = save_pages(draw_scores(series([made_record()])), tmp_path / "scores")
    content = pdf.read_bytes()
    assert b"/FontFile2" in content, "TrueType"
    assert b"/Type3" not in content


def test_figures_of_a_metric_that_is_no_share_have_its_unit_range_and_direction() -> None:
    error = Metric(name="mae", better="lower", least=0, unit="m")
    worse = [costing(record, 10**9) for record in of_seeds(7.0, 9.0, metric=error, model="vit")]
    mine = series([*of_seeds(0.5, 3.0, metric=error), *worse])
    (axes,) = axes_of(draw_scores(mine))
    assert axes.get_xlabel() == "mae (m, lower is better)"
    assert list(marked(axes, "o")[0].get_xdata()) == [0.5, 3.0]
    (arrow,) = [line for line in marked(axes, ARROWS["left"]) if line.get_color() == Encoding(mine).of(mine[0]).colour]
    assert arrow.get_xdata() == [0], "no error is below zero"
    (axes,) = axes_of(draw_cost(mine))
    (front,) = [line for line in axes.lines if line.get_color() == "0.6"]
    assert front.get_xydata().tolist() == [[0.021, 1.75]], "the smaller error is the better one"


def test_a_legend_names_each_look_once_for_all_panels() -> None:
    records = [made_record(task=task) for task in ("cifar10", "digits")]
    records += [costing(made_record(task=task, model="vit"), 10**9) for task in ("cifar10", "digits")]
    (figure,) = draw_cost(mine := series(records))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["nac", "vit", "best floor: chance"]
    looks = Encoding(mine)
    for axes in axes_of([figure]):
        drawn = {(line.get_color(), line.get_marker()) for line in axes.lines}
        assert {(looks.of(item).colour, looks.of(item).marker) for item in mine} <= drawn


@pytest.mark.parametrize(("least", "most"), [(1, 1), (1, 3), (1, 40), (1, 10**6), (7, 7), (1, 10**9)])
def test_costs_have_a_few_ticks_whatever_their_range(least: int, most: int) -> None:
    costs = {"nac": least * 10**7, "vit": most * 10**7}
    mine = series(costing(made_record(model=model), flops) for model, flops in costs.items())
    (axes,) = axes_of(draw_cost(mine))
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 5
    assert len(axes.get_xticks(minor=True)) == 0
