"""A world whose runs take no time: a plan, scores that it gives, and what a submission does there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacbench.filesystem.files import utc_now
from nacbench.recording.row import Run, row_of
from nacbench.sweep.plan import Place, Plan, PlannedRun, make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.state import Standing
from nacbench.sweep.submission import Submission
from nacbench.sweep.submitting import Submitted

from ..made import made_record

NOISE = np.random.default_rng(0).normal(size=(3, 1000))


MODELS = ("nac", "vit", "transformer")


Scores = Callable[[PlannedRun], float]


def plan(**changes: Any) -> Plan:
    """A plan of twenty seeds of three models on digits."""
    content: dict[str, Any] = {
        "tasks": "digits",
        "models": list(MODELS),
        "scale": "smoke",
        "seeds": "0..19",
        "precision": "fp32",
    }
    content |= {"profile": {"executor": "debug"}}
    return make_plan(parse_sweep({**content, **changes}, Path("mine.yaml")), Path("data"))


PLAN = plan()


def scores_of(**means: float) -> Scores:
    """Scores of models with these means; the noise of seeds has a deviation of 0.01."""
    return lambda run: (
        means[run.config.model.name] + 0.01 * float(NOISE[MODELS.index(run.config.model.name), run.config.seed])
    )


def started(runs: Sequence[PlannedRun]) -> Submitted:
    """What submit returns."""
    about: dict[str, Any] = {"sweep": "mine", "store": Path("runs"), "data_root": Path("data"), "plugins": ()}
    return Submitted(len(runs), len(runs), (Submission.of(runs, **about),))


class World:
    """Runs that are done as soon as they are submitted.

    Args:
        scores: gives the score of a run.
        seconds: that a run of each model costs.
        standings: of runs that end in another way, by model and seed.
    """

    def __init__(
        self,
        scores: Scores,
        seconds: Mapping[str, float] | None = None,
        standings: Mapping[tuple[str, int], Standing] | None = None,
    ) -> None:
        self.scores, self.seconds, self.ends = scores, seconds or {}, standings or {}
        self.rows: dict[str, Run] = {}
        self.submitted: list[tuple[str, int]] = []
        self.broken: list[str] = []
        self.is_silent = False
        self.silence = "there is no Slurm on this machine"

    def submit(self, plan: Plan, place: Place, say: object, *, only: Sequence[PlannedRun], **more: Any) -> Submitted:
        for run in only:
            name = (run.config.model.name, run.config.seed)
            self.submitted.append(name)
            if name not in self.ends:
                self.rows[run.key] = self.row(run)
        return started(only)

    def row(self, run: PlannedRun) -> Run:
        made = row_of(made_record(), "made", 1, 1)
        config = run.config
        return made._replace(
            folder=f"made-{run.key}",
            run_id=str(run.run_id),
            task=config.task.name,
            model=config.model.name,
            model_size=config.model.size,
            scale=config.scale,
            series=run.series,
            seed=config.seed,
            score=self.scores(run),
            scored=10_000,
            train_seconds=self.seconds.get(config.model.name, 10.0),
            evaluate_seconds=0.0,
            threads=1,
            finished=utc_now(),
        )

    def standings(self, runs: Sequence[PlannedRun]) -> dict[str, Standing]:
        return {run.key: self._standing(run) for run in runs}

    def _standing(self, run: PlannedRun) -> Standing:
        name = (run.config.model.name, run.config.seed)
        if name in self.submitted and name in self.ends:
            return self.ends[name]
        return Standing(state="done" if run.key in self.rows else "planned")
