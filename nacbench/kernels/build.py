"""Build the C++ kernels, once per machine, and load them.

A library lies in the cache under a digest of all that it is made from: sources, compiler, flags, torch, and the
instruction sets of the processor, so that a cache that several machines share has one for each kind. Only torch's
stable headers are included: 3 seconds instead of 35 with all of them (PyTorch 2.14, g++ 12).
"""

import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of, whole_file, write_text
from nacbench.filesystem.locking import try_lock
from nacbench.machine.hardware import cpu_flags

HERE = Path(__file__).parent
SOURCES = (
    "library.cpp", "attention.h", "geglu.h", "links.h", "norm.h", "products.h", "softmax.h", "tensors.h", "vector.h",
)  # fmt: skip
# The digest of the sources, so that the ids of runs cover them: they read Python only. A test says what it should be.
SOURCES_DIGEST = "111c4ee848c0a440"
# Two assumptions under which loops become vector instructions. Not -ffast-math: it would lose NaN and infinity
FLAGS = ("-O3", "-std=c++20", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math")
LONGEST_BUILD = 300.0  # seconds; it takes 5


class UnavailableError(Exception):
    """Why there are no kernels here, in one line."""


def digest_of_sources() -> str:
    """Return the SHA-256 of the C++ sources in sixteen hexadecimal digits."""
    content = b"".join((HERE / name).read_bytes() for name in SOURCES)
    return hashlib.sha256(content).hexdigest()[:16]


def load(say: Callable[[str], None]) -> None:
    """Load the library into torch, after building it if this machine has none.

    Args:
        say: told in one line that it is being built.

    Raises:
        UnavailableError: if it cannot be built, kept or loaded.
    """
    try:
        command = _command()
        path = cache_folder() / "kernels" / f"{_name(command)}.so"
        _make(path, command, say)
        torch.ops.load_library(path)
    except OSError as error:  # of the file system, or of the loader: a folder mounted noexec, for example
        # torch says that it could not load a library, the loader why
        raise UnavailableError(" ".join(str(error.__cause__ or error).split())) from None
    except UserError as error:
        raise UnavailableError(str(error)) from None


def _command() -> list[str]:
    """Return the compiler's command, without the output.

    Raises:
        UnavailableError: if there is no compiler.
    """
    # When it is imported it warns that there is no GPU, if torch is a build for CUDA
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from torch.utils import cpp_extension

    named = cpp_extension.get_cxx_compiler()  # CXX, or c++
    try:
        compiler = shlex.split(named)
    except ValueError as error:  # a quotation mark that has no partner
        raise UnavailableError(f"CXX = {named!r} cannot be read: {error}") from None
    if not compiler or shutil.which(compiler[0]) is None:
        raise UnavailableError(f"no C++ compiler: {' '.join(compiler) or 'CXX'} is not found")
    flags = cpu_flags()
    # g++ prefers half vectors on processors whose frequency once fell with whole ones
    wide = ["-mprefer-vector-width=512"] if "avx512f" in flags else []
    native = ["-march=native"] if platform.machine() in ("x86_64", "AMD64") else ["-mcpu=native"]
    includes = [f"-I{folder}" for folder in cpp_extension.include_paths()]
    libraries = [f"-L{folder}" for folder in cpp_extension.library_paths()]
    return [
        *compiler, *FLAGS, "-fopenmp-simd", *native, *wide, *includes, str(HERE / "library.cpp"), *libraries,
        "-ltorch_cpu",
    ]  # fmt: skip


def _name(command: Sequence[str]) -> str:
    """Return the digest of all that a library is made from, as its name."""
    version = _called([command[0], "--version"]).stdout
    parts = [digest_of_sources(), *command, version, torch.__version__, platform.machine(), *sorted(cpu_flags())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _make(path: Path, command: Sequence[str], say: Callable[[str], None]) -> None:
    """Build the library unless it is there, whole; of several processes one builds it, and the others wait.

    Raises:
        UnavailableError: if the compiler fails.
        OSError: from the file system.
    """
    if _is_whole(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        # Without locks (None) several processes may build; each file still appears whole
        until = time.monotonic() + LONGEST_BUILD
        while try_lock(descriptor) is False and time.monotonic() < until:
            time.sleep(0.1)
        if _is_whole(path):
            return
        say("building kernels, once per machine: about 10 seconds")
        with whole_file(path) as aside:
            _compile([*command, "-o", str(aside)])
            digest = digest_of(aside)
        write_text(_digest_file(path), f"{digest}\n")
    finally:
        os.close(descriptor)


def _digest_file(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _is_whole(path: Path) -> bool:
    """Whether there is a library, and it is as it was built."""
    try:
        return _digest_file(path).read_text().strip() == digest_of(path)
    except (OSError, UserError, ValueError):
        return False


def _compile(command: Sequence[str]) -> None:
    done = _called(command)
    if done.returncode:
        # The linker says "final link failed: No space left on device", and only then the compiler "error"
        told = done.stderr.splitlines()
        lines = [line for line in told if "error" in line or "failed" in line] or told
        reason = " ".join(lines[0].split()) if lines else f"exit code {done.returncode}"
        raise UnavailableError(f"{command[0]} failed: {reason}")


def _called(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 (the user's own compiler)
            command, capture_output=True, text=True, errors="replace", timeout=LONGEST_BUILD, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{command[0]} took longer than {LONGEST_BUILD:.0f} seconds") from None
