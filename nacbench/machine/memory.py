"""Memory allocator settings: make glibc keep freed memory for the next training step (mallopt)."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameter numbers from glibc's <malloc.h>
LARGEST = 2**31 - 1  # mallopt takes a C int


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
