"""How far a group is in its topics, and what stands at the end of a topic; looked at from outside, joining nothing."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import aiokafka
from aiokafka.errors import KafkaError

from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Entry
from consumer.core.shares import Share
from consumer.streams.clients import trouble_of
from consumer.streams.codec import decoded
from consumer.streams.reading import reading_client
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track

LOOK_SECONDS = 60.0
RECORD_SECONDS = 3.0


class Mark(NamedTuple):
    """One partition as a group sees it. `committed` is the next offset that the group would read, None where it has
    none; `waits_since` the timestamp of the first record there, in seconds; None when there is none, or it cannot be
    read."""

    committed: int | None
    beginning: int
    end: int
    waits_since: float | None

    @property
    def records(self) -> int | None:
        """How many records are not committed yet; None where nothing says where the group stands."""
        return None if self.committed is None else max(0, self.end - max(self.committed, self.beginning))

    @property
    def gone(self) -> int:
        """How many records the topic has let go before the group had read them."""
        return 0 if self.committed is None else max(0, self.beginning - self.committed)


async def marks(
    settings: KafkaSettings, group: str, topics: Iterable[str], share: Share
) -> dict[TopicPartition, Mark] | Trouble:
    """Every partition of the topics that is the share's; Trouble where a topic is missing or nobody answers within a
    minute."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        return arguments
    wanted = tuple(topics)
    try:
        async with asyncio.timeout(LOOK_SECONDS), reading_client(arguments | {"group_id": group}, wanted) as client:
            if isinstance(client, Trouble):
                return client
            partitions = sorted(each for each in client.assignment() if share.has(*each))
            beginnings, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
            return {
                TopicPartition(*each): await _mark(client, each, beginnings[each], ends[each]) for each in partitions
            }
    except (KafkaError, TimeoutError, OSError) as error:
        return trouble_of(error)


async def _mark(client: Any, partition: aiokafka.TopicPartition, beginning: int, end: int) -> Mark:
    committed = await client.committed(partition)
    first = max(committed, beginning) if committed is not None else end
    return Mark(committed, beginning, end, await _timestamp(client, partition, first) if first < end else None)


async def _timestamp(client: Any, partition: aiokafka.TopicPartition, offset: int) -> float | None:
    records = await Track(client, TopicPartition(*partition), offset).take(1, RECORD_SECONDS)
    return None if isinstance(records, Trouble) or not records else float(records[0].timestamp / 1000)


async def last_entries(settings: KafkaSettings, place: TopicPartition, count: int) -> list[Entry] | Trouble:
    """At most so many of the last records of a journal, in order; Trouble too where it has no such partition."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        return arguments
    try:
        async with asyncio.timeout(LOOK_SECONDS), reading_client(arguments, (place.topic,)) as client:
            if isinstance(client, Trouble):
                return client
            return _nowhere(client, place) or await _last(client, place, count)
    except (KafkaError, TimeoutError, OSError) as error:
        return trouble_of(error)


async def _last(client: Any, partition: TopicPartition, count: int) -> list[Entry] | Trouble:
    one = aiokafka.TopicPartition(*partition)
    beginning, end = (await client.beginning_offsets([one]))[one], (await client.end_offsets([one]))[one]
    track = Track(client, partition, max(beginning, end - count))
    found: list[Entry] = []
    while track.expected < end:
        records = await track.take(500, RECORD_SECONDS)
        if isinstance(records, Trouble):
            return records
        found += [Entry(each.offset, each.timestamp / 1000, decoded(each.value)) for each in records]
        if not records and await client.position(one) >= end:
            break  # behind the last record stands what is none
    return found


def _nowhere(client: Any, place: TopicPartition) -> Trouble | None:
    if aiokafka.TopicPartition(*place) in client.assignment():
        return None
    return Trouble("shares_changed", f"{place.topic} has no partition {place.partition}")


async def end_of(settings: KafkaSettings, place: TopicPartition) -> int | Trouble:
    """The offset that the next record of the partition will get."""
    arguments = settings.consuming()
    if isinstance(arguments, Trouble):
        return arguments
    one = aiokafka.TopicPartition(*place)
    try:
        async with asyncio.timeout(LOOK_SECONDS), reading_client(arguments, (place.topic,)) as client:
            trouble = client if isinstance(client, Trouble) else _nowhere(client, place)
            return trouble or int((await client.end_offsets([one]))[one])
    except (KafkaError, TimeoutError, OSError) as error:
        return trouble_of(error)
