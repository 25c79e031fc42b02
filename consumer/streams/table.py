"""A compacted topic in Kafka: partition 0 of it, read from its beginning without a group, and followed."""

import asyncio
from collections.abc import Sequence

from aiokafka import errors

from consumer.core.facts import Fact, OffsetsSkipped
from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Emit, Row
from consumer.streams.clients import trouble_of
from consumer.streams.settings import KafkaSettings
from consumer.streams.tail import Tail
from consumer.streams.writer import TooLarge, Writer, Written

TOO_LARGE = Trouble("record_too_large", "the topic takes no record of that size")
PAUSE_SECONDS = 1.0
# Longer than the tail needs to find out that its connection is dead.
SILENCE_SECONDS = 20.0


class KafkaTable:
    """One table. Compaction takes records all the time, so gaps between offsets are no news; where retention or a
    topic that was made anew has taken our place, it is read from its beginning again."""

    def __init__(self, settings: KafkaSettings, topic: str, emit: Emit, *, lane: str = "") -> None:
        self._emit = emit
        self._writer = Writer(settings, topic, "table", lane, emit)
        self._tail = Tail(settings, TopicPartition(topic, 0), "table", lane, self._tell)
        self._end: int | None = None
        self._heard = 0.0
        self._refused: Trouble | None = None

    def _tell(self, fact: Fact) -> None:
        if not isinstance(fact, OffsetsSkipped):
            self._emit(fact)

    @property
    def trouble(self) -> Trouble | None:
        return self._refused or self._writer.trouble or self._tail.trouble

    @property
    def complete(self) -> bool:
        return self._end is not None and self._tail.position >= self._end

    async def start(self) -> None:
        """Nothing to open: the first call connects."""

    async def stop(self) -> None:
        await self._writer.stop()
        await self._tail.drop()

    async def put(self, key: bytes, value: bytes | None) -> None:
        while isinstance(await self._writer.write(Written(value, key, partition=0)), TooLarge):
            self._refused = TOO_LARGE
            await asyncio.sleep(PAUSE_SECONDS)
        self._refused = None

    async def read(self, timeout_seconds: float) -> Sequence[Row]:
        if self._end is None:
            if trouble := await self._begun():
                self._tail.trouble = trouble
                await asyncio.sleep(min(timeout_seconds, PAUSE_SECONDS))
                return ()
            if self.complete:
                # Nothing was ever said: whoever waits for the end of the table has waited enough.
                return ()
        rows = await self._taken(timeout_seconds)
        now = asyncio.get_running_loop().time()
        if rows or self._tail.trouble is not None:
            self._heard = now
        elif self._end is not None and now - self._heard > SILENCE_SECONDS:
            # Behind the last record may stand what is none; a broker that answers and gives nothing has no more.
            self._end = min(self._end, self._tail.position)
        return rows

    async def _taken(self, timeout_seconds: float) -> Sequence[Row]:
        records = await self._tail.take(timeout_seconds)
        trouble = self._tail.trouble
        if trouble is not None and trouble.reason == "offset_out_of_range":
            self._end = None
        return [Row(record.key, record.value) for record in records]

    async def _begun(self) -> Trouble | None:
        if trouble := await self._tail.connected():
            return trouble
        try:
            beginning, end = await self._tail.extent()
        except (errors.KafkaError, TimeoutError) as error:
            return trouble_of(error)
        self._tail.seek(beginning)
        self._end = end
        self._heard = asyncio.get_running_loop().time()
        return None
