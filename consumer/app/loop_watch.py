"""Watches from a thread of its own that the event loop turns, and ends the process when it does not."""

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

import structlog

from consumer.engine.run import STUCK

TICK_SECONDS = 1.0
SAY_SECONDS = 2.0
FRAMES_LIMIT = 12
# So much more CPU than the limit has whoever keeps every other thread from running, this one among them.
SPARE_SECONDS = 2.0
STDERR = 2


class LoopWatch:
    """`beat` is called from the loop twice a second, and `look` once a second from the thread.

    A loop that stands still for `limit_seconds` holds heartbeats, requests and the stop alike, so the process ends with
    exit code 70; the last line of the log says where it stands. Only time in which this thread ran counts: a process
    that was stopped, or a host that slept, is not stuck.

    Machine code may go round in circles without ever letting another thread run, so this thread grants the process CPU
    time again and again. Where that is used up, the system ends it: with the code of its signal, 27, and with the
    functions of Python on stderr.
    """

    def __init__(
        self,
        limit_seconds: float,
        leave: Callable[[int], object] = os._exit,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit_seconds
        self._leave = leave
        self._monotonic = monotonic
        self._beats = self._seen = 0
        self._looked = monotonic()
        self._still = 0.0
        self._over = threading.Event()
        self._main = threading.get_ident()

    def beat(self) -> None:
        """The loop turns."""
        self._beats += 1

    def start(self) -> None:
        """Look from now on; to be called in the thread that will run the loop."""
        self._main = threading.get_ident()
        _leave_on(signal.SIGPROF)
        self._grant()
        threading.Thread(target=self._run, name="loop watch", daemon=True).start()

    def stop(self) -> None:
        """The loop has come to its end."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            self._grant()
            self.look()
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def _grant(self) -> None:
        """CPU time, which a process that was stopped does not use up."""
        signal.setitimer(signal.ITIMER_PROF, self._limit + SPARE_SECONDS)

    def look(self) -> None:
        """Leave if the loop has stood still for too long."""
        now = self._monotonic()
        passed, self._looked = min(now - self._looked, 2 * TICK_SECONDS), now
        if self._beats != self._seen:
            self._seen, self._still = self._beats, 0.0
            return
        self._still += passed
        if self._still >= self._limit:
            # Where the log itself is what blocks the loop, its line must not keep the process.
            line = threading.Thread(target=self._say, daemon=True)
            line.start()
            line.join(SAY_SECONDS)
            self._leave(STUCK)

    def _say(self) -> None:
        why = f"the event loop has not turned for {self._still:.0f} s"
        frames = _places(sys._current_frames().get(self._main))
        structlog.stdlib.get_logger("vestnik").error("ended", exit_code=STUCK, why=why, frames=frames)


def _leave_on(number: signal.Signals) -> None:
    """Say where every thread stands and end the process, whoever holds the interpreter's lock. The system's own answer
    to the signal would do, but the first process of a container is spared it."""
    libc = ctypes.CDLL(None)
    libc.signal(ctypes.c_int(number), ctypes.cast(libc._exit, ctypes.c_void_p))
    faulthandler.register(number, STDERR, chain=True)


def _places(frame: FrameType | None) -> list[str]:
    """Where the loop stands, the innermost last, without source lines and without the values of any variable."""
    stack = traceback.extract_stack(frame)[-FRAMES_LIMIT:] if frame is not None else []
    return [f"{each.filename.rpartition('/')[2]}:{each.lineno} {each.name}" for each in stack]
