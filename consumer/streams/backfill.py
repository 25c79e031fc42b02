"""The door of a lane's backfill topic: replays and redrives publish old records here, many under way at a time."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumer.core.backfill import Backfilled, Headers
from consumer.core.model import Trouble
from consumer.streams.clients import discard, probe, trouble_of
from consumer.streams.settings import KafkaSettings

START_SECONDS = 15.0
ACK_SECONDS = 30.0
UNDER_WAY = 1000


class BackfillDoor:
    """Publishes into one topic, in order, with up to a thousand records that no broker has confirmed yet.

    ::

        async with BackfillDoor(settings, backfill_topic(lane)) as door:
            trouble = await door.put(Backfilled(record, replay_id)) or await door.flush()

    `put` and `flush` give the first trouble back, and from then on nothing else: what `confirmed` counts is durable,
    and of what was put after it nobody knows. Putting a record twice does no harm, for the lane knows its commands by
    their ids. The producer is idempotent; acks mean every in-sync replica.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._producer: Any = None
        self._acks: deque[asyncio.Future[Any]] = deque()
        self._trouble: Trouble | None = Trouble("other", "not started")
        self.confirmed = 0

    async def __aenter__(self) -> Self:
        self._trouble = await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for ack in self._acks:
            ack.add_done_callback(_looked_at)
        self._acks.clear()
        if self._producer is not None:
            await discard(self._producer)
            self._producer = None

    async def put(self, old: Backfilled) -> Trouble | None:
        """Publish an old record. Returns before it is durable; `flush` waits for that."""
        return await self._put(old.record.key, old.record.value, old.to_headers())

    async def note(self, key: bytes, headers: Headers) -> Trouble | None:
        """Publish a record without a value: lanes pass over it, people and replays read it."""
        return await self._put(key, None, headers)

    async def flush(self) -> Trouble | None:
        """Until everything that was put is durable."""
        return await self._confirm(0)

    async def _put(self, key: bytes | None, value: bytes | None, headers: Headers) -> Trouble | None:
        if self._trouble is not None:
            return self._trouble
        try:
            async with asyncio.timeout(ACK_SECONDS):
                sent = await self._producer.send(self._topic, value, key, headers=list(headers))
        except (KafkaError, TimeoutError, OSError) as error:
            return self._stuck(error)
        self._acks.append(sent)
        return await self._confirm(UNDER_WAY)

    async def _confirm(self, most: int) -> Trouble | None:
        """Wait until at most so many are under way."""
        while self._trouble is None and self._acks and (len(self._acks) > most or self._acks[0].done()):
            try:
                async with asyncio.timeout(ACK_SECONDS):
                    await asyncio.shield(self._acks[0])
            except (KafkaError, TimeoutError, OSError) as error:
                return self._stuck(error)
            self._acks.popleft()
            self.confirmed += 1
        return self._trouble

    def _stuck(self, error: BaseException) -> Trouble:
        self._trouble = trouble_of(error)
        return self._trouble

    async def _start(self) -> Trouble | None:
        arguments = self._settings.producing()
        if isinstance(arguments, Trouble):
            return arguments
        producer = AIOKafkaProducer(**arguments, linger_ms=5)
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
                # Asked once: the library would wait for a missing topic all its time.
                producer.client.add_topic(self._topic)
                trouble = await probe(producer.client, (self._topic,))
            if trouble is None:
                self._producer = producer
        except (KafkaError, TimeoutError, OSError) as error:
            trouble = trouble_of(error)
        finally:
            if self._producer is None:  # cancelled in the middle counts too
                await discard(producer)
        return trouble


def _looked_at(ack: "asyncio.Future[Any]") -> None:
    if not ack.cancelled():
        ack.exception()
