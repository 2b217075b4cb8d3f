"""Evaluation by split: finished splits survive an interruption, and broken or foreign files are ignored."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Evaluation
from nacbench.errors import UserError
from nacbench.recording.record import Answers
from nacbench.running.scoring import answers_of, read_evaluation, score_splits, write_evaluation, write_predictions


class Counting:
    """A task that counts how often each split is evaluated."""

    spec = TaskSpec(modality="symbols", classes=2, max_tokens=1, token_dim=1)
    split_sizes = {"train": 5, "clean": 3, "ood/fog-1": 3, "ood/fog-2": 3}
    notes: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.scored: list[str] = []

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        assert not torch.is_grad_enabled()
        self.scored.append(split)
        rows = np.arange(3, dtype=np.int32)
        logits = np.arange(6, dtype=np.float16).reshape(3, 2)
        return Evaluation(
            metrics={"accuracy": 0.1 + len(self.scored)},
            predictions={"index": rows, "logits": logits},
            details={"a": [1]},
        )


def test_every_split_except_train_is_evaluated_once(tmp_path: Path) -> None:
    task = Counting()
    scored = score_splits(task, nn.Identity(), 8, tmp_path, "run1", "accuracy")
    assert task.scored == list(scored) == ["clean", "ood/fog-1", "ood/fog-2"]


def test_finished_splits_are_not_evaluated_again_after_an_interruption(tmp_path: Path) -> None:
    task = Counting()

    def stop_at_the_last(done: int, split: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_splits(task, nn.Identity(), 8, tmp_path, "run1", "accuracy", stop_at_the_last)
    again = score_splits(task, nn.Identity(), 8, tmp_path, "run1", "accuracy")
    assert task.scored == ["clean", "ood/fog-1", "ood/fog-2"]
    assert [evaluation.metrics["accuracy"] for evaluation in again.values()] == [1.1, 2.1, 3.1]
    np.testing.assert_array_equal(again["clean"].predictions["logits"], np.arange(6).reshape(3, 2))
    assert again["clean"].predictions["index"].dtype == np.int32
    assert again["clean"].details["a"] == [1]


@pytest.mark.parametrize("damage", ["another run", "cut off", "no metadata"])
def test_a_broken_or_foreign_evaluation_is_computed_again(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "x.parquet"
    with torch.no_grad():
        write_evaluation(file, Counting().evaluate(nn.Identity(), "clean", 8), "run1")
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-20])
    if damage == "no metadata":
        pq.write_table(pq.read_table(file).replace_schema_metadata({}), file)
    assert read_evaluation(file, "run2" if damage == "another run" else "run1") is None


def test_the_predictions_name_the_split_of_every_row(tmp_path: Path) -> None:
    scored = score_splits(Counting(), nn.Identity(), 8, tmp_path / "scores", "run1", "accuracy")
    write_predictions(tmp_path / "p.parquet", scored)
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column("split").to_pylist() == ["clean"] * 3 + ["ood/fog-1"] * 3 + ["ood/fog-2"] * 3
    assert table.column("logits").to_pylist()[:3] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("kind", ["i1", "u2", "i4", "i8", "f2", "f4", "f8", "?", "U5"])
def test_predictions_of_any_type_are_written_as_they_are(tmp_path: Path, kind: str) -> None:
    values = np.array([[0, 1], [1, 0], [1, 1]]).astype(kind)
    columns = {"one": values[:, 0], "two": values, "none": values[:0, 0]}
    for name in ("one", "two"):
        write_evaluation(tmp_path / name, Evaluation(metrics={}, predictions={"it": columns[name]}), "run1")
        again = read_evaluation(tmp_path / name, "run1")
        assert again is not None
        np.testing.assert_array_equal(again.predictions["it"], columns[name])
        assert again.predictions["it"].dtype.kind in (values.dtype.kind, "O")
    write_evaluation(tmp_path / "none", Evaluation(metrics={}, predictions={"it": columns["none"]}), "run1")
    assert len(pq.read_table(tmp_path / "none")) == 0


def test_writing_predictions_does_not_import_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np; from nacbench.contracts.task import Evaluation\n"
        "from nacbench.running.scoring import write_evaluation, write_predictions\n"
        "made = Evaluation(metrics={}, predictions={'index': np.arange(3), 'logits': np.ones((3, 2))})\n"
        "write_evaluation(Path('a.parquet'), made, 'run1'); write_predictions(Path('b.parquet'), {'test': made})\n"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


def test_predictions_of_different_length_are_an_error(tmp_path: Path) -> None:
    broken = Evaluation(metrics={}, predictions={"index": np.arange(3), "label": np.arange(2)})
    with pytest.raises(UserError, match=r"differ in length: \[2, 3\]"):
        write_evaluation(tmp_path / "x.parquet", broken, "run1")


def answered(labels: list[int], given: list[int], **details: int) -> Evaluation:
    columns = {"label": np.array(labels), "prediction": np.array(given)}
    return Evaluation(metrics={"accuracy": 0.5}, predictions=columns, details=details)


def test_answers_are_counted_on_the_test_split() -> None:
    scored = {"validation": answered([2, 2], [2, 2]), "test": answered([0, 1, 1], [1, 1, 1])}
    assert answers_of(scored, 3) == Answers(options=3, labels=[1, 2, 0], given=[0, 3, 0])


def test_without_a_test_split_answers_are_counted_on_all_that_are_scored() -> None:
    scored = {
        "clean": answered([2], [2]),
        "ood/a": answered([0], [1], options=2),
        "ood/b": answered([1], [1], options=2),
    }
    assert answers_of(scored, 3) == Answers(options=2, labels=[1, 1, 0], given=[0, 2, 0])


def test_predictions_that_are_no_classes_are_not_counted() -> None:
    without = Evaluation(metrics={}, predictions={"label": np.array([0.5]), "prediction": np.array([0.4])})
    assert answers_of({"test": without}, 3) is None
    assert answers_of({"test": answered([3], [0])}, 3) is None
    assert answers_of({}, 3) is None
