"""How a run is carried out: device, processes, precision. None of it but the precision changes the number."""

import os
from dataclasses import dataclass

from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from nacbench.machine.memory import keep_freed_memory


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a run is carried out; none of it changes the number.

    Attributes:
        device: ``cpu`` or ``cuda``.
        workers: processes that prepare batches; 0: the training process does.
        checkpoint_seconds: time between checkpoints; 0: one after every step.
        heartbeat_seconds: time between signs of life.
        cuda_graphs: launch passes as CUDA graphs where the network is ``capturable`` (see `nacbench.nn.cuda_graphs`),
            on one GPU and with batches in one piece.
        compile: run the network through ``torch.compile``.
        show_progress: whether to report on standard error.
    """

    device: str = "cpu"
    workers: int = 0
    checkpoint_seconds: float = 60.0
    heartbeat_seconds: float = 30.0
    cuda_graphs: bool = True
    compile: bool = False
    show_progress: bool = True


def default_workers(device: str) -> int:
    """None on a CPU, where they would take the cores from training; up to eight with a GPU."""
    return min(8, os.cpu_count() or 1) if device == "cuda" else 0


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Accelerate's handle on device, precision (``fp32`` or ``bf16``) and processes, for one run of several.

    On a CPU, memory that tensors free is kept for the next step (see `nacbench.machine.memory`).
    """
    if device == "cpu":
        keep_freed_memory()
    alone = not (PartialState._shared_state and PartialState().num_processes > 1)
    AcceleratorState._reset_state(reset_partial_state=alone)  # else the first run's settings would hold for all
    return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")
