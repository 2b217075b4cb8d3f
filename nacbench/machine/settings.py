"""Settings that change numbers but not a run's id: those of libraries, from the environment or from Python.

Each is given explicitly by every run, refused, or recorded. ``VARIABLES`` and ``GIVEN`` are the whole list;
docs/reproducing.md shows it, and a test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    from types import ModuleType

Treatment = Literal["given", "refused", "recorded", "harmless"]
OFF = frozenset({"", "0", "no", "off", "false", "none", "default"})  # values that ask for nothing
MOST_CHARACTERS = 200  # of a recorded value


@dataclass(frozen=True)
class Variable:
    """An environment variable that a library reads, or a family of them.

    Attributes:
        pattern: its name; ``*`` stands for anything.
        treatment: ``given``: a run sets what it decides explicitly, so that it has no effect. ``refused``: it would
            change numbers, so that no run starts. ``recorded``: it can change last digits, as another processor can.
            ``harmless``: it changes no number.
        what: what it decides, in a few words.
        off: values, in lower case, with which a refused one has no effect, besides ``OFF``.
    """

    pattern: str
    treatment: Treatment
    what: str
    off: tuple[str, ...] = ()


# The first one that fits counts.
VARIABLES = (
    Variable("OMP_NUM_THREADS", "given", "threads: the default of --threads"),
    Variable("MKL_NUM_THREADS", "given", "threads of MKL; --threads decides"),
    Variable("MKL_DYNAMIC", "given", "fewer threads than asked for, by MKL; torch turns it off"),
    Variable("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "given", "TF32 in matrix products"),
    Variable("ACCELERATE_MIXED_PRECISION", "given", "precision; --precision decides"),
    Variable("ACCELERATE_USE_CPU", "given", "device; --device decides"),
    Variable("ACCELERATE_DEBUG_MODE", "harmless", "checks of Accelerate"),
    Variable("ACCELERATE_LOG_LEVEL", "harmless", "messages of Accelerate"),
    Variable("ACCELERATE_CPU_AFFINITY", "harmless", "which cores a process runs on"),
    Variable("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "refused", "divides every loss", ("1",)),
    Variable("ACCELERATE_*", "refused", "Accelerate's device, precision, compilation and kinds of parallelism"),
    Variable("OMP_DYNAMIC", "refused", "fewer threads than asked for"),
    Variable("OMP_THREAD_LIMIT", "refused", "fewer threads than asked for"),
    Variable("MKL_DOMAIN_NUM_THREADS", "refused", "threads of parts of MKL"),
    Variable("NVIDIA_TF32_OVERRIDE", "refused", "TF32 on or off in all of CUDA's libraries", ()),
    Variable("ONEDNN_DEFAULT_FPMATH_MODE", "refused", "products in bfloat16 or TF32 in place of float32", ("strict",)),
    Variable("DNNL_DEFAULT_FPMATH_MODE", "refused", "the older name of ONEDNN_DEFAULT_FPMATH_MODE", ("strict",)),
    Variable("TORCH_COMPILE_DISABLE", "refused", "makes --compile do nothing"),
    Variable("TORCHDYNAMO_DISABLE", "refused", "makes --compile do nothing"),
    Variable("PYTORCH_JIT", "harmless", "TorchScript, which is not used"),
    Variable("PYTORCH_*ALLOC_CONF", "harmless", "memory"),
    Variable("PYTORCH_NO_CUDA_MEMORY_CACHING", "harmless", "memory"),
    Variable("TORCH*_CACHE_*", "harmless", "where compiled code is kept"),
    Variable("TORCH*_DIR", "harmless", "where files are kept"),
    Variable("TORCH_HOME", "harmless", "where files are kept"),
    Variable("TORCH*LOG*", "harmless", "messages"),
    Variable("TORCH_SHOW_CPP_STACKTRACES", "harmless", "messages"),
    Variable("TORCH_NCCL_*", "harmless", "time limits and messages between processes"),
    Variable("TORCH_DISTRIBUTED_*", "harmless", "messages between processes"),
    Variable("TORCHELASTIC_*", "harmless", "torchrun's own"),
    Variable("OMP_PROC_BIND", "harmless", "which cores threads run on"),
    Variable("OMP_PLACES", "harmless", "which cores threads run on"),
    Variable("OMP_WAIT_POLICY", "harmless", "how threads wait"),
    Variable("OMP_STACKSIZE", "harmless", "memory"),
    Variable("OMP_DISPLAY_*", "harmless", "messages"),
    Variable("*MP_*AFFINITY*", "harmless", "which cores threads run on"),
    Variable("KMP_INIT_AT_FORK", "harmless", "how processes are started; scikit-learn sets it"),
    Variable("KMP_BLOCKTIME", "harmless", "how threads wait"),
    Variable("KMP_DUPLICATE_LIB_OK", "harmless", "whether two copies of OpenMP may be loaded"),
    Variable("*_VERBOSE", "harmless", "messages"),
    Variable("OPENBLAS_NUM_THREADS", "harmless", "threads of numpy; a run's arithmetic is torch's"),
    Variable("PYTHONHASHSEED", "harmless", "order of sets, which decides no number: every process has another one"),
    Variable("ATEN_*", "recorded", "instruction sets of torch"),
    Variable("ONEDNN_*", "recorded", "instruction sets of oneDNN"),
    Variable("DNNL_*", "recorded", "instruction sets of oneDNN"),
    Variable("MKL_*", "recorded", "instruction sets of MKL"),
    Variable("OMP_*", "recorded", "how loops are split between threads"),
    Variable("KMP_*", "recorded", "how loops are split between threads"),
    Variable("GOMP_*", "recorded", "how loops are split between threads"),
    Variable("CUBLAS*", "recorded", "kernels of CUDA's matrix products"),
    Variable("CUDNN_*", "recorded", "kernels of cuDNN"),
    Variable("DISABLE_ADDMM_CUDA_LT", "recorded", "kernels of CUDA's matrix products"),
    Variable("TORCH*", "recorded", "kernels of torch and of torch.compile"),
    Variable("PYTORCH_*", "recorded", "kernels of torch"),
)


def variables(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str, Variable]]:
    """Yield name, value and treatment of the variables that are set and known, sorted by name."""
    for name in sorted(environ):
        found = next((variable for variable in VARIABLES if fnmatchcase(name, variable.pattern)), None)
        if found is not None:
            yield name, environ[name], found


def refused(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return one line for each variable that would change numbers: its value, what it does and the way out."""
    return [
        f"{name}={shown_plainly(value)} is set, which changes numbers ({variable.what}); unset it"
        for name, value, variable in variables(environ)
        if variable.treatment == "refused" and not _is_off(name, value.strip().lower(), variable)
    ]


