"""How many cores a process may use, from made control groups, and how many threads it computes with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nacbench.errors import UserError
from nacbench.machine import cores
from nacbench.machine.cores import default_threads, granted_cores


@pytest.fixture(autouse=True)
def of_eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)


def granted(folder: Path, own: str, files: dict[str, str]) -> int:
    """Return the cores that are granted to a process of these groups, whose files have this content."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "own").write_text(own)
    return granted_cores(folder, folder / "own")


@pytest.mark.parametrize(
    ("own", "files", "count"),
    [
        ("0::/", {}, 8),
        ("0::/", {"cpu.max": "max 100000\n"}, 8),
        ("0::/", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "250000 100000\n"}, 2),
        ("0::/", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/", {"cpu.max": "9900000 100000\n"}, 8),
        ("0::/jobs/7", {"jobs/cpu.max": "300000 100000\n", "jobs/7/cpu.max": "max 100000\n"}, 3),
        ("0::/jobs/7", {"jobs/cpu.max": "300000 100000\n", "jobs/7/cpu.max": "100000 100000\n"}, 1),
        ("0::/not/seen/from/inside", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"unified/cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "what is this"}, 8),
        ("0::/", {"cpu.max": "100000 0"}, 8),
        ("4:cpu,cpuacct:/j", {"cpu,cpuacct/j/cpu.cfs_quota_us": "400", "cpu,cpuacct/j/cpu.cfs_period_us": "100"}, 4),
        ("4:cpu:/job", {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 8),
        ("4:cpu,cpuacct:/host", {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ("3:cpuset:/\n2:memory:/x", {"cpu.max": "100000 100000"}, 8),
    ],
)  # fmt: skip
def test_a_quota_of_any_group_around_the_process_counts(
    tmp_path: Path, own: str, files: dict[str, str], count: int
) -> None:
    assert granted(tmp_path, own, files) == count


def test_the_affinity_mask_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3})
    assert granted(tmp_path, "0::/", {"cpu.max": "200000 100000\n"}) == 1


@pytest.mark.parametrize(("told", "count"), [("2", 2), ("0", 1), ("", 8), ("many", 8), ("99", 8)])
def test_slurm_tells_what_it_grants_where_it_does_not_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, count: int
) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", told)
    assert granted(tmp_path, "0::/", {}) == count


def test_without_control_groups_and_masks_all_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert granted_cores(tmp_path, tmp_path / "nothing") == 1


def test_omp_num_threads_is_the_default_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "granted_cores", lambda: 5)
    assert default_threads({}) == 5
    assert default_threads({"OMP_NUM_THREADS": "  "}) == 5
    assert default_threads({"OMP_NUM_THREADS": "3"}) == 3
    assert default_threads({"OMP_NUM_THREADS": "2,1"}) == 2


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "1e3", "²", "99999999999", "1025"])
def test_a_wrong_omp_num_threads_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"OMP_NUM_THREADS={text} is set: it must be a whole number of threads"):
        default_threads({"OMP_NUM_THREADS": text})


@pytest.mark.skipif(sys.platform != "linux", reason="needs an affinity mask")
def test_a_process_that_is_bound_to_one_core_is_granted_one() -> None:
    bind = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    command = f"{bind}; from nacbench.machine.cores import granted_cores; print(granted_cores())"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "1\n"
