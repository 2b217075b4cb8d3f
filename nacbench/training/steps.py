"""Optimiser steps: forward and backward passes by micro-batch, clipping, the update, the averaged weights.

A step is a function of the seed, its number, its batch and the weights before it: the random number generator is seeded
before each micro-batch.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from nacbench.contracts.given import check_loss
from nacbench.contracts.recipe import Recipe
from nacbench.contracts.spec import Batch
from nacbench.contracts.task import LiveTask
from nacbench.nn.cuda_graphs import GraphedPass, seed_draws
from nacbench.nn.kernels import kernels_with_gradients
from nacbench.seeds import seed_for
from nacbench.training.compiling import Trial, compiled
from nacbench.training.execution import Execution
from nacbench.training.optim import AveragedWeights, make_optimizer


@dataclass(kw_only=True)
class Stepper:
    """Makes the steps of a training, between `begin` and `end`.

    Attributes:
        task: the live task, for its loss.
        net: the network with initial weights; is moved to the accelerator's device.
        recipe: training hyper-parameters.
        seed: of the run.
        accelerator: device, precision and processes.
        execution: execution settings.
    """

    task: LiveTask
    net: nn.Module
    recipe: Recipe
    seed: int
    accelerator: Accelerator
    execution: Execution

    def __post_init__(self) -> None:
        self._tokens = self.task.spec.joined().max_tokens  # upper bound of what a model attends over
        self.net.to(self.accelerator.device)  # before the optimiser and the average are made of its parameters
        self.optimizer = make_optimizer(self.net, self.recipe)
        ema, warmup, flat = self.recipe.ema, self.recipe.ema_warmup, self.optimizer.flat
        self.average = AveragedWeights(self.net, ema, warmup=warmup, flat=flat) if ema else None
        # Not the optimiser: accelerate's wrapper scales losses, which bf16 does not need, and hides `FlatAdamW.clip`
        self._parallel = self.accelerator.prepare(self.net)
        self._parameters = list(self.net.parameters())
        self._forward: Any = self._parallel
        self._graphed: GraphedPass | None = None
        self.captured = False  # whether the last steps were replayed from a CUDA graph

    def begin(self, *, is_compiled: bool, say: Callable[[str], None]) -> None:
        """Prepare to make steps, as CUDA graphs where these are possible.

        Args:
            is_compiled: by code of ``torch.compile``.
            say: is told in a line why steps are no graphs, if they could not be captured.
        """
        self.in_training_mode()
        if is_compiled:
            # Apart from ``net``, so that state_dict() names stay without torch.compile's "_orig_mod." prefix
            self._forward = compiled(self._parallel)
        if self.is_capturable():
            # The model's own loss stays outside the graph: it may branch on the host, as a graph prior's matching does
            self._graphed = GraphedPass(partial(self._pass, auxiliary=False), self._parameters, say)

    def end(self) -> None:
        """Free the memory that only steps need, for scoring."""
        self.captured = self._graphed is not None and self._graphed.is_used
        self._graphed = None  # with its private memory pool

    def in_training_mode(self) -> None:
        """Set all modules to training mode, as after an evaluation."""
        self._parallel.train()

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate: with averaged weights if ``score_ema``."""
        return self.average.module if self.average is not None and self.recipe.score_ema else self.net

    def make(self, step: int, batch: Batch, rate: float) -> Tensor:
        """Make one optimiser step; return the mean loss over this process's share of the batch, a scalar.

        Args:
            step: its number, from 0.
            batch: all examples of the step, of which each process takes its share.
            rate: learning rate.

        Raises:
            UserError: if the task's or the model's own loss is not a scalar with a gradient.
        """
        accelerator, parts = self.accelerator, self.recipe.accumulate
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = []
        learn: Any = getattr(self.net, "learn", None)
        if learn is not None:  # from the whole batch, so that all processes count the same
            learn(batch.to(accelerator.device))
        for micro in range(parts):
            share = micro * accelerator.num_processes + accelerator.process_index
            piece = batch.part(share, parts * accelerator.num_processes).to(accelerator.device)
            # A seed per (step, share) makes draws independent of where a run was resumed
            seed = seed_for(self.seed, "noise", step, share)
            if self._graphed is not None:
                losses.append(self._graphed(piece, seed) + self._auxiliary_pass())
                continue
            seed_draws(seed, self.execution.device)
            # Processes exchange gradients once per step, with the last micro-batch
            with accelerator.no_sync(self._parallel) if micro + 1 < parts else nullcontext():
                losses.append(self._pass(piece, parts=parts))
        if self.recipe.clip_norm:
            self.optimizer.clip(self.recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.net)
        return torch.stack(losses).sum()

    def _pass(self, piece: Batch, *, parts: int = 1, auxiliary: bool = True) -> Tensor:
        """Accumulate the gradients of one micro-batch; return its loss divided by ``parts``, a scalar.

        Args:
            piece: the micro-batch, on the device.
            parts: number of micro-batches in a step.
            auxiliary: include the model's own loss (see `_auxiliary_loss`).
        """
        with self.accelerator.autocast(), kernels_with_gradients(self.execution.device, self._tokens):
            loss = self.task.loss(self._forward, piece)
            check_loss(self.task, loss)
            loss = loss / parts
            own = self._auxiliary_loss() if auxiliary else None
            if own is not None:
                loss = loss + own / parts
        self.accelerator.backward(loss)
        return loss.detach()

    def _auxiliary_pass(self) -> Tensor | float:
        """Accumulate the gradients of the model's own loss; return it, a scalar (0.0 if the model has none)."""
        with self.accelerator.autocast():
            loss = self._auxiliary_loss()
        if loss is None:
            return 0.0
        self.accelerator.backward(loss)
        return loss.detach()

    def _auxiliary_loss(self) -> Tensor | None:
        """Return the model's own loss, which depends on the weights alone, or None.

        Every micro-batch adds it divided by their number, and processes average gradients, so it counts once per step.
        """
        own = getattr(self.net, "auxiliary_loss", None)
        auxiliary: Tensor | None = own() if own else None
        if auxiliary is not None:
            check_loss(getattr(self.net, "core", self.net), auxiliary, "auxiliary_loss")
        return auxiliary

    def is_capturable(self) -> bool:
        """Whether steps can be CUDA graphs: one process on a GPU, no accumulation, and a ``capturable`` network."""
        alone = self.accelerator.num_processes == 1 and self.recipe.accumulate == 1
        wanted = self.execution.cuda_graphs and self.execution.device == "cuda"
        return wanted and alone and bool(getattr(self.net, "capturable", False))

    def pays_to_compile(self, batch: Batch, steps: int, kernels: str | None, say: Callable[[str], None]) -> bool:
        """Return, in all processes, whether compiling pays for the steps that are left, as the main one finds out.

        Args:
            batch: of one step.
            steps: number of steps that are left.
            kernels: whose kernels compute; None for a network without own ones.
            say: is told in one line what was decided and why.
        """
        execution, accelerator, parts = self.execution, self.accelerator, self.recipe.accumulate

        def loss_of(forward: Any, piece: Batch) -> Tensor:
            with accelerator.autocast(), kernels_with_gradients(execution.device, self._tokens):
                return self.task.loss(forward, piece)

        trial = Trial(
            net=self.net,
            loss_of=loss_of,
            batch=batch.part(0, parts * accelerator.num_processes).to(accelerator.device),
            graphs=self.is_capturable(),
            passes=parts * steps,
            about=(str(accelerator.device), accelerator.mixed_precision, str(execution.threads), str(kernels)),
        )
        return bool(broadcast_object_list([bool(accelerator.is_main_process) and trial.decide(say)])[0])
