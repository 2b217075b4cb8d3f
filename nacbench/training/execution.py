"""Execution settings of a run: device, workers, checkpoint interval, CUDA graphs, compile; and the Accelerator."""

from dataclasses import dataclass, field

from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import patch_environment
from pydantic import BaseModel, ValidationError

from nacbench.contracts.compiling import CompileChoice, compile_choice
from nacbench.contracts.kernels import KernelSetting, kernel_setting
from nacbench.contracts.numbers import Seconds, Workers
from nacbench.errors import UserError, first_problem
from nacbench.machine.cores import default_threads, granted_cores
from nacbench.machine.launcher import check_launch, waiting_explained
from nacbench.machine.memory import keep_freed_memory


class _Numbers(BaseModel):
    workers: Workers
    checkpoint_seconds: Seconds
    heartbeat_seconds: Seconds


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Execution settings of a run; they are not part of its identity.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: threads to compute with, torch's, MKL's and OpenMP's; by default
            `nacbench.machine.cores.default_threads`. Another number rounds sums differently: last digits differ.
        workers: number of data-loader processes; 0: batches are prepared in the training process.
        checkpoint_seconds: time between checkpoints in seconds; 0: after every step.
        heartbeat_seconds: time between heartbeats in seconds.
        cuda_graphs: replay training passes as CUDA graphs if the network is ``capturable``, on a single GPU and without
            gradient accumulation (see `nacbench.nn.cuda_graphs`).
        compile: run the network through ``torch.compile``: ``on``, ``off``, or ``auto``: where it pays by the run's
            length. True and false stand for the first two.
        kernels: ``auto``: nacbench's own kernels where they can be had, ``native``: those or an error, ``torch``:
            PyTorch's; see `nacbench.kernels.path`. The numbers differ by rounding.
        show_progress: report progress on standard error.
        log: names of trackers that are told of the run; see `nacbench.tracking.known`.

    Raises:
        UserError: if a number is out of its range, or a word is unknown.
    """

    device: str = "cpu"
    threads: int = field(default_factory=default_threads)
    workers: int = 0
    checkpoint_seconds: float = 60.0
    heartbeat_seconds: float = 30.0
    cuda_graphs: bool = True
    compile: CompileChoice | bool = "off"
    kernels: KernelSetting = "auto"
    show_progress: bool = True
    log: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            _Numbers(
                workers=self.workers,
                checkpoint_seconds=self.checkpoint_seconds,
                heartbeat_seconds=self.heartbeat_seconds,
            )
        except ValidationError as error:
            raise UserError(first_problem(error, "")) from None
        object.__setattr__(self, "compile", compile_choice(self.compile))
        kernel_setting(self.kernels)


def default_workers(device: str) -> int:
    """Return the default number of data-loader processes: up to 8 on a GPU, 0 on a CPU (training needs the cores)."""
    return min(8, granted_cores()) if device == "cuda" else 0


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Return an ``Accelerator`` for one run: device, precision (``fp32`` or ``bf16``) and processes.

    Raises:
        UserError: if variables of a launcher are left over; see `nacbench.machine.launcher.check_launch`.
    """
    processes = check_launch()
    if device == "cpu":
        keep_freed_memory()
    alone = not (PartialState._shared_state and PartialState().num_processes > 1)
    # Accelerate keeps its settings in process-wide singletons, so that a second run in this process would get the first
    # one's precision. With several processes the process group must survive the reset.
    AcceleratorState._reset_state(reset_partial_state=alone)
    # `accelerate launch` sets ACCELERATE_USE_CPU, which would go before the argument
    with waiting_explained(processes), patch_environment(accelerate_use_cpu=device == "cpu"):
        return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")
