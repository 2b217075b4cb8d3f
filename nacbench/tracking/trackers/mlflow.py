"""MLflow: a store of files, or the server that ``MLFLOW_TRACKING_URI`` names."""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.tracking.tracker import PROJECT, About, Log, Place, Scalars, State, Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID_TAG = "nacbench.run_id"
MOST_AT_ONCE = 100  # parameters in one call
LONGEST = 6000  # characters of a parameter
STATUS: Mapping[State, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


@dataclass(frozen=True, kw_only=True)
class MLflow(Tracker):
    """A run of an experiment, with the learning curve as metrics by step and all settings as parameters."""

    title = "MLflow"
    library = "mlflow-skinny"
    extra = "mlflow"

    @classmethod
    def missing(cls) -> str | None:
        from importlib.util import find_spec

        return None if find_spec("mlflow") else super().missing()  # the whole of mlflow serves as well

    def start(self, about: About, place: Place) -> Log:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        client = MlflowClient(place.from_environment("MLFLOW_TRACKING_URI") or place.folder.absolute().as_uri())
        experiment = _experiment(client, os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
        for old in client.search_runs([experiment], f"tags.`{ID_TAG}` = '{about.run_id}'"):
            client.delete_run(old.info.run_id)
        run = client.create_run(experiment, run_name=about.name, tags={**about.tags, ID_TAG: about.run_id})
        _log_settings(client, run.info.run_id, about)
        return _Metrics(client, run.info.run_id)


def _experiment(client: "MlflowClient", name: str) -> str:
    """Return the id of an experiment, which is made if there is none."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name)
        except MlflowException:  # another run of a sweep has just made it
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def _log_settings(client: "MlflowClient", run: str, about: About) -> None:
    from mlflow.entities import Param

    params = [Param(key, str(value)[:LONGEST]) for key, value in about.settings.items()]
    for first in range(0, len(params), MOST_AT_ONCE):
        client.log_batch(run, params=params[first : first + MOST_AT_ONCE])


def _allowed(name: str) -> str:
    """Return a name with what MLflow refuses, such as the @ of ``acc@1``, replaced."""
    return re.sub(r"[^\w./: -]", "_", name)


class _Metrics:
    def __init__(self, client: "MlflowClient", run: str) -> None:
        self._client = client
        self._run = run

    def scalars(self, step: int, values: Scalars) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self._client.log_batch(self._run, [Metric(_allowed(name), value, now, step) for name, value in values.items()])

    def finish(self, step: int, metrics: Scalars, state: State) -> None:
        self.scalars(step, metrics)
        self._client.set_terminated(self._run, STATUS[state])
