"""A publisher for the demo and for sample events: idempotent, acked by every in-sync replica, each wait bounded."""

import asyncio
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumer.core.model import Position, Trouble
from consumer.streams.clients import discard, probe, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.settings import KafkaSettings

Headers = tuple[tuple[str, bytes], ...]

START_SECONDS = 15.0
ACK_SECONDS = 30.0


class Publisher:
    """Publishes records one after the other, so that those of one key stay in order: about a thousand a second.

    `trouble` says why it could not start; until that is None, `publish` gives the same trouble back. Use it as an
    asynchronous context.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._known: set[str] = set()
        self.trouble: Trouble | None = Trouble("other", "not started")

    async def __aenter__(self) -> Self:
        self.trouble = await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            await discard(self._producer)
            self._producer = None

    async def publish(self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()) -> Position | Trouble:
        """Where the record landed. After a trouble `broker_unreachable` it may still land later: an idempotent
        producer goes on trying."""
        if self._producer is None:
            return self.trouble or Trouble("other", "stopped")
        trouble = await self._missing(topic)
        if trouble is not None:
            return trouble
        try:
            async with asyncio.timeout(ACK_SECONDS):
                landed = await self._producer.send_and_wait(topic, value=value, key=key, headers=list(headers))
        except (KafkaError, TimeoutError, OSError) as error:
            return trouble_of(error)
        return Position(landed.topic, landed.partition, landed.offset)

    async def _missing(self, topic: str) -> Trouble | None:
        """Ask once for each topic whether it is there: the library would wait for a missing one all its time."""
        if topic in self._known:
            return None
        client = self._producer.client
        client.add_topic(topic)
        trouble = await probe(client, (topic,))
        if trouble is None:
            self._known.add(topic)
        return trouble

    async def _start(self) -> Trouble | None:
        arguments = self._settings.producing()
        if isinstance(arguments, Trouble):
            return arguments
        producer = AIOKafkaProducer(**arguments)
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await discard(producer)
            return await explained(trouble_of(error), arguments)
        self._producer = producer
        return None
