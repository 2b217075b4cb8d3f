"""Pruning of a trained network's modules: accuracy, size and speed at decreasing shares of modules (``X-pruned``).

Every task ``X`` that trains a network has a task ``X-pruned``, for any `nacbench.contracts.model.Prunable` network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from nacbench.contracts.metric import ACCURACY
from nacbench.contracts.numbers import Count, Seed
from nacbench.contracts.protocol import Protocol
from nacbench.contracts.recipe import Settings
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import (
    AnyTask,
    Evaluation,
    EvaluationTask,
    Metrics,
    SameDataTask,
    Scale,
    ScoredTask,
    Task,
    score_text,
)
from nacbench.data.array_task import ArrayTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from nacbench.contracts.model import Model
    from nacbench.data.live import Classification, Split
    from nacbench.nn.network import Network

Share = Annotated[float, Field(gt=0, lt=1)]
Order = Literal["degree", "importance", "random"]
IMPORTANCE_EXAMPLES = 256  # examples for measuring importances, and conditions to average degrees over


class PruneSettings(Settings):
    """Settings of evaluating and timing pruned networks."""

    timing_seconds: float = Field(
        3.0, gt=0, description="seconds of timing per share: for a batch, and for one example"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrunedTask(SameDataTask):
    """Evaluation of a trained network with only some of its modules, on the test examples of its task.

    Every share of modules is evaluated on the test examples, and timed against the whole network. The main metric is
    the accuracy at one share, which is chosen without the test examples: the smallest share that loses less than
    ``tolerance`` of the whole network's accuracy on validation examples or, if there are none, on training examples.

    Attributes:
        shares: shares of modules to keep, each in (0, 1); the whole network is always evaluated too.
        order: which modules to remove first: ``degree``, the least connected (expected degree); ``importance``, those
            whose removal alone increases the loss least, on examples for choosing; or ``random``.
        order_seed: seed of the random order.
        tolerance: largest relative loss of accuracy for the chosen share, in [0, 1).
        choice_examples: largest number of examples to choose the share on.
    """

    protocol: ClassVar[str] = "pruned"
    recipes: ClassVar[Mapping[Scale, Settings]] = {
        "smoke": PruneSettings(batch_size=32, timing_seconds=0.05),
        "mini": PruneSettings(batch_size=128),
        "paper": PruneSettings(batch_size=128, timing_seconds=10.0),
    }
    presets = {"smoke": {"shares": (0.5, 0.25)}, "mini": {}, "paper": {}}

    shares: tuple[Share, ...] = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
    order: Order = "degree"
    order_seed: Seed = 0
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.03
    choice_examples: Count = 2000

    def __post_init__(self) -> None:
        if not self.shares or len(set(self.shares)) < len(self.shares):
            raise ValueError(f"task.shares = {list(self.shares)}: give one or more different numbers between 0 and 1")

    def options(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "shares": list(self.shares)}

    def unsuited(self, model: Model, spec: TaskSpec) -> str | None:
        if not issubclass(self.trained_class, ArrayTask):
            return f"task {self.trained_on} is not made of arrays of examples"
        import torch

        from nacbench.contracts.model import Prunable, spec_for

        with torch.device("meta"):  # no memory, no initialisation: only the network's methods are needed
            core = model.build(spec_for(model, spec))
        return None if isinstance(core, Prunable) else "it has no modules that can be dropped"

    def build_on(self, trained: Task, data_root: Path, settings: PruneSettings) -> ScoredTask:
        assert isinstance(trained, ArrayTask)
        # Any recipe will do, since nothing is trained. "last", as "best-validation" would require validation examples
        recipe = next(iter(trained.recipes.values()))
        return Pruned(self, settings, trained.build(data_root, recipe.model_copy(update={"selection": "last"})))

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return accuracy and share of modules of the chosen network, the whole network's accuracy, and the drop."""
        whole, chosen = metrics[_split("kept", 1)]["accuracy"], metrics["test"]["accuracy"]
        return {
            **metrics["test"],
            "kept": choose(metrics, self.tolerance),
            "whole_accuracy": whole,
            "relative_drop": relative_drop(whole, chosen),
        }

    def score_line(self, metrics: Metrics, sizes: Mapping[str, int]) -> str:
        whole, test = metrics[_split("kept", 1)]["accuracy"], metrics["test"]
        shown = score_text("test", ACCURACY, test["accuracy"], sizes["test"])
        return f"{shown} with {100 * test['kept']:g} % of the modules, {100 * whole:.2f} % with all"

    def measured_headline(self, metrics: Metrics, measured: Metrics) -> Mapping[str, float]:
        """Return cost and speed-up of the chosen network, and the drop at the largest share that is 8 × faster."""
        fast = [split for split in measured if split.startswith("kept/") and measured[split]["speedup"] >= EIGHT]
        if not fast:
            return measured["test"]
        split = max(fast, key=share_of)
        drop = relative_drop(metrics[_split("kept", 1)]["accuracy"], metrics[split]["accuracy"])
        return {**measured["test"], "kept_at_8x": share_of(split), "relative_drop_at_8x": drop}


