"""A broker in memory: topics, consumer groups with one exclusive owner, and the ways in which a broker fails.

Deterministic: it has no dice and no clock of its own. All waits are futures and timers of the running loop, so that it
lives on a virtual-time loop as well as on a real one.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Appended, Extent
from consumer.core.shares import Share, preferred

UNREACHABLE = Trouble("broker_unreachable")


class Bell:
    """Wakes everyone who waits for it; a ring that nobody waits for is lost."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def wait_until(self, told: Callable[[], bool], timeout_seconds: float | None = None) -> bool:
        """Whether `told` came true in time; looks again at each ring."""
        if told():
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                while not told():
                    await self.wait()
        except TimeoutError:
            return told()
        return True


class Wire:
    """One process's connection to the broker, shared by its adapters; it can be cut and mended. `process` names it."""

    def __init__(self, process: str = "") -> None:
        self.process = process
        self.up = True
        self.bell = Bell()
        self.listeners: list[Callable[[], None]] = []

    def cut(self) -> None:
        """From now on nothing passes; what waits for an answer goes on waiting."""
        self._turn(up=False)

    def mend(self) -> None:
        self._turn(up=True)

    def _turn(self, *, up: bool) -> None:
        self.up = up
        self.bell.ring()
        for listener in tuple(self.listeners):
            listener()


@dataclass
class Log:
    """One partition: records in order, with the offset that the next one gets."""

    beginning: int = 0
    end: int = 0
    records: list[Record] = field(default_factory=list)

    def after(self, offset: int, count: int) -> Sequence[Record]:
        start = bisect_left(self.records, offset, key=_offset)
        return self.records[start : start + count]


def _offset(record: Record) -> int:
    return record.position.offset


@dataclass
class Topic:
    logs: list[Log]
    refusal: Trouble | None = None
    stalled: Trouble | None = None
    doubled: int = 0


