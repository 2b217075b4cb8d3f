"""Training loop: optimiser steps, validation, checkpoints and exact resume.

Every step is a pure function of the seed, the step number and the weights before it: the batch is looked up by step,
and the random number generator is seeded before each micro-batch. A checkpoint therefore needs no generator state, and
a resumed run ends with the weights of an uninterrupted one (bit for bit on a CPU in one process).
"""

import itertools
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from nacbench.contracts.given_scores import SMALLER, checked_evaluation, has_finite_weights
from nacbench.contracts.metric import Metric
from nacbench.contracts.recipe import BEST_TEST, Recipe
from nacbench.contracts.spec import Batch
from nacbench.contracts.task import LiveTask
from nacbench.errors import BrokenFileError, DivergedError, UserError
from nacbench.filesystem.files import set_file_aside
from nacbench.training.checkpoint import (
    load_module,
    load_optimizer,
    load_tensors,
    module_tensors,
    optimizer_tensors,
    save_tensors,
)
from nacbench.training.curve import Curve
from nacbench.training.execution import Execution
from nacbench.training.interrupt import Interrupted, StopRequest
from nacbench.training.optim import average_caveat, learning_rate
from nacbench.training.progress import Progress
from nacbench.training.steps import Stepper

LOGS_PER_RUN = 200  # training rows in a learning curve; each one synchronises with the GPU


