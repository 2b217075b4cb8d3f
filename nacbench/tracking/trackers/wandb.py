"""Weights & Biases: offline runs, which ``wandb sync`` sends, unless ``WANDB_MODE`` says otherwise."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.tracking.tracker import PROJECT, About, Log, Place, Scalars, State, Tracker

if TYPE_CHECKING:
    from wandb import Run


@dataclass(frozen=True, kw_only=True)
class WeightsAndBiases(Tracker):
    """A run of the same id as here, with the learning curve as its history and all settings as its config."""

    title = "Weights & Biases"
    library = "wandb"
    extra = "wandb"

    def start(self, about: About, place: Place) -> Log:
        os.environ.setdefault("WANDB_MODE", "offline")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        folder = Path(place.from_environment("WANDB_DIR") or place.folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("CACHE", "CONFIG", "DATA"):  # it would write into the home folder
            os.environ.setdefault(f"WANDB_{name}_DIR", str(folder / f".{name.lower()}"))
        for old in folder.glob(f"wandb/offline-run-*-{about.run_id}"):  # of an earlier attempt; all of it comes again
            shutil.rmtree(old)
        import wandb

        settings = wandb.Settings(
            console="off",
            disable_git=True,
            silent=True,
            symlink=False,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=about.run_id,
            name=about.name,
            group=about.task,
            job_type=about.model,
            tags=[f"{key}: {value}" for key, value in about.tags.items()],
            config=dict(about.settings),
            dir=folder,
            resume="allow" if os.environ["WANDB_MODE"] == "online" else None,
            settings=settings,
        )
        # Whatever the settings say, it links to a log of its own, and a run refuses links in its folder when it resumes
        Path(run.settings.log_dir, "debug-core.log").unlink(missing_ok=True)
        return _History(run)


class _History:
    def __init__(self, run: "Run") -> None:
        self._run = run

    def scalars(self, step: int, values: Scalars) -> None:
        self._run.log(dict(values), step=step)

    def finish(self, step: int, metrics: Scalars, state: State) -> None:
        self.scalars(step, metrics)
        self._run.summary["state"] = state
        self._run.finish(exit_code=0 if state == "finished" else 1)
