"""Source, journal and dead letters over the broker in memory."""

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence

from consumer.core.facts import OffsetsSkipped
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Appended, DeadLetter, Emit, Entry, Extent, Row, Seat, Span
from consumer.core.shares import Share
from consumer.streams.codec import Entryable, decoded, encoded
from consumer.streams.letters import letter_headers
from consumer.streams.memory_broker import UNREACHABLE, Bell, Log, Member, MemoryBroker, MemoryGroup, Wire

__all__ = [
    "Bell",
    "MemoryBroker",
    "MemoryDeadLetters",
    "MemoryGroup",
    "MemoryJournal",
    "MemorySource",
    "MemoryTable",
    "Wire",
]

POLL_RECORDS = 500
READ_RECORDS = 500
COMMIT_SECONDS = 5.0


def _silent(_: object) -> None:
    """Where nobody listens to facts."""


class MemorySource:
    """A member of a group, or a `share`'s, on the broker in memory. `wire` is shared by the adapters of a process."""

    def __init__(
        self,
        broker: MemoryBroker,
        group: str,
        topics: Sequence[str],
        *,
        wire: Wire | None = None,
        emit: Emit = _silent,
        share: Share | None = None,
    ) -> None:
        self._broker = broker
        self._name = group
        self._group = broker.group(group)
        self._group.share = share or self._group.share
        self._topics = tuple(topics)
        self._wire = wire or Wire()
        self._emit = emit
        self._claim = 0
        self._member: Member | None = None
        self._owned: frozenset[TopicPartition] = frozenset()
        self._expected: dict[TopicPartition, int] = {}
        self._turns: list[TopicPartition] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._eviction: asyncio.TimerHandle | None = None

    async def start(self, seat: Seat) -> None:
        self._wire.listeners.append(self._wire_turned)
        self._tasks.add(asyncio.create_task(self._belong(seat), name=f"{self._name} member"))

    def kill(self) -> None:
        """Vanish as a killed process does: no leave, no callback; the group notices after its session time."""
        self._detach()
        self._wire.cut()
        self._schedule_eviction()
        self._member = None

    async def stop(self) -> None:
        """Leave the group at once. The seat is not called: who stops has let go before."""
        self._detach()
        if self._member is not None and self._wire.up:
            self._group.leave(self._member)
        elif self._member is not None:
            self._schedule_eviction()
        self._member = None
        self._forget()

    def claim(self, epoch: int | None) -> None:
        self._claim = epoch or 0

    # --- records

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record] | Trouble:
        await asyncio.sleep(0)
        waiting = self._broker.bell
        if await waiting.wait_until(lambda: self._next(held) is not None, timeout_seconds):
            partition = self._next(held)
            return () if partition is None else self._take(partition)
        return self._trouble() or ()

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for partition, offset in offsets.items():
            if partition in self._owned:
                self._expected[partition] = offset
        self._turns = sorted(self._expected)
        self._broker.bell.ring()

    def _next(self, held: Collection[TopicPartition]) -> TopicPartition | None:
        if not self._wire.up:
            return None
        for partition in self._turns:
            log = self._broker.log(partition)
            if partition in held or log is None or self._broker.read_trouble(partition.topic):
                continue
            expected = self._expected[partition]
            if expected < log.beginning or expected > log.end or log.after(expected, 1):
                return partition
        return None

    def _take(self, partition: TopicPartition) -> Sequence[Record] | Trouble:
        self._turns.remove(partition)
        self._turns.append(partition)
        expected = self._expected[partition]
        log = self._broker.log(partition) or Log()
        if not log.beginning <= expected <= log.end:
            return Trouble("offset_out_of_range", f"{expected} is not in {log.beginning}..{log.end}", partition)
        records = log.after(expected, POLL_RECORDS)
        self._count_gaps(partition, records)
        return records

    def _count_gaps(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        following = records[-1].position.offset + 1
        missing = following - self._expected[partition] - len(records)
        if missing:
            self._emit(OffsetsSkipped(self._name.removeprefix("vestnik."), *partition, missing))
        self._expected[partition] = following

    def _trouble(self) -> Trouble | None:
        if not self._wire.up:
            return UNREACHABLE
        return next(filter(None, map(self._broker.read_trouble, self._topics)), None)

    # --- offsets

    async def committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        if not await self._reached():
            return UNREACHABLE
        return {partition: self._group.offsets.get(partition) for partition in sorted(self._owned)}

    async def extents(self) -> Mapping[TopicPartition, Extent] | Trouble:
        if not await self._reached():
            return UNREACHABLE
        owned = sorted(self._owned)
        if trouble := next(filter(None, (self._broker.read_trouble(one.topic) for one in owned)), None):
            return trouble
        found = ((partition, self._broker.extent(partition)) for partition in owned)
        return {partition: extent for partition, extent in found if extent is not None}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        if not await self._reached():
            return UNREACHABLE
        if self._member is None:
            return Trouble("other", "not in the group")
        return self._group.commit(self._member, offsets)

    async def fetch(self, position: Position) -> Record | Trouble:
        if not await self._reached():
            return UNREACHABLE
        log = self._broker.log(position.topic_partition)
        found = log.after(position.offset, 1) if log is not None else ()
        if found and found[0].position == position:
            return found[0]
        return Trouble("offset_out_of_range", "the record is gone", position.topic_partition)

    async def _reached(self) -> bool:
        await asyncio.sleep(0)
        return await self._wire.bell.wait_until(lambda: self._wire.up, COMMIT_SECONDS)

    # --- membership

    async def _belong(self, seat: Seat) -> None:
        """Follow the group's rebalances for life."""
        while True:
            await self._wire.bell.wait_until(lambda: self._wire.up)
            member = self._member
            if member is None or not self._group.holds(member):
                await self._let_go(seat)
                member = self._member = self._group.enter(self._topics, self._wire.process)
            generation = self._group.generation
            await self._let_go(seat)
            if await self._arrived(member, generation):
                self._owned = member.assignment
                if not self._owned:
                    self._claim = 0  # who got nothing has lost its claim
                await seat.assigned(self._owned)
                self._broker.bell.ring()
            await self._changed(member, generation)

    async def _arrived(self, member: Member, generation: int) -> bool:
        """Whether this generation became an assignment with us in it."""
        group = self._group
        if not self._wire.up or self._passed(member, generation):
            return False
        group.arrive(member, self._claim)
        await group.bell.wait_until(lambda: group.stable or self._passed(member, generation))
        return not self._passed(member, generation)

    def _passed(self, member: Member, generation: int) -> bool:
        return self._group.generation != generation or not self._group.holds(member)

    async def _changed(self, member: Member, generation: int) -> None:
        await self._group.bell.wait_until(lambda: self._passed(member, generation))

    async def _let_go(self, seat: Seat) -> None:
        if self._owned:
            await seat.revoked()
        self._forget()

    def _forget(self) -> None:
        self._owned = frozenset()
        self._expected.clear()
        self._turns.clear()

    def _detach(self) -> None:
        if self._wire_turned in self._wire.listeners:
            self._wire.listeners.remove(self._wire_turned)
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def _wire_turned(self) -> None:
        if self._wire.up and self._eviction is not None:
            self._eviction.cancel()
            self._eviction = None
        elif not self._wire.up:
            self._schedule_eviction()
        self._broker.bell.ring()

    def _schedule_eviction(self) -> None:
        if self._member is not None and self._eviction is None:
            later = asyncio.get_running_loop().call_later
            self._eviction = later(self._broker.session_seconds, self._evict, self._member)

    def _evict(self, member: Member) -> None:
        self._eviction = None
        self._group.leave(member)


class _Writer:
    """Appends that wait for as long as something is in the way, and say what."""

    def __init__(self, broker: MemoryBroker, topic: str, wire: Wire | None) -> None:
        self._broker = broker
        self._topic = topic
        self._wire = wire or Wire()
        self._waiting = 0
        self._wire.listeners.append(broker.bell.ring)

    @property
    def trouble(self) -> Trouble | None:
        """What an append waits for just now, or would."""
        return self._trouble()

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def _trouble(self) -> Trouble | None:
        return self._broker.write_trouble(self._topic) if self._wire.up else UNREACHABLE

    async def _write(
        self, value: bytes | None, key: bytes | None = None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Appended:
        await self._broker.bell.wait_until(lambda: self._trouble() is None)
        appended = await self._broker.append(self._topic, value, key=key, headers=headers)
        await self._wire.bell.wait_until(lambda: self._wire.up)  # an ack does not pass a cut wire
        return appended


class MemoryJournal(_Writer):
    """The lane's journal as partition 0 of a topic in memory."""

    def __init__(self, broker: MemoryBroker, topic: str, *, wire: Wire | None = None) -> None:
        super().__init__(broker, topic, wire)
        self._next = 0

    async def append(self, *records: Entryable) -> Appended:
        return [await self._write(encoded(record)) for record in records][-1]

    async def rewind(self, since: float) -> Span | Trouble:
        await asyncio.sleep(0)
        if trouble := self._read_trouble():
            return trouble
        log = self._broker.topics[self._topic].logs[0]
        start = bisect_left(log.records, since, key=lambda record: record.timestamp)
        self._next = log.records[start].position.offset if start < len(log.records) else log.end
        first = log.records[0].timestamp if log.records else None
        return Span(self._next, log.beginning > 0 and (first is None or first > since), first is None)

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        await asyncio.sleep(0)
        await self._broker.bell.wait_until(lambda: bool(self._ready()), timeout_seconds)
        records = self._ready()
        if records:
            self._next = records[-1].position.offset + 1
        return [Entry(record.position.offset, record.timestamp, decoded(record.value)) for record in records]

    def _read_trouble(self) -> Trouble | None:
        return self._broker.read_trouble(self._topic) if self._wire.up else UNREACHABLE

    def _ready(self) -> Sequence[Record]:
        if self._read_trouble():
            return ()
        return self._broker.topics[self._topic].logs[0].after(self._next, READ_RECORDS)


class MemoryDeadLetters(_Writer):
    """The dead-letter topic in memory."""

    def __init__(self, broker: MemoryBroker, topic: str, *, wire: Wire | None = None) -> None:
        super().__init__(broker, topic, wire)

    async def append(self, letter: DeadLetter) -> None:
        await self._write(letter.record.value, letter.record.key, letter_headers(letter))


class MemoryTable(_Writer):
    """A compacted topic in memory, as partition 0 of it."""

    def __init__(self, broker: MemoryBroker, topic: str, *, wire: Wire | None = None) -> None:
        super().__init__(broker, topic, wire)
        self._next = 0
        self._end: int | None = None

    @property
    def complete(self) -> bool:
        return self._end is not None and self._next >= self._end

    async def put(self, key: bytes, value: bytes | None) -> None:
        await self._write(value, key)

    async def read(self, timeout_seconds: float) -> Sequence[Row]:
        await asyncio.sleep(0)
        await self._broker.bell.wait_until(self._readable, timeout_seconds)
        if not self._wire.up or self._broker.read_trouble(self._topic):
            return ()
        log = self._broker.topics[self._topic].logs[0]
        if self._end is None:
            self._end = log.end
        records = log.after(self._next, READ_RECORDS)
        self._next = records[-1].position.offset + 1 if records else max(self._next, log.end)
        return [Row(record.key, record.value) for record in records]

    def _readable(self) -> bool:
        if not self._wire.up or self._broker.read_trouble(self._topic):
            return False
        return self._end is None or bool(self._broker.topics[self._topic].logs[0].after(self._next, 1))
