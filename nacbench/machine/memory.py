"""How the C library hands out memory on a CPU."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep what tensors free for the tensors of the next step, instead of giving it back to the system.

    A step frees and takes the same hundreds of megabytes again; each page that comes back from the system is cleared
    first, which can take as long as the step's arithmetic. It holds for the process, and costs nothing but that its
    memory stays at its peak.

    Returns:
        Whether the C library (glibc) took it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, LARGEST)])
