"""A lane's source that lets a record through only when the schema that it names is known.

While the registry gives no answer the partition stands still before that record, and says why; nothing is skipped, and
other topics are read on. The order of a partition's records never changes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Extent, Seat, Source
from consumer.streams.registry import Registry

RETRY_SECONDS = 5.0
PATIENCE_SECONDS = 1.0
_ASKING = Trouble("registry_unreachable", "no answer yet")

Wanted = Callable[[Record], int | None]


@dataclass(slots=True)
class _Seat:
    """The lane's seat; what was withheld of an earlier assignment is forgotten."""

    seat: Seat
    forget: Callable[[], None]

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.forget()
        await self.seat.assigned(partitions)

    async def revoked(self) -> None:
        await self.seat.revoked()
        self.forget()


@dataclass(frozen=True, slots=True)
class _Withheld:
    """A partition that stands still: until when nobody asks again, and what was said of it."""

    until: float
    trouble: Trouble | None


class PreparedSource:
    """`wanted` gives the number of the schema that a record needs and that is not known. Implements `ports.Source`."""

    def __init__(self, inner: Source, wanted: Wanted, registry: Registry) -> None:
        self._inner = inner
        self._wanted = wanted
        self._registry = registry
        self._withheld: dict[TopicPartition, _Withheld] = {}
        self._seeks: Counter[TopicPartition] = Counter()
        self._assignments = 0
        self._learning: asyncio.Task[Trouble | None] | None = None

    async def start(self, seat: Seat) -> None:
        await self._inner.start(_Seat(seat, self._forget))

    async def stop(self) -> None:
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.wait({self._learning})
        await self._inner.stop()

    def claim(self, epoch: int | None) -> None:
        self._inner.claim(epoch)

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record] | Trouble:
        now = asyncio.get_running_loop().time()
        waiting = {partition for partition, withheld in self._withheld.items() if withheld.until > now}
        polled = await self._inner.poll({*held, *waiting}, timeout_seconds)
        if isinstance(polled, Trouble) or not polled:
            return polled
        return await self._prepared(polled)

    async def _prepared(self, records: Sequence[Record]) -> Sequence[Record] | Trouble:
        partition = records[0].position.topic_partition
        numbers = [number for record in records if (number := self._wanted(record)) is not None]
        before = (self._assignments, self._seeks[partition])
        trouble = await self._learned(numbers) if numbers else None
        if before != (self._assignments, self._seeks[partition]):
            return ()  # taken away, or begun anew elsewhere: they are read again from there
        if trouble is None:
            self._withheld.pop(partition, None)
            return records
        return self._held_back(records, trouble)

    async def _learned(self, numbers: Sequence[int]) -> Trouble | None:
        """Ask, and wait a little: a registry that hangs must not hold back other topics."""
        if self._learning is not None and not self._learning.done():
            return _ASKING
        self._learning = asyncio.create_task(self._registry.learn(numbers), name="schema registry")
        await asyncio.wait({self._learning}, timeout=PATIENCE_SECONDS)
        return self._learning.result() if self._learning.done() else _ASKING

    def _held_back(self, records: Sequence[Record], trouble: Trouble) -> Sequence[Record] | Trouble:
        """What comes before the first record that cannot be read yet; or, where that is nothing, the trouble."""
        first = next((index for index, record in enumerate(records) if self._wanted(record) is not None), 0)
        partition = records[0].position.topic_partition
        self._inner.seek({partition: records[first].position.offset})
        if first:
            return records[:first]
        known, now = self._withheld.get(partition), asyncio.get_running_loop().time()
        if trouble is _ASKING:
            self._withheld[partition] = _Withheld(now + PATIENCE_SECONDS, known.trouble if known else None)
            return ()
        self._withheld[partition] = _Withheld(now + RETRY_SECONDS, trouble)
        if known is not None and known.trouble == trouble:
            return ()  # said already, and whoever hears it pauses
        return Trouble(trouble.reason, f"schema registry: {trouble.detail}", partition)

    def _forget(self) -> None:
        self._assignments += 1
        self._withheld.clear()

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for partition in offsets:
            self._seeks[partition] += 1
            self._withheld.pop(partition, None)
        self._inner.seek(offsets)

    async def committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        return await self._inner.committed()

    async def extents(self) -> Mapping[TopicPartition, Extent] | Trouble:
        return await self._inner.extents()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        return await self._inner.commit(offsets)

    async def fetch(self, position: Position) -> Record | Trouble:
        return await self._inner.fetch(position)
