"""Ranges of topics, frozen before they are read: by time or by offsets, without a group, without a trace."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.streams.clients import probe, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.reading import reading_client, record_of
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track

ANSWER_SECONDS = 30.0
READ_RECORDS = 2000
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.2
_FETCH_BYTES = {"max_partition_fetch_bytes": 1_048_576, "fetch_max_bytes": 16_777_216}
# Trouble with one partition that no waiting mends.
_LASTING = frozenset({"undecodable_batch", "offset_out_of_range", "not_authorised"})


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset as the end of a range, as a time in seconds is another."""

    number: int


Bound = float | Offset | None
"""Seconds since 1970, an offset, or everything that there is."""


class Stretch(NamedTuple):
    """Records of one partition from `begin` on, `end` not included. `cut`: retention has taken records from before
    `begin` that may belong to the range."""

    partition: TopicPartition
    begin: int
    end: int
    cut: bool = False

    @property
    def records(self) -> int:
        return max(0, self.end - self.begin)


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key. Others may put it elsewhere."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def at(stretches: Iterable[Stretch], position: Position) -> list[Stretch]:
    """The one record of these stretches that stands at this position; nothing where none of them has it."""
    one = Stretch(position.topic_partition, position.offset, position.offset + 1)
    return [one for each in stretches if each.partition == one.partition and each.begin <= position.offset < each.end]


@asynccontextmanager
async def range_reader(settings: KafkaSettings, topics: Sequence[str] = ()) -> "AsyncIterator[RangeReader | Trouble]":
    """A reader of these topics, or why there is none: a topic is missing, nobody answers."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        yield arguments
        return
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(reading_client(arguments | _FETCH_BYTES, tuple(topics)))
        except (KafkaError, TimeoutError, OSError) as error:
            client = await explained(trouble_of(error), arguments)
        yield client if isinstance(client, Trouble) else RangeReader(client, topics)


class RangeReader:
    """Freezes ranges and reads them, one after the other. Joins no group and commits nothing."""

    def __init__(self, client: Any, topics: Sequence[str]) -> None:
        self._consumer = client
        self._topics = tuple(topics)

    async def freeze(
        self, since: Bound = None, until: Bound = None, partitions: Collection[int] = ()
    ) -> list[Stretch] | Trouble:
        """What each partition of the reader's topics holds between the bounds at this moment. `partitions`: only these
        numbers."""
        found = [
            each
            for topic in self._topics
            for each in self._partitions(topic)
            if not partitions or each[1] in partitions
        ]
        return await self._frozen(found, since, until)

    async def freeze_topic(self, topic: str, since: Bound = None) -> list[Stretch] | Trouble:
        """The same of a topic that need not be one of the reader's; Trouble where it is missing, or nobody answers."""
        client = self._consumer._client
        client.add_topic(topic)
        return await probe(client, (topic,)) or await self._frozen(self._partitions(topic), since, None)

    async def _frozen(self, found: Sequence[Any], since: Bound, until: Bound) -> list[Stretch] | Trouble:
        """By offset; by time it begins at the first record of that time or later."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                beginnings = await self._consumer.beginning_offsets(found)
                ends = await self._consumer.end_offsets(found)
                begins = await self._offsets(since, beginnings, ends)
                finals = ends if until is None else await self._offsets(until, beginnings, ends)
        except (KafkaError, TimeoutError, OSError) as error:
            return trouble_of(error)
        return [
            Stretch(TopicPartition(*each), begins[each], finals[each], 0 < beginnings[each] >= begins[each])
            for each in found
        ]

    async def read(self, stretches: Iterable[Stretch]) -> AsyncIterator[Sequence[Record] | Trouble]:
        """All records of the stretches in slices, each of one partition and in its order, the partitions in turns.
        Trouble is the last of them: at once where waiting mends nothing, else where half a minute long nothing came."""
        waiting = self._tracks(stretches)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while waiting:
            moved = False
            for stretch, track in list(waiting.items()):
                taken = await _taken(track, stretch)
                if isinstance(taken, Trouble):
                    if taken.reason in _LASTING or loop.time() - heard > PATIENCE_SECONDS:
                        yield taken
                        return
                elif taken:
                    yield taken
                    # After the yield: whoever asks may have taken its time.
                    heard, moved = loop.time(), True
                if track.expected >= stretch.end or (not taken and await self._passed(stretch)):
                    del waiting[stretch]
            if not moved and waiting:
                if loop.time() - heard > PATIENCE_SECONDS:
                    yield Trouble("broker_unreachable", "nothing came for half a minute")
                    return
                await asyncio.sleep(PAUSE_SECONDS / 10)

    async def one(self, position: Position) -> Record | Trouble | None:
        """The record at this position; None where its topic has it no more, or never had."""
        stretches = await self.freeze_topic(position.topic)
        if isinstance(stretches, Trouble):
            return stretches
        async for found in self.read(at(stretches, position)):
            return found if isinstance(found, Trouble) else found[0]
        return None

    def _partitions(self, topic: str) -> list[Any]:
        numbers = self._consumer._client.cluster.partitions_for_topic(topic)
        return [aiokafka.TopicPartition(topic, number) for number in sorted(numbers or ())]

    def _tracks(self, stretches: Iterable[Stretch]) -> dict[Stretch, Track]:
        held = [each for each in stretches if each.records]
        self._consumer.assign([aiokafka.TopicPartition(*each.partition) for each in held])
        return {each: Track(self._consumer, each.partition, each.begin) for each in held}

    async def _passed(self, stretch: Stretch) -> bool:
        """Whether the client is beyond the end though no record said so: marks of transactions are none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                position: int = await self._consumer.position(aiokafka.TopicPartition(*stretch.partition))
        except (KafkaError, TimeoutError):
            return False
        return position >= stretch.end

    async def _offsets(self, bound: Bound, beginnings: Mapping[Any, int], ends: Mapping[Any, int]) -> dict[Any, int]:
        """Where the bound lies in each partition, within what it holds."""
        if isinstance(bound, Offset):
            return {each: min(max(bound.number, first), ends[each]) for each, first in beginnings.items()}
        if bound is None or bound <= 0:
            return dict(beginnings)
        looked_up = await self._consumer.offsets_for_times(dict.fromkeys(beginnings, int(bound * 1000)))
        return {
            each: ends[each] if place is None else min(place.offset, ends[each]) for each, place in looked_up.items()
        }


async def _taken(track: Track, stretch: Stretch) -> Sequence[Record] | Trouble:
    """The next records of a stretch, none beyond its end."""
    if track.rests:
        return ()
    taken = await track.take(READ_RECORDS, PAUSE_SECONDS)
    if isinstance(taken, Trouble):
        return taken
    return [record_of(each) for each in taken if each.offset < stretch.end]