@dataclass(kw_only=True)
class Status:
    """Counters of a run. With weights and optimiser state they are all that a resumed run needs."""

    step: int = 0
    curve_rows: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    best: float | None = None
    best_step: int | None = None
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    compiled: bool | None = None  # none: not decided yet
    kernels: list[str] = field(default_factory=list)  # whose computed the steps; two if a resumed run changed them

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation so far, over all attempts."""
        return self.train_seconds + self.evaluate_seconds


@dataclass(kw_only=True)
class Trainer:
    """Trains a network on a task; see `train`.

    Attributes:
        task: the live task.
        net: the network with initial weights, on the CPU.
        recipe: training hyper-parameters.
        seed: of the run.
        metric: metric of the selection.
        folder: the run's folder, for checkpoints and the learning curve.
        run_id: stored in checkpoints; a checkpoint of another run is not resumed.
        accelerator: device, precision and processes.
        execution: execution settings.
        stop: request to stop early, set by a signal handler.
        kernels: whose kernels compute; None for a network without own ones (see `nacbench.kernels.path`).
        usual: the task's own recipe, of which a user need not be told.
        pulse: heartbeat, called with the number of finished steps at every log line and before every checkpoint; it may
            raise to stop the run without saving (another process owns the run).
        told: called in the main process with each row of the learning curve; in a resumed run first with those before
            the checkpoint.
    """

    task: LiveTask
    net: nn.Module
    recipe: Recipe
    seed: int
    metric: Metric
    folder: Path
    run_id: str
    accelerator: Accelerator
    execution: Execution
    stop: StopRequest
    kernels: str | None = None
    usual: Recipe | None = None
    pulse: Callable[[int], None] = lambda steps: None
    told: Callable[[Mapping[str, Any]], None] = lambda row: None
    status: Status = field(default_factory=Status)

    def __post_init__(self) -> None:
        self._last = self.folder / "checkpoint" / "last.safetensors"
        self._best = self.folder / "checkpoint" / "best.safetensors"
        self._pending: list[Tensor] = []  # losses still on the device: fetching each one would synchronise every step
        self._batches = self.task.train_batches(self.recipe.batch_size, self.seed)
        self.total_steps = self.recipe.epochs * len(self._batches)
        if self.recipe.selection != "last" and self._observed not in self.task.split_sizes:
            raise UserError(f"training.selection = {self.recipe.selection!r} needs a {self._observed} split")
        self._log_every = max(1, self.total_steps // LOGS_PER_RUN)
        parts = self.recipe.accumulate * self.accelerator.num_processes
        if self.recipe.batch_size % parts:
            raise UserError(
                f"training.batch_size = {self.recipe.batch_size} cannot be split evenly into training.accumulate = "
                f"{self.recipe.accumulate} micro-batches on each of {self.accelerator.num_processes} processes; make "
                f"it a multiple of {parts}"
            )
        self._stepper = Stepper(
            task=self.task,
            net=self.net,
            recipe=self.recipe,
            seed=self.seed,
            accelerator=self.accelerator,
            execution=self.execution,
        )

    @property
    def captured(self) -> bool:
        """Whether the last steps were replayed from a CUDA graph, for the record."""
        return self._stepper.captured

    def train(self, progress: Progress) -> nn.Module:
        """Train to the end, from the last checkpoint if there is one.

        Returns:
            The network with the selected weights (the last or the best, averaged if ``score_ema``), in evaluation mode.

        Raises:
            Interrupted: if a signal asked to stop; the checkpoint is saved.
            DivergedError: if a loss, a validation score or a weight is not finite.
        """
        self._resume(progress)
        self._note_kernels(progress)
        curve = Curve(self.folder / "curve.jsonl", self.status.curve_rows, self.told) if self._is_main else None
        for caveat in self._caveats():
            progress.say(caveat)
        self._stepper.begin(is_compiled=self._is_compiled(progress), say=progress.say)
        try:
            self._steps(self._upcoming(), curve, progress)
        finally:
            self._stepper.end()
            if curve:
                curve.close()
        return self._selected()

    def _steps(self, batches: Iterator[Batch], curve: Curve | None, progress: Progress) -> None:
        saved_at = mark = time.monotonic()
        for step in range(self.status.step, self.total_steps):
            rate = learning_rate(self.recipe, step, len(self._batches))
            loss = self._stepper.make(step, next(batches), rate)
            self.status.step = step + 1
            self._count(loss)
            now = time.monotonic()
            self.status.train_seconds += now - mark
            if self._is_log_due():
                self._log(curve, progress, rate)
            if self._is_evaluation_due():
                self._evaluate(curve, progress)
            if curve:
                self.status.curve_rows = curve.rows
            # After the evaluation, so that a checkpoint never lies between a step and the evaluation that is due there
            if self._is_stop_asked():
                self._save()
                raise Interrupted(self.stop.signal_number or signal.SIGTERM, self.status.step)
            if now - saved_at >= self.execution.checkpoint_seconds or self.status.step == self.total_steps:
                self._save()
                saved_at = time.monotonic()
            mark = time.monotonic()

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    @property
    def _observed(self) -> str:
        """The split that is scored during training: validation, unless the test images choose the weights."""
        return "test" if self.recipe.selection == BEST_TEST else "validation"

    def _caveats(self) -> Iterator[str]:
        if self.recipe.selection == BEST_TEST:
            yield (
                "the weights are chosen on the TEST images, as the paper's authors did: the score is too "
                "high, and comparable with theirs alone; every table says so"
            )
        caveat = average_caveat(self.recipe, self.total_steps, self.usual)
        if caveat:
            yield caveat

    def _is_compiled(self, progress: Progress) -> bool:
        """Decide whether steps are compiled, once for the whole run: a resumed one goes on as it began, bit for bit."""
        wanted, status = self.execution.compile, self.status
        if status.compiled is None:
            status.compiled = self._pays_to_compile(progress) if wanted == "auto" else wanted == "on"
        elif wanted != "auto" and status.compiled != (wanted == "on"):
            began, other = ("with", "without") if status.compiled else ("without", "with")
            progress.say(f"going on {began} torch.compile, as the run began; {other} it, last digits would differ")
        return status.compiled

    def _pays_to_compile(self, progress: Progress) -> bool:
        left = self.total_steps - self.status.step
        return self._stepper.pays_to_compile(self._batches[self.status.step], left, self.kernels, progress.say)

    def _upcoming(self) -> Iterator[Batch]:
        """Iterate over the batches from the current step on, prefetched by workers if there are any."""
        steps = range(self.status.step, self.total_steps)
        if not self.execution.workers:
            return (self._batches[step] for step in steps)
        loader = DataLoader(
            _ByStep(self._batches),
            batch_size=None,  # items are whole batches
            sampler=steps,
            num_workers=self.execution.workers,
            pin_memory=self.execution.device == "cuda",
        )
        return itertools.chain(loader)  # starts the workers at the first batch, not here

    def _count(self, loss: Tensor) -> None:
        """Store a step's loss.

        Before logs and evaluations this synchronises with the device, so that queued work of the steps is counted as
        training time.
        """
        self._pending.append(loss)
        if self.execution.device == "cpu" or self._is_log_due() or self._is_evaluation_due():
            self._settle()

    def _settle(self) -> None:
        """Fetch the pending losses from the device; on a GPU this synchronises, so it is not done at every step."""
        if self._pending:
            # fsum rounds once, however many losses are pending
            self.status.loss_sum += math.fsum(torch.stack(self._pending).tolist())
            self.status.loss_count += len(self._pending)
            self._pending.clear()

    def _log(self, curve: Curve | None, progress: Progress, rate: float) -> None:
        self._settle()
        status = self.status
        loss = status.loss_sum / status.loss_count
        if not math.isfinite(loss):
            raise DivergedError(
                f"the network has diverged: the training loss is {loss} at step {status.step} of {self.total_steps} "
                f"(learning rate {rate:g}); {SMALLER}"
            )
        status.loss_sum, status.loss_count = 0.0, 0
        epoch = status.step / len(self._batches)
        if curve:
            curve.add({"step": status.step, "epoch": round(epoch, 4), "split": "train", "loss": loss, "lr": rate})
        examples = status.step * self.recipe.batch_size / max(status.train_seconds, 1e-9)
        progress.step(status.step, {"epoch": f"{epoch:.1f}", "loss": f"{loss:.3f}", "examples/s": f"{examples:.0f}"})
        self.pulse(status.step)

    def _is_stop_asked(self) -> bool:
        """Whether any process has been asked to stop.

        All processes must leave at the same step: those left behind would wait for the others' gradients for ever.
        """
        asked = self.stop.signal_number is not None
        if self.accelerator.num_processes == 1:
            return asked
        if asked:
            self.accelerator.set_trigger()
        return bool(self.accelerator.check_trigger())

    def _is_log_due(self) -> bool:
        return self.status.step % self._log_every == 0 or self.status.step == self.total_steps

    def _is_evaluation_due(self) -> bool:
        epoch, rest = divmod(self.status.step, len(self._batches))
        due = epoch % self.recipe.evaluate_every == 0 or epoch == self.recipe.epochs
        return self._observed in self.task.split_sizes and rest == 0 and due

    def _evaluate(self, curve: Curve | None, progress: Progress) -> None:
        """Score the observed split, and save the weights if they are the best so far."""
        started = time.monotonic()
        if self._is_main:
            split = self._observed
            metrics = self.evaluate(self._stepper.evaluated, split)
            score, step = metrics[self.metric.name], self.status.step
            epoch = step // len(self._batches)
            assert curve is not None
            curve.add({"step": step, "epoch": epoch, "split": split, **metrics})
            progress.say(f"epoch {epoch}/{self.recipe.epochs}: {split} {self.metric.name} {score:.4f}")
            if self.status.best is None or self.metric.gain(score - self.status.best) > 0:
                self.status.best, self.status.best_step = score, step
                if self.recipe.selection != "last":
                    self.pulse(step)  # raises if another process has taken over the run: its file must not be replaced
                    save_tensors(self._best, module_tensors("model", self._stepper.evaluated), {"run_id": self.run_id})
        self.accelerator.wait_for_everyone()
        self._stepper.in_training_mode()
        self.status.evaluate_seconds += time.monotonic() - started

    def evaluate(self, net: nn.Module, split: str) -> dict[str, float]:
        """Return the metrics of a network on a split; the network is left in evaluation mode.

        Raises:
            DivergedError: if a metric is not finite: NaN is not better than the best score, nor would any score be
                better than NaN.
        """
        net.eval()
        with torch.inference_mode(), self.accelerator.autocast():
            given = self.task.evaluate(net, split, self.recipe.batch_size)
        return dict(checked_evaluation(self.task, split, given, self.metric.name, net).metrics)

    def _save(self) -> None:
        if not self._is_main:
            return
        self._settle()
        self.pulse(self.status.step)  # raises if another process has taken over the run
        tensors = module_tensors("model", self.net) | optimizer_tensors(self._stepper.optimizer)
        if self._stepper.average is not None:
            tensors |= module_tensors("average", self._stepper.average)
        save_tensors(self._last, tensors, {"run_id": self.run_id, "status": vars(self.status)})

    def _resume(self, progress: Progress) -> None:
        """Resume from the last checkpoint; set a broken one, or one of another run, aside and start from step 0."""
        if not self._last.exists():
            return
        try:
            tensors, meta = self._read(self._last)
            status = Status(**meta["status"])
            if self.recipe.selection != "last" and status.best_step is not None:
                self._read(self._best)
        except BrokenFileError as error:
            if self._is_main:
                for path in (self._last, self._best):
                    if path.exists():
                        set_file_aside(path)
                progress.say(f"{error}: set aside, starting from step 0")
            return
        load_module(self.net, "model", tensors)
        load_optimizer(self._stepper.optimizer, tensors)
        if self._stepper.average is not None:
            load_module(self._stepper.average, "average", tensors)
        self.status = status
        progress.say(f"resuming from step {self.status.step}/{self.total_steps}")

    def _note_kernels(self, progress: Progress) -> None:
        """Note whose kernels compute; say so if others computed the steps before the checkpoint."""
        before = self.status.kernels
        if self.kernels is None or before[-1:] == [self.kernels]:
            return
        if before:
            progress.say(
                f"the steps before were computed with kernels of {before[-1]}, the next ones with those of "
                f"{self.kernels}: last digits may differ from those of a run without interruption"
            )
        self.status.kernels = [*(name for name in before if name != self.kernels), self.kernels]

    def _read(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, meta = load_tensors(path)
        if meta.get("run_id") != self.run_id:
            raise BrokenFileError(f"checkpoint {path} belongs to run {meta.get('run_id')}, not {self.run_id}")
        return tensors, meta

    def _selected(self) -> nn.Module:
        net = self._stepper.evaluated
        if self.recipe.selection != "last":
            load_module(net, "model", load_tensors(self._best)[0])
        # The last step comes after the last loss, and scores of broken weights can be finite
        if not has_finite_weights(net):
            raise DivergedError(f"the network has diverged: its trained weights are not all finite; {SMALLER}")
        return net.eval()

    def selection(self) -> dict[str, Any]:
        """Return which weights were selected, for the record."""
        best = self.recipe.selection != "last"
        return {
            "rule": self.recipe.selection,
            "step": self.status.best_step if best else self.total_steps,
            "averaged": self._stepper.evaluated is not self.net,
            "validation": self.status.best if self.recipe.selection == "best-validation" else None,
        }


class _ByStep(torch.utils.data.Dataset[Batch]):
    """Map-style data set from step to batch, so that any worker can prepare any step's batch."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> Batch:
        batch: Batch = self._batches[step]
        return batch
