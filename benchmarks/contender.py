"""One side of ``against.py``: the `nacbench run` of one revision, whose training steps are made when asked for.

    PYTHONPATH=TREE python contender.py JOB

Started by `contest.Contender`; ``JOB`` are the fields of `contest.Job` as JSON. Its first line of output is the
network's number of parameters. Then it reads a number of steps from each line of its input, lets the revision's own
trainer make them, and answers with what they took: CPU seconds (on a GPU seconds), or bytes. It works with any
revision that has ``nacbench run`` and ``nacbench.training.loop.Trainer``, so it imports nothing else of nacbench.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import torch
import torch.nn.functional as F

TREE = Path(os.environ["PYTHONPATH"])


class Batches:
    """A trainer's batches: when it asks for the next one, its last step is done. The batch itself is not timed."""

    def __init__(self, batches: Sequence[Any], turns: Turns) -> None:
        self._batches = batches
        self._turns = turns

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, step: int) -> Any:
        self._turns.pause()
        batch = self._batches[step]
        self._turns.go_on()
        return batch


class Turns:
    """Counts and times steps, and waits where as many as were asked for are made."""

    def __init__(self, gauge: Callable[[], float], answers: Any, *, sums: bool) -> None:
        self._gauge = gauge
        self._answers = answers
        self._sums = sums  # times are summed over steps, peaks are not
        self._left: int | None = None
        self._begun = self._spent = 0.0

    def pause(self) -> None:
        """End a step; answer and wait if it was the last of this turn."""
        if self._left is not None:
            now = self._gauge()
            self._spent = self._spent + now - self._begun if self._sums else now
            self._left -= 1
        if not self._left:
            if self._left is not None:
                print(self._spent, file=self._answers, flush=True)
            self._left, self._spent = asked(), 0.0

    def go_on(self) -> None:
        """Begin a step."""
        self._begun = self._gauge()


def asked() -> int:
    """Wait for the next number of steps; end this process if none will come."""
    line = sys.stdin.readline()
    if not line:
        os._exit(0)  # not through the run, which would save a checkpoint
    return int(line)


def cpu_seconds() -> float:
    """Return the CPU time of this process in seconds; on a GPU the time of a clock, once the GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def peak_bytes(before: int) -> float:
    """Return by how many bytes the peak of memory is above what it was before."""
    return (torch.cuda.max_memory_allocated() if torch.cuda.is_available() else memory("VmHWM")) - before


def memory(what: str) -> int:
    """Return a line of /proc/self/status in bytes: VmRSS, the memory held, or VmHWM, its peak."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split(f"{what}:")[1].split()[0])


def fresh_peak() -> int:
    """Let the peak of memory begin anew; return the memory that is held now, in bytes."""
    if torch.cuda.is_available():
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    return memory("VmRSS")


# -- networks of the published size, on tokens -------------------------------------------------------------------------


def published(job: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the revision's own ``benchmarks/common.py``, its published setting, and the network of the job."""
    sys.path.insert(0, str(TREE / "benchmarks"))
    import common

    setting = common.TINY_IMAGENET
    torch.manual_seed(0)
    return common, setting, setting.circuit() if job["model"] == "nac" else setting.baseline()


class Same(Sequence[Any]):
    """One batch as an epoch."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return 1

    def __getitem__(self, step: Any) -> Any:
        return self._batch


def on_tokens(common: Any, setting: Any) -> SimpleNamespace:
    """Return a task for the trainer: one batch of random tokens, again and again."""
    labels = torch.randint(setting.classes, (setting.batch,))
    batch = common.Batch({"tokens": common.tokens_for(setting).cpu()}, labels)
    return SimpleNamespace(
        spec=setting.spec(),
        split_sizes=dict.fromkeys(("train", "validation", "test"), setting.batch),
        train_batches=lambda batch_size, seed: Same(batch),
        loss=lambda net, one: F.cross_entropy(net(**one.inputs).float(), one.target),
    )


def infer(common: Any, setting: Any, core: Any, job: dict[str, Any], turns: Turns) -> NoReturn:
    """Make forward passes for ever, as the revision's own benchmark makes them."""
    work = common.inference(core, setting, job["precision"], job["batch"])
    while True:
        turns.pause()
        turns.go_on()
        work()


def prepare(given: dict[str, Any], job: dict[str, Any], answers: Any) -> None:
    """Put `Batches` between the trainer and its task, and the published network in the place of the run's own."""
    held = fresh_peak() if job["measure"] == "memory" else 0
    gauge = (lambda: peak_bytes(held)) if job["measure"] == "memory" else cpu_seconds
    turns = Turns(gauge, answers, sums=job["measure"] == "time")
    common, setting, net = published(job) if job["published"] else (None, None, given["net"])
    print(sum(parameter.numel() for parameter in net.parameters()), file=answers, flush=True)
    if job["published"]:
        if job["batch"]:
            infer(common, setting, net, job, turns)
        given["net"], given["task"] = net, on_tokens(common, setting)
    task = given["task"]
    batches = task.train_batches
    # around whatever the class says of setting attributes: tasks are frozen
    object.__setattr__(task, "train_batches", lambda size, seed: Batches(batches(size, seed), turns))


def main() -> None:
    """Run the revision's command with its trainer prepared."""
    job = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the run itself prints is no answer
    import nacbench.training.loop as loop

    if TREE not in Path(str(loop.__file__)).parents:
        sys.exit(f"nacbench comes from {loop.__file__}, not from {TREE}")
    made: Any = loop.Trainer.__init__

    def init(self: Any, **given: Any) -> None:
        prepare(given, job, answers)
        made(self, **given)

    setattr(loop.Trainer, "__init__", init)  # noqa: B010 (mypy refuses an assignment to a method)
    sys.argv = ["nacbench", *job["words"]]
    runpy.run_module("nacbench", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
