"""Ranges of topics, frozen before they are read: by time or by offsets, without a group, without a trace."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiokafka
from aiokafka.errors import KafkaError

from consumer.core.model import Record, TopicPartition, Trouble
from consumer.streams.clients import trouble_of
from consumer.streams.reading import reading_client, record_of
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track

ANSWER_SECONDS = 30.0
READ_RECORDS = 2000
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.2
_FETCH_BYTES = {"max_partition_fetch_bytes": 1_048_576, "fetch_max_bytes": 16_777_216}


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


@asynccontextmanager
async def range_reader(settings: KafkaSettings, topics: Sequence[str]) -> "AsyncIterator[RangeReader | Trouble]":
    """A reader of these topics, or why there is none: a topic is missing, nobody answers."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        yield arguments
        return
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(reading_client(arguments | _FETCH_BYTES, tuple(topics)))
        except (KafkaError, TimeoutError, OSError) as error:
            client = trouble_of(error)
        yield client if isinstance(client, Trouble) else RangeReader(client, topics)


class RangeReader:
    """Freezes ranges and reads them. Joins no group and commits nothing."""

    def __init__(self, client: Any, topics: Sequence[str]) -> None:
        self._consumer = client
        self._topics = tuple(topics)

    async def freeze(
        self, since: Bound = None, until: Bound = None, partitions: Collection[int] = ()
    ) -> list[Stretch] | Trouble:
        """What each partition holds between the bounds at this moment, by offset; by time it begins at the first record
        of that time or later. `partitions`: only these numbers."""
        cluster = self._consumer._client.cluster
        found = [
            aiokafka.TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(cluster.partitions_for_topic(topic) or ())
            if not partitions or number in partitions
        ]
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                beginnings = await self._consumer.beginning_offsets(found)
                ends = await self._consumer.end_offsets(found)
                begins = await self._offsets(since, found, beginnings, ends)
                finals = ends if until is None else await self._offsets(until, found, beginnings, ends)
        except (KafkaError, TimeoutError, OSError) as error:
            return trouble_of(error)
        return [
            Stretch(TopicPartition(*each), begins[each], finals[each], 0 < beginnings[each] >= begins[each])
            for each in found
        ]

    async def read(self, stretches: Sequence[Stretch]) -> AsyncIterator[Sequence[Record] | Trouble]:
        """All records of the stretches in slices, each of one partition and in its order, the partitions in turns.
        Ends with Trouble where half a minute long nothing can be read."""
        if not any(each.records for each in stretches):
            return
        self._consumer.assign([aiokafka.TopicPartition(*each.partition) for each in stretches])
        waiting = {each: Track(self._consumer, each.partition, each.begin) for each in stretches if each.records}
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while waiting:
            moved = False
            for stretch, track in list(waiting.items()):
                taken = await _taken(track, stretch)
                if isinstance(taken, Trouble):
                    if loop.time() - heard > PATIENCE_SECONDS or taken.reason == "undecodable_batch":
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

    async def _passed(self, stretch: Stretch) -> bool:
        """Whether the client is beyond the end though no record said so: marks of transactions are none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                position: int = await self._consumer.position(aiokafka.TopicPartition(*stretch.partition))
        except (KafkaError, TimeoutError):
            return False
        return position >= stretch.end

    async def _offsets(
        self, bound: Bound, found: Sequence[Any], beginnings: Mapping[Any, int], ends: Mapping[Any, int]
    ) -> dict[Any, int]:
        """Where the bound lies in each partition, within what it holds."""
        if bound is None:
            return dict(beginnings)
        if isinstance(bound, Offset):
            return {each: min(max(bound.number, beginnings[each]), ends[each]) for each in found}
        looked_up = await self._consumer.offsets_for_times(dict.fromkeys(found, int(bound * 1000)))
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
