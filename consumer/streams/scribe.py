"""Appends of one partition, many to a request: what comes while one is under way goes together in the next."""

import asyncio
from collections import deque
from dataclasses import dataclass

from consumer.core.ports import Appended
from consumer.streams.writer import TooLarge, Writer

# Under the client's own bound of a batch, with what each record takes beside its value.
TOGETHER_BYTES = 200_000
RECORD_BYTES = 64


@dataclass(slots=True)
class _Waiting:
    """One record, and the future of all that were handed in with it: `last` is the one that it waits for."""

    value: bytes
    ack: "asyncio.Future[Appended | TooLarge]"
    last: bool


class Scribe:
    """Records stand in the log in the order in which they were handed in. They are acked as they were handed in, when
    the broker has them. Whoever is cancelled while it waits takes its records back, but those that are under way."""

    def __init__(self, writer: Writer, partition: int = 0) -> None:
        self._writer = writer
        self._partition = partition
        self._queue: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def append(self, *values: bytes) -> Appended | TooLarge:
        """Until the last one is acked, or one is refused for its size: then those behind it are not written."""
        ack: asyncio.Future[Appended | TooLarge] = asyncio.get_running_loop().create_future()
        self._queue.extend([_Waiting(value, ack, last=False) for value in values])
        self._queue[-1].last = True
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="journal appends")
            self._writing.add_done_callback(_ended)
        return await ack

    async def stop(self) -> None:
        """Nobody waits for an ack any more."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
            await asyncio.wait({writing})
        while self._queue:
            self._queue.popleft().ack.cancel()

    async def _write(self) -> None:
        while together := self._next():
            try:
                results = await self._writer.write_all([each.value for each in together], self._partition)
            except BaseException as error:
                self._fail(together, error)
                raise
            for each, result in zip(together, results, strict=True):
                if (each.last or isinstance(result, TooLarge)) and not each.ack.done():
                    each.ack.set_result(result)

    def _next(self) -> list[_Waiting]:
        """As many as fit in a request, and one at least, of those that are still waited for."""
        together: list[_Waiting] = []
        room = TOGETHER_BYTES
        while self._queue:
            size = len(self._queue[0].value) + RECORD_BYTES
            if together and size > room:
                break
            each = self._queue.popleft()
            if not each.ack.done():
                together.append(each)
                room -= size
        return together

    def _fail(self, together: list[_Waiting], error: BaseException) -> None:
        """A bug in the writer is told to all who wait, and their lane is made anew; a stop cancels them."""
        together.extend(self._queue)
        self._queue.clear()
        for each in together:
            if each.ack.done():
                continue
            if isinstance(error, Exception):
                each.ack.set_exception(error)
            else:
                each.ack.cancel()


def _ended(writing: asyncio.Task[None]) -> None:
    if not writing.cancelled():
        writing.exception()  # looked at: whoever waited was told
