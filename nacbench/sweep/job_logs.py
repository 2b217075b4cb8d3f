"""Logs of a sweep's jobs: what submitit's jobs and the workers of a local sweep have printed."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from nacbench.recording.store import tail
from nacbench.sweep.crew import ENDED
from nacbench.sweep.submission import Submission

_LOG_NAME = re.compile(r"([0-9]+|[0-9]+_[0-9]+)(?:_[0-9]+_log\.(?:out|err)|\.log)")  # of submitit's jobs; of workers


class JobLogs:
    """Logs of submissions; the folder of each is listed once, as it may be large."""

    def __init__(self) -> None:
        self._listed: dict[str, Mapping[str, list[Path]]] = {}

    def of(self, jobs: Iterable[tuple[Submission, int]]) -> list[Path]:
        """Return the files of standard output and error of some jobs that are not empty, in the order of the jobs.

        Args:
            jobs: of each its submission, and the index of its run there.
        """
        found: list[Path] = []
        for submission, index in jobs:
            own = submission.job_of(index) or str(index)  # a local worker has no job number
            found += self._of(submission).get(own, [])
        return [path for path in found if path.stat().st_size]

    def _of(self, submission: Submission) -> Mapping[str, list[Path]]:
        """Return the logs of a submission by job number or index."""
        if submission.token not in self._listed:
            self._listed[submission.token] = _listed(submission.jobs_folder())
        return self._listed[submission.token]


def _listed(folder: Path) -> Mapping[str, list[Path]]:
    logs: dict[str, list[Path]] = defaultdict(list)
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 (names alone, of many files)
            if match := _LOG_NAME.fullmatch(name):
                logs[match[1]].append(folder / name)
    return logs


def early_end(log: Path) -> str:
    """Return how a worker ended that did not get as far as its run, with the last line that it printed."""
    *lines, last = tail(log)
    how = last.removeprefix(ENDED) if last.startswith(ENDED) else ""
    said = [line.strip() for line in (lines if how else [*lines, last]) if line.strip()]
    return f"its process ended before the run started{how}{f': {said[-1]}' if said else ''}"
