"""``nacbench sweep decide`` on the cluster: killed twice, it ends with the verdicts of an undisturbed one elsewhere."""

from collections.abc import Callable
from pathlib import Path

from nacbench.machine import slurm

from ..sweep.killing import kill_when
from ..sweep.test_decide_killed import DEBUG, check_store, command, decided
from .conftest import PROFILE, TestSweep, queue_is_busy, until


def test_killed_twice_it_ends_with_the_same_verdicts(sweep: Callable[..., TestSweep], tmp_path: Path) -> None:
    undisturbed = decided(tmp_path / "undisturbed", DEBUG)
    place = tmp_path / "cluster"
    store = place / "runs"
    kill_when(lambda: len(slurm.queue()) > 0, command(place, PROFILE))  # its first jobs go on
    # between two looks, or in one
    kill_when(lambda: len(list(store.rglob("record.json"))) >= 5, command(place, PROFILE))
    assert decided(place, PROFILE) == undisturbed
    assert [answer["verdict"] for answer in undisturbed] == ["worse"]
    check_store(store, undisturbed)
    until(lambda: not queue_is_busy(), "jobs to end")
    assert decided(place, PROFILE) == undisturbed
