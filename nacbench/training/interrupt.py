"""Graceful interruption: a signal asks the training loop to checkpoint and stop; a second Ctrl-C stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818 (it is not an error)
    """The run was stopped by a signal, ``signal_number``, after saving a checkpoint."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name} at step {step}")
        self.signal_number = signal_number


class StopRequest:
    """Records the signal that asked the run to stop, or None."""

    signal_number: int | None = None

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: record the first one; raise KeyboardInterrupt on a Ctrl-C after it."""
        if self.signal_number is None:
            self.signal_number = number
        elif number == signal.SIGINT:  # only Ctrl-C: Slurm sends a warning, then SIGTERM, which must not abort the save
            raise KeyboardInterrupt


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn signals into a stop request inside the context; restore the old handlers afterwards.

    Handles SIGTERM, SIGINT, and SIGUSR2 if it has a handler already: submitit installs one for Slurm's warning before
    the time limit.
    """
    request = StopRequest()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGUSR2) not in (signal.SIG_DFL, signal.SIG_IGN, None):
        numbers.append(signal.SIGUSR2)
    try:
        old = {number: signal.signal(number, request.ask) for number in numbers}
    except ValueError:  # Python allows signal handlers in the main thread only; the caller then handles signals
        old = {}
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
