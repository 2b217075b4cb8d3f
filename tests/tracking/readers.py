"""What trackers wrote, read back as ``{name: [(step, value), …]}`` with each library's own reader."""

import json
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Curves = dict[str, list[tuple[int, float]]]


def curves_of(tracker: str, folder: Path) -> Curves:
    """Read the one run that a tracker has in a folder."""
    return {"tensorboard": of_tensorboard, "wandb": of_wandb, "mlflow": of_mlflow}[tracker](folder)


def of_tensorboard(folder: Path) -> Curves:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def of_mlflow(folder: Path) -> Curves:
    client = mlflow_client(folder)
    (run,) = mlflow_runs(client)
    return {
        name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)] for name in run.data.metrics
    }


def mlflow_client(folder: Path) -> Any:
    """Return MLflow's client of a store of files."""
    from mlflow import MlflowClient

    return MlflowClient(folder.absolute().as_uri())


def mlflow_runs(client: Any) -> Any:
    """All runs that were not deleted."""
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def of_wandb(folder: Path) -> Curves:
    curves: Curves = defaultdict(list)
    for record in wandb_records(folder):
        if record.WhichOneof("record_type") == "history":
            step = record.history.step.num
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                if not name.startswith("_"):
                    curves[name].append((step, json.loads(item.value_json)))
    return dict(curves)


def wandb_records(folder: Path) -> Iterator[Any]:
    """Yield the records of the one offline run in a folder.

    The library has no reader of its own file any more: it is LevelDB's format of logs, with the library's messages.
    """
    from wandb.proto import wandb_internal_pb2

    message: Any = wandb_internal_pb2  # its classes are made when it is imported

    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    content, place, parts = file.read_bytes(), 7, b""
    while place < len(content):
        if 32768 - place % 32768 < 7:  # the end of a block is padded
            place += 32768 - place % 32768
            continue
        _, size, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield message.Record.FromString(parts)
            parts = b""
