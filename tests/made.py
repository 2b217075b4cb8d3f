"""Made records, failures and run folders, for tests that need results but no training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacbench.contracts.metric import ACCURACY, NLL
from nacbench.filesystem.files import digest_of
from nacbench.recording.identity import run_id_of
from nacbench.recording.metric_facts import MetricFacts
from nacbench.recording.record import FAILURE, RECORD, Failure, RunRecord

TRAINED = "0123456789ab"  # id of the run that trained the network of a made run of an evaluation task


def made_record(**changes: Any) -> RunRecord:
    """A record of a run that never was.

    Args:
        changes: ``task``, ``model``, ``size``, ``scale``, ``seed``, ``score`` on test, ``lr``, ``engine`` (a code
            digest), ``notes``, ``protocol``, ``trained_on`` (the task whose run the network was taken from),
            ``metric``, ``training`` (settings besides the usual ones), ``options`` (of the task), ``precision``,
            ``data`` (a fingerprint).
    """
    given = {
        "task": "digits",
        "model": "nac",
        "size": "mini",
        "scale": "mini",
        "seed": 0,
        "score": 0.9,
        "lr": 0.001,
        "engine": "e1",
        "notes": [],
        "protocol": "supervised",
        "trained_on": None,
        "metric": ACCURACY,
        "training": {},
        "options": {},
        "precision": "bf16",
        "data": "f1",
        **changes,
    }
    metric = given["metric"]
    config = {
        "task": {"name": given["task"], "patch": 1, **given["options"]},
        "model": {"name": given["model"], "size": given["size"], "depth": 3},
        "scale": given["scale"],
        "seed": given["seed"],
        "precision": given["precision"],
        "training": {"epochs": 2, "lr": given["lr"], "augment": {"flip": False}, **given["training"]},
    }
    code = {"engine": given["engine"], "task": "t1", "model": "m1"}
    identity: dict[str, Any] = {"config": config, "task_version": 1, "data": given["data"], "code": code}
    if given["trained_on"]:
        shared = {key: config[key] for key in ("model", "scale", "seed", "precision", "training")}
        config["trained_on"] = {**shared, "task": {"name": given["trained_on"], "patch": 1}}
        identity["trained_on"] = TRAINED
    return RunRecord.model_validate(
        {
            "run_id": run_id_of(identity),
            **{key: given[key] for key in ("task", "model", "size", "scale", "seed")},
            "precision": given["precision"],
            "protocol": given["protocol"],
            "trained_on": {"task": given["trained_on"], "run_id": TRAINED} if given["trained_on"] else None,
            "metric": metric.name,
            "metric_facts": {one.name: MetricFacts.of(one).model_dump() for one in (metric, NLL)},
            "metrics": {"validation": {metric.name: 0.8}, "test": {metric.name: given["score"], "nll": 0.3}},
            "selection": {"rule": "last", "step": 20, "averaged": True, "validation": None},
            "data": {
                "fingerprint": given["data"],
                "splits": {"train": 100, "validation": 20, "test": 1000},
                "classes": 10,
                "modality": "image",
                "notes": given["notes"],
            },
            "cost": {
                "parameters": 123_456,
                "core_parameters": 120_000,
                "forward_flops": 21_000_000,
                "flops_input": {"image": [1, 1, 8, 8]},
                "train_seconds": 75.0,
                "evaluate_seconds": 1.5,
                "total_seconds": 80.0,
                "examples_per_second": 400.0,
                "peak_memory_bytes": 10**9,
            },
            "environment": {
                "hardware": {"device": "cpu", "cpu": "Test CPU", "cores": 2, "threads": 2, "gpu": None},
                "processes": 1,
                "compiled": False,
                "python": "3.11.7",
                "platform": "Linux",
                "versions": {"nacbench": "0.1.0", "torch": "2.15.0"},
                "git_commit": None,
                "git_dirty": None,
            },
            "identity": identity,
            "attempts": 1,
            "started": "2026-11-23T09:00:00+00:00",
            "finished": "2026-11-23T09:02:00+00:00",
        }
    )


def made_failure(**changes: Any) -> Failure:
    """A reason why there is no record."""
    given = {
        "status": "skipped",
        "run_id": "000000000bad",
        "task": "digits",
        "model": "vit",
        "size": "mini",
        "scale": "mini",
        "seed": 0,
        "reason": "it takes images only",
        "when": "2026-11-23T09:00:00+00:00",
    }
    return Failure.model_validate({**given, **changes})


def write_run(store: Path, record: RunRecord, *, curve: bool = True) -> Path:
    """The folder of a made run, with its record, its state and perhaps its curve."""
    folder = store / record.task / record.model / record.run_id
    folder.mkdir(parents=True)
    files: dict[str, str] = {}
    (folder / "state.json").write_text(json.dumps({"attempts": 1, "identity": record.identity}))
    if curve:
        losses = [{"step": s, "epoch": s / 10, "split": "train", "loss": 2 / s, "lr": 1e-3} for s in (5, 10, 15, 20)]
        scores = [{"step": s, "epoch": s // 10, "split": "validation", "accuracy": 0.04 * s} for s in (10, 20)]
        (folder / "curve.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in losses + scores))
        files = {"curve.jsonl": digest_of(folder / "curve.jsonl")}
    content = record.model_dump(mode="json")
    (folder / RECORD).write_text(json.dumps({**content, "files": {**files, **content["files"]}}))
    return folder


def folder_of(store: Path, **changes: Any) -> Path:
    """The folder of the made run with these changes."""
    record = made_record(**changes)
    return store / record.task / record.model / record.run_id


def write_content(store: Path, content: Mapping[str, Any]) -> Path:
    """The folder of a record that is given as JSON; its id becomes the digest of its identity."""
    run_id = run_id_of(content["identity"])
    folder = store / "any" / "run" / run_id
    folder.mkdir(parents=True)
    (folder / RECORD).write_text(json.dumps({**content, "run_id": run_id}))
    return folder


def write_failure(store: Path, failure: Failure) -> Path:
    """The folder of a run that has no record."""
    folder = store / failure.task / failure.model / failure.run_id
    folder.mkdir(parents=True)
    (folder / FAILURE).write_text(json.dumps(failure.model_dump(mode="json")))
    return folder
