"""Follows the lane's journal into its memory, as standby and as owner alike."""

import asyncio
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count

from consumer.core.memory import Memory
from consumer.core.ports import Entry, Journal, Span
from schemas.journal import Claim

# Longer than this without giving the loop back, and heartbeats of other lanes would suffer.
SLICE_SECONDS = 0.010
READ_SECONDS = 1.0
REWIND_PAUSE_SECONDS = 1.0


class Follower:
    """One reader a lane. `reached(offset)` is the look of the design: it returns when the memory knows everything up
    to that record, so that a newer claim which stands before it has been seen. `worked`: the journal holds more than
    claims, so the lane is not new."""

    def __init__(self, journal: Journal, memory: Memory, since: Callable[[], float]) -> None:
        self.span: Span | None = None
        self.records = 0
        self.worked = False
        self._journal = journal
        self._memory = memory
        self._since = since
        self._begun = asyncio.Event()
        # By offset, so that a slice wakes only those whose record was in it; numbers tell equal offsets apart.
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every slice that was read."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Read back over the lane's memory, then on, until cancelled."""
        self.span = await self._rewind()
        self._begun.set()
        self._announce()
        while True:
            entries = await self._journal.read(READ_SECONDS)
            if entries:
                await self._apply(entries)
                self._announce()
                await asyncio.sleep(0)

    async def _rewind(self) -> Span:
        while True:
            span = await self._journal.rewind(self._since())
            if isinstance(span, Span):
                return span
            await asyncio.sleep(REWIND_PAUSE_SECONDS)

    async def _apply(self, entries: Sequence[Entry]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for entry in entries:
            self._memory.apply(entry)
            self.records += 1
            self.worked = self.worked or not isinstance(entry.record, Claim)
            if loop.time() - began > SLICE_SECONDS:
                await asyncio.sleep(0)
                began = loop.time()

    def _announce(self) -> None:
        while self._waiting and self._waiting[0][0] < self._memory.offset:
            waiter = heappop(self._waiting)[2]
            if not waiter.done():
                waiter.set_result(None)
        for listener in self._listeners:
            listener()

    async def started(self) -> Span:
        """Where reading back began, once that is known."""
        while self.span is None:
            await self._begun.wait()
        return self.span

    async def reached(self, offset: int) -> None:
        """Return when the record at `offset` has been applied."""
        if self._memory.offset > offset:
            return
        waiter = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (offset, next(self._numbers), waiter))
        await waiter
