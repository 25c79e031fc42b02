"""The memory adapters as one process knows them: each call may be the last, and the network has a life of its own."""

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Appended, DeadLetter, Emit, Entry, Extent, Row, Seat, Span, Unreadable
from consumer.streams.codec import Entryable, decoded, encoded
from consumer.streams.letters import letter_headers
from consumer.streams.memory import MemoryDeadLetters, MemoryJournal, MemorySource, MemoryTable
from consumer.streams.memory_broker import Member, MemoryBroker, MemoryGroup, Wire
from schemas.journal import AnyRecord, Attempt
from tests.world.lives import Life, Outside

SOURCE, SECOND, BACKFILL = "shop.events", "shop.bonuses", "vestnik.backfill.push"
JOURNAL, LETTERS, GROUP = "vestnik.journal.push", "vestnik.dead-letters", "vestnik.push"
LISTED, CONTROL = "vestnik.suppressions", "vestnik.control"
COMMIT_SECONDS = 5.0
COORDINATOR_GONE = Trouble("other", "the coordinator is gone")


class WorldGroup(MemoryGroup):
    """Its timers are the coordinator's, not those of the process that happened to call."""

    def __init__(self, broker: "WorldBroker") -> None:
        super().__init__(broker)
        self.world = broker
        self.down = False
        self._wanted = False

    def rebalance(self) -> None:
        if self.down:
            self._wanted = True
        else:
            self.world.outside.call(super().rebalance)

    def lose(self) -> None:
        """The coordinator is gone: nobody commits, and a rebalance comes to no end, or begins only when it is back."""
        self.down = True

    def regain(self) -> None:
        self.down = False
        wanted, self._wanted = self._wanted, False
        if wanted:
            self.rebalance()
        elif not self.stable and self.members and self.arrived >= self.members.keys():
            self._assign()

    def _assign(self) -> None:
        if not self.down:
            super()._assign()

    def _give_up(self, generation: int) -> None:
        if self.down:
            self._wanted = True
        else:
            super()._give_up(generation)

    def commit(self, member: Member, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        if self.down:
            return COORDINATOR_GONE
        before = dict(self.offsets)
        trouble = super().commit(member, offsets)
        if trouble is None:
            self.world.on_commit(before, offsets)
        return trouble


class WorldBroker(MemoryBroker):
    """A broker whose every record and commit is seen by `on_record` and `on_commit`. Its clock may be stepped."""

    def __init__(self, outside: Outside, clock: Callable[[], float], **times: float) -> None:
        super().__init__(clock, **times)
        self.outside = outside
        self.on_record: Callable[[Record], None] = lambda _record: None
        self.on_commit: Callable[[Mapping[TopicPartition, int], Mapping[TopicPartition, int]], None] = (
            lambda _before, _offsets: None
        )
        self._world_groups: dict[str, WorldGroup] = {}

    def group(self, name: str) -> WorldGroup:
        if name not in self._world_groups:
            self._groups[name] = self._world_groups[name] = WorldGroup(self)
        return self._world_groups[name]

    def publish(self, topic: str, value: bytes | None, **more: Any) -> Record:
        record = super().publish(topic, value, **more)
        self.on_record(record)
        return record


@dataclass
class Weather:
    """How the network to the broker is just now: chances of each write. A stuck write has left and stands in the log
    only up to `stuck_seconds` later; a doubled one lost its ack and is written again. Reading the journal takes about
    `read_seconds`."""

    delay_seconds: float = 0.0
    read_seconds: float = 0.0
    stuck: float = 0.0
    stuck_seconds: float = 40.0
    doubled: float = 0.0
    ack_lost_seconds: float = 15.0


class Link:
    """One process's connection to the broker: its writes arrive in order, or late, or twice, or without an ack."""

    def __init__(self, life: Life, outside: Outside, weather: Weather, dice: random.Random) -> None:
        self.life = life
        self.wire = Wire()
        self.stuck: list[tuple[float, float]] = []
        self._outside = outside
        self._weather = weather
        self._dice = dice
        self._due = 0.0

    def fetch_seconds(self) -> float:
        """How long what was read is on its way."""
        return self._dice.expovariate(1.0) * self._weather.read_seconds

    async def carry(self, leave: Callable[[], bool], write: Callable[[], Coroutine[Any, Any, Appended]]) -> Appended:
        """Wait until the write may leave, then let the world carry it, and wait for the ack."""
        task = self._outside.spawn(self._deliver(leave, write))
        appended: Appended = await asyncio.shield(task)
        await self.wire.bell.wait_until(lambda: self.wire.up)  # an ack does not pass a cut wire
        return appended

    async def _deliver(self, leave: Callable[[], bool], write: Callable[[], Coroutine[Any, Any, Appended]]) -> Appended:
        while not leave():
            await self.wire.bell.wait_until(leave, 1.0)
        await self._travel()
        appended = await write()
        if self._dice.random() < self._weather.doubled:
            await asyncio.sleep(self._dice.uniform(0.0, self._weather.ack_lost_seconds))
            while not leave():
                await self.wire.bell.wait_until(leave, 1.0)
            await self._travel()
            appended = await write()
        return appended

    async def _travel(self) -> None:
        loop = asyncio.get_running_loop()
        seconds = self._dice.expovariate(1.0) * self._weather.delay_seconds
        if self._dice.random() < self._weather.stuck:
            seconds += self._dice.uniform(1.0, self._weather.stuck_seconds)
            self.stuck.append((loop.time(), loop.time() + seconds))
        # One connection keeps the order of what is sent over it.
        self._due = max(self._due + 1e-6, loop.time() + seconds)
        await asyncio.sleep(self._due - loop.time())


@lru_cache(maxsize=4096)
def _decoded(value: bytes | None) -> AnyRecord | Unreadable:
    """Every process of a world reads the same journal; what it says needs to be found out once."""
    return decoded(value)


class LifeJournal(MemoryJournal):
    """`on_attempt` hears of each attempt before it is written."""

    def __init__(self, broker: WorldBroker, link: Link, on_attempt: Callable[[str], None]) -> None:
        super().__init__(broker, JOURNAL, wire=link.wire)
        self._link = link
        self._on_attempt = on_attempt

    async def append(self, *records: Entryable) -> Appended:
        """One after another, so that a process may die between two."""
        return [await self._append(record) for record in records][-1]

    async def _append(self, record: Entryable) -> Appended:
        if isinstance(record, Attempt):
            self._on_attempt(record.id)
        value = encoded(record)
        return await self._link.life.through(
            "journal.append",
            lambda: self._link.carry(lambda: self.trouble is None, lambda: self._broker.append(JOURNAL, value)),
        )

    async def rewind(self, since: float) -> Span | Trouble:
        rewind = super().rewind
        return await self._link.life.through("journal.rewind", lambda: rewind(since))

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        return await self._link.life.through("journal.read", lambda: self._fetch(timeout_seconds))

    async def _fetch(self, timeout_seconds: float) -> Sequence[Entry]:
        await asyncio.sleep(0)
        await self._broker.bell.wait_until(lambda: bool(self._ready()), timeout_seconds)
        records = self._ready()
        if records:
            self._next = records[-1].position.offset + 1
            await asyncio.sleep(self._link.fetch_seconds())
        return [Entry(record.position.offset, record.timestamp, _decoded(record.value)) for record in records]


class LifeLetters(MemoryDeadLetters):
    def __init__(self, broker: WorldBroker, link: Link) -> None:
        super().__init__(broker, LETTERS, wire=link.wire)
        self._link = link

    async def append(self, letter: DeadLetter) -> None:
        record, headers = letter.record, letter_headers(letter)
        await self._link.life.through(
            "dead_letters.append",
            lambda: self._link.carry(
                lambda: self.trouble is None,
                lambda: self._broker.append(LETTERS, record.value, key=record.key, headers=headers),
            ),
        )


class LifeTable(MemoryTable):
    def __init__(self, broker: WorldBroker, link: Link, topic: str) -> None:
        super().__init__(broker, topic, wire=link.wire)
        self._link = link

    async def read(self, timeout_seconds: float) -> Sequence[Row]:
        read = super().read
        return await self._link.life.through("table.read", lambda: read(timeout_seconds))


class LifeSource(MemorySource):
    """A member of the group; a commit that has left arrives, whatever became of who sent it."""

    def __init__(self, broker: WorldBroker, link: Link, topics: Sequence[str], emit: Emit) -> None:
        super().__init__(broker, GROUP, topics, wire=link.wire, emit=emit)
        self._link = link
        self._world = broker
        self._last_commit: asyncio.Task[Trouble | None] | None = None

    async def start(self, seat: Seat) -> None:
        start = super().start
        await self._link.life.through("source.start", lambda: start(seat))

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record] | Trouble:
        poll = super().poll
        return await self._link.life.through("source.poll", lambda: poll(held, timeout_seconds))

    async def committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        return await self._link.life.through("source.committed", self._committed)

    async def _committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        return COORDINATOR_GONE if self._world.group(GROUP).down else await super().committed()

    async def extents(self) -> Mapping[TopicPartition, Extent] | Trouble:
        return await self._link.life.through("source.extents", super().extents)

    async def fetch(self, position: Position) -> Record | Trouble:
        fetch = super().fetch
        return await self._link.life.through("source.fetch", lambda: fetch(position))

    async def stop(self) -> None:
        await self._link.life.through("source.stop", super().stop)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        return await self._link.life.through("source.commit", lambda: self._send_commit(dict(offsets)))

    async def _send_commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        if not await self._reached():
            return Trouble("broker_unreachable")
        if self._member is None:
            return Trouble("other", "not in the group")
        task = self._world.outside.spawn(self._deliver_commit(self._member, self._owned, offsets, self._last_commit))
        self._last_commit = task
        done, _ = await asyncio.wait({task}, timeout=COMMIT_SECONDS)
        return task.result() if done else Trouble("other", "no answer in time")

    async def _deliver_commit(
        self,
        member: Member,
        owned: frozenset[TopicPartition],
        offsets: Mapping[TopicPartition, int],
        before: "asyncio.Task[Trouble | None] | None",
    ) -> Trouble | None:
        if before is not None:
            await asyncio.wait({before})  # one connection, one order
        await asyncio.sleep(self._world.write_seconds)
        if self._owned is not owned and self._link.life.runs:
            return Trouble("other", "of another generation")
        return self._group.commit(member, offsets)

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self._link.life.touch("source.seek"):
            super().seek(offsets)

    def claim(self, epoch: int | None) -> None:
        if self._link.life.touch("source.claim"):
            super().claim(epoch)
