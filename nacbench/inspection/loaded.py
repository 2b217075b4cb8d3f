"""A run's network for use from Python: predictions for a user's own inputs, scores, circuit and attention as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.contracts.task import Evaluation, LiveTask
from nacbench.data.array_task import CLASS_NAMES, ArrayTask
from nacbench.data.unreadable import unreadable_skipped
from nacbench.errors import DivergedError, UserError, unknown
from nacbench.inspection.circuit_arrays import Attention, CircuitArrays, as_array, joined
from nacbench.inspection.links import circuit_of
from nacbench.inspection.predictions import Predictions, examples_of
from nacbench.inspection.trained import TrainedRun, load_run

if TYPE_CHECKING:
    from nacbench.data.live import Inputs, Preparation
    from nacbench.data.objectives import Objective
    from nacbench.nac.generator import Circuit


@dataclass(frozen=True)
class LoadedRun(TrainedRun):
    """A finished run with its trained network, for predictions and scores; `nacbench.api.load` returns it.

    Attributes:
        record: the run's record.
        config: its configuration.
        task: the task that the network was trained on.
        net: the network, in evaluation mode. It takes inputs that the task has prepared: use `predict` for others.
        folder: the run's folder.
        data_root: mirror of data sets.
    """

    folder: Path
    data_root: Path

    def predict(self, inputs: Any) -> Predictions:
        """Predict for raw inputs, which are prepared as the task prepares its own test examples.

        What an input is depends on the task:

        - images: an array of uint8, height×width or height×width×3, an image of Pillow, a path, or a file's bytes;
        - points: an array of floating-point numbers N×3, a uniform sample of the surface in random order;
        - text, expressions: str or bytes;
        - images and sentences: a tuple (image, sentence); NLVR2: ((left, right), sentence);
        - pairs of documents: a tuple of two texts.

        A list is a batch, and so is an array with one more dimension. One input gives one prediction.

        On the test examples, in their order, predictions are those that the run stored, digit by digit, on such a
        machine; another batch can change last digits, since a sequence is padded to the longest of its batch.

        Raises:
            UserError: if an input has another type, shape or range than the task takes, the batch is empty, data that
                the preparation needs (a vocabulary, the scale of values) is missing or has changed, or the task does
                not say how a raw input becomes an example.
            DivergedError: if an output is not finite.
        """
        import torch

        outputs = []
        with self._as_scored() as device:
            for prepared in self._prepared(inputs):
                own = self.net(**{name: tensor.to(device) for name, tensor in prepared.items()})
                outputs.append(own.float().cpu())
        together = torch.cat(outputs)
        wrong = (~together.isfinite()).any(dim=1).nonzero()
        if len(wrong):
            raise DivergedError(f"the network's outputs for example {int(wrong[0])} are not finite")
        predicted, chances = self._objective.predicted(together)
        return Predictions(self._spec.targets, self.names, predicted, chances, together.numpy())

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate the network on a split of the task's data: ``validation``, ``test`` or ``train``.

        On ``test`` it gives the record's numbers again, exactly on such a machine. Whoever chooses anything by them has
        trained on the test split: choose on ``validation``.

        Args:
            split: its name; there is no default, so that no look at the test split is an accident.

        Raises:
            UserError: if there is no such split, or the data is missing or has changed since the run.
        """
        from nacbench.contracts.given_scores import checked_evaluation
        from nacbench.formats.arguments import word

        if word("split", split) not in self._live.split_sizes:
            raise unknown("split", split, self._live.split_sizes)
        with self._as_scored():
            given = self._live.evaluate(self.net, split, self.config.training.batch_size)
        return checked_evaluation(self._live, split, given, self.record.metric, self.net)

    @property
    def circuit(self) -> CircuitArrays:
        """The circuit of a NAC.

        Raises:
            UserError: if the model is another one, or makes a circuit from each sentence (see `circuit_for`).
        """
        core = circuit_of(self)
        if core.conditional:
            raise UserError(
                f"run {self.record.run_id} makes a circuit from each sentence; give some: circuit_for(inputs)"
            )
        with self._as_scored():
            return self._circuit_arrays(core.circuit())

    def circuit_for(self, inputs: Any) -> CircuitArrays:
        """Return the circuits that a NAC makes from the sentences of some inputs, each with a leading axis N.

        Args:
            inputs: as in `predict`.

        Raises:
            UserError: as `predict`, or if the circuit does not depend on the inputs.
        """
        core = circuit_of(self)
        if not core.conditional:
            raise UserError(f"run {self.record.run_id} has one circuit, which no input changes: .circuit")
        with self._as_scored() as device:
            parts = []
            for prepared in self._prepared(inputs):
                tokens = self.net.tokenizer(**{name: tensor.to(device) for name, tensor in prepared.items()})
                parts.append(self._circuit_arrays(core.circuit(tokens.condition, tokens.condition_mask)))
        return CircuitArrays(**joined(parts, axes={}))

    def attention(self, inputs: Any) -> Attention:
        """Return how a NAC's modules attend to the tokens of some inputs and to each other.

        Args:
            inputs: as in `predict`. Sequences are padded to the longest one; padding gets no attention.

        Raises:
            UserError: as `predict`, or if the model is no NAC.
        """
        from nacbench.nac.flow import attention_flow

        core = circuit_of(self)
        parts = []
        with self._as_scored() as device:
            for prepared in self._prepared(inputs):
                tokens = self.net.tokenizer(**{name: tensor.to(device) for name, tensor in prepared.items()})
                given = (tokens.condition, tokens.condition_mask) if core.conditional else ()
                flow = attention_flow(core, core.circuit(*given), tokens.tokens, tokens.mask)
                parts.append(Attention(**{part.name: as_array(getattr(flow, part.name)) for part in fields(Attention)}))
        return Attention(**joined(parts, axes={"modules": 1, "links": 1}))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, labels or values by number; the numbers as text where the task has no names.

        Names that a copy of the data brings with it are known only where that copy is.
        """
        classes, task = self._spec.classes, self._array_task
        if len(task.class_names) == classes:
            return tuple(task.class_names)
        try:
            found = [name.decode(errors="replace") for name in self._known.get(CLASS_NAMES, ())]
        except UserError:  # the data is not here, or another
            found = []
        return tuple(found) if len(found) == classes else tuple(map(str, range(classes)))

    def __repr__(self) -> str:
        record = self.record
        return f"LoadedRun({record.task} · {record.model} · {record.scale} · seed {record.seed}, {self.folder})"

    # -- what the task says --------------------------------------------------------------------------------------------

    @property
    def _array_task(self) -> ArrayTask:
        if not isinstance(self.task, ArrayTask):
            raise UserError(
                f"{self.task.title} is no task on arrays of examples, so it cannot say how a raw input becomes one"
            )
        return self.task

    @cached_property
    def _spec(self) -> Any:
        return replace(self.task.spec(), classes=self.record.data.classes)

    @cached_property
    def _preparation(self) -> Preparation:
        return self._array_task.preparation(self.config.training, self._spec)

    @cached_property
    def _objective(self) -> Objective:
        from nacbench.data.objectives import OBJECTIVES

        if self._spec.targets in OBJECTIVES:
            return OBJECTIVES[self._spec.targets]
        own: Objective = self._live.objective  # type: ignore[attr-defined]  # values: their scale is the training data's
        return own

    @cached_property
    def _live(self) -> LiveTask:
        self._check_data()
        with unreadable_skipped(self.config.skip_unreadable):
            return self.task.build(self.data_root, self.config.training)

    @cached_property
    def _known(self) -> Mapping[str, np.ndarray]:
        self._check_data()
        with unreadable_skipped(self.config.skip_unreadable):
            arrays: Mapping[str, np.ndarray] = self._array_task.arrays(self.data_root).arrays
        return arrays

    def _check_data(self) -> None:
        """Raise a UserError if the data is not that of the run: its words, scale and examples would be others."""
        if absent := self.task.missing(self.data_root):
            raise UserError(absent)
        with unreadable_skipped(self.config.skip_unreadable):
            changed = self.task.fingerprint(self.data_root) != self.record.data.fingerprint
        if changed:
            raise UserError(
                f"the data of {self.task.title} in {self.data_root} is not that of run {self.record.run_id}; name the "
                "folder of the run's data with data_root="
            )

    def _prepared(self, raw: Any) -> Iterator[Inputs]:
        """Yield the tokenizer's inputs of batches as large as those of the run's scoring."""
        stored = examples_of(self._array_task, raw, lambda: self._known)
        size = self.config.training.batch_size
        for first in range(0, len(next(iter(stored.values()))), size):
            part = {name: examples[first : first + size] for name, examples in stored.items()}
            yield self._preparation.plain(part, first)

    @contextmanager
    def _as_scored(self) -> Iterator[Any]:
        """Compute in a block as the run was scored: its threads, kernels and precision; give the device."""
        import torch

        from nacbench.kernels.path import path_of_run, setting_of
        from nacbench.machine.cores import granted_cores
        from nacbench.machine.settings import given_settings

        device = next(self.net.parameters()).device
        threads = min(self.record.environment.hardware.threads, granted_cores())
        half = torch.autocast(device.type, torch.bfloat16, enabled=self.config.precision == "bf16")
        was_training = self.net.training
        self.net.eval()
        try:
            with given_settings(threads), torch.no_grad(), half, path_of_run() as path:
                path.decide(self.net, setting_of(self.record.environment.kernels), device.type, lambda text: None)
                yield device
        finally:
            self.net.train(was_training)

    def _circuit_arrays(self, circuit: Circuit) -> CircuitArrays:
        # rounding can leave the exponential of 0 above 1
        links, readout = (as_array(own.exp().clamp(max=1)) for own in circuit_of(self).log_links(circuit))
        given = {part.name: getattr(circuit, part.name) for part in fields(circuit)}
        own = {name: None if tensor is None else as_array(tensor) for name, tensor in given.items()}
        return CircuitArrays(links, readout, **own)  # type: ignore[arg-type]  # only signatures can be None


def load_for_use(folder: Path, data_root: Path) -> LoadedRun:
    """Load a run's final network as `nacbench.inspection.trained.load_run` does.

    Args:
        folder: the run's folder.
        data_root: mirror of data sets; looked at only where predictions or scores need the data.
    """
    run = load_run(folder)
    return LoadedRun(run.record, run.config, run.task, run.net, folder, data_root)
