"""Members of a lane's group that are no process of ours: they join, may claim more than anybody, and leave."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener

from consumer.streams.assignor import exclusive_assignor
from consumer.streams.clients import discard
from consumer.streams.settings import KafkaSettings, Timing

JOIN_SECONDS = 30.0


class Arrivals(ConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """Hears when the group has given out its partitions."""

    def __init__(self) -> None:
        self.assigned: asyncio.Event = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing to let go of."""

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self.assigned.set()


@asynccontextmanager
async def member(settings: KafkaSettings, group: str, topics: Sequence[str], *, claim: int = 0) -> AsyncIterator[None]:
    """In the group while the block runs. Who claims the highest epoch is given every partition."""
    assignor, arrivals = exclusive_assignor(), Arrivals()
    assignor.claim = claim
    plain = KafkaSettings(settings.bootstrap, timing=Timing(session_ms=6000, heartbeat_ms=600))
    arguments = plain.belonging(group)
    assert isinstance(arguments, dict)
    consumer = AIOKafkaConsumer(partition_assignment_strategy=(assignor,), **arguments)
    try:
        async with asyncio.timeout(JOIN_SECONDS):
            await consumer.start()
            consumer.subscribe(list(topics), listener=arrivals)
            await arrivals.assigned.wait()
        yield
    finally:
        await discard(consumer)