def check_settings(environ: Mapping[str, str] = os.environ) -> None:
    """Check that nothing in the environment, and no state of torch, would change numbers.

    Raises:
        UserError: names the first variable, or the state of torch.
    """
    for line in refused(environ):
        raise UserError(line)
    import torch

    if any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda")):
        raise UserError("the run was started inside torch.autocast, which changes numbers; start it outside")
    if torch.is_inference_mode_enabled() or not torch.is_grad_enabled():
        raise UserError("the run was started inside torch.no_grad or inference_mode; start it outside")
    if torch.get_default_device().type != "cpu":
        raise UserError(
            f"torch's default device is {torch.get_default_device()}, which changes numbers; call "
            "torch.set_default_device(None) and choose the run's device with --device"
        )


def recorded(environ: Mapping[str, str] = os.environ) -> dict[str, str | int | float | bool]:
    """Return the variables that are set and can change last digits, for the record."""
    return {
        name: value[:MOST_CHARACTERS]
        for name, value, variable in variables(environ)
        if variable.treatment == "recorded" and value
    }


def _is_off(name: str, value: str, variable: Variable) -> bool:
    # NVIDIA_TF32_OVERRIDE=0 turns TF32 off where torch has it on
    return value in variable.off or (value in OFF and (not value or name != "NVIDIA_TF32_OVERRIDE"))


