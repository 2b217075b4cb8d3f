"""A sweep on the real cluster that ``make test-slurm`` starts, and what every fault must leave behind."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.machine import slurm
from nacbench.plugin_files import load_plugin_file
from nacbench.recording.record import Cause, RunRecord
from nacbench.recording.store import finished
from nacbench.sweep.cancelling import cancel
from nacbench.sweep.observer import Observer, observe
from nacbench.sweep.plan import Place, Plan, PlannedRun, make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.state import Standing, State
from nacbench.sweep.submitting import Submitted, submit

from ..conftest import REPOSITORY

CLUSTER = REPOSITORY / "slurm" / "devcluster.sh"
PLUGIN = Path(__file__).parent / "sleepy.py"
PROFILE: dict[str, Any] = {
    "executor": "slurm",
    "time": 60,
    "cpus": 1,
    "memory_gb": 1.9,  # two on a node; more than twice what a run needs, as Slurm may look while it forks
    "signal_seconds": 30,
    "device": "cpu",
    "checkpoint_seconds": 0.2,
    "heartbeat_seconds": 0.5,
    "max_attempts": 20,
}
DEADLINE = 240.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the cluster."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session", autouse=True)
def cluster(worker_id: str) -> Iterator[Callable[..., None]]:
    """A cluster for these tests alone; runs ``devcluster.sh`` with some words. Each worker of pytest-xdist has its own:
    the tests mostly wait, and some of them break things."""
    if "NACBENCH_TEST_SLURM" not in os.environ:
        pytest.skip("needs a Slurm cluster, which make test-slurm starts")
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    folder = f"/tmp/nacbench-slurm-{os.getuid()}-{number}"  # sockets in it must have short names
    settings = {"SLURM_DEV_DIR": folder, "SLURM_DEV_PORT": str(17817 + 100 * number)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**settings, "SLURM_CONF": f"{folder}/etc/slurm.conf"}.items():
            patch.setenv(name, value)

        def run(*words: str) -> None:
            done = subprocess.run([str(CLUSTER), *words], check=False, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr

        run("start")
        try:
            yield run
        finally:
            run("wipe")


@pytest.fixture(autouse=True)
def nodes_back(cluster: Callable[..., None]) -> Iterator[None]:
    """After each test: no jobs, and all nodes up and idle."""
    yield
    subprocess.run(["scancel", "--user", str(os.getuid())], check=False, capture_output=True)
    subprocess.run(["scancel", "--signal=KILL", "--user", str(os.getuid())], check=False, capture_output=True)
    for node in ("n1", "n2", "n3"):
        cluster("start-node", node)
    until(lambda: not queue_is_busy(), "jobs to go", 60)
    for node in ("n1", "n2", "n3"):
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], check=False, capture_output=True)
    until(lambda: tell("sinfo", "-hN", "-p", "main", "-o", "%T").split() == ["idle"] * 3, "nodes to be idle", 60)


@pytest.fixture(scope="module", autouse=True)
def plugin(own_plugins: None) -> None:
    """The sleepy task and its model; of each module, as plug-ins end with it."""
    load_plugin_file(PLUGIN)


def queue_is_busy() -> bool:
    """Whether any job of anybody runs, will run or may run again."""
    return any(job.is_live for job in slurm.queue().values())


def tell(*command: str) -> str:
    """What one of Slurm's commands prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def situation() -> str:
    """Jobs and nodes as Slurm sees them, for whoever has to find out what a test waited for."""
    commands = [
        ["squeue", "-o", "%i %T %r %N"],
        ["sinfo", "-N", "-o", "%N %T %E"],
        ["sacct", "-XD", "-S", "now-5minutes", "-o", "JobID,State,ExitCode,End"],  # those that have ended, too
    ]
    done = [subprocess.run(c, check=False, capture_output=True, text=True, timeout=60) for c in commands]
    return "".join(one.stdout + one.stderr for one in done)


