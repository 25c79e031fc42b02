"""Parts of topics, read from outside of every group: some partitions, since a moment, up to where they end just now."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError, UnsupportedVersionError
from aiokafka.partitioner import murmur2

from consumer.core.model import Record, TopicPartition, Trouble
from consumer.core.ports import Extent
from consumer.streams.clients import probe, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.reading import reading_client, record_of
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track

ASK_SECONDS = 30.0
SILENCE_SECONDS = 15.0
TAKE_SECONDS = 1.0
TAKE_RECORDS = 2000
FETCH_BYTES = 1024 * 1024


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key. Others may put it elsewhere."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


class Extracts:
    """One client for one extract after the other. Nothing is joined or committed."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def partitions(self, topic: str) -> list[TopicPartition] | Trouble:
        """All of a topic; Trouble where it is missing, or nobody answers."""
        client = self._client._client
        client.add_topic(topic)
        trouble = await probe(client, (topic,))
        if trouble is not None:
            return trouble
        return [TopicPartition(topic, number) for number in sorted(client.cluster.partitions_for_topic(topic))]

    async def spans(
        self, partitions: Iterable[TopicPartition], since: float | None = None
    ) -> dict[TopicPartition, Extent] | Trouble:
        """From the first record at or after `since` (seconds; None is the beginning) to the end of each partition."""
        asked = [aiokafka.TopicPartition(*each) for each in partitions]
        if not asked:
            return {}
        try:
            async with asyncio.timeout(ASK_SECONDS):
                begins = await self._client.beginning_offsets(asked)
                ends = await self._client.end_offsets(asked)
                if since is not None and since > 0:
                    begins |= await self._first_since(asked, since, ends)
        except (KafkaError, TimeoutError, OSError) as error:
            return trouble_of(error)
        return {TopicPartition(*each): Extent(begins[each], ends[each]) for each in asked}

    async def _first_since(self, asked: Sequence[Any], since: float, ends: Mapping[Any, int]) -> dict[Any, int]:
        """Empty on a broker that knows no times, so that everything is read."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found = await self._client.offsets_for_times(dict.fromkeys(asked, int(since * 1000)))
        except UnsupportedVersionError:
            return {}
        return {each: ends[each] if at is None else at.offset for each, at in found.items()}

    async def records(self, spans: Mapping[TopicPartition, Extent]) -> AsyncIterator[Sequence[Record] | Trouble]:
        """All records of the spans, partition by partition and in order, in handfuls. Trouble is the last of them."""
        spans = {partition: span for partition, span in spans.items() if span.beginning < span.end}
        self._client.assign([aiokafka.TopicPartition(*partition) for partition in spans])
        tracks = {partition: Track(self._client, partition, span.beginning) for partition, span in spans.items()}
        for partition, track in tracks.items():
            async for found in self._of_partition(track, spans[partition].end):
                yield found
                if isinstance(found, Trouble):
                    return

    async def _of_partition(self, track: Track, end: int) -> AsyncIterator[Sequence[Record] | Trouble]:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while track.expected < end:
            found = await track.take(TAKE_RECORDS, TAKE_SECONDS)
            if isinstance(found, Trouble):
                yield found
                return
            if found:
                heard = loop.time()
                yield [record_of(each) for each in found if each.offset < end]
            elif await self._passed(track.partition, end):
                return  # behind the last record stands what is none
            elif loop.time() - heard > SILENCE_SECONDS:
                yield Trouble("broker_unreachable", "the broker gives no records", track.partition)
                return

    async def _passed(self, partition: TopicPartition, end: int) -> bool:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return int(await self._client.position(aiokafka.TopicPartition(*partition))) >= end
        except (KafkaError, TimeoutError):
            return False


@asynccontextmanager
async def extracts(settings: KafkaSettings) -> AsyncIterator[Extracts | Trouble]:
    """A client for extracts; Trouble where no broker answers."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        yield arguments
        return
    async with AsyncExitStack() as stack:
        opening = reading_client(arguments | {"max_partition_fetch_bytes": FETCH_BYTES}, ())
        found: Any
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found = await stack.enter_async_context(opening)
        except (KafkaError, OSError, TimeoutError) as error:
            found = await explained(trouble_of(error), arguments)
        yield found if isinstance(found, Trouble) else Extracts(found)
