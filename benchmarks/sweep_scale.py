"""Benchmark of large sweeps: time to plan, submit and tell the states of many runs that do nothing.

    python benchmarks/sweep_scale.py [RUNS] [--slurm]    # 10,000 runs by default

Without ``--slurm``, stand-ins answer for Slurm's commands: one job array for each sbatch, and all jobs pending. With
it, a real cluster is used (slurm/devcluster.sh start), whose jobs exit at once. The states are told twice more: of
finished runs, without and with the cached index.
"""

import argparse
import json
import os
import resource
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from nacbench.sweep.plan import Plan

TEMPLATE = Path(__file__).parents[1] / "results"
PROFILE = {"executor": "slurm", "device": "cpu", "time": "10min", "cpus": 1, "setup": ["exit 0"], "requeue": False}
STAND_INS = {
    "srun": "exit 0",
    "sacct": "exit 0",
    "scontrol": "echo 'MaxArraySize = 1001'",
    "squeue": "cat {folder}/queue 2>/dev/null; exit 0",
    "sbatch": "n=$(( $(cat {folder}/last 2>/dev/null || echo 99) + 1 )); echo $n > {folder}/last; "
    'echo "Submitted batch job $n"',
}
T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    """Do something and print how long it took."""
    started, worked = time.perf_counter(), time.process_time()
    outcome = work()
    took, worked = time.perf_counter() - started, time.process_time() - worked
    print(f"{what:<42} {took:>7.2f} s, of them {worked:>7.2f} s on the processor", flush=True)
    return outcome


def stand_in(folder: Path) -> None:
    """Put stand-ins for Slurm's commands on the path."""
    folder.mkdir()
    for name, script in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/sh\n{script.format(folder=shlex.quote(str(folder)))}\n")
        (folder / name).chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def queue_all(store: Path, file: Path) -> None:
    """Write what squeue says of all submissions of a store: every job is pending."""
    from nacbench.sweep.submission import submissions

    with file.open("w") as queue:
        for submission in submissions(store):
            number = submission.job_number()
            queue.writelines(f"{number}_{i}|PENDING|Priority|{submission.token}\n" for i in range(len(submission.runs)))


def finish(plan: Plan, store: Path) -> None:
    """Write a record for each run, a copy of a committed one; each keeps what identifies its own run."""
    from nacbench.recording.read_record import read_record
    from nacbench.running.identity import Identity

    made = next(TEMPLATE.glob("*/digits/nac/*/record.json"))
    template = read_record(made).model_dump(mode="json")  # in this version's schema
    for run in plan.runs:
        config = run.config.as_dict()
        identity = Identity.of(run.config, template["data"]["fingerprint"]).as_dict()
        own = {"task": run.config.task.name, "model": run.config.model.name, "size": run.config.model.size}
        own |= {key: config[key] for key in ("scale", "seed", "precision")}
        record = {**template, **own, "run_id": run.run_id, "identity": identity}
        folder = run.folder(store)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")


def measure(runs: int, folder: Path, *, real: bool) -> None:
    """Plan, submit and tell the states of a sweep."""
    from nacbench.sweep.observer import Observer
    from nacbench.sweep.plan import Place, make_plan
    from nacbench.sweep.read_sweep import parse_sweep
    from nacbench.sweep.state import counts
    from nacbench.sweep.submitting import submit

    place = Place(folder / "runs", folder / "data")
    content = {
        "tasks": "digits",
        "models": "nac",
        "scale": "smoke",
        "precision": "fp32",
        "seeds": f"0..{runs - 1}",
        "profile": PROFILE,
        "max_runs": runs,
    }
    one = parse_sweep({**content, "seeds": 0}, folder / "scale.yaml")
    timed("plan the first run: code and data", lambda: make_plan(one, place.data_root))
    sweep = parse_sweep(content, folder / "scale.yaml")
    plan = timed(f"plan {runs:,} runs", lambda: make_plan(sweep, place.data_root))
    submitted = timed("submit", lambda: submit(plan, place, print))
    assert submitted.started == runs
    if not real:
        queue_all(place.store, folder / "slurm" / "queue")
    states = timed("status of submitted runs", lambda: Observer(place.store).standings(plan.runs))
    print(f"    {dict(counts(states))}")
    timed("submit again", lambda: submit(plan, place, print))
    if real:
        names = [submission.job_number() or "" for submission in submitted.submissions]
        subprocess.run(["scancel", *names], check=True)  # noqa: S607 (a command of Slurm)
    else:
        (folder / "slurm" / "queue").unlink()
    states = timed("status of jobs that have vanished", lambda: Observer(place.store).standings(plan.runs))
    print(f"    {dict(counts(states))}")
    finish(plan, place.store)
    for what in ("status of finished runs", "again"):
        states = timed(what, lambda: Observer(place.store).standings(plan.runs))
        assert counts(states) == {"done": runs}
    print(f"{'memory at its peak':<42} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:>7.2f} GB")


def main() -> None:
    """Measure in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=10_000)
    parser.add_argument("--slurm", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="nacbench-scale-") as scratch:
        os.environ["NACBENCH_CACHE"] = f"{scratch}/cache"
        if not given.slurm:
            stand_in(Path(scratch) / "slurm")
        measure(given.runs, Path(scratch), real=given.slurm)


if __name__ == "__main__":
    main()
