"""The tables: of scores, of shifted data, of few shots."""

import copy
import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nacbench.formats.escape import csv_of
from nacbench.recording.identity import run_id_of
from nacbench.recording.index import read_runs
from nacbench.recording.record import Failure, RunRecord
from nacbench.recording.row import row_of
from nacbench.registry import MODELS
from nacbench.reporting.rescored import with_metric
from nacbench.reporting.series import Series, group
from nacbench.reporting.tables.adaptations import adaptations_table
from nacbench.reporting.tables.cost import cost_table
from nacbench.reporting.tables.priors import prior_table
from nacbench.reporting.tables.protocols import shift_table, shots_table
from nacbench.reporting.tables.scores import score_table
from nacbench.reporting.tables.side_by_side import side_by_side
from nacbench.reporting.tables.table import Table, frame_of, percent
from nacbench.statistics import Mean
from tests.made import made_failure, made_record, write_run

GOLDEN = Path(__file__).parent / "golden"
RECORDS = [
    *(made_record(seed=seed, score=score) for seed, score in enumerate((0.90, 0.92, 0.94))),
    *(made_record(model="perceiver-io", seed=seed, score=score) for seed, score in enumerate((0.95, 0.95, 0.96))),
    made_record(task="cifar10", score=0.5, notes=["trained on 9 of 10 classes"]),
]


def table_of(records: Iterable[RunRecord], failures: Sequence[Failure] = ()) -> Table:
    return score_table(group_of(records), failures)


def group_of(records: Iterable[RunRecord]) -> list[Series]:
    return group([row_of(record, f"made-{number}", 1, 1) for number, record in enumerate(records)])


def test_runs_that_differ_only_in_seed_are_one_row() -> None:
    (series,) = group_of(made_record(seed=seed, score=score) for seed, score in ((2, 0.8), (0, 0.6)))
    assert [run.seed for run in series.runs] == [0, 2]
    assert series.score.value == pytest.approx(0.7)
    assert series.label == "nac"


def test_the_best_of_a_task_comes_first() -> None:
    assert [row[:3] for row in table_of(RECORDS).rows] == [
        ("cifar10", "mini", "nac"),
        ("digits", "mini", "perceiver-io"),
        ("digits", "mini", "nac"),
    ]


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        ({"lr": 0.003}, ["nac, lr=0.001", "nac, lr=0.003"]),
        ({"lr": 0.002}, ["nac", "nac, lr=0.001"]),  # the task's own rate, so this is the plain variant: it comes first
        ({"lr": 0.003, "engine": "e2"}, ["nac, lr=0.001", "nac, lr=0.003"]),  # the digest is not needed
        ({"engine": "e2"}, ["nac, code.engine=e1", "nac, code.engine=e2"]),
        ({"size": "tiny"}, ["nac", "nac (tiny)"]),
    ],
)
def test_runs_that_differ_in_settings_are_separate_rows(change: dict[str, object], labels: list[str]) -> None:
    series = group_of([made_record(score=0.9), made_record(score=0.8, **change)])
    assert [item.label for item in series] == labels


def test_the_same_run_found_twice_counts_once() -> None:
    (series,) = group_of([made_record(), made_record()])
    assert series.score.count == 1


def test_a_single_seed_has_no_interval() -> None:
    (row,) = table_of([made_record(score=0.9)]).rows
    assert row[3] == "90.00"


def test_an_interval_that_is_cut_at_100_is_shown_by_its_ends() -> None:
    made = [made_record(seed=seed, score=score) for seed, score in enumerate((0.9, 0.98, 0.99))]
    assert table_of(made).rows[0][3] == "95.67 (83.41 to 100.00)"


def test_no_interval_is_zero_where_a_test_set_has_a_grain() -> None:
    assert percent(Mean(0.5, 0.00001, 3)) == "50.00 ± 0.01"
    alike = [shifted(seed, 0.9, accuracy=0.8, drop=0.1, mean_error=0.2) for seed in range(3)]
    assert not any("± 0.00" in cell for row in cells_of(shift_table(group_of(alike))) for cell in row)


