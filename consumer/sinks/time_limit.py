"""One limit of time for many waits: they end in the order in which they began, so that one timer does for all."""

import asyncio
from types import TracebackType


class _Wait:
    """One wait, as a context: what is awaited in it is cancelled when its time is over, and it raises TimeoutError.

    `engine/cutoff.py` ends waits in the same way. Sinks and engine are strangers, and the floor below both knows no
    tasks.
    """

    __slots__ = ("_cancelling", "_running", "_task", "ends", "spent")

    def __init__(self, running: "dict[_Wait, None]", task: "asyncio.Task[object]", ends: float) -> None:
        self._running = running
        self._task = task
        # Somebody may want the task to end already; that is not ours to hide.
        self._cancelling = task.cancelling()
        self.ends = ends
        self.spent = False

    def __enter__(self) -> None:
        self._running[self] = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._running[self]
        if self.spent and self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def spend(self) -> None:
        """The time is over."""
        if not self.spent:
            self.spent = True
            self._task.cancel()


class TimeLimit:
    """As `asyncio.timeout` with always the same seconds, without a timer for each: most waits end long before."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Wait, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> _Wait:
        """For the task that asks, from this moment on."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is None:
            raise RuntimeError("only a task can wait")
        ends = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(ends, self._look)
        return _Wait(self._running, task, ends)

    def _look(self) -> None:
        """End what has waited long enough; come again for the first of the rest."""
        loop = asyncio.get_running_loop()
        self._timer, now = None, loop.time()
        for each in self._running:
            if each.ends > now:
                self._timer = loop.call_at(each.ends, self._look)
                return
            each.spend()