EIGHT = 8.0  # speed-up that the paper claims for a relative drop under 3 %


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pruning(Protocol):
    """Protocol that adds the task ``X-pruned`` to every task ``X`` that trains a network."""

    title = "pruned"

    def task_for(self, name: str, task: type[AnyTask]) -> type[AnyTask]:
        if issubclass(task, EvaluationTask):
            raise UserError(f"task {name!r} trains no network to prune; use '{task.trained_on}-pruned'")
        if task.targets != "classes":
            raise UserError(f"task {name!r} has no classes, and modules are dropped by the accuracy that is left")
        assert issubclass(task, Task)
        return PrunedTask.of(name, task, self.title)


def choose(metrics: Metrics, tolerance: float) -> float:
    """Return the smallest share of modules whose relative drop on ``choice`` splits is below the tolerance, or 1."""
    whole = metrics[_split("choice", 1)]["accuracy"]
    good = [
        share_of(split)
        for split in metrics
        if split.startswith("choice/") and relative_drop(whole, metrics[split]["accuracy"]) < tolerance
    ]
    return min([1.0, *good])


def relative_drop(whole: float, pruned: float) -> float:
    """Return the loss of accuracy relative to the whole network's accuracy; 0 if that is 0."""
    return (whole - pruned) / whole if whole else 0.0


def share_of(split: str) -> float:
    """Return the share of modules of a split: 0.25 for ``kept/25``."""
    return float(split.partition("/")[2]) / 100


def _split(kind: str, share: float) -> str:
    return f"{kind}/{100 * share:g}"


