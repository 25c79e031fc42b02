"""A lane's journal in Kafka: partition 0 of its topic, appended by an idempotent producer, followed without a group."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, errors

from consumer.core.facts import OffsetsSkipped, StreamRebuilt
from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Appended, Emit, Entry, Span
from consumer.streams.clients import ANSWER_SECONDS, discard, missing, probe, trouble_of
from consumer.streams.codec import Entryable, decoded, encoded
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track
from consumer.streams.writer import TooLarge, Writer, Written

READ_RECORDS = 500
FETCH_WAIT_MS = 100
PROBE_SECONDS = 10.0
UNREACHABLE_SECONDS = 120.0
TOO_LARGE = Trouble("record_too_large", "the topic's max.message.bytes is under 1 MiB")


class KafkaJournal:
    """The lane's journal. Reading and appending have a client each, so that neither waits for the other."""

    def __init__(self, settings: KafkaSettings, topic: str, emit: Emit, *, lane: str = "") -> None:
        self._settings = settings
        self._topic = topic
        self._lane = lane or topic.removeprefix("vestnik.journal.")
        self._emit = emit
        self._writer = Writer(settings, topic, "journal", self._lane, emit)
        self._partition = TopicPartition(topic, 0)
        self._consumer: Any = None
        self._track: Track | None = None
        self._next = 0
        self._reading_trouble: Trouble | None = None
        self._refused: Trouble | None = None
        self._heard = 0.0
        self._asked = 0.0

    @property
    def trouble(self) -> Trouble | None:
        return self._refused or self._writer.trouble or self._reading_trouble

    async def start(self) -> None:
        """Nothing to open: the first call connects."""

    async def stop(self) -> None:
        await self._writer.stop()
        await self._drop()

    async def append(self, record: Entryable) -> Appended:
        written = Written(encoded(record), partition=0)
        while isinstance(result := await self._writer.write(written), TooLarge):
            self._refused = TOO_LARGE
            await asyncio.sleep(5.0)
        self._refused = None
        return result

    # --- reading

    async def rewind(self, since: float) -> Span | Trouble:
        if trouble := await self._connected():
            return self._say(trouble)
        try:
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                span = await self._span(since)
        except (errors.KafkaError, TimeoutError) as error:
            return self._say(trouble_of(error))
        self._next = span.offset
        self._track = Track(self._consumer, self._partition, span.offset)
        self._reading_trouble = None
        return span

    async def _span(self, since: float) -> Span:
        one = aiokafka.TopicPartition(*self._partition)
        beginning, end = await self._extent(one)
        if beginning >= end:
            return Span(end, beginning > 0, empty=True)
        first = await self._timestamp(beginning)
        cut = beginning > 0 and (first is None or first > since)
        if first is None or first >= since:
            return Span(beginning, cut, empty=False)
        return Span(await self._since(one, since, beginning, end), cut, empty=False)

    async def _extent(self, one: Any) -> tuple[int, int]:
        """Beginning and end; after a change of leaders the end may be unknown for a moment, as an error that the
        library does not know."""
        while True:
            try:
                beginnings = await self._consumer.beginning_offsets([one])
                ends = await self._consumer.end_offsets([one])
                return beginnings[one], ends[one]
            except errors.KafkaError as error:
                if trouble_of(error).reason != "other":
                    raise
                await asyncio.sleep(0.2)

    async def _since(self, one: Any, since: float, beginning: int, end: int) -> int:
        """The first offset at or after `since`. A broker that cannot look up times is read from its beginning."""
        found = await self._consumer.offsets_for_times({one: int(since * 1000)})
        if found[one] is not None and beginning <= found[one].offset < end:
            return int(found[one].offset)
        last = await self._timestamp(end - 1)
        return end if last is not None and last < since else beginning

    async def _timestamp(self, offset: int) -> float | None:
        """Broker time of the record at the offset, or of the next one; None when there is none."""
        records = await Track(self._consumer, self._partition, offset).take(1, ANSWER_SECONDS / 2)
        if isinstance(records, Trouble) or not records:
            return None
        return float(records[0].timestamp / 1000)

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        if self._track is None and (trouble := await self._resumed()):
            self._say(trouble)
            await asyncio.sleep(min(timeout_seconds, 1.0))
            return ()
        track = self._track
        if track is None or track.rests:
            await asyncio.sleep(min(timeout_seconds, 0.1))
            return ()
        records = await track.take(READ_RECORDS, timeout_seconds)
        if isinstance(records, Trouble):
            self._say(records)
            return ()
        if not records:
            await self._listened()
            return ()
        return self._entries(track, records)

    def _entries(self, track: Track, records: Sequence[Any]) -> Sequence[Entry]:
        self._next = track.expected
        self._reading_trouble = None
        self._heard = asyncio.get_running_loop().time()
        if track.skipped:
            self._emit(OffsetsSkipped(self._lane, *self._partition, track.skipped))
        return [Entry(record.offset, record.timestamp / 1000, decoded(record.value)) for record in records]

    async def _listened(self) -> None:
        """Silence may be a quiet journal or a dead connection: ask now and then, and begin anew after two minutes."""
        now = asyncio.get_running_loop().time()
        if now - max(self._heard, self._asked) < PROBE_SECONDS or self._consumer is None:
            return
        self._asked = now
        trouble = await probe(self._consumer._client, (self._topic,))
        if trouble is None:
            self._heard = now
            self._reading_trouble = None
            return
        self._say(trouble)
        if now - self._heard > UNREACHABLE_SECONDS or self._consumer._fetcher._fetch_task.done():
            await self._drop()
            self._emit(StreamRebuilt(self._lane, "journal", trouble.reason))

    async def _resumed(self) -> Trouble | None:
        if trouble := await self._connected():
            return trouble
        self._track = Track(self._consumer, self._partition, self._next)
        return None

    async def _connected(self) -> Trouble | None:
        if self._consumer is not None:
            return None
        arguments = self._settings.consuming()
        if isinstance(arguments, Trouble):
            return arguments
        # A fetch under way holds back the next seek: it must not wait long where nothing comes.
        wait_ms = min(self._settings.timing.fetch_wait_ms, FETCH_WAIT_MS)
        consumer = AIOKafkaConsumer(**arguments | {"fetch_max_wait_ms": wait_ms})
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await consumer.start()
        except (errors.KafkaError, OSError, TimeoutError) as error:
            await discard(consumer)
            return trouble_of(error)
        consumer.assign([aiokafka.TopicPartition(*self._partition)])
        trouble = await probe(consumer._client, (self._topic,)) or missing(consumer._client, (self._topic,))
        if trouble is not None:
            await discard(consumer)
            return trouble
        self._consumer = consumer
        self._heard = asyncio.get_running_loop().time()
        return None

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._track = None
        if consumer is not None:
            await discard(consumer)

    def _say(self, trouble: Trouble) -> Trouble:
        self._reading_trouble = trouble
        return trouble