def until(condition: Callable[[], Any], what: str | Callable[[], str], seconds: float = DEADLINE) -> Any:
    """Wait for something that is true in the end, and give it; ``what`` may be asked when all waiting was in vain."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            pytest.fail(f"waited {seconds:.0f} s for {text}\n{situation()}")
        time.sleep(0.2)
    return value


@dataclass
class TestSweep:
    """A sweep with its store, as the tests drive it.

    Attributes:
        store: folder of runs.
        content: of the sweep's file.
    """

    __test__ = False

    store: Path
    content: dict[str, Any]
    said: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place(self.store, self.store.parent / "data")

    def plan(self) -> Plan:
        return make_plan(parse_sweep(self.content, self.store / "sweep.yaml"), self.place.data_root)

    @property
    def run(self) -> PlannedRun:
        """The only run."""
        (run,) = self.plan().runs
        return run

    @property
    def folder(self) -> Path:
        """The only run's."""
        return self.run.folder(self.store)

    def submit(self, *, also: Collection[State] = (), retry: Collection[Cause] = ()) -> Submitted:
        return submit(self.plan(), self.place, self.said.append, also=also, retry=retry)

    def cancel(self) -> list[PlannedRun]:
        return list(cancel(self.plan(), self.place).runs)

    def standings(self) -> dict[str, Standing]:
        return observe(self.plan().runs, self.store)

    def standing(self) -> Standing:
        """The only run's."""
        (standing,) = self.standings().values()
        return standing

    def states(self) -> list[State]:
        return sorted({standing.state for standing in self.standings().values()})

    def observer(self) -> Observer:
        return Observer(self.store)

    def job(self) -> str:
        """The only run's job."""
        return until(lambda: self.standing().job, "a job")

    def until_step(self, step: int) -> None:
        """Wait until the only run has saved itself that far, at least; one that is done has."""

        def reached() -> bool:
            try:
                beat = json.loads((self.folder / "heartbeat.json").read_text())
            except (OSError, ValueError):  # not there yet, or no more: a busy machine may look too late
                return self.standing().state == "done"
            return int(beat.get("step", -1)) >= step

        until(reached, f"step {step}")

    def until_states(self, *states: State, seconds: float = DEADLINE) -> None:
        until(lambda: set(self.states()) <= set(states), lambda: f"{states}, not {self.standings()}", seconds)

    def warn(self) -> None:
        """Have Slurm warn the only run's job, and wait until it runs no more. On a busy machine the signal may take its
        time; and scancel goes on until the job has ended, and would warn the next life too if nobody stopped it."""
        job = self.job()
        with subprocess.Popen(["scancel", "--signal=USR2", job]) as scancel:
            try:
                until(lambda: not tell("squeue", "-h", "-j", job, "-t", "RUNNING"), "the job to heed the warning")
            finally:
                scancel.kill()

    def finish(self, attempts: int | None = None) -> list[RunRecord]:
        """Wait until all is done, and check what every fault must leave behind; the records.

        Args:
            attempts: of every run, if that is known.
        """
        self.until_states("done", "skipped")
        until(lambda: not queue_is_busy(), "jobs to end", 60)
        records = []
        for run in self.plan().doable:
            folder = run.folder(self.store)
            record = finished(folder)
            assert record is not None
            assert record.run_id == run.run_id
            expected = undisturbed(run)
            assert record.metrics == expected.metrics
            assert record.files.get("curve.jsonl") == expected.files.get("curve.jsonl")
            assert record.attempts == len(list((folder / "claims").glob("*.json")))
            if attempts is not None:
                assert record.attempts == attempts
            assert not (folder / "failure.json").exists()
            records.append(record)
        assert [path for path in self.store.rglob("*") if path.name.endswith((".tmp", ".save_tmp"))] == []
        assert len(list(self.store.rglob("record.json"))) == len(records)
        before = self.contents()
        assert self.submit().started == 0
        assert self.contents() == before
        return records

    def contents(self) -> dict[str, bytes]:
        """Every file of every record's folder."""
        folders = [path.parent for path in self.store.rglob("record.json")]
        return {str(f): f.read_bytes() for folder in folders for f in sorted(folder.rglob("*")) if f.is_file()}


_UNDISTURBED: dict[str, RunRecord] = {}


def undisturbed(run: PlannedRun) -> RunRecord:
    """The record of the same run without faults and pauses, computed in this process, once."""
    import torch

    from nacbench.formats.dotted import merge
    from nacbench.running.resolve import resolve
    from nacbench.running.runner import run as compute
    from nacbench.training.execution import Execution

    harmless = {"pause": 0.0, "fault": "", "mark": "", "fault_step": 8} if run.config.task.name == "sleepy" else {}
    plain = merge(run.config.as_dict(), {"task": harmless})
    place = json.dumps(plain, sort_keys=True)
    if place not in _UNDISTURBED:
        torch.set_num_threads(1)  # as the jobs have: sums in another order differ in their last digits
        store = Path(os.environ["NACBENCH_CACHE"]) / "undisturbed"
        outcome = compute(
            resolve(plain), store=store, data_root=store / "data", execution=lambda: Execution(show_progress=False)
        )
        _UNDISTURBED[place] = outcome.record
    return _UNDISTURBED[place]


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TestSweep]]:
    """Makes a sweep of sleepy runs, one unless it is told otherwise."""
    monkeypatch.setenv("SLEEPY_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def make(*, profile: dict[str, Any] | None = None, **changes: Any) -> TestSweep:
        content: dict[str, Any] = {
            "name": "test",
            "tasks": ["sleepy"],
            "models": ["sleepy"],
            "scale": "smoke",
            "precision": "fp32",
            "plugins": [str(PLUGIN)],
            "profile": {**PROFILE, **(profile or {})},
        }
        settings = {f"task.{k}": v for k, v in changes.pop("task", {}).items()} | changes.pop("set", {})
        for block in changes.get("include", []):
            block["tasks"] = content["tasks"]
        if "include" in changes:  # the top only says what they share
            del content["tasks"]
        return TestSweep(tmp_path / "runs", yaml.safe_load(yaml.safe_dump({**content, "set": settings, **changes})))

    yield make
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)
