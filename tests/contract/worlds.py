"""The three kinds of streams behind one face, so that one suite of tests holds for all of them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition as TheirPartition

from consumer.core.facts import Fact
from consumer.core.model import Position, Record, TopicPartition
from consumer.core.ports import DeadLetters, Journal, Source, Table
from consumer.demo.broker import EmbeddedBroker
from consumer.streams.dead_letters import KafkaDeadLetters
from consumer.streams.journal import KafkaJournal
from consumer.streams.line_records import line_of, record_of
from consumer.streams.lines import LinesDeadLetters, LinesJournal, LinesSource, LinesTable
from consumer.streams.memory import MemoryBroker, MemoryDeadLetters, MemoryJournal, MemorySource, MemoryTable
from consumer.streams.reading import read_whole
from consumer.streams.settings import KafkaSettings
from consumer.streams.source import KafkaSource
from consumer.streams.table import KafkaTable

Headers = tuple[tuple[str, bytes], ...]


class World(Protocol):
    """One lane's streams: the source topic `source`, a journal and dead letters, all empty at the beginning."""

    facts: list[Fact]
    topic: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def source(self, topic: str | None = None) -> Source: ...

    def journal(self, topic: str | None = None) -> Journal: ...

    def dead_letters(self) -> DeadLetters: ...

    def table(self) -> Table: ...

    async def create(self, topic: str) -> None: ...

    async def publish(self, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        """One record into partition 0 of the source topic."""
        ...

    async def scribble(self, value: bytes) -> None:
        """Bytes into the journal that no journal wrote."""
        ...

    async def skip(self) -> None:
        """Use up an offset of the source's partition 0 without a record."""
        ...

    async def trim(self, before: int) -> None:
        """Retention takes the journal's records before this offset."""
        ...

    async def letters(self) -> Sequence[Record]: ...

    async def kill(self, source: Any) -> None:
        """End a member as if its process had died."""
        ...


class LaneSeat:
    """A seat that remembers, and begins at the beginning of what it gets."""

    def __init__(self, source: Source, *, seeks: bool = True) -> None:
        self._source = source
        self._seeks = seeks
        self.told: list[frozenset[TopicPartition] | None] = []
        self._bell = asyncio.Event()

    async def changed(self) -> None:
        """Until it is told something."""
        await self._bell.wait()
        self._bell.clear()

    @property
    def owns(self) -> bool:
        return bool(self.told and self.told[-1])

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.told.append(partitions)
        self._bell.set()
        if self._seeks:
            self._source.seek(dict.fromkeys(partitions, 0))

    async def revoked(self) -> None:
        self.told.append(None)
        self._bell.set()


class MemoryWorld:
    """Over the broker in memory."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.topic = "source"
        self.broker = MemoryBroker(time.time)

    async def open(self) -> None:
        for topic in (self.topic, "journal", "letters", "table"):
            await self.create(topic)

    async def close(self) -> None:
        """Nothing was opened."""

    def source(self, topic: str | None = None) -> MemorySource:
        return MemorySource(self.broker, "vestnik.lane", [topic or self.topic], emit=self.facts.append)

    def journal(self, topic: str | None = None) -> MemoryJournal:
        return MemoryJournal(self.broker, topic or "journal")

    def dead_letters(self) -> MemoryDeadLetters:
        return MemoryDeadLetters(self.broker, "letters")

    def table(self) -> MemoryTable:
        return MemoryTable(self.broker, "table")

    async def create(self, topic: str) -> None:
        self.broker.create(topic, 4 if topic == self.topic else 1)

    async def publish(self, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        self.broker.publish(self.topic, value, key=key, headers=headers, partition=0)

    async def scribble(self, value: bytes) -> None:
        self.broker.publish("journal", value)

    async def skip(self) -> None:
        self.broker.skip(self.topic, 0, 1)

    async def trim(self, before: int) -> None:
        self.broker.trim("journal", 0, before)

    async def letters(self) -> Sequence[Record]:
        return self.broker.records("letters")

    async def kill(self, source: MemorySource) -> None:
        source.kill()


class LinesWorld:
    """Over files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.facts: list[Fact] = []
        self.topic = "source"
        self._folder = folder
        self._end = 0

    @property
    def _path(self) -> Path:
        return self._folder / "source.jsonl"

    async def open(self) -> None:
        await self.create("source")

    async def close(self) -> None:
        """Nothing was opened."""

    def source(self, topic: str | None = None) -> LinesSource:
        path = self._folder / f"{topic or self.topic}.jsonl"
        return LinesSource(
            str(path), [topic or self.topic], self._folder / "offsets.json", self.facts.append, partitions=4
        )

    def journal(self, topic: str | None = None) -> LinesJournal:
        return LinesJournal(self._folder / f"{topic or 'journal'}.jsonl")

    def dead_letters(self) -> LinesDeadLetters:
        return LinesDeadLetters(self._folder / "letters.jsonl")

    def table(self) -> LinesTable:
        return LinesTable(self._folder / "table.jsonl")

    async def create(self, topic: str) -> None:
        (self._folder / f"{topic}.jsonl").touch()

    async def publish(self, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        record = Record(Position(self.topic, 0, self._end), time.time(), key, value, headers)
        self._end += 1
        with self._path.open("ab") as file:
            file.write(line_of(record))

    async def scribble(self, value: bytes) -> None:
        with (self._folder / "journal.jsonl").open("ab") as file:
            file.write(value + b"\n")

    async def skip(self) -> None:
        self._end += 1

    async def trim(self, before: int) -> None:
        raise NotImplementedError("a file has no retention")

    async def letters(self) -> Sequence[Record]:
        lines = (self._folder / "letters.jsonl").read_bytes().splitlines()
        return [record_of(line, Position("", 0, 0), 0.0) for line in lines]

    async def kill(self, source: LinesSource) -> None:
        await source.stop()


class KafkaWorld:
    """Over a Kafka, embedded or real; topics and group of its own."""

    def __init__(self, settings: KafkaSettings, embedded: EmbeddedBroker | None = None) -> None:
        timing = replace(settings.timing, session_ms=3000, heartbeat_ms=300, rebalance_ms=4000)
        self.settings = replace(settings, timing=timing)
        self.facts: list[Fact] = []
        self.lane = uuid4().hex[:12]
        self.topic = f"source-{self.lane}"
        self._journal = f"vestnik.journal.{self.lane}"
        self._letters = f"letters-{self.lane}"
        self._table = f"table-{self.lane}"
        self._embedded = embedded
        self._producer: Any = None

    async def open(self) -> None:
        for topic in (self.topic, self._journal, self._letters, self._table):
            await self.create(topic)
        self._producer = AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap)
        await self._producer.start()

    async def close(self) -> None:
        await self._producer.stop()

    def source(self, topic: str | None = None) -> KafkaSource:
        return KafkaSource(self.settings, self.lane, [topic or self.topic], self.facts.append)

    def journal(self, topic: str | None = None) -> KafkaJournal:
        return KafkaJournal(self.settings, topic or self._journal, self.facts.append, lane=self.lane)

    def dead_letters(self) -> KafkaDeadLetters:
        return KafkaDeadLetters(self.settings, self._letters, self.facts.append, lane=self.lane)

    def table(self) -> KafkaTable:
        return KafkaTable(self.settings, self._table, self.facts.append, lane=self.lane)

    async def create(self, topic: str) -> None:
        if self._embedded is not None:
            self._embedded.create(topic)
            return
        partitions = 4 if topic == self.topic else 1
        configs = {"max.message.bytes": "300000"} if topic == self._letters else {}
        configs |= {"cleanup.policy": "compact"} if topic == self._table else {}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        await admin.close()

    async def publish(self, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        await self._producer.send_and_wait(self.topic, value, key, partition=0, headers=list(headers))

    async def scribble(self, value: bytes) -> None:
        await self._producer.send_and_wait(self._journal, value, partition=0)

    async def skip(self) -> None:
        """The marker of an empty transaction's end takes an offset."""
        name = uuid4().hex
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap, transactional_id=name)
        await producer.start()
        async with producer.transaction():
            sent = await producer.send_and_wait(self.topic, b"in a transaction", partition=0)
        await producer.stop()
        await self._marked(sent.offset + 1)

    async def _marked(self, offset: int) -> None:
        """The marker is written after the commit was answered."""
        one = TheirPartition(self.topic, 0)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.bootstrap, isolation_level="read_committed")
        await consumer.start()
        async with asyncio.timeout(10):
            while (await consumer.end_offsets([one]))[one] <= offset:
                pass
        await consumer.stop()

    async def trim(self, before: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.bootstrap)
        await admin.start()
        await admin.delete_records({TheirPartition(self._journal, 0): RecordsToDelete(before_offset=before)})
        await admin.close()

    async def letters(self) -> Sequence[Record]:
        found = await read_whole(self.settings, [self._letters])
        assert isinstance(found, list)
        return found

    async def kill(self, source: KafkaSource) -> None:
        """A static member does not say goodbye, so the group must miss it."""
        source._consumer._coordinator._group_instance_id = "killed"
        await source.stop()


async def seated(source: Source, *, seeks: bool = True) -> LaneSeat:
    """A source that has started, with its seat."""
    seat = LaneSeat(source, seeks=seeks)
    await source.start(seat)
    return seat
