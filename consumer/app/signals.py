"""SIGTERM and SIGINT, caught from the first moment on: the first one asks to stop, the second one ends at once.

Nothing slow is imported here: a pod that is told to stop while its imports run must still stop cleanly, and soon.
"""

import os
import signal
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether somebody asked to stop, and whom to tell."""

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self._leave = leave
        self._tell: Callable[[], object] | None = None
        self.asked = False

    def install(self) -> None:
        """Take over both signals for the rest of the process's life. SIGHUP asks for new routes: before any are read it
        asks for nothing, and must not end the process."""
        for number in SIGNALS:
            signal.signal(number, self.hear)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def hear(self, number: int, _frame: FrameType | None = None) -> None:
        if self.asked:
            self._leave(128 + number)
        elif self._tell is None:
            # Nothing has begun that would have to end; what is still imported may take long on a busy machine.
            self._leave(0)
        self.asked = True
        if self._tell is not None:
            self._tell()

    def attach(self, tell: Callable[[], object]) -> None:
        """Call `tell` at the first signal; at once when it came already. `tell` must be safe in a signal handler."""
        self._tell = tell
        if self.asked:
            tell()


STOP = StopRequest()
