"""The end of a drain's budget: whatever still waits for an answer then waits no longer."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class Cutoff:
    """One for a lane. `cancel` ends every wait that is under way, and every later one at once."""

    def __init__(self) -> None:
        self._over = False
        self._waits: set[_Wait] = set()

    def cancel(self) -> None:
        """The budget is spent."""
        self._over = True
        # Whose answer has come already may still take it.
        asyncio.get_running_loop().call_soon(self._cut)

    def _cut(self) -> None:
        for wait in self._waits:
            wait.cut()

    async def until(self, work: Awaitable[T]) -> T | None:
        """What comes of the work; None where the budget was spent first, and the work is cancelled."""
        if self._over:
            asyncio.get_running_loop().call_soon(self._cut)
        with _Wait(self._waits):
            return await work
        return None


class _Wait:
    """A task that waits. `asyncio.timeout` does the same at four times the price: it has a timer to look after.

    `sinks/time_limit.py` ends waits in the same way. Engine and sinks are strangers, and the floor below both knows no
    tasks.
    """

    __slots__ = ("_among", "_cancelling", "_is_cut", "_task")

    def __init__(self, among: "set[_Wait]") -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        self._among = among
        self._task = task
        # Somebody may want the task to end already; that is not ours to hide.
        self._cancelling = task.cancelling()
        self._is_cut = False

    def __enter__(self) -> None:
        self._among.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Whether it was cut off, and nobody else wants the task to end."""
        self._among.discard(self)
        return self._is_cut and self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)

    def cut(self) -> None:
        if not self._is_cut:
            self._is_cut = True
            self._task.cancel()
