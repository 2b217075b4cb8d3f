"""Memory that is freed stays with the process."""

import ctypes
import platform
import subprocess
import sys

import pytest

from nacbench.machine import memory

# tensors larger than what glibc would ever keep by itself, again and again; counts new pages once the heap has found
# its size
CODE = """
import resource, sys, torch
from nacbench.machine.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit("glibc refused")
def step():
    some = [torch.ones(12_000_000) for _ in range(6)]
for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(word: str) -> int:
    """Pages that the system had to give."""
    done = subprocess.run([sys.executable, "-c", CODE, word], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_tensors_reuse_the_pages_of_freed_ones() -> None:
    kept, usual = new_pages("keep"), new_pages("usual")
    assert usual > 1000, "the test measures nothing where the system gives no new pages anyway"
    assert kept < usual / 10


def test_other_c_libraries_are_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: None) -> object:
        return object()

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert not memory.keep_freed_memory()