def test_a_model_that_cannot_do_the_task_shows_why() -> None:
    rows = table_of(RECORDS, [made_failure(), made_failure(seed=1), made_failure(status="failed", model="x")]).rows
    assert rows[-1] == ("digits", "mini", "vit", "it takes images only", "0", "—", "—", "—", "—")
    assert len(rows) == 4


def test_the_frame_has_the_numbers_unformatted() -> None:
    table = table_of(RECORDS, [made_failure()]).frame
    nac = table[(table["task"] == "digits") & (table["model"] == "nac")].iloc[0]
    assert (nac["mean"], nac["seeds"], nac["parameters"]) == (pytest.approx(0.92), 3, 123_456)
    assert nac["half_width_95"] == pytest.approx(4.302652729911275 * 0.02 / 3**0.5)
    assert table.iloc[-1]["note"] == "it takes images only"


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_the_table_is_printed_as_committed(ending: str) -> None:
    table = table_of(RECORDS, [made_failure()])
    assert {"md": table.markdown, "tex": table.latex}[ending]() == (GOLDEN / f"table.{ending}").read_text()


def test_the_columns_of_the_markdown_line_up() -> None:
    lines = table_of(RECORDS).markdown().splitlines()[: 2 + len(RECORDS) - 4]
    assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in lines}) == 1


def test_a_terminal_s_table_is_the_markdown_without_its_escapes() -> None:
    table = table_of([*RECORDS, made_record(task="imdb", notes=["x < 1"])], [made_failure()])
    written = [line.rstrip() for line in table.markdown().splitlines()]
    assert "&lt;" in "".join(written)
    assert table.text().splitlines() == [line.replace("&lt;", "<") for line in written]


