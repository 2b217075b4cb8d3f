"""Tags and notes given to a run: outside its id, added to a finished one, kept by one that is computed again."""

from pathlib import Path
from typing import Any

import pytest

from nacbench import run
from nacbench.errors import UserError
from nacbench.recording.tags import read_tags
from nacbench.running.outcome import Outcome

SMALL: dict[str, Any] = {
    "task": {"name": "digits", "train_examples": 64, "validation_examples": 16, "test_examples": 32},
    "model": {"name": "nac", "depth": 1},
    "scale": "smoke",
    "precision": "fp32",
    "training": {"epochs": 1, "batch_size": 32},
    "quiet": True,
    "threads": 1,
}


def tagged(store: Path, **more: Any) -> Outcome:
    return run(**SMALL, out=store, **more)


def test_tags_are_outside_the_id_and_a_finished_run_is_not_computed_again_for_them(tmp_path: Path) -> None:
    first = tagged(tmp_path, tags="good", notes="The first try")
    assert not first.was_finished
    assert (first.tagged.tags, first.tagged.notes) == (("good",), ("The first try",))
    record = (first.folder / "record.json").read_bytes()

    plain = tagged(tmp_path)
    assert (plain.was_finished, plain.folder, bool(plain.tagged)) == (True, first.folder, False)

    more = tagged(tmp_path, tags=["good", "shown"])
    assert (more.was_finished, more.folder, more.tagged.tags) == (True, first.folder, ("shown",))
    assert read_tags(first.folder).tags == ("good", "shown")
    assert (first.folder / "record.json").read_bytes() == record

    again = tagged(tmp_path, tags="third", force=True)
    assert not again.was_finished
    assert again.tagged.tags == ("third",)
    assert read_tags(again.folder).tags == ("good", "shown", "third")


@pytest.mark.parametrize(
    ("variable", "value", "refused"),
    [("WORLD_SIZE", "2", "WORLD_SIZE=2 is set"), ("NVIDIA_TF32_OVERRIDE", "1", "NVIDIA_TF32_OVERRIDE")],
)
def test_force_that_is_refused_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, refused: str
) -> None:
    first = tagged(tmp_path, tags="good")
    there = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=refused):
        tagged(tmp_path, force=True)
    monkeypatch.delenv(variable)
    monkeypatch.setattr("nacbench.kernels.path.why_not", lambda device, say: "no compiler")
    with pytest.raises(UserError, match="--kernels native: no compiler"):
        tagged(tmp_path, force=True, kernels="native")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == there
    assert read_tags(first.folder).tags == ("good",)


def test_an_interrupted_run_has_its_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nacbench.running.runner.compute", stop)
    with pytest.raises(KeyboardInterrupt):
        tagged(tmp_path, tags="early")
    monkeypatch.undo()
    resumed = tagged(tmp_path)
    assert not resumed.was_finished
    assert read_tags(resumed.folder).tags == ("early",)
