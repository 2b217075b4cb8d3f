"""Trials of tuning, made up."""

from typing import Any

from nacbench.recording.identity import run_id_of
from nacbench.recording.record import RunRecord
from nacbench.recording.row import Run, row_of
from nacbench.running.resolve import resolve
from tests.made import made_record

RATES = {0.001: 0.5, 0.004: 0.7, 0.009: 0.6}


def tried(scores: dict[float, float], **changes: Any) -> list[Run]:
    given = {"task": "digits-tuning", **changes}
    records = [made_record(**given, lr=lr, score=score) for lr, score in scores.items()]
    return [row_of(record, record.run_id, 1, 1) for record in records]


def real_record(lr: float, score: float, model: str = "nac", **training: Any) -> RunRecord:
    """A made record of digits-tuning whose configuration is one that can be run."""
    given = {"task": {"name": "digits-tuning"}, "model": {"name": model}, "scale": "smoke"}
    config = resolve({**given, "training": {"lr": lr, **training}}).as_dict()
    record = made_record(task="digits-tuning", model=model, size="tiny", scale="smoke", score=score)
    identity = {**record.identity, "config": config}
    changed = {"identity": identity, "run_id": run_id_of(identity), "precision": config["precision"]}
    return record.model_copy(update=changed)


def real_run(*args: Any, **training: Any) -> Run:
    return row_of(real_record(*args, **training), "made", 1, 1)