def test_hostile_names_are_escaped() -> None:
    table = table_of([made_record(task="a|b<script>&_%$#{}~^\\")])
    assert table.text().splitlines()[2].startswith("| a|b<script>&_%$#{}~^\\ |")
    assert table.markdown().splitlines()[2].startswith("| a\\|b&lt;script>&\\_%\\$#{}\\~^\\\\ |")
    escaped = (
        r"a\textbar{}b\textless{}script\textgreater{}\&\_\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert escaped in table.latex()


def shifted(seed: int, clean: float, **metrics: float) -> RunRecord:
    """A run that was scored on shifted data."""
    record = made_record(task="digits-c", seed=seed, protocol="ood", trained_on="digits")
    return with_metrics(record, {"clean_accuracy": clean, **metrics})


def adapted(model: str, seed: int = 0, **by_shots: tuple[float, float]) -> RunRecord:
    """A run that was adapted: accuracy and half width by number of shots (``one``, ``four``)."""
    shots = {"one": 1, "four": 4}
    test = {f"accuracy/{shots[name]}-shot": accuracy for name, (accuracy, _) in by_shots.items()}
    made = made_record(task="lowshot-omniglot", model=model, seed=seed, protocol="low-shot", trained_on="omniglot")
    record = with_metrics(made, test)
    splits = {
        f"shots-{shots[name]}": {"accuracy": accuracy, "half_width_95": width}
        for name, (accuracy, width) in by_shots.items()
    }
    details = {name: {"adapt": "all", "rate": 0.003, "steps": 50} for name in splits}
    return record.model_copy(update={"metrics": {**record.metrics, **splits}, "details": details})


def adapting(model: str, how: str, accuracy: float, seed: int = 0) -> RunRecord:
    """A run of which this adapted."""
    record = with_metrics(adapted(model, seed, one=(accuracy, 0.01)), {"accuracy": accuracy})
    identity = copy.deepcopy(record.identity)
    identity["config"]["task"]["adapt"] = how
    return record.model_copy(update={"identity": identity, "run_id": run_id_of(identity)})


def with_metrics(record: RunRecord, metrics: dict[str, float]) -> RunRecord:
    return record.model_copy(update={"metrics": {"test": {**record.metrics["test"], **metrics}}})


def cells_of(table: Table | None) -> list[Any]:
    assert table is not None
    return [tuple(row[3:]) for row in table.rows]


def test_shifted_data_has_the_drop_of_the_same_runs() -> None:
    runs = [shifted(seed, 0.9 + seed / 100, accuracy=0.8, drop=0.1 + seed / 100, mean_error=0.2) for seed in range(3)]
    table = shift_table(group_of(runs))
    assert cells_of(table) == [("91.00 ± 2.48", "80.00 ± 0.25", "11.00 ± 2.48", "20.00 ± 0.25", "3")]
    assert table is not None
    assert table.frame.loc[0, "drop"] == pytest.approx(0.11)


def test_a_missing_metric_is_a_dash() -> None:
    assert cells_of(shift_table(group_of([shifted(0, 0.9, accuracy=0.5, drop=0.4)]))) == [
        ("90.00", "50.00 ‡", "40.00", "—", "1")
    ]


def test_the_interval_of_a_single_seed_is_over_episodes(tmp_path: Path) -> None:
    for record in [adapted("nac", one=(0.4, 0.03), four=(0.6, 0.02)), adapted("vit", one=(0.3, 0.01))]:
        write_run(tmp_path, record)
    table = shots_table(group(read_runs(tmp_path).runs))
    assert sorted(cells_of(table)) == [("30.00 ± 1.00", "—", "1"), ("40.00 ± 3.00", "60.00 ± 2.00", "1")]
    assert table is not None
    assert [column.head for column in table.columns[3:]] == ["1-shot (%)", "4-shot (%)", "seeds"]
    assert "lowshot-omniglot: adapted: all; 50 steps; learning rates chosen" in table.markdown()
    assert len(table.frame) == 3


def test_the_interval_of_several_seeds_is_over_seeds() -> None:
    runs = [adapted("nac", seed, one=(0.4 + seed / 10, 0.5)) for seed in range(2)]
    assert cells_of(shots_table(group_of(runs))) == [("45.00 (0.00 to 100.00) ‡", "2")]


def test_what_adapts_stands_side_by_side_with_prototypes_of_pixels_as_the_reference() -> None:
    runs = [
        *(adapting("nac", how, value) for how, value in (("prototypes", 0.4), ("all", 0.5), ("circuit", 0.6))),
        *(adapting("vit", "all", value, seed) for seed, value in enumerate((0.3, 0.4))),
        adapting("floor-nearest-mean", "prototypes", 0.35),
    ]
    table = adaptations_table(group_of(runs))
    assert table is not None
    assert [column.head for column in table.columns[3:]] == ["all (%)", "circuit (%)", "prototypes (%)"]
    assert {row[2].split()[0]: row[3:] for row in table.rows} == {
        "nac": ("50.00 ‡", "60.00 ‡", "40.00 ‡"),
        "vit": ("35.00 (0.00 to 98.53) ‡", "—", "—"),
        "floor-nearest-mean": ("—", "—", "35.00 ‡"),
    }
    assert "the features of floor-nearest-mean are pixels" in table.markdown()
    assert table.frame["adapted"].tolist().count("all") == 2


def test_what_adapts_in_another_metric_is_named_and_measured_by_it() -> None:
    runs = [row_of(adapting("nac", how, 0.5), how, 1, 1) for how in ("prototypes", "all")]
    table = adaptations_table(group(with_metric(run, "nll") for run in runs))
    assert table is not None
    assert [column.head for column in table.columns[3:]] == ["all (nats)", "prototypes (nats)"]
    assert table.rows[0][3:] == ("0.3000", "0.3000")
    assert table.notes[0].startswith("Nll, a mean over the numbers of examples per class")
    assert table.frame["nll"].tolist() == [0.3, 0.3]


@pytest.mark.parametrize("table", [shift_table, shots_table])
def test_tables_of_accuracies_have_the_floors_of_accuracies_whatever_the_metric(
    table: Callable[[Sequence[Series]], Table | None],
) -> None:
    low = [shifted(0, 0.9, accuracy=0.05, drop=0.85), adapted("nac", one=(0.05, 0.01))]
    for metric in ("accuracy", "nll"):
        found = table(group(with_metric(row_of(record, record.task, 1, 1), metric) for record in low))
        assert found is not None
        assert next(cell for row in found.rows for cell in row if cell.startswith("5.00")).endswith(" ‡")
        assert any(note.endswith(": floors in %: chance 10.00.") for note in found.notes)


def test_runs_that_all_adapt_the_same_need_no_table_of_what_adapts() -> None:
    assert adaptations_table(group_of([adapting("nac", "all", 0.5), adapting("vit", "all", 0.4)])) is None


def test_a_table_without_runs_is_left_out() -> None:
    assert adaptations_table(group_of(RECORDS)) is None
    assert shift_table(group_of(RECORDS)) is None
    assert shots_table(group_of(RECORDS)) is None


def test_only_the_significantly_best_row_is_bold() -> None:
    clear = [made_record(seed=seed, score=0.9 + seed / 1000) for seed in range(5)]
    clear += [made_record(model="vit", seed=seed, score=0.8 + seed / 1100) for seed in range(5)]
    blurred = [made_record(task="cifar10", seed=seed, score=0.5 + (-1) ** seed / 50) for seed in range(5)]
    blurred += [made_record(task="cifar10", model="vit", seed=seed, score=0.49) for seed in range(5)]
    table = table_of([*clear, *blurred])
    ((row, column),) = table.bold
    assert table.rows[row][:3] == ("digits", "mini", "nac")
    assert f"**{table.rows[row][column]}**" in table.markdown()
    assert r"\textbf{90.20 $\pm$" in table.latex()
    assert "Holm" in table.markdown()
    assert table.frame["significantly_best"].tolist() == [False, False, True, False]


def test_one_seed_shared_seeds_too_few_and_ties_make_nothing_bold() -> None:
    one = [made_record(score=0.9), made_record(model="vit", score=0.1)]
    apart = [made_record(task="a", score=0.9, seed=0), made_record(task="a", model="vit", score=0.1, seed=1)]
    tie = [made_record(task="b", model=model, seed=seed, score=0.9) for model in ("nac", "vit") for seed in range(5)]
    alone = [made_record(task="c", seed=seed, score=0.9 + seed / 1000) for seed in range(5)]
    assert table_of([*one, *apart, *tie, *alone]).bold == frozenset()


def test_a_row_that_is_worse_on_shared_seeds_is_not_bold() -> None:
    behind = [made_record(seed=seed, score=0.80 + seed / 1000) for seed in range(4)]
    behind += [made_record(seed=seed, score=0.99) for seed in range(10, 20)]
    ahead = [made_record(model="vit", seed=seed, score=0.85 + seed / 1100) for seed in range(4)]
    table = table_of([*behind, *ahead])
    assert table.rows[0][2] == "nac"
    assert table.bold == frozenset()


def test_a_row_must_beat_all_others_and_the_correction_is_over_the_table() -> None:
    def cell(task: str, gap: float) -> list[RunRecord]:
        noise = (0.000, 0.004, 0.001, 0.003, 0.002)
        first = [made_record(task=task, seed=seed, score=0.5 + gap + noise[seed]) for seed in range(5)]
        return first + [made_record(task=task, model="vit", seed=seed, score=0.5) for seed in range(5)]

    gap = 0.0002  # p is a little below 0.05
    assert len(table_of(cell("t0", gap)).bold) == 1
    assert not table_of([record for number in range(4) for record in cell(f"t{number}", gap)]).bold


def test_the_cost_table_has_runs_that_trained() -> None:
    table = cost_table(group_of([*RECORDS, shifted(0, 0.9, accuracy=0.5)]))
    assert cells_of(table)[0] == ("50.00", "123,456", "0.021", "1", "1 min 15 s", "400", "2 s", "1.0", "1", "Test CPU")
    assert table is not None
    assert {row[0] for row in table.rows} == {"cifar10", "digits"}


def test_the_table_of_priors_needs_several() -> None:
    def of_prior(prior: str | None, score: float) -> RunRecord:
        record = made_record(score=score)
        extra = {"prior": prior, "prior_weight": 0.1} if prior else {}
        config = {**record.identity["config"], "model": {**record.identity["config"]["model"], **extra}}
        return record.model_copy(update={"identity": {**record.identity, "config": config}})

    runs = [of_prior("scale-free", 0.9), of_prior("none", 0.8), of_prior(None, 0.7)]
    table = prior_table(group_of(runs))
    assert cells_of(table) == [("none", "—", "80.00", "1"), ("scale-free", "0.1", "90.00", "1")]
    assert table is not None
    assert {row[2] for row in table.rows} == {"nac"}, "the prior has columns of its own"
    assert prior_table(group_of(runs[:1])) is None


@pytest.mark.parametrize(
    "options", [{"prior": "flat", "prior_weight": "auto"}, {"prior": 1.5}, {"prior": ["a"], "prior_weight": True}]
)
def test_another_model_s_option_of_that_name_is_no_prior(options: dict[str, Any]) -> None:
    record = made_record(model="mine")
    config = {**record.identity["config"], "model": {**record.identity["config"]["model"], **options}}
    other = record.model_copy(update={"identity": {**record.identity, "config": config}})
    assert prior_table(group_of([other, made_record()])) is None


@pytest.mark.latex
def test_a_real_latex_takes_every_table(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        if "NACBENCH_TEST_TOOLS" in os.environ:
            pytest.fail("no pdflatex")
        pytest.skip("needs LaTeX, which make test-report installs")
    hostile = made_record(task="a|b<script>&_%$#{}~^\\ ü × · — …", score=0.1, notes=["100 % & more_notes #1 \\"])
    best = [made_record(seed=seed, score=0.9 + seed / 1000) for seed in range(5)]
    best += [made_record(model="vit", seed=seed, score=0.8 + seed / 1100) for seed in range(5)]
    series = group_of([*best, hostile, shifted(0, 0.9, accuracy=0.5, drop=0.4)])
    tables = [table_of([*best, hostile], [made_failure()]), shift_table(series), cost_table(series)]
    body = "\n\n".join(table.latex() for table in tables if table)
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 1000


# -- models side by side -----------------------------------------------------------------------------------------------


def test_a_row_is_a_task_and_a_column_a_model() -> None:
    vit = [made_record(model="vit", task="cifar10", score=0.6), made_record(model="vit", score=0.3)]
    table = side_by_side(group_of([*RECORDS, *vit]))
    assert table is not None
    numbers = ["test examples", "chance", "most frequent class"]
    assert [column.head for column in table.columns] == ["task", "scale", *numbers, "nac", "vit", "perceiver-io"]
    assert table.rows == [
        ("cifar10", "mini", "1,000", "10.00", "—", "50.00", "60.00", "—"),
        ("digits", "mini", "1,000", "10.00", "—", "92.00 ± 4.97", "30.00", "95.33 ± 1.43"),
    ]
    assert len(table.frame) == 5


def test_a_model_with_several_variants_has_a_note() -> None:
    table = side_by_side(group_of([*RECORDS, made_record(lr=0.5)]))
    assert table is not None
    assert [row[5] for row in table.rows] == ["50.00", "several"]
    assert set(table.frame["task"]) == {"cifar10", "digits"}


def test_the_usual_size_is_shown_of_two_and_older_records_count_though_options_are_new() -> None:
    def run(size: str, score: float) -> RunRecord:
        record = made_record(task="tiny-imagenet", model="perceiver-io", size=size, scale="paper", score=score)
        model = MODELS.get("perceiver-io").configured("model", size, {}).options()
        del model["query_decays"]  # which models have got since
        config = {**record.identity["config"], "model": {"name": "perceiver-io", "size": size, **model}}
        return record.model_copy(update={"identity": {**record.identity, "config": config}})

    table = side_by_side(group_of([run("matched", 0.6), run("published", 0.5), made_record(model="vit")]))
    assert table is not None
    column = [head.head for head in table.columns].index("perceiver-io")
    assert {row[0]: row[column] for row in table.rows} == {"digits": "—", "tiny-imagenet": "50.00"}


def test_the_variant_with_default_options_is_shown() -> None:
    def run(seed: int, score: float, **options: Any) -> RunRecord:
        record = made_record(seed=seed, score=score)
        own = json.loads(json.dumps(MODELS.get("nac").configured("model", "mini", options).options()))
        config = {**record.identity["config"], "model": {"name": "nac", "size": "mini", **own}}
        return record.model_copy(update={"identity": {**record.identity, "config": config}})

    ways = [run(seed, score, module_dropout=drop) for seed in range(2) for score, drop in ((0.7, 0.5), (0.6, 0.0))]
    table = side_by_side(group_of([*ways, made_record(task="cifar10", model="vit")]))
    assert table is not None
    assert [row[5] for row in table.rows] == ["—", "60.00 ± 0.90"]
    other = side_by_side(group_of([*ways, run(0, 0.5, depth=2), made_record(task="cifar10", model="vit")]))
    assert other is not None
    assert [row[5] for row in other.rows] == ["—", "60.00 ± 0.90"]


def test_bold_is_as_in_the_table_of_scores() -> None:
    scores = {"nac": (0.90, 0.91, 0.92), "perceiver-io": (0.80, 0.81, 0.82)}
    runs = [
        made_record(task=task, model=model, seed=seed, score=score)
        for task in ("digits", "cifar10")
        for model, own in scores.items()
        for seed, score in enumerate(own)
    ]
    table = side_by_side(group_of(runs))
    assert table is not None
    assert table.bold == {(0, 5), (1, 5)}


def test_of_many_models_those_with_few_tasks_share_a_column() -> None:
    tasks = ("digits", "cifar10", "cifar100", "omniglot", "tiny-imagenet")
    runs = [made_record(task=task, model=model) for task in tasks for model in ("nac", "vit", "floor-linear")]
    few = ("dgcnn", "gru", "mamba", "mlp-mixer", "perceiver", "pointnet")
    runs += [made_record(task="digits", model=model, score=0.5 + place / 100) for place, model in enumerate(few)]
    table = side_by_side(group_of(runs))
    assert table is not None
    assert [column.head for column in table.columns[5:]] == ["nac", "vit", "best other", "floor-linear"]
    cells = {row[0]: row[7] for row in table.rows}
    assert cells["digits"].startswith("pointnet 55.00")
    assert {cells[task] for task in tasks[1:]} == {"—"}
    assert set(table.frame["model"]) == {"nac", "vit", "floor-linear", *few}
    rare = [run for run in runs if run.model != "nac" or run.task == "digits"]
    several = [*rare, made_record(task="digits", model="gru", score=0.7, options={}, lr=0.5)]
    again = side_by_side(group_of(several))
    assert again is not None
    assert [column.head for column in again.columns[5:]] == ["nac", "vit", "best other", "floor-linear"]
    assert next(row[7] for row in again.rows if row[0] == "digits").startswith("gru, lr=0.5 70.00")
    assert "too high by chance" in table.markdown()
    narrow = side_by_side(group_of([run for run in runs if run.model != "pointnet"]))
    assert narrow is not None
    assert len(narrow.columns) == 5 + 8


def test_one_task_or_one_model_needs_no_table_side_by_side() -> None:
    assert side_by_side(group_of(RECORDS[:6])) is None
    assert side_by_side(group_of([made_record(), made_record(task="cifar10")])) is None


def test_counts_stay_whole_numbers_where_other_rows_have_none() -> None:
    rows: list[dict[str, Any]] = [
        {"seeds": 3, "score": 1.0, "text": "a"},
        {"seeds": None, "score": math.nan, "text": None},
    ]
    assert csv_of(frame_of(rows)) == "seeds,score,text\n3,1.0,a\n,,\n"
    assert csv_of(frame_of([*rows, {"seeds": math.nan, "score": 2.0, "text": "=1"}])).endswith("\n,2.0,'=1\n")
