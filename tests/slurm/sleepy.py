"""Plug-in for tests on a cluster: a task that is slow and can fail in several ways, and a tiny model."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nacbench import Arrays, ImageRecipe, ImageTask, Model, fingerprint
from nacbench.machine.process import slurm_job  # a test's own look inside


@dataclass(frozen=True, kw_only=True)
class Sleepy(ImageTask):
    """Bright or dark noise. ``pause`` and the fault options change the time and the outcome of a run, but no number."""

    title, classes, shape, mean, std = "Sleepy", 2, (1, 8, 8), (0.5,), (0.3,)
    licence, citation, provenance = "CC0", "made here", "uniform noise"
    presets = {"smoke": {"patch": 2, "stem_width": 8, "position_dim": 8}}
    recipes = {"smoke": ImageRecipe(epochs=5, batch_size=32, lr=2e-3)}

    pause: float = 0.1
    fault: str = ""
    fault_step: int = 8
    mark: str = ""

    def arrays(self, data_root: Path) -> Arrays:
        import numpy as np

        images = np.random.default_rng(0).integers(0, 256, (192, 1, 8, 8), dtype=np.uint8)
        labels = (images.mean((1, 2, 3)) > 127).astype(np.int16)
        arrays: dict[str, np.ndarray] = {}
        for name, part in {"train": slice(128), "validation": slice(128, 160), "test": slice(160, 192)}.items():
            arrays |= {f"{name}_images": images[part], f"{name}_labels": labels[part]}
        return Arrays(arrays, fingerprint(arrays))

    def build(self, data_root: Path, recipe: Any) -> Any:
        live = super().build(data_root, recipe)
        live.loss = _SlowLoss(live.loss, self)  # type: ignore[method-assign]
        return live


class _SlowLoss:
    def __init__(self, loss: Callable[..., torch.Tensor], task: Sleepy) -> None:
        self._loss, self._task, self._steps = loss, task, 0

    def __call__(self, net: Any, batch: Any) -> torch.Tensor:
        time.sleep(self._task.pause)
        self._steps += 1
        if self._task.fault and self._steps == self._task.fault_step and self._is_first():
            FAULTS[self._task.fault]()
        return self._loss(net, batch)

    def _is_first(self) -> bool:
        """Return whether this is the first attempt, noted by a marker file; true if there is none."""
        mark = Path(self._task.mark) if self._task.mark else None
        if mark and mark.exists():
            return False
        if mark:
            mark.touch()
        return True


def _fail() -> None:
    raise RuntimeError("made to fail")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _eat_memory() -> None:
    kept = []
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3_500_000:
        kept.append(bytearray(os.urandom(1) * 50_000_000))
        time.sleep(0.02)
    time.sleep(20)


def _requeue_in_the_middle_of_writing() -> None:
    """Leave a partial checkpoint and a partial pickle of submitit, then requeue the job."""
    from submitit import JobEnvironment

    pickle = JobEnvironment().paths.result_pickle
    pickle.with_suffix(".pkl.save_tmp").write_bytes(b"half")
    for claims in Path(os.environ["SLEEPY_STORE"]).glob("*/*/*/claims"):
        (claims.parent / "checkpoint").mkdir(exist_ok=True)
        (claims.parent / "checkpoint" / ".last.safetensors.0000.tmp").write_bytes(b"half")
    subprocess.run(["scontrol", "requeue", slurm_job()], check=True)
    time.sleep(60)


def _ignore_warnings() -> None:
    """Slurm looks at time limits twice a minute, so this hangs long enough to be killed however late it looks."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    time.sleep(300)


def _hang_with_a_child() -> None:
    """Hang with a child in the same session, both deaf to SIGTERM, as a stuck data loader is."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "300"])
    Path(os.environ["SLEEPY_CHILD"]).write_text(str(child.pid))
    time.sleep(300)


FAULTS: dict[str, Callable[[], None]] = {
    "error": _fail,
    "kill": _kill,
    "memory": _eat_memory,
    "requeue": _requeue_in_the_middle_of_writing,
    "deaf": _ignore_warnings,
    "hang": _hang_with_a_child,
}


@dataclass(frozen=True, kw_only=True)
class Mean(Model):
    """The mean token and a linear layer."""

    title = "Mean"

    def build(self, spec: Any) -> torch.nn.Module:
        class Net(torch.nn.Linear):
            def forward(self, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
                weight = tokens.new_ones(tokens.shape[:2]) if mask is None else mask.to(tokens.dtype)
                return super().forward((tokens * weight[..., None]).sum(1) / weight.sum(1, keepdim=True))

        return Net(spec.token_dim, spec.classes)
