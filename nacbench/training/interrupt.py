"""Stopping on request: SIGTERM and SIGINT ask the loop to checkpoint and leave; a second one leaves at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818 (it is not an error)
    """The run was asked to stop and has saved its state; ``signal_number`` is what asked."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name} at step {step}")
        self.signal_number = signal_number


class StopRequest:
    """Whether, and by which signal, the run has been asked to stop."""

    signal_number: int | None = None

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.signal_number is not None:
            raise KeyboardInterrupt
        self.signal_number = number


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """While inside, SIGTERM and SIGINT only set the request; afterwards the old handlers are back."""
    request = StopRequest()
    try:
        old = {number: signal.signal(number, request.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not in the main thread: somebody else handles signals
        old = {}
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
