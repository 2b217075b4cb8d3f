"""trackio: a local database, which ``trackio show`` shows, unless ``TRACKIO_SPACE_ID`` or the like names a server."""

import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from nacbench.tracking.tracker import PROJECT, About, Log, Place, Scalars, State, Tracker

if TYPE_CHECKING:
    from trackio import Run

REMOTE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")


@dataclass(frozen=True, kw_only=True)
class Trackio(Tracker):
    """A run of a project, with the learning curve as its logs and all settings as its config."""

    title = "trackio"
    library = "trackio"
    extra = "trackio"

    def start(self, about: About, place: Place) -> Log:
        os.environ["TRACKIO_DIR"] = place.from_environment("TRACKIO_DIR") or str(place.folder.absolute())
        if not any(os.environ.get(name) for name in REMOTE):
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # it asks the hub for the user's name, for a local run, too
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        if SQLiteStorage.get_project_db_path(project).exists():
            for old in trackio.Api().runs(project):
                if old.name == about.name:
                    old.delete()
        with redirect_stdout(StringIO()):
            run = trackio.init(
                project=project,
                name=about.name,
                group=about.task,
                config=dict(about.settings),
                resume="never",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        return _Logs(run)


class _Logs:
    def __init__(self, run: "Run") -> None:
        self._run = run

    def scalars(self, step: int, values: Scalars) -> None:
        self._run.log(dict(values), step=step)

    def finish(self, step: int, metrics: Scalars, state: State) -> None:
        import trackio

        self.scalars(step, metrics)
        with redirect_stdout(StringIO()):
            trackio.finish()
