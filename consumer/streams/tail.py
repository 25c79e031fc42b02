"""One partition followed without a group, by a client that is made anew when it is dead."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, errors

from consumer.core.facts import OffsetsSkipped, StreamRebuilt
from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Emit
from consumer.streams.clients import ANSWER_SECONDS, discard, missing, probe, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track

READ_RECORDS = 500
FETCH_WAIT_MS = 100
# One partition, of which a start reads hundreds of megabytes: with less an answer would hold one large attempt alone.
FETCH_BYTES = 1_048_576
PROBE_SECONDS = 10.0
UNREACHABLE_SECONDS = 120.0


class Tail:
    """Reads records in order from an offset on; `trouble` says why none come. `stream` names it in facts."""

    def __init__(self, settings: KafkaSettings, partition: TopicPartition, stream: str, lane: str, emit: Emit) -> None:
        self.partition = partition
        self.trouble: Trouble | None = None
        self.consumer: Any = None
        self._settings = settings
        self._stream = stream
        self._lane = lane
        self._emit = emit
        self._track: Track | None = None
        self._next = 0
        self._heard = 0.0
        self._asked = 0.0

    @property
    def position(self) -> int:
        """The offset that comes next."""
        return self._next

    @property
    def at_end(self) -> bool:
        """Whether everything is read that there was when the broker answered last."""
        end = None if self.consumer is None else self.consumer.highwater(aiokafka.TopicPartition(*self.partition))
        return end is not None and self._next >= end

    def seek(self, offset: int) -> None:
        """Go on from this offset; the client is connected."""
        self._next = offset
        self._follow()
        self.trouble = None

    async def take(self, timeout_seconds: float) -> Sequence[Any]:
        """The library's next records, at most 500; none when none came in time, or in trouble."""
        if self._track is None and (trouble := await self._resumed()):
            self.trouble = trouble
            await asyncio.sleep(min(timeout_seconds, 1.0))
            return ()
        track = self._track
        if track is None or track.rests:
            await asyncio.sleep(min(timeout_seconds, 0.1))
            return ()
        records = await track.take(READ_RECORDS, timeout_seconds)
        if isinstance(records, Trouble):
            self.trouble = records
            return ()
        if not records:
            await self._listened()
            return ()
        self._next = track.expected
        self.trouble = None
        self._heard = asyncio.get_running_loop().time()
        if track.skipped:
            self._emit(OffsetsSkipped(self._lane, *self.partition, track.skipped))
        return records

    async def extent(self) -> tuple[int, int]:
        """Beginning and end; after a change of leaders the end may be unknown for a moment, as an error that the
        library does not know. Raises the library's errors, and TimeoutError after ten seconds."""
        one = aiokafka.TopicPartition(*self.partition)
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            while True:
                try:
                    beginnings = await self.consumer.beginning_offsets([one])
                    ends = await self.consumer.end_offsets([one])
                    return beginnings[one], ends[one]
                except errors.KafkaError as error:
                    if trouble_of(error).reason != "other":
                        raise
                    await asyncio.sleep(0.2)

    async def connected(self) -> Trouble | None:
        """Have a client; why there is none."""
        if self.consumer is not None:
            return None
        arguments = self._settings.consuming()
        if isinstance(arguments, Trouble):
            return arguments
        # A fetch under way holds back the next seek: until it is known from where to follow it must not wait long.
        wait_ms = min(self._settings.timing.fetch_wait_ms, FETCH_WAIT_MS)
        following = {"fetch_max_wait_ms": wait_ms, "max_partition_fetch_bytes": FETCH_BYTES}
        consumer = AIOKafkaConsumer(**arguments | following)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await consumer.start()
        except (errors.KafkaError, OSError, TimeoutError) as error:
            await discard(consumer)
            return await explained(trouble_of(error), arguments)
        consumer.assign([aiokafka.TopicPartition(*self.partition)])
        topics = (self.partition.topic,)
        trouble = await probe(consumer._client, topics) or missing(consumer._client, topics)
        if trouble is not None:
            await discard(consumer)
            return trouble
        self.consumer = consumer
        self._heard = asyncio.get_running_loop().time()
        return None

    async def drop(self) -> None:
        """Throw the client away; the next call makes one."""
        consumer, self.consumer = self.consumer, None
        self._track = None
        if consumer is not None:
            await discard(consumer)

    async def _listened(self) -> None:
        """Silence may be a quiet topic or a dead connection: ask now and then, and begin anew after two minutes."""
        now = asyncio.get_running_loop().time()
        if now - max(self._heard, self._asked) < PROBE_SECONDS or self.consumer is None:
            return
        self._asked = now
        trouble = await probe(self.consumer._client, (self.partition.topic,))
        if trouble is None:
            self._heard = now
            self.trouble = None
            return
        self.trouble = trouble
        if now - self._heard > UNREACHABLE_SECONDS or self.consumer._fetcher._fetch_task.done():
            await self.drop()
            self._emit(StreamRebuilt(self._lane, self._stream, trouble.reason))

    async def _resumed(self) -> Trouble | None:
        if trouble := await self.connected():
            return trouble
        self._follow()
        return None

    def _follow(self) -> None:
        """Nobody seeks from here on: where nothing comes, the broker may keep its answer as long as it likes."""
        self._track = Track(self.consumer, self.partition, self._next)
        self.consumer._fetcher._fetch_max_wait_ms = self._settings.timing.fetch_wait_ms
