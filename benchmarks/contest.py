"""Two revisions of nacbench side by side: a revision's files in a temporary folder, and processes that take turns."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from statistics import median, quantiles

CONTENDER = Path(__file__).with_name("contender.py")
TURN = 0.25  # seconds of a turn, unless a step takes longer: short, as other load on the machine changes in seconds
LEAST, MOST = 5, 100  # rounds


class NotMeasuredError(Exception):
    """A row cannot be measured: what a process said last."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one process does when it is its turn.

    Attributes:
        words: of ``nacbench``, a run that does not end before it is stopped.
        model: its model.
        precision: ``fp32`` or ``bf16``.
        published: train NAC or Perceiver IO of the published size on random tokens, in place of the run's network.
        batch: examples of a forward pass, which is then measured in place of a training step; 0: a training step.
        measure: ``time`` or ``memory``.
    """

    words: tuple[str, ...]
    model: str
    precision: str
    published: bool = False
    batch: int = 0
    measure: str = "time"


@dataclass(frozen=True)
class Side:
    """A tree of nacbench's files, and a folder for what its processes write."""

    name: str
    tree: Path
    scratch: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes: one thread, and a cache that no other revision has written."""
        own = {"PYTHONPATH": str(self.tree), "NACBENCH_CACHE": str(self.scratch / "cache"), "OMP_NUM_THREADS": "1"}
        return {**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def sides(repository: Path, revision: str) -> Iterator[tuple[Side, Side]]:
    """Yield a committed revision and the working tree; afterwards, and after Ctrl-C or SIGTERM, nothing is left.

    Raises:
        NotMeasuredError: if there is no such revision.
    """
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with tempfile.TemporaryDirectory(prefix="nacbench-against-") as name:
            folder = Path(name)
            for side in ("then", "now"):
                (folder / side).mkdir()
            tree = folder / "tree"
            with tarfile.open(fileobj=io.BytesIO(_archive(repository, revision))) as archive:
                archive.extractall(tree, filter="data")
            yield Side("then", tree, folder / "then"), Side("now", repository, folder / "now")
    finally:
        signal.signal(signal.SIGTERM, before)


def commit_of(repository: Path, revision: str) -> str:
    """Return a revision's commit in full.

    Raises:
        NotMeasuredError: if there is no such revision.
    """
    return (
        _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        .decode()
        .strip()
    )


def _archive(repository: Path, revision: str) -> bytes:
    """Return the files of a revision that it computes with, as a tar archive."""
    commit = commit_of(repository, revision)
    folders = _git(repository, "ls-tree", "--name-only", "-d", commit).decode().split()
    wanted = [name for name in ("nacbench", "tasks", "baselines", "benchmarks") if name in folders]
    return _git(repository, "archive", commit, *wanted)


def _git(repository: Path, *words: str) -> bytes:
    done = subprocess.run(["git", "-C", str(repository), *words], capture_output=True)  # noqa: S607
    if done.returncode:
        raise NotMeasuredError(
            f"git {words[0]} {words[-1]}: {done.stderr.decode().strip() or 'there is no such commit'}"
        )
    return done.stdout


class Contender:
    """A process of one side, which makes steps when it is its turn and sleeps otherwise."""

    def __init__(self, side: Side, job: Job) -> None:
        self.out = Path(tempfile.mkdtemp(dir=side.scratch))
        self._log = self.out / "log.txt"
        words = [*job.words, "--out", str(self.out / "runs")]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(CONTENDER), json.dumps({**asdict(job), "words": words})],
                env=side.environment(),
                cwd=self.out,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
            )

    @cached_property
    def parameters(self) -> int:
        """Number of parameters of its network.

        Raises:
            NotMeasuredError: if the process has ended; its message is what it said last.
        """
        return int(self._answer())

    def turn(self, steps: int) -> float:
        """Let it make some steps; return their CPU seconds, or the peak of memory so far in bytes.

        Raises:
            NotMeasuredError: if the process has ended; its message is what it said last.
        """
        assert self.parameters and self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise NotMeasuredError((self._log.read_text().strip().splitlines() or ["it said nothing"])[-1])
        return answer

    def close(self) -> None:
        """End the process, and those that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def contenders(jobs: Sequence[tuple[Side, Job]]) -> Iterator[list[Contender]]:
    """Yield a process for each of these jobs; they end with the block."""
    with ExitStack() as stack:
        started = []
        for side, job in jobs:
            started.append(Contender(side, job))
            stack.callback(started[-1].close)
        yield started


@dataclass(frozen=True)
class Series:
    """Seconds of a step, round by round, and the number of parameters of the network."""

    seconds: list[float]
    parameters: int


def in_turns(jobs: Sequence[tuple[Side, Job]], budget: float, warm_up: int) -> list[Series]:
    """Let processes make steps in turns: A B, B A, A B …

    Args:
        jobs: one for each process.
        budget: seconds after which no further round starts, once five are measured.
        warm_up: steps that each makes first, which do not count.

    Raises:
        NotMeasuredError: if a process has ended.
    """
    with contenders(jobs) as started:
        steps = 1
        for one in started:
            one.turn(warm_up)
            steps = max(steps, round(TURN / max(one.turn(1), 1e-6)))
        series = [Series([], one.parameters) for one in started]
        begun = time.monotonic()
        for number in range(MOST):
            forth = list(range(len(started)))
            for place in forth if number % 2 == 0 else reversed(forth):
                series[place].seconds.append(started[place].turn(steps) / steps)
            if number + 1 >= LEAST and time.monotonic() - begun > budget:
                break
    return series


@dataclass(frozen=True)
class Ratio:
    """A ratio of two series that were measured in the same rounds: median and quartiles of the rounds' own ratios."""

    value: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, above: Series, below: Series) -> Ratio:
        """Return the ratio of two series of the same rounds."""
        low, value, high = quantiles([a / b for a, b in zip(above.seconds, below.seconds, strict=True)], n=4)
        return cls(value, low, high, len(above.seconds))

    @property
    def spread(self) -> str:
        """Quartiles and rounds in words."""
        return f"quartiles {self.low:.2f} to {self.high:.2f}, {self.rounds} rounds"


def medians(then: Series, now: Series) -> str:
    """Return both medians in words, and that it is another network now, if it has another number of parameters."""
    other = f", another network: {then.parameters:,} parameters then, {now.parameters:,} now"
    told = f"{1e3 * median(then.seconds):,.1f} ms then, {1e3 * median(now.seconds):,.1f} now"
    return told + (other if then.parameters != now.parameters else "")
