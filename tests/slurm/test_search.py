"""``nacbench sweep search`` on the cluster: killed while jobs run, it ends with the choice of an undisturbed one."""

from collections.abc import Callable
from pathlib import Path

from nacbench.machine import slurm

from ..sweep.killing import kill_when
from ..sweep.test_search_killed import DEBUG, check_store, command, searched
from .conftest import PROFILE, TestSweep, queue_is_busy, until


def test_killed_it_ends_with_the_same_trials_and_choice(sweep: Callable[..., TestSweep], tmp_path: Path) -> None:
    undisturbed = searched(tmp_path / "undisturbed", DEBUG)
    place = tmp_path / "cluster"
    kill_when(lambda: len(slurm.queue()) > 0, command(place, PROFILE, "search"))  # its first jobs go on
    assert searched(place, PROFILE) == undisturbed
    check_store(place / "runs")
    until(lambda: not queue_is_busy(), "jobs to end")