class MemoryBroker:
    """The world that memory adapters share.

    `clock` is the broker's, in seconds since 1970; every record is stamped with it. `write_seconds` is how long an
    append takes: the record stands in the log after half of it, and is acked after all of it. `session_seconds` is how
    long a member that vanished is waited for, `rebalance_seconds` how long one that does not come to a rebalance.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        write_seconds: float = 0.0,
        session_seconds: float = 0.0,
        rebalance_seconds: float = 25.0,
    ) -> None:
        self.clock = clock
        self.write_seconds = write_seconds
        self.session_seconds = session_seconds
        self.rebalance_seconds = rebalance_seconds
        self.bell = Bell()
        self.topics: dict[str, Topic] = {}
        self._groups: dict[str, MemoryGroup] = {}

    # --- topics

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make the topic, or give it more partitions; its groups then rebalance."""
        logs = self.topics.setdefault(topic, Topic([])).logs
        logs.extend(Log() for _ in range(partitions - len(logs)))
        for group in self._groups.values():
            if any(topic in member.topics for member in group.members.values()):
                group.rebalance()
        self.bell.ring()

    def publish(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
        partition: int | None = None,
    ) -> Record:
        """Append one record at once, whatever the topic's state: what the world outside wrote. Without a partition
        the key chooses it."""
        if partition is None:
            partition = crc32(key or b"") % len(self.topics[topic].logs)
        log = self.topics[topic].logs[partition]
        record = Record(Position(topic, partition, log.end), self.clock(), key, value, headers)
        log.records.append(record)
        log.end += 1
        self.bell.ring()
        return record

    def log(self, partition: TopicPartition) -> Log | None:
        topic = self.topics.get(partition.topic)
        if topic is None or partition.partition >= len(topic.logs):
            return None
        return topic.logs[partition.partition]

    def records(self, topic: str, partition: int | None = None) -> list[Record]:
        """What the topic holds just now, partition by partition."""
        logs = self.topics[topic].logs if topic in self.topics else []
        chosen = logs if partition is None else logs[partition : partition + 1]
        return [record for log in chosen for record in log.records]

    def extent(self, partition: TopicPartition) -> Extent | None:
        log = self.log(partition)
        return None if log is None else Extent(log.beginning, log.end)

    def partitions(self, topics: Sequence[str]) -> frozenset[TopicPartition]:
        """All partitions of those of the topics that exist."""
        return frozenset(
            TopicPartition(name, number)
            for name in topics
            if name in self.topics
            for number in range(len(self.topics[name].logs))
        )

    # --- ways to fail

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Retention: take away what stands before this offset."""
        log = self.topics[topic].logs[partition]
        log.beginning = max(log.beginning, min(before, log.end))
        log.records = list(log.after(log.beginning, len(log.records)))

    def skip(self, topic: str, partition: int, count: int) -> None:
        """Use up offsets without records, as transaction markers and compaction do."""
        self.topics[topic].logs[partition].end += count

    def refuse(self, topic: str, trouble: Trouble | None) -> None:
        """Refuse writes to the topic for this reason, until None is said. Reads go on."""
        self.topics[topic].refusal = trouble
        self.bell.ring()

    def stall(self, topic: str, trouble: Trouble | None = UNREACHABLE) -> None:
        """Give neither reads nor writes of the topic, until None is said."""
        self.topics[topic].stalled = trouble
        self.bell.ring()

    def double(self, topic: str, count: int = 1) -> None:
        """Write each of the next `count` appends twice, as a producer that was made anew may do."""
        self.topics[topic].doubled = count

    def lose_offsets(self, group: str) -> None:
        """Forget what the group committed."""
        self.group(group).offsets.clear()

    # --- what adapters ask

    def write_trouble(self, topic: str) -> Trouble | None:
        if topic not in self.topics:
            return Trouble("topic_missing", topic)
        return self.topics[topic].stalled or self.topics[topic].refusal

    def read_trouble(self, topic: str) -> Trouble | None:
        if topic not in self.topics:
            return Trouble("topic_missing", topic)
        return self.topics[topic].stalled

    async def append(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Appended:
        """Write to partition 0 in `write_seconds`; the caller has seen to it that nothing forbids it."""
        await asyncio.sleep(self.write_seconds / 2)
        record = self.publish(topic, value, key=key, headers=headers, partition=0)
        if self.topics[topic].doubled:
            self.topics[topic].doubled -= 1
            record = self.publish(topic, value, key=key, headers=headers, partition=0)
        await asyncio.sleep(self.write_seconds / 2)
        return Appended(record.position.offset, record.timestamp)

    def group(self, name: str) -> "MemoryGroup":
        return self._groups.setdefault(name, MemoryGroup(self))


@dataclass
class Member:
    """One member of a group, as the group sees it."""

    name: str
    topics: tuple[str, ...]
    process: str = ""
    claim: int = 0
    assignment: frozenset[TopicPartition] = frozenset()


class MemoryGroup:
    """A consumer group whose partitions all go to one member: the one with the highest claim, else who came first. A
    share's group has its own partitions alone, and gives them to the process whose turn it is.

    Eager, as Kafka's: a rebalance waits until every member has let go and come to it, or was waited for too long.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._timer: asyncio.TimerHandle | None = None
        self.generation = 0
        self.members: dict[str, Member] = {}
        self.arrived: set[str] = set()
        self.stable = False
        self.bell = Bell()
        self.offsets: dict[TopicPartition, int] = {}
        self.share = Share("")
        self._born = 0

    def enter(self, topics: Sequence[str], process: str = "") -> Member:
        """A new member, which must then `arrive`."""
        self._born += 1
        member = Member(f"member-{self._born}", tuple(topics), process)
        self.members[member.name] = member
        self.rebalance()
        return member

    def leave(self, member: Member) -> None:
        """The member is gone, at its own wish or because nobody hears of it."""
        if self.members.pop(member.name, None) is not None:
            self.rebalance()

    def holds(self, member: Member) -> bool:
        return self.members.get(member.name) is member

    @property
    def owner(self) -> str | None:
        """Name of the member that has partitions, None in a rebalance."""
        return next((name for name, member in self.members.items() if self.stable and member.assignment), None)

    def rebalance(self) -> None:
        self.generation += 1
        self.stable = False
        self.arrived.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.members:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._broker.rebalance_seconds, self._give_up, self.generation)
        self.bell.ring()

    def arrive(self, member: Member, claim: int) -> None:
        """The member has let go of what it had and waits for the new assignment."""
        member.claim = claim
        member.assignment = frozenset()
        self.arrived.add(member.name)
        if self.arrived >= self.members.keys():
            self._assign()

    def commit(self, member: Member, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        if not self.holds(member):
            return Trouble("other", "the group does not know this member")
        if not member.assignment >= offsets.keys():
            return Trouble("other", "not the owner of these partitions")
        self.offsets.update(offsets)
        return None

    def _assign(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        owner = self._chosen()
        partitions = self._broker.partitions(owner.topics)
        owner.assignment = frozenset(each for each in partitions if self.share.has(*each))
        self.stable = True
        self.bell.ring()

    def _chosen(self) -> Member:
        if self.share.of == 1:
            return max(self.members.values(), key=lambda member: member.claim)  # the first of equals
        name = preferred({name: member.process for name, member in self.members.items()}, self.share)
        return self.members[name or ""]

    def _give_up(self, generation: int) -> None:
        """Throw out who did not come; the others have waited long enough."""
        if generation != self.generation or self.stable:
            return
        for name in [name for name in self.members if name not in self.arrived]:
            del self.members[name]
        if self.members:
            self._assign()
        else:
            # Who was thrown out comes anew, and must hear of it to do so.
            self.bell.ring()
