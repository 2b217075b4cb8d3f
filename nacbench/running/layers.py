"""Do the run that layers of settings ask for: what ``nacbench run`` and `nacbench.api.run` share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from nacbench.contracts.compiling import CompileChoice, compile_choice
from nacbench.contracts.kernels import KernelSetting, kernel_setting
from nacbench.contracts.numbers import Seconds, Workers
from nacbench.data.mirror.places import data_root_of
from nacbench.errors import UserError, first_problem
from nacbench.formats import arguments
from nacbench.formats.extending import Layer
from nacbench.machine.cores import MOST_THREADS
from nacbench.machine.hardware import check_device
from nacbench.machine.launcher import check_launch
from nacbench.machine.settings import check_settings
from nacbench.plugin_files import load_plugin_files
from nacbench.recording.tags import Tags
from nacbench.running import runner
from nacbench.running.beforehand import require_kernels, require_weights
from nacbench.running.config_files import resolved
from nacbench.running.outcome import Outcome
from nacbench.tracking.known import check_trackers

if TYPE_CHECKING:
    from nacbench.training.execution import Execution


class _Numbers(BaseModel):
    workers: Workers | None
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS, strict=True)] | None
    checkpoint_seconds: Seconds


def run_layers(
    layers: Sequence[Layer],
    plugins: Sequence[str | os.PathLike[str]],
    *,
    tags: Tags,
    out: Path,
    data_root: Path | None,
    device: str,
    workers: int | None,
    threads: int | None,
    checkpoint_seconds: float,
    cuda_graphs: bool,
    compile: CompileChoice | bool,
    kernels: KernelSetting,
    force: bool,
    quiet: bool,
    log: Sequence[str],
) -> Outcome:
    """Do the run of some layers of settings, in which later ones override earlier ones.

    Args:
        layers: settings, each with the place that they are from.
        plugins: Python files that define tasks, models or protocols.
        tags, device, workers, threads, checkpoint_seconds, cuda_graphs, compile, kernels, force, quiet, log: as for
            `nacbench.api.run`.
        out: folder of runs.
        data_root: mirror of data sets, or None for the usual one.

    Raises:
        UserError: as `nacbench.api.run`.
    """
    # first: with force, what refused these later would do so after the finished record is moved away
    _check_numbers(workers, threads, checkpoint_seconds)
    arguments.check_flags(cuda_graphs=cuda_graphs, force=force, quiet=quiet)
    load_plugin_files(plugins)
    trackers = check_trackers(log)
    whether, whose = compile_choice(compile), kernel_setting(kernels)
    config = resolved(layers, out)
    where = check_device(device)

    def execution() -> Execution:  # called only if there is something to compute, since it imports torch
        from nacbench.machine.cores import default_threads
        from nacbench.training.execution import Execution, default_workers

        return Execution(
            device=where,
            workers=workers if workers is not None else default_workers(where),
            threads=threads if threads is not None else default_threads(),
            checkpoint_seconds=checkpoint_seconds,
            cuda_graphs=cuda_graphs,
            compile=whether,
            kernels=whose,
            show_progress=not quiet,
            log=trackers,
        )

    root = data_root_of(data_root)
    if force:  # what would refuse the run later does so before its finished record is moved away
        check_launch()
        check_settings()
        require_weights(config)
        require_kernels(whose, where)
    return runner.run(config, store=out, data_root=root, execution=execution, force=force, tags=tags)


def _check_numbers(workers: int | None, threads: int | None, checkpoint_seconds: float) -> None:
    try:
        _Numbers(workers=workers, threads=threads, checkpoint_seconds=checkpoint_seconds)
    except ValidationError as error:
        raise UserError(first_problem(error, "")) from None
