"""Records that must be written: each is sent until every in-sync replica has it, over as many clients as that takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, errors

from consumer.core.facts import StreamHealed, StreamRebuilt, StreamTroubled
from consumer.core.model import Trouble
from consumer.core.ports import Appended, Emit
from consumer.streams.clients import ANSWER_SECONDS, discard, missing, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.letters import Headers
from consumer.streams.settings import KafkaSettings

PATIENCE_SECONDS = 2.0
GIVE_UP_CLIENT_SECONDS = 60.0
BACK_OFF_SECONDS = (0.1, 5.0)
CREDIBLE_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Written:
    """One record to be appended; without a partition the key chooses it."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The client or the broker refuses the record for its size, and would for ever."""


Send = Callable[[Any, float], Awaitable["asyncio.Future[Any]"]]
"""Hands something to a producer at a moment, and gives the future of its ack."""


class Writer:
    """One topic's idempotent producer.

    A wait for an ack is never taken for a failure. Only a client that is broken, or that heard nothing for a minute, is
    thrown away; then the record is sent again by the next one, and may stand in the topic twice.
    """

    def __init__(self, settings: KafkaSettings, topic: str, stream: str, lane: str, emit: Emit) -> None:
        self._settings = settings
        self._topic = topic
        self._stream = stream
        self._lane = lane
        self._emit = emit
        self._producer: Any = None
        self._building = asyncio.Lock()
        self.trouble: Trouble | None = None

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard(producer)

    async def write(self, record: Written) -> Appended | TooLarge:
        """Until it is acked; only the caller can end it earlier, by cancelling it."""
        return await self._insisted(lambda producer, now: self._sent(producer, record, now))

    async def write_all(self, values: Sequence[bytes], partition: int = 0) -> list[Appended | TooLarge]:
        """The same for several records of one partition in one request, in their order; their bytes together are well
        under the client's bound of a batch. Where the broker refuses them together, each is written alone."""
        if len(values) > 1:
            first = await self._insisted(lambda producer, _now: self._sent_together(producer, values, partition))
            if not isinstance(first, TooLarge):
                return [Appended(first.offset + number, first.timestamp) for number in range(len(values))]
        return [await self.write(Written(value, partition=partition)) for value in values]

    async def _insisted(self, send: Send) -> Appended | TooLarge:
        back_off, longest = BACK_OFF_SECONDS
        while True:
            result = await self._tried(send)
            if not isinstance(result, Trouble):
                self._say(None)
                return result
            self._say(result)
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, longest)

    async def _tried(self, send: Send) -> Appended | TooLarge | Trouble:
        producer = await self._ready()
        if isinstance(producer, Trouble):
            return producer
        try:
            sent = time.time()
            return await self._acked(await send(producer, sent), producer, sent)
        except (TimeoutError, errors.UnknownTopicOrPartitionError) as error:
            return missing(producer.client, (self._topic,)) or trouble_of(error)
        except errors.KafkaError as error:
            trouble = trouble_of(error)
            if trouble.reason == "record_too_large":
                return TooLarge()
            if not error.retriable:
                await self._drop(producer, trouble)
            return trouble

    async def _sent(self, producer: Any, record: Written, now: float) -> "asyncio.Future[Any]":
        """The future of the ack. Giving up here is safe: a send that is cancelled has put nothing into the client."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await producer.client._wait_on_metadata(self._topic)
            if record.value is None and record.key is None:
                return await self._sent_bare(producer, record)
            future: asyncio.Future[Any] = await producer.send(
                self._topic,
                record.value,
                record.key,
                record.partition,
                timestamp_ms=int(now * 1000),
                headers=list(record.headers),
            )
            return future

    async def _sent_together(self, producer: Any, values: Sequence[bytes], partition: int) -> "asyncio.Future[Any]":
        async with asyncio.timeout(ANSWER_SECONDS):
            await producer.client._wait_on_metadata(self._topic)
            batch = producer.create_batch()
            for value in values:
                if batch.append(key=None, value=value, timestamp=None) is None:
                    raise ValueError("more bytes than a batch of the client can carry")
            future: asyncio.Future[Any] = await producer.send_batch(batch, self._topic, partition=partition)
            return future

    async def _sent_bare(self, producer: Any, record: Written) -> "asyncio.Future[Any]":
        """The library refuses a record with neither key nor value, but not a batch of one."""
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=None, headers=list(record.headers))
        future: asyncio.Future[Any] = await producer.send_batch(batch, self._topic, partition=record.partition or 0)
        return future

    async def _acked(self, future: "asyncio.Future[Any]", producer: Any, sent: float) -> Appended | Trouble:
        waited = 0.0
        while not future.done():
            await asyncio.wait({future}, timeout=PATIENCE_SECONDS)
            if future.done():
                break
            waited += PATIENCE_SECONDS
            self._say(missing(producer.client, (self._topic,)) or Trouble("broker_unreachable", "no ack"))
            if waited >= GIVE_UP_CLIENT_SECONDS:
                future.add_done_callback(_looked_at)
                await self._drop(producer, Trouble("broker_unreachable", "no ack for a minute"))
                return Trouble("broker_unreachable", "no ack for a minute")
        return _appended(future.result(), sent)

    async def _ready(self) -> Any:
        """The producer, made if there is none; Trouble where no broker can be had."""
        async with self._building:
            if self._producer is None:
                self._producer = await self._built()
            if isinstance(self._producer, Trouble):
                trouble, self._producer = self._producer, None
                return trouble
            return self._producer

    async def _built(self) -> Any:
        arguments = self._settings.producing()
        if isinstance(arguments, Trouble):
            return arguments
        producer = AIOKafkaProducer(**arguments)
        started = False
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await producer.start()
            started = True
        except (errors.KafkaError, OSError, TimeoutError) as error:
            return await explained(trouble_of(error), arguments)
        finally:
            if not started:  # cancelled in the middle counts too
                await discard(producer)
        return producer

    async def _drop(self, producer: Any, trouble: Trouble) -> None:
        if self._producer is producer:
            self._producer = None
            self._emit(StreamRebuilt(self._lane, self._stream, f"{trouble.reason}: {trouble.detail}"))
            await discard(producer)

    def _say(self, trouble: Trouble | None) -> None:
        if trouble is not None and trouble != self.trouble:
            self._emit(StreamTroubled(self._lane, self._stream, trouble.reason, trouble.detail))
        if trouble is None and self.trouble is not None:
            self._emit(StreamHealed(self._lane, self._stream))
        self.trouble = trouble


def _appended(metadata: Any, sent: float) -> Appended | Trouble:
    if metadata.offset < 0:
        return Trouble("other", "acked as a duplicate without its offset")
    # The embedded broker acks with a time of 1970; its records bear the client's.
    seconds = metadata.timestamp / 1000
    return Appended(metadata.offset, seconds if seconds > CREDIBLE_SECONDS else int(sent * 1000) / 1000)


def _looked_at(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
