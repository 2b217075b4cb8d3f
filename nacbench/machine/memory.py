"""Memory: recognise a lack of it; make glibc keep freed memory for the next training step (mallopt)."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameter numbers from glibc's <malloc.h>
LARGEST = 2**31 - 1  # mallopt takes a C int


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory, of the machine or of a GPU, was not enough."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, without importing torch
        return True
    # torch's errors on a CPU; the last two are of sizes that are no 64-bit numbers
    signs = ("allocate memory", "not enough memory", "size calculation overflowed", "Overflow when unpacking long")
    return isinstance(error, RuntimeError | TypeError) and any(sign in str(error) for sign in signs)


def out_of_memory_line(error: BaseException) -> str:
    """Return one line on an exception of which `is_out_of_memory` is true, with the way out."""
    return f"not enough memory ({type(error).__name__}): use smaller options or batches, or another machine"


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory instead of returning it to the system.

    A training step frees and allocates the same hundreds of megabytes again. By default glibc returns blocks over 32 MB
    to the system, which clears every page before handing it out again: 74,000 pages and 140 ms in a step of NAC at the
    published size (docs/speed.md). The setting holds for the whole process, whose memory then stays at its peak.

    Returns:
        Whether the C library accepted both settings; False without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    # M_MMAP_MAX 0: large blocks come from the heap, where they can be kept; M_TRIM_THRESHOLD: the heap never shrinks
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, LARGEST)])