def shown_plainly(value: str) -> str:
    """Return a variable's value for a message: unchanged if it is a plain word."""
    return value if value.isascii() and value.isprintable() and len(value) <= 40 else shown(value)


# -- settings in Python ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """A setting of torch that any code in the process can change, so that a run sets it itself.

    Attributes:
        name: as Python calls it.
        what: what it decides.
        value: what runs compute with; torch's default.
        get: returns the current value, given the module torch.
        apply: sets it, given torch and the value.
    """

    name: str
    what: str
    value: Any
    get: Callable[[Any], Any]
    apply: Callable[[Any, Any], None]


def _attribute(path: str, what: str, value: Any) -> Given:
    """Return the setting that is an attribute of a module in torch: ``backends.cudnn.benchmark``."""
    place, _, name = path.rpartition(".")

    def module(torch: Any) -> Any:
        found = torch
        for part in place.split("."):
            found = getattr(found, part)
        return found

    return Given(
        f"torch.{path}",
        what,
        value,
        lambda torch: getattr(module(torch), name),
        lambda torch, wanted: setattr(module(torch), name, wanted),
    )


def _flushes_denormal(torch: Any) -> bool:
    return not bool((torch.tensor([1e-39], dtype=torch.float32) * 0.5 != 0).item())  # torch has no function that tells


GIVEN = (
    Given(
        "torch.set_default_dtype",
        "type of weights",
        "float32",
        lambda torch: str(torch.get_default_dtype()).removeprefix("torch."),
        lambda torch, name: torch.set_default_dtype(getattr(torch, name)),
    ),
    Given(
        "torch.set_float32_matmul_precision",
        "TF32 or bfloat16 in products of float32",
        "highest",
        lambda torch: torch.get_float32_matmul_precision(),
        lambda torch, value: torch.set_float32_matmul_precision(value),
    ),
    Given(
        "torch.use_deterministic_algorithms",
        "which kernels are used",
        False,
        lambda torch: torch.are_deterministic_algorithms_enabled(),
        lambda torch, value: torch.use_deterministic_algorithms(value),
    ),
    Given(
        "torch.set_flush_denormal",
        "whether the smallest numbers become 0",
        False,
        _flushes_denormal,
        lambda torch, value: torch.set_flush_denormal(value),
    ),
    _attribute("backends.cudnn.allow_tf32", "TF32 in convolutions", True),
    _attribute("backends.cudnn.benchmark", "whether kernels are chosen by their speed", False),
    _attribute("backends.cudnn.deterministic", "which kernels are used", False),
    _attribute("backends.cuda.matmul.allow_fp16_reduced_precision_reduction", "sums in half precision", True),
    _attribute("backends.cuda.matmul.allow_bf16_reduced_precision_reduction", "sums in bfloat16", True),
)


@contextmanager
def given_settings(threads: int) -> Iterator[None]:
    """Compute with the settings in ``GIVEN`` and this many threads inside the block; put back what was before.

    The number of threads decides how sums are split, and so how they are rounded.

    Args:
        threads: of torch, OpenMP and MKL.
    """
    import torch

    before = [(given, given.get(torch)) for given in GIVEN]
    threads_before = torch.get_num_threads()
    _set_all(torch, [(given, given.value) for given in GIVEN], threads)
    try:
        yield
    finally:
        _set_all(torch, before, threads_before)


def _set_all(torch: ModuleType, values: list[tuple[Given, Any]], threads: int) -> None:
    for given, value in values:
        if given.get(torch) != value:
            given.apply(torch, value)
    torch.set_num_threads(threads)  # also if it is that already: this tells MKL, too
