"""Stopping on request: a signal asks the loop to checkpoint and leave; a second Ctrl-C leaves at once."""

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
        if self.signal_number is None:
            self.signal_number = number
        elif number == signal.SIGINT:  # of Slurm's, a warning and then SIGTERM: the second must not spoil the saving
            raise KeyboardInterrupt


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """While inside, signals only set the request; afterwards the old handlers are back.

    SIGTERM, SIGINT, and SIGUSR2 where somebody handles it: submitit does, as Slurm's warning before the end.
    """
    request = StopRequest()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGUSR2) not in (signal.SIG_DFL, signal.SIG_IGN, None):
        numbers.append(signal.SIGUSR2)
    try:
        old = {number: signal.signal(number, request.ask) for number in numbers}
    except ValueError:  # not in the main thread: somebody else handles signals
        old = {}
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
