"""The table and the figure of pruned networks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacbench.contracts.metric import ACCURACY, NLL, Metric
from nacbench.data.metrics.values import R2
from nacbench.recording.record import RunRecord
from nacbench.recording.row import row_of
from nacbench.reporting.build import build_report
from nacbench.reporting.figures.pruning import TOLERATED, draw_pruning
from nacbench.reporting.figures.style import FLOOR_COLOUR
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.pruning import WHOLE, loss_of, pruning_table, shares_of
from nacbench.reporting.tables.table import percent
from nacbench.statistics import Mean
from tests.made import made_record, write_run


def pruned(seed: int, scores: dict[int, float], kept: float) -> RunRecord:
    record = made_record(task="digits-pruned", seed=seed, protocol="pruned", trained_on="digits")
    test = {"accuracy": scores[round(100 * kept)], "kept": kept}
    measured = {
        f"kept/{share}": {
            "speedup": 100 / share,
            "seconds": share / 1000,
            "single_seconds": share / 1e5,
            "examples_per_second": 1e5 / share,
            "forward_flops": share * 1e6,
            "parameters": 1000.0 + share,
            "peak_tensor_bytes": share * 1e5,
            "single_speedup": 1.0,
        }
        for share in scores
    }
    metrics = {"test": test, **{f"kept/{share}": {"accuracy": score} for share, score in scores.items()}}
    return record.model_copy(update={"metrics": metrics, "measured": measured})


@pytest.fixture
def series() -> list[Series]:
    records = [pruned(0, {100: 0.9, 50: 0.88, 10: 0.5}, 0.5), pruned(1, {100: 0.8, 50: 0.78, 10: 0.4}, 1.0)]
    return group([row_of(record, str(number), 0, 0) for number, record in enumerate([*records, made_record()])])


def test_every_share_has_a_row_with_its_cost(series: list[Series]) -> None:
    table = pruning_table(series)
    assert table is not None
    assert [row[3].strip() for row in table.rows] == ["100†", "50†", "10"]
    assert [row[6] for row in table.rows] == ["1.0 ×", "2.0 ×", "10.0 ×"]
    assert [row[9] for row in table.rows] == ["0.100", "0.050", "0.010"]
    assert table.frame["chosen_by_seeds"].tolist() == [1, 1, 0]
    assert table.frame["relative_drop"].tolist() == pytest.approx([0, (2 / 90 + 2 / 80) / 2, (4 / 9 + 1 / 2) / 2])
    assert pruning_table([item for item in series if item.is_trained_here]) is None


def test_losses_are_relative_to_the_same_run_s_whole_network(series: list[Series]) -> None:
    item = next(own for own in series if not own.is_trained_here)
    assert shares_of(item) == ["kept/100", "kept/50", "kept/10"]
    loss = loss_of(item, "kept/100")
    assert loss.value == 0
    assert math.isnan(loss.half_width), "nothing was measured: it is 0 by definition"
    assert not math.isnan(loss_of(item, "kept/10").half_width)


def test_the_figure_has_shares_beside_speeds(series: list[Series]) -> None:
    (figure,) = draw_pruning(series)
    by_share, by_speed = figure.axes
    shares, speeds = (np.asarray(_curve(axes).get_xydata()).T.tolist() for axes in (by_share, by_speed))
    assert shares == [[100, 50, 10], pytest.approx([85, 83, 45])]
    assert speeds == [[1, 2, 10], pytest.approx([85, 83, 45])]
    assert by_speed.get_xlim()[1] >= 8
    assert draw_pruning([]) == []


def test_a_loss_that_rounds_to_zero_has_no_sign() -> None:
    assert percent(Mean(-0.00001, 0.01, 3)) == "0.00 ± 1.00"
    assert percent(Mean(-0.0001, 0.01, 3)) == "-0.01 ± 1.00"


def _curve(axes: Any) -> Any:
    """The line through all points; intervals are lines of their own."""
    return max(axes.get_lines(), key=lambda line: len(line.get_xdata()))


@pytest.mark.parametrize(("metric", "whole", "pruned", "loss"), [(NLL, 0.5, 0.6, 0.2), (R2, -2.0, -3.0, 0.5)])
def test_a_loss_is_positive_where_the_score_is_worse(metric: Metric, whole: float, pruned: float, loss: float) -> None:
    record = made_record(task="digits-pruned", metric=metric, score=pruned)
    metrics = {"test": record.metrics["test"], WHOLE: {metric.name: whole}, "kept/0.25": {metric.name: pruned}}
    (item,) = group([row_of(record.model_copy(update={"metrics": metrics}), "0", 1, 1)])
    assert loss_of(item, "kept/0.25").value == pytest.approx(loss)


@pytest.mark.parametrize(("metric", "whole"), [(ACCURACY, 0.8), (NLL, 0.5), (R2, -2.0)])
def test_the_figure_s_dotted_line_is_where_the_table_says_that_the_tolerated_share_is_lost(
    metric: Metric, whole: float
) -> None:
    worse = whole - metric.gain(TOLERATED * abs(whole))
    record = made_record(task="digits-pruned", metric=metric, score=worse)
    test = {**record.metrics["test"], "kept": 0.25}
    metrics = {"test": test, WHOLE: {metric.name: whole}, "kept/25": {metric.name: worse}}
    measured = {WHOLE: {"speedup": 1.0}, "kept/25": {"speedup": 4.0}}
    changed = record.model_copy(update={"metrics": metrics, "measured": measured})
    (item,) = group([row_of(changed, "0", 1, 1)])
    assert loss_of(item, "kept/25").value == pytest.approx(TOLERATED)
    (figure,) = draw_pruning([item])
    (line,) = [own for own in figure.axes[1].lines if own.get_linestyle() == "--" and own.get_color() != FLOOR_COLOUR]
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([metric.scaled(worse)] * 2)


def test_a_metric_that_no_share_has_is_said_to_leave_the_table_out(tmp_path: Path) -> None:
    record = pruned(0, {100: 0.9, 50: 0.88}, 0.5)
    test = {**record.metrics["test"], "nll": 0.3}
    write_run(tmp_path / "runs", record.model_copy(update={"metrics": {**record.metrics, "test": test}}))
    report = build_report([tmp_path / "runs"], tmp_path / "report", metric="nll")
    assert not (tmp_path / "report" / "pruning.csv").exists()
    line = "digits-pruned is not in the table and figure of fewer modules: its records have no nll at each share"
    assert report.warnings == [line]
    assert build_report([tmp_path / "runs"], tmp_path / "report").warnings == []
    assert (tmp_path / "report" / "pruning.csv").exists()
