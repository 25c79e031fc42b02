"""A lane's journal in Kafka: partition 0 of its topic, of a share that of its number; appended by an idempotent
producer, followed without a group."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import aiokafka
from aiokafka import errors

from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Appended, Emit, Entry, Span, Unreadable
from consumer.core.shares import changed_shares, share_number
from consumer.streams.clients import ANSWER_SECONDS, trouble_of
from consumer.streams.codec import Entryable, decoded, encoded
from consumer.streams.scribe import Scribe
from consumer.streams.settings import KafkaSettings
from consumer.streams.tail import Tail
from consumer.streams.track import Track
from consumer.streams.writer import TooLarge, Writer

# More than can be under way; where nothing is read back, no more are kept.
OWN_RECORDS = 4096
# Who stands by follows a little behind, for a thousand records in one answer of the broker cost little more than one.
# So often it looks whether it is the owner by now.
EASE_SECONDS = 1.0
LOOK_SECONDS = 0.25
TOO_LARGE = Trouble("record_too_large", "the topic's max.message.bytes is under 1 MiB")


class Post(Protocol):
    """The lane's place in its group, as far as it matters to who reads its journal."""

    @property
    def stands_by(self) -> bool: ...

    def read_back(self) -> None:
        """Everything that the lane must remember is read; said again and again from then on."""
        ...


class KafkaJournal:
    """The lane's journal, or with `shares` that of the one whose name is `lane`. Reading and appending have a client
    each, so that neither waits for the other.

    As many partitions as the topic has, so many shares had the lane from its first day on: with another number each
    would remember what others have told. Such a journal is neither read nor written; its trouble says so.

    `post` is the lane's place in its group: who stands by reads each second, and not each record as it comes.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        emit: Emit,
        *,
        lane: str = "",
        shares: int = 1,
        post: Post | None = None,
    ) -> None:
        lane = lane or topic.removeprefix("vestnik.journal.")
        self._shares = shares
        self._fits = asyncio.Event()
        self._fits.set()
        place = TopicPartition(topic, 0 if shares == 1 else share_number(lane))
        self._writer = Writer(settings, topic, "journal", lane, emit)
        self._tail = Tail(settings, place, "journal", lane, emit)
        self._scribe = Scribe(self._writer, place.partition)
        # Our own records by their bytes, until they are read back: what was encoded here need not be decoded.
        self._own: dict[bytes, Entryable] = {}
        self._refused: Trouble | None = None
        self._post = post

    @property
    def trouble(self) -> Trouble | None:
        return self._refused or self._writer.trouble or self._tail.trouble

    async def start(self) -> None:
        """Nothing to open: the first call connects."""

    async def stop(self) -> None:
        await self._scribe.stop()
        await self._writer.stop()
        await self._tail.drop()

    async def append(self, *records: Entryable) -> Appended:
        await self._fits.wait()
        values = [encoded(record) for record in records]
        if len(self._own) < OWN_RECORDS:
            self._own.update(zip(values, records, strict=True))
        try:
            while isinstance(result := await self._scribe.append(*values), TooLarge):
                self._refused = TOO_LARGE
                await asyncio.sleep(5.0)
        except BaseException:
            for value in values:
                self._own.pop(value, None)
            raise
        self._refused = None
        return result

    # --- reading

    async def rewind(self, since: float) -> Span | Trouble:
        if trouble := await self._tail.connected():
            return self._say(trouble)
        try:
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                if trouble := await self._shared_otherwise():
                    self._fits.clear()
                    return self._say(trouble)
                self._fits.set()
                span = await self._span(since)
        except (errors.KafkaError, TimeoutError) as error:
            return self._say(trouble_of(error))
        self._tail.seek(span.offset)
        return span

    async def _shared_otherwise(self) -> Trouble | None:
        """Why this journal is not of a lane with so many shares. Of a lane that is not shared only the first partition
        counts, unless another one has been written to."""
        topic, consumer = self._tail.partition.topic, self._tail.consumer
        there = len(consumer.partitions_for_topic(topic) or ())
        if there == self._shares:
            return None
        if self._shares == 1:
            second = aiokafka.TopicPartition(topic, 1)
            if not (await consumer.end_offsets([second]))[second]:
                return None
        return Trouble("shares_changed", changed_shares(topic, there, self._shares))

    async def _span(self, since: float) -> Span:
        beginning, end = await self._tail.extent()
        if beginning >= end:
            return Span(end, beginning > 0, empty=True)
        first = await self._timestamp(beginning)
        cut = beginning > 0 and (first is None or first > since)
        if first is None or first >= since:
            return Span(beginning, cut, empty=False)
        return Span(await self._since(since, beginning, end), cut, empty=False)

    async def _since(self, since: float, beginning: int, end: int) -> int:
        """The first offset at or after `since`. A broker that cannot look up times is read from its beginning."""
        one = aiokafka.TopicPartition(*self._tail.partition)
        consumer: Any = self._tail.consumer
        found = await consumer.offsets_for_times({one: int(since * 1000)})
        if found[one] is not None and beginning <= found[one].offset < end:
            return int(found[one].offset)
        last = await self._timestamp(end - 1)
        return end if last is not None and last < since else beginning

    async def _timestamp(self, offset: int) -> float | None:
        """Broker time of the record at the offset, or of the next one; None when there is none."""
        track = Track(self._tail.consumer, self._tail.partition, offset)
        records = await track.take(1, ANSWER_SECONDS / 2)
        if isinstance(records, Trouble) or not records:
            return None
        return float(records[0].timestamp / 1000)

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        await self._ease()
        records = await self._tail.take(timeout_seconds)
        if self._post is not None and self._tail.at_end:
            self._post.read_back()
        return [Entry(record.offset, record.timestamp / 1000, self._decoded(record.value)) for record in records]

    async def _ease(self) -> None:
        """Let records gather, while nobody waits for them."""
        left = EASE_SECONDS if self._tail.at_end else 0.0
        while left > 0 and self._post is not None and self._post.stands_by and not self._own:
            await asyncio.sleep(LOOK_SECONDS)
            left -= LOOK_SECONDS

    def _decoded(self, value: bytes | None) -> Entryable | Unreadable:
        own = None if value is None else self._own.pop(value, None)
        return decoded(value) if own is None else own

    def _say(self, trouble: Trouble) -> Trouble:
        self._tail.trouble = trouble
        return trouble
