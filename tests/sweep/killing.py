"""Kill a command at a moment of its work."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any


def kill_when(condition: Callable[[], Any], words: Sequence[str]) -> None:
    """Start a command, and kill it as soon as something is so."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
