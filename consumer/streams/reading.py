"""Topics read from their beginning to their end, and a group's committed offsets, from outside of the group."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.streams.clients import discard, probe, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.settings import KafkaSettings

START_SECONDS = 15.0
READ_SECONDS = 60.0
POLL_MS = 500


async def read_whole(settings: KafkaSettings, topics: Iterable[str]) -> list[Record] | Trouble:
    """All records that the topics hold when it is called, partition by partition and in order."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        return arguments
    try:
        async with asyncio.timeout(READ_SECONDS), reading_client(arguments, tuple(topics)) as reader:
            if isinstance(reader, Trouble):
                return reader
            return await _everything(reader)
    except (KafkaError, TimeoutError, OSError) as error:
        return await explained(trouble_of(error), arguments)


async def read_one(settings: KafkaSettings, position: Position) -> Record | Trouble:
    """The record at this position; Trouble where it is gone or cannot be read within some seconds."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        return arguments
    gone = Trouble("offset_out_of_range", "the record is gone", position.topic_partition)
    partition = aiokafka.TopicPartition(position.topic, position.partition)
    try:
        async with asyncio.timeout(START_SECONDS), reading_client(arguments, (position.topic,)) as reader:
            if isinstance(reader, Trouble):
                return reader
            reader.seek(partition, position.offset)
            found = record_of(await reader.getone(partition))
            return found if found.position == position else gone
    except OffsetOutOfRangeError:
        return gone
    except (KafkaError, TimeoutError, OSError) as error:
        return await explained(trouble_of(error), arguments)


async def committed_offsets(
    settings: KafkaSettings, group: str, topics: Iterable[str]
) -> dict[TopicPartition, int | None] | Trouble:
    """The group's committed offset of each partition of the topics; None where there is none. Joins nothing."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        return arguments
    try:
        async with (
            asyncio.timeout(READ_SECONDS),
            reading_client(arguments | {"group_id": group}, tuple(topics)) as reader,
        ):
            if isinstance(reader, Trouble):
                return reader
            return {TopicPartition(*each): await reader.committed(each) for each in reader.assignment()}
    except (KafkaError, TimeoutError, OSError) as error:
        return await explained(trouble_of(error), arguments)


@asynccontextmanager
async def reading_client(arguments: dict[str, Any], topics: tuple[str, ...]) -> AsyncIterator[Any]:
    """A consumer with all partitions of the topics assigned by hand; or the trouble in its place. Raises the library's
    errors and TimeoutError while it starts."""
    consumer = aiokafka.AIOKafkaConsumer(**arguments)
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
        client = consumer._client
        client.set_topics(topics)
        trouble = await probe(client, topics)
        if trouble is None:
            consumer.assign(_partitions(client.cluster, topics))
        yield trouble or consumer
    finally:
        await discard(consumer)


def _partitions(cluster: Any, topics: tuple[str, ...]) -> list[aiokafka.TopicPartition]:
    return [
        aiokafka.TopicPartition(topic, partition)
        for topic in topics
        for partition in sorted(cluster.partitions_for_topic(topic) or ())
    ]


async def _everything(reader: Any) -> list[Record]:
    partitions = sorted(reader.assignment())
    ends = await reader.end_offsets(partitions)
    await reader.seek_to_beginning(*partitions)
    records: list[Record] = []
    for partition in partitions:
        while await reader.position(partition) < ends[partition]:
            found = await reader.getmany(partition, timeout_ms=POLL_MS)
            records.extend(record_of(each) for each in found.get(partition, ()) if each.offset < ends[partition])
    return records


def record_of(found: Any) -> Record:
    """The library's record as ours."""
    return Record(
        Position(found.topic, found.partition, found.offset),
        found.timestamp / 1000,
        found.key,
        found.value,
        tuple(found.headers),
    )
