"""What is handed to Slurm, with stand-ins for its commands: arrays, their shapes, dependencies, and the sbatch file."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.sweep import observer
from nacbench.sweep.cancelling import cancel
from nacbench.sweep.crew import CrewFile
from nacbench.sweep.observer import observe
from nacbench.sweep.plan import Place, Plan, make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.submission import Submission, submissions
from nacbench.sweep.submitting import submit

from ..conftest import REPOSITORY
from .sleepy_runs import CONTENT as SLEEPY

pytestmark = pytest.mark.usefixtures("sleepy")

GOLDEN = Path(__file__).parent / "golden"
CONTENT: dict[str, Any] = {
    **SLEEPY,
    "profile": {"executor": "slurm", "device": "cpu", "time": "2h", "partition": "main", "memory_gb": 3.5},
}
SBATCH = """
number=$(( $(cat {folder}/number 2>/dev/null || echo 99) + 1 ))
echo $number > {folder}/number
cp "$1" {folder}/job-$number.sh
echo "Submitted batch job $number"
"""


class Desk:
    """Takes jobs and keeps their files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.say("srun", "exit 1")
        self.say("squeue", "exit 0")
        self.say("sacct", "exit 0")
        self.say("scontrol", "echo 'MaxArraySize = 1001'")
        self.say("sbatch", SBATCH.format(folder=shlex.quote(str(folder))))

    def say(self, name: str, script: str) -> None:
        """Make a command that does this."""
        (self.folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / name).chmod(0o755)

    def jobs(self) -> list[str]:
        """The files that were handed over, in order."""
        return [file.read_text() for file in sorted(self.folder.glob("job-*.sh"))]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(slurm, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("PATH", f"{tmp_path / 'desk'}:{os.environ['PATH']}")
    return Desk(tmp_path / "desk")


def submitted(tmp_path: Path, **changes: Any) -> Place:
    """A sweep, submitted."""
    place = Place(tmp_path / "runs", tmp_path / "data")
    plan = make_plan(parse_sweep({**CONTENT, **changes}, tmp_path / "mine.yaml"), place.data_root)
    submit(plan, place, print)
    return place


def option(job: str, name: str) -> str | None:
    """The value of an option in a job's file."""
    found = re.search(rf"^#SBATCH --{name}(?:=(.*))?$", job, re.MULTILINE)
    return found and (found[1] or "")


@pytest.mark.parametrize("kind", ["cpu", "gpu8"])
def test_the_file_for_sbatch_is_as_committed(kind: str, desk: Desk, tmp_path: Path) -> None:
    profile = {"cpu": CONTENT["profile"], "gpu8": str(REPOSITORY / "slurm" / "gpu8.yaml")}[kind]
    submitted(tmp_path, seeds=[0, 1, 2], profile=profile, precision="bf16")
    (job,) = desk.jobs()
    masked = job.replace(str(tmp_path), "TMP").replace(sys.executable, "PYTHON")
    masked = re.sub(r"TMP/runs/\.sweeps/jobs/nacbench-[0-9a-f]+", "JOBS", masked)
    masked = re.sub(r"nacbench-[0-9a-f]{32}", "TOKEN", masked)
    golden = GOLDEN / f"{kind}.sh"
    if os.environ.get("NACBENCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(masked)
    assert masked == golden.read_text()


def test_arrays_are_split_at_the_cluster_s_limit(desk: Desk, tmp_path: Path) -> None:
    desk.say("scontrol", "echo 'MaxArraySize = 4'")
    place = submitted(tmp_path, seeds=list(range(8)))
    assert [option(job, "array") for job in desk.jobs()] == ["0-2%3", "0-2%3", "0-1%2"]
    assert sorted(len(known.runs) for known in submissions(place.store)) == [2, 3, 3]


def test_runs_of_other_resources_have_their_own_array(desk: Desk, tmp_path: Path) -> None:
    resources = [{"when": {"seed": 1}, "use": {"memory_gb": 9}}]
    submitted(tmp_path, seeds=[0, 1, 2], resources=resources)
    assert [option(job, "mem") for job in desk.jobs()] == ["3584M", "9216M"]


def test_a_refused_submission_is_one_line_and_not_queued(desk: Desk, tmp_path: Path) -> None:
    desk.say("sbatch", "echo 'sbatch: error: invalid partition specified: main' >&2; exit 1")
    with pytest.raises(UserError, match=r"Slurm refused the submission of 1 runs: .*invalid partition"):
        submitted(tmp_path)
    assert desk.jobs() == []


# -- what has become of jobs -------------------------------------------------------------------------------------------


def chain(tmp_path: Path) -> tuple[Plan, Place]:
    """A network and a run that scores it, submitted: jobs 100 and 101."""
    place = Place(tmp_path / "runs", tmp_path / "data")
    content = {**CONTENT, "tasks": "digits-c", "models": "floor-linear", "plugins": [], "set": {"task.examples": 20}}
    plan = make_plan(parse_sweep(content, tmp_path / "mine.yaml"), place.data_root)
    assert submit(plan, place, print).started == 2
    return plan, place


def states(plan: Plan, place: Place) -> list[str]:
    return [standing.state for standing in observe(plan.runs, place.store).values()]


def test_a_run_that_slurm_dropped_with_its_network_is_started_with_it_again(desk: Desk, tmp_path: Path) -> None:
    plan, place = chain(tmp_path)
    assert option(desk.jobs()[1], "dependency") == "afterok:100"
    desk.say("sacct", "printf '100|OUT_OF_MEMORY|0:125\\n101|CANCELLED by 0|0:0\\n'")
    assert states(plan, place) == ["failed", "planned"]
    (held,) = submit(plan, place, print).held  # submit starts no failed run
    assert (held.run, held.network, held.state) == (plan.runs[1], plan.runs[0].key, "failed")
    assert submit(plan, place, print, retry=["oom"]).started == 2
    assert option(desk.jobs()[3], "dependency") == "afterok:102"


def test_a_run_that_a_user_cancelled_in_slurm_stays_cancelled_while_its_network_is_trained(
    desk: Desk, tmp_path: Path
) -> None:
    plan, place = chain(tmp_path)
    token = submissions(place.store)[0].token
    desk.say("squeue", f"echo '100|RUNNING|None|{token}'")
    desk.say("sacct", "echo '101|CANCELLED by 0|0:0'")
    assert states(plan, place) == ["running", "cancelled"]


def test_what_an_earlier_job_wrote_is_not_why_the_last_one_ended(desk: Desk, tmp_path: Path) -> None:
    place = submitted(tmp_path)
    plan = make_plan(parse_sweep(CONTENT, tmp_path / "mine.yaml"), place.data_root)
    (first,) = submissions(place.store)
    for end in ("out", "err"):
        (first.jobs_folder() / f"100_0_log.{end}").write_text("torch.OutOfMemoryError: CUDA out of memory\n")
    assert states(plan, place) == ["failed"]
    assert submit(plan, place, print, retry=["oom"]).started == 1
    assert states(plan, place) == ["lost"]


# -- where Slurm does not answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_here", "why"),
    [
        (True, "Slurm does not answer, which alone knows of 1 run; nothing was {}: try again later"),
        (False, "there is no Slurm on this machine (squeue not found), which alone knows of 1 run; nothing was {}: do"),
    ],
)
def test_jobs_that_slurm_alone_knows_of_are_left_alone(
    is_here: bool, why: str, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = submitted(tmp_path)
    plan = make_plan(parse_sweep(CONTENT, tmp_path / "mine.yaml"), place.data_root)
    desk.say("squeue", "echo Unable to contact >&2; exit 1")
    monkeypatch.setattr(observer, "is_available", lambda: is_here)
    assert observe(plan.runs, place.store)[plan.runs[0].key].detail == why.partition(", which")[0]
    for begin, what in ((lambda: submit(plan, place, print), "submitted"), (lambda: cancel(plan, place), "cancelled")):
        with pytest.raises(UserError, match=re.escape(why.format(what))):
            begin()


def test_jobs_of_slurm_keep_nobody_from_cancelling_runs_of_this_machine(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = submitted(tmp_path, seeds=[0, 1])
    local = {**CONTENT, "seeds": 2, "profile": "debug"}
    plan = make_plan(parse_sweep(local, tmp_path / "other.yaml"), place.data_root)
    submission = Submission.of(plan.runs, sweep="other", store=place.store, data_root=place.data_root, plugins=[])
    CrewFile(submission.write()).write({}, [0])  # this process is about to start it
    monkeypatch.setattr(observer, "is_available", lambda: False)
    assert states(plan, place) == ["queued"]
    assert cancel(plan, place).runs == plan.doable
    assert states(plan, place) == ["cancelled"]
