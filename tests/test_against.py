"""`make bench AGAINST=REV`: a committed revision and the working tree, each with its own code, in turns."""

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import REPOSITORY

against: Any
contest: Any


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import the benchmarks, which are scripts beside the package."""
    global against, contest
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    against, contest = importlib.import_module("against"), importlib.import_module("contest")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this code as it is, in whose working tree every loss is doubled afterwards."""
    place = tmp_path_factory.mktemp("repository")
    for name in ("nacbench", "tasks", "baselines", "benchmarks"):
        shutil.copytree(REPOSITORY / name, place / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "results").mkdir()
    (place / "results" / "large.bin").write_bytes(b"no part of the code")
    git = ("git", "-C", str(place), "-c", "user.name=T", "-c", "user.email=t@example.org")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "then"]):
        subprocess.run([*git, *words], check=True)
    loop = place / "nacbench" / "training" / "loop.py"
    loop.write_text(
        loop.read_text() + "\n_prepared = Trainer.__post_init__\n\n\n"
        "def _doubled(self) -> None:\n"
        "    own = self.task.loss\n"
        "    object.__setattr__(self.task, 'loss', lambda net, batch: 2 * own(net, batch))\n"
        "    _prepared(self)\n\n\n"
        "Trainer.__post_init__ = _doubled\n"
    )
    return place


def comparison(then: Any, now: Any, tmp_path: Path) -> Any:
    return against.Comparison(then, now, tmp_path, "cpu", budget=0.0, scale="smoke", warm_up=1)


def test_each_side_trains_with_its_own_code(repository: Path, tmp_path: Path) -> None:
    with contest.sides(repository, "HEAD") as (then, now):
        made = comparison(then, now, tmp_path)
        (gradient_then, loss_then), (gradient_now, loss_now) = (
            against._first_steps(side, "digits", "vit", "fp32", made) for side in (then, now)
        )
    assert gradient_then.keys() == gradient_now.keys()
    for name, tensor in gradient_then.items():  # the same weights, examples and draws, so exactly twice
        assert ((2 * tensor - gradient_now[name]).abs() <= 1e-6 * tensor.abs().max()).all(), name
    assert loss_now == pytest.approx(2 * loss_then, rel=0.05)


def test_steps_are_compared_in_turns(repository: Path, tmp_path: Path) -> None:
    with contest.sides(repository, "HEAD") as (then, now):
        made = comparison(then, now, tmp_path)
        (row,) = against.step("digits", "vit", 1.0, made)
    assert row.what == "training step, digits, vit, smoke, bf16: time of then"
    assert row.note.endswith("5 rounds") and "another network" not in row.note
    before, today = made.steps["digits", "vit"]
    assert len(before.seconds) == len(today.seconds) == 5
    assert min(*before.seconds, *today.seconds) > 0
    assert before.parameters == today.parameters > 1000


def test_nothing_is_left_of_the_revision_even_after_ctrl_c(repository: Path) -> None:
    with pytest.raises(KeyboardInterrupt), contest.sides(repository, "HEAD") as (then, now):
        kept = then.tree
        assert "_doubled" not in (kept / "nacbench" / "training" / "loop.py").read_text()
        assert now.tree == repository and not (kept / "results").exists()
        raise KeyboardInterrupt
    assert not kept.exists() and not then.scratch.exists()


def test_what_cannot_be_measured_is_told_with_its_reason(repository: Path, tmp_path: Path) -> None:
    with (
        contest.sides(repository, "HEAD") as (then, now),
        pytest.raises(contest.NotMeasuredError, match="unknown model 'x'"),
    ):
        list(against.step("digits", "x", 1.0, comparison(then, now, tmp_path)))


def test_a_revision_that_does_not_exist_is_named(repository: Path) -> None:
    with pytest.raises(contest.NotMeasuredError, match="nowhere"), contest.sides(repository, "nowhere"):
        pass


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    slow_rounds = contest.Series([1.0, 8.0, 1.0, 2.0, 1.0], 0)  # other load in the second and the fourth
    ratio = contest.Ratio.of(contest.Series([0.5, 4.0, 0.5, 1.0, 0.5], 0), slow_rounds)
    assert (ratio.value, ratio.low, ratio.high, ratio.rounds) == (0.5, 0.5, 0.5, 5)
