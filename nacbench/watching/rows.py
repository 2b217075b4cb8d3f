"""Rows of the page: what is shown of a run, as plain data in which every text can be seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.formats.escape import all_visible, visible
from nacbench.recording.curve import Point, last_points
from nacbench.recording.identity import RecordedConfig
from nacbench.recording.row import Run
from nacbench.recording.row import settings_of as common_settings
from nacbench.recording.store import CURVE, read_state
from nacbench.registry import TASKS
from nacbench.reporting.names import sized
from nacbench.sweep.lost import failure_of
from nacbench.sweep.state import STUCK, Standing
from nacbench.sweep.variants import UNKNOWN, Kind, kind_of
from nacbench.sweep.variants import variants as told_apart
from nacbench.watching.progress import Progress, seconds_of
from nacbench.watching.sources import Watched

Row = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """What a run is, from whatever is known of it; see `nacbench.reporting.names.Described`.

    Attributes:
        seed: None if not known.
        settings: as in `nacbench.sweep.listing.Listed`.
    """

    task: str
    model: str
    model_size: str
    scale: str
    seed: int | None
    settings: str

    @property
    def kind(self) -> Kind:
        """What it has in common with similar runs."""
        return kind_of(self)


def described(run: Watched) -> Described:
    """Return what a run is that has no record: by what it began with, by its configuration, which is all that is known
    before that, or else by its failure and its folder.
    """
    with suppress(ValidationError):  # submissions of other versions may have other configurations
        config = RecordedConfig.model_validate(run.config, strict=True)
        model = config.model
        state = read_state(Path(run.place)) if run.run_id else None
        settings = common_settings(state.identity) if state else run.settings
        return Described(config.task.name, model.name, model.size, config.scale, config.seed, settings)
    failure = failure_of(Path(run.place))
    if failure:
        return Described(failure.task, failure.model, failure.size, failure.scale, failure.seed, UNKNOWN)
    folder = Path(run.place)
    return Described(folder.parent.parent.name, folder.parent.name, "", "", None, UNKNOWN)


def described_by_record(run: Run) -> Described:
    """Return what a finished run is."""
    return Described(run.task, run.model, run.model_size, run.scale, run.seed, run.settings)


def variants(runs: Iterable[Described]) -> dict[tuple[Kind, str], str]:
    """Return what tells variants from each other, by kind and settings, as tables and ``nacbench runs`` tell it."""
    return {place: ", ".join(texts.values()) for place, texts in told_apart(runs).items()}


def row_of_finished(run: Run) -> Row:
    """Return what is shown of a finished run, but for its variant."""
    train, _ = last_points(Path(run.folder) / CURVE)
    measure = run.measure
    return {
        "step": train.step if train else None,
        "steps": train.step if train else None,
        "epoch": train.epoch if train else None,
        "epochs": round(train.epoch) if train else None,
        "loss": train.loss if train else None,
        "check": None,
        "score": measure.with_unit(measure.number(run.score)),
        "order": measure.order(run.score),
        "elapsed": run.train_seconds + run.evaluate_seconds,  # over all attempts
        "when": seconds_of(run.finished),
        "attempts": run.attempts,
        "why": "",
    }


def row_of_other(standing: Standing, progress: Progress, measure: Metric | None, now: float) -> Row:
    """Return what is shown of a run without a record, but for its variant.

    Args:
        standing: its state.
        progress: how far it is.
        measure: what the numbers of its task's main metric mean, if that is known.
        now: the time in seconds since 1970.
    """
    runs = standing.state == "running"
    return {
        "step": progress.step,
        "steps": progress.steps,
        "epoch": progress.epoch,
        "epochs": progress.epochs,
        "loss": progress.train.loss if progress.train else None,
        "check": _check(progress.check, measure),
        "score": None,
        "order": None,
        "since": progress.since if runs else None,
        "elapsed": None if runs else progress.elapsed,
        "ends": now + progress.left if runs and progress.left is not None else None,
        "when": None if progress.since is None else progress.since + (progress.elapsed or 0),
        "attempts": standing.attempts,
        "why": _why(standing, progress),
    }


def whole_row(run: Watched, what: Described, standing: Standing, facts: Mapping[str, Any], more: Row) -> Row:
    """Return a row of the page, with all texts visible.

    Args:
        run: the run.
        what: it is.
        standing: its state.
        facts: ``variant`` and ``curve``: a stamp of its curve, which changes with it.
        more: the rest.
    """
    row: Row = all_visible(
        {
            "n": run.number,
            "run": run.run_id or "",
            "place": run.key if run.run_id else "",
            "task": what.task,
            "scale": what.scale,
            "model": what.model,
            "label": sized(what.model, what.model_size, what.task, what.scale) if what.model_size else what.model,
            "seed": what.seed,
            "state": standing.state,
            **facts,
            **more,
        }
    )
    return row


def _why(standing: Standing, progress: Progress) -> str:
    """Return the remark of a row: more about the state, which for a run that goes on is only whether it is stuck."""
    detail = standing.detail
    if standing.state == "running" and progress.step:
        return detail if STUCK in detail else ""
    return f"{standing.cause}: {detail}" if standing.cause and standing.cause != "error" else detail


def _check(point: Point | None, measure: Metric | None) -> str | None:
    """Return the last score of the split that is scored during training, as text."""
    if point is None:
        return None
    if measure is not None and (value := point.value(measure.name)) is not None:
        return measure.with_unit(measure.number(value))
    return next((f"{name} {value:.4g}" for name, value in (point.model_extra or {}).items()), None)


def measures(finished: Iterable[Run], tasks: Iterable[str]) -> dict[str, Metric]:
    """Return what the numbers of each task's main metric mean, by finished runs or else by the task itself."""
    found = {run.task: run.measure for run in {run.task: run for run in finished}.values()}
    for name in tasks:
        if name not in found:
            try:
                found[name] = TASKS.get(name).main_metric()
            except UserError:  # of a plug-in that is not loaded
                continue
    return found


def curve_of(points: Sequence[Point], measure: Metric | None, most: int) -> dict[str, Any]:
    """Return a curve as the page draws it: pairs of epoch and value, at most so many in each list, the last among them.

    ``check`` has the scores of the split that is scored during training, in the unit that they are shown in, and
    ``heading`` says what they are.
    """
    train = [point for point in points if point.split == "train" and point.loss is not None]
    check = [point for point in points if point.split != "train"]
    name = measure.name if measure and any(p.value(measure.name) is not None for p in check) else _first_name(check)
    factor = measure.scaled if measure and name == measure.name else float
    scores = [(p.epoch, factor(value)) for p in check if name and (value := p.value(name)) is not None]
    rates = [(p.epoch, float(rate)) for p in train if (rate := (p.model_extra or {}).get("lr")) is not None]
    heading = measure.heading if measure and name == measure.name else name or ""
    return {
        "heading": visible(f"{check[0].split} {heading}") if check else "",
        "loss": thinned([(p.epoch, p.loss) for p in train], most),
        "rate": thinned(rates, most),
        "check": thinned([(epoch, value) for epoch, value in scores if math.isfinite(value)], most),
    }


def thinned(pairs: Sequence[Any], most: int) -> list[Any]:
    """Return every n-th of some pairs, and the last."""
    stride = -(-len(pairs) // most) or 1
    return [*pairs[:-1:stride], *pairs[-1:]]


def _first_name(points: Sequence[Point]) -> str | None:
    return next((name for point in points for name in (point.model_extra or {})), None)
