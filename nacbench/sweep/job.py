"""Job of a sweep: compute one run of a submission, in a Slurm job or in a local worker process.

Heavy modules are imported inside functions: submitit imports this module to unpickle the job, and Slurm's warning
signal cannot be handled before that is done.
"""

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_text
from nacbench.machine.process import TOKEN

if TYPE_CHECKING:
    from nacbench.running.config import RunConfig
    from nacbench.sweep.profile import Profile
    from nacbench.sweep.submission import Submission

DONE, FAILED, NOT_NOW = 0, 1, 75  # exit codes; Slurm starts the runs that depend on this one only after exit code 0


class SweepJob:
    """Callable that submitit pickles and calls in the job.

    It holds no state: a requeued job resumes from the run's last checkpoint on disk, as submitit's own checkpoint is
    not called when a node fails or a job is requeued from outside.

    Args:
        submission: path of the submission file.
        index: of the run in the submission.
    """

    def __init__(self, submission: str, index: int) -> None:
        self.submission = submission
        self.index = index

    def __call__(self) -> str:
        """Compute the run. On Slurm's warning, save a checkpoint and let submitit requeue the job."""
        # submitit's handler, installed before this call. It would raise SystemExit anywhere in a training step, so ours
        # replaces it during the run and calls it once the checkpoint is saved
        warn = signal.getsignal(signal.SIGUSR2)
        _remove_submitit_s_leftovers()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})  # the launcher blocked it until a handler exists
        _join_processes()
        code = carry_out(Path(self.submission), self.index, when_warned=warn if callable(warn) else None)
        if code != DONE:
            sys.exit(code)
        return "done"

    def checkpoint(self) -> Any:
        """Return what submitit runs in the requeued job."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(SweepJob(self.submission, self.index))

    __submitit_checkpoint__ = checkpoint  # the name that newer versions look for


def carry_out(file: Path, index: int, *, when_warned: Callable[..., Any] | None = None) -> int:
    """Compute one run of a submission, unless it is done or another process holds its lock.

    Args:
        file: path of the submission file.
        index: of the run in the submission.
        when_warned: called with the signal and None after a run has saved a checkpoint on Slurm's warning.

    Returns:
        An exit code: ``DONE`` only if the run is done.
    """
    from nacbench.plugin_files import load_plugin_files
    from nacbench.sweep.submission import read_submission

    submission = read_submission(file)
    os.environ[TOKEN] = submission.token  # becomes part of the claim, which tells a requeued job from another one
    load_plugin_files(submission.plugins)
    return _carry_out(submission, index, when_warned)


def _carry_out(submission: "Submission", index: int, when_warned: Callable[..., Any] | None) -> int:
    from nacbench.errors import RunSkippedError
    from nacbench.recording.claim import BusyError, TakenOverError
    from nacbench.running import runner
    from nacbench.running.computation import HelperDoneError
    from nacbench.running.failures import in_one_line
    from nacbench.running.resolve import resolve
    from nacbench.sweep.lost import is_cancelled
    from nacbench.training.interrupt import Interrupted

    run, profile = submission.runs[index], submission.profile_of(index)
    folder = Path(submission.store) / run.key
    try:
        config = resolve(run.config)
        if is_cancelled(folder):  # after the submitter's look, before this process was known to cancel
            say("cancelled", err=True)
            return NOT_NOW
        if _is_given_up(profile, folder, config):
            return FAILED
        _check_id(submission, run.key, config)
        runner.run(
            config,
            store=Path(submission.store),
            data_root=Path(submission.data_root),
            execution=lambda: _execution(profile),
            tags=submission.tags,
        )
    except Interrupted as interruption:
        say(f"{interruption}; its state is saved", err=True)
        _heed(interruption.signal_number, profile, when_warned)
        return NOT_NOW
    except (BusyError, TakenOverError) as error:
        say(str(error), err=True)
        return NOT_NOW
    except RunSkippedError as error:
        say(str(error), err=True)
        return FAILED
    except UserError as error:
        say(str(error), err=True)
        _leave(folder, run.config, str(error))
        return FAILED
    except (HelperDoneError, KeyboardInterrupt):
        raise
    except BaseException as error:  # of a plug-in, before its run could be claimed
        say_text(traceback.format_exc(), err=True)
        _leave(folder, run.config, in_one_line(error))
        return FAILED
    return DONE


def _heed(number: int, profile: "Profile", when_warned: Callable[..., Any] | None) -> None:
    """Do what a signal asked for, after the run has saved its state."""
    if number == signal.SIGUSR2 and when_warned and profile.requeue:
        when_warned(signal.SIGUSR2, None)  # requeues the job and exits
    if profile.executor == "debug":  # this process is the submitter, so that all its runs are to stop, not this one
        raise KeyboardInterrupt


def _check_id(submission: "Submission", key: str, config: "RunConfig") -> None:
    """Check that the run's id is still the planned one.

    If code or data was edited while the job was queued, the run would compute something different under the same id.

    Raises:
        UserError: if the id has changed.
    """
    from nacbench.running.runner import identify

    now = identify(config, Path(submission.data_root)).run_id
    if now != Path(key).name:
        raise UserError(
            f"the run's id is {now} now and was {Path(key).name} at submission: code or data has changed since; "
            f"submit the sweep again (nacbench why shows what differs)"
        )


def _is_given_up(profile: "Profile", folder: Path, config: "RunConfig") -> bool:
    """Write failure.json and return true if the run has used all its attempts; see `nacbench.sweep.lost.allowance`."""
    from nacbench.recording.claimants import claim_count
    from nacbench.recording.record import RECORD
    from nacbench.running.failures import leave_failure
    from nacbench.sweep.lost import allowance

    attempts = claim_count(folder)
    if attempts < allowance(folder, profile.max_attempts) or (folder / RECORD).exists():
        return False
    reason = f"given up after {attempts} attempts that did not finish; see its log and Slurm's"
    leave_failure(folder, config, folder.name, "failed", reason, cause="attempts", attempts=attempts)
    say(reason, err=True)
    return True


def _leave(folder: Path, config: dict[str, Any], reason: str) -> None:
    """Write failure.json, unless there is one, which has more details."""
    from nacbench.recording.record import FAILURE
    from nacbench.running.failures import leave_failure
    from nacbench.running.resolve import resolve

    if not (folder / FAILURE).exists():
        with contextlib.suppress(UserError):
            leave_failure(folder, resolve(config), folder.name, "failed", reason)


def _execution(profile: "Profile") -> Any:
    from nacbench.machine.cores import default_threads
    from nacbench.machine.hardware import check_device
    from nacbench.tracking.known import check_trackers
    from nacbench.training.execution import Execution, default_workers

    device = check_device(profile.device)
    return Execution(
        device=device,
        threads=profile.threads or default_threads(),
        workers=profile.workers if profile.workers is not None else default_workers(device),
        checkpoint_seconds=profile.checkpoint_seconds,
        heartbeat_seconds=profile.heartbeat_seconds,
        cuda_graphs=profile.cuda_graphs,
        compile=profile.compile,
        kernels=profile.kernels,
        log=check_trackers(profile.log),
    )


def _join_processes() -> None:
    """Set the environment of torch.distributed and accelerate if the job has several processes."""
    if os.environ.get("SLURM_NTASKS", "1") != "1":
        from submitit.helpers import TorchDistributedEnvironment

        # accelerate selects the GPU by local rank; if CUDA_VISIBLE_DEVICES had one GPU, rank 1 would find no GPU 1
        first = TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True).master_addr
        try:
            socket.getaddrinfo(first, None)
        except OSError:  # a node's name in Slurm need not be a host name
            os.environ["MASTER_ADDR"] = os.environ.get("SLURM_LAUNCH_NODE_IPADDR", first)


def _remove_submitit_s_leftovers() -> None:
    """Remove half-written pickles of an earlier start of this job; with them, submitit fails the requeued job."""
    from submitit import JobEnvironment

    with contextlib.suppress(Exception):  # not under submitit
        paths = JobEnvironment().paths
        for path in (paths.result_pickle, paths.submitted_pickle):
            path.with_suffix(path.suffix + ".save_tmp").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), int(sys.argv[2])))