class Pruned:
    """A `nacbench.contracts.task.ScoredTask` whose splits are combinations of examples and shares of modules.

    ``choice/<percent>``: examples for choosing, with each share; ``test``: test examples, with the chosen share;
    ``kept/<percent>``: test examples, with each share.

    Args:
        task: the task, for its options.
        settings: batch size and duration of timing.
        live: the training task with its data.
    """

    def __init__(self, task: PrunedTask, settings: PruneSettings, live: Classification) -> None:
        self.spec = live.spec
        self.partial = live.partial
        self._task, self._settings, self._live = task, settings, live
        chosen_on = "validation" if "validation" in live.splits else "train"
        self._choice = live.splits[chosen_on].spread(task.choice_examples)
        self._choice_scores: dict[str, Mapping[str, float]] = {}
        self._ranking: Tensor | None = None
        shares = (1.0, *task.shares)
        self.split_sizes = {
            **{_split("choice", share): len(self._choice) for share in shares},
            "test": len(live.splits["test"]),
            **{_split("kept", share): len(live.splits["test"]) for share in shares},
        }
        self.notes: Sequence[str] = [
            *live.notes,
            f"the share of modules was chosen on {len(self._choice):,} {chosen_on} examples",
        ]

    def evaluate(self, net: Any, split: str, batch_size: int) -> Evaluation:
        if split.startswith("choice/"):
            evaluation = self._score(self._kept(net, share_of(split)), self._choice, batch_size)
            self._choice_scores[split] = evaluation.metrics
            return _without_logits(evaluation)
        small = self.scored_network(net) if split == "test" else self._kept(net, share_of(split))
        evaluation = self._score(small, self._live.splits["test"], batch_size)
        if split == "test":
            details = {**evaluation.details, "ranking": self._ranked(net).tolist()}
            evaluation = dataclasses.replace(evaluation, details=details)
        else:
            evaluation = _without_logits(evaluation)
        return dataclasses.replace(evaluation, measured=self._measure(net, small))

    def scored_network(self, net: Any) -> Network:
        """Return the network with the smallest share of modules within the tolerance on the examples for choosing."""
        # After an interruption, this object has no scores of splits that were evaluated before: evaluate them again
        for split in self.split_sizes:
            if split.startswith("choice/") and split not in self._choice_scores:
                self.evaluate(net, split, self._settings.batch_size)
        return self._kept(net, choose(self._choice_scores, self._task.tolerance))

    def _score(self, net: Network, split: Split, batch_size: int) -> Evaluation:
        from nacbench.data.classification import classification_scores
        from nacbench.data.live import score

        core: Any = net.core
        details = {"modules": core.module_count}
        scored = classification_scores(*score(net, split, self._live.preparation, batch_size))
        return dataclasses.replace(scored, details=details)

    def _kept(self, net: Network, share: float) -> Network:
        """Return the network with this share of its modules, at least one."""
        if share == 1:
            return net.eval()
        core: Any = net.core
        ranking = self._ranked(net)
        modules = kept_modules(ranking.tolist(), share)
        return net.with_core(core.kept(ranking.new_tensor(modules))).eval()

    def _ranked(self, net: Network) -> Tensor:
        """Return the indices of all modules, U, in the order in which they are kept; computed once."""
        if self._ranking is None:
            self._ranking = self._rank(net)
        return self._ranking

    def _rank(self, net: Network) -> Tensor:
        import torch

        core: Any = net.core
        if self._task.order == "random":
            generator = torch.Generator().manual_seed(self._task.order_seed)
            return torch.randperm(core.module_count, generator=generator).to(next(net.parameters()).device)
        values = degrees(net, self._some_inputs(net)) if self._task.order == "degree" else self._importances(net)
        return values.argsort(descending=True, stable=True)

    def _some_inputs(self, net: Network) -> Mapping[str, Tensor]:
        """Return up to `IMPORTANCE_EXAMPLES` examples for choosing, as inputs of the network."""
        import numpy as np

        inputs, _ = self._choice.take(np.arange(min(IMPORTANCE_EXAMPLES, len(self._choice))))
        device = next(net.parameters()).device
        return {name: tensor.to(device) for name, tensor in self._live.preparation.plain(inputs, 0).items()}

    def _importances(self, net: Network) -> Tensor:
        """Return the loss without each module, U numbers, on up to `IMPORTANCE_EXAMPLES` examples for choosing."""
        import torch

        core: Any = net.core
        some = self._choice.spread(IMPORTANCE_EXAMPLES)
        everyone = torch.arange(core.module_count, device=next(net.parameters()).device)
        losses = [
            self._score(net.with_core(core.kept(everyone[everyone != module])), some, self._settings.batch_size)
            for module in range(core.module_count)
        ]
        return everyone.new_tensor([loss.metrics["nll"] for loss in losses], dtype=torch.float64)

    def _measure(self, net: Network, small: Network) -> dict[str, float]:
        """Return the cost of a smaller network, and its speed-up, by timing it in turn with the whole network."""
        from nacbench.profiling.counting import count_parameters, forward_operations
        from nacbench.profiling.peak_memory import peak_tensor_bytes
        from nacbench.profiling.timing import time_side_by_side

        device = next(net.parameters()).device
        batch = self._live.train_batches(self._settings.batch_size, 0)[0].to(device)
        one = batch.part(0, len(batch))
        measured = {
            "parameters": float(count_parameters(small)),
            "forward_flops": float(forward_operations(small, one.inputs).per_example(len(batch))),
            "peak_tensor_bytes": float(peak_tensor_bytes(small, batch.inputs)),
        }
        for name, inputs in (("", batch.inputs), ("single_", one.inputs)):
            things = [partial(net, **inputs), partial(small, **inputs)]
            whole, pruned = time_side_by_side(things, device, self._settings.timing_seconds)
            measured |= {
                f"{name}seconds": pruned.seconds,
                f"{name}whole_seconds": whole.seconds,
                f"{name}speedup": pruned.ratio,
                f"{name}speedup_low": pruned.low,
                f"{name}speedup_high": pruned.high,
            }
        return {**measured, "examples_per_second": len(batch) / measured["seconds"]}


def _without_logits(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation without logits.

    Those of two dozen networks would dominate the file's size, and no metric needs them to be computed again.
    """
    predictions = {name: values for name, values in evaluation.predictions.items() if name != "logits"}
    return dataclasses.replace(evaluation, predictions=predictions)


def kept_modules(ranking: Sequence[int], share: float) -> list[int]:
    """Return the sorted indices of the modules to keep, at least one.

    Args:
        ranking: indices of all modules, in the order in which they are kept.
        share: share of modules to keep, in (0, 1].
    """
    return sorted(ranking[: max(1, round(share * len(ranking)))])


def degrees(net: Network, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the expected degree of every module, U numbers.

    If the circuit depends on a condition, this is the mean over the conditions in ``inputs``.
    """
    core: Any = net.core
    condition = (None, None)
    if net.conditional:
        tokens = net.tokenizer(**inputs)
        condition = (tokens.condition, tokens.condition_mask)
    found: Tensor = core.degrees(*condition)
    return found
