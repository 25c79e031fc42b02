"""A lane's streams over connections that the broker cuts again and again, and what that cost."""

import asyncio
import time
from dataclasses import dataclass, replace
from uuid import uuid4

from consumer.core.facts import StreamRebuilt
from consumer.core.model import Trouble
from consumer.core.ports import Journal
from consumer.streams.settings import KafkaSettings
from schemas.journal import Claim
from tests.contract.worlds import KafkaWorld, seated


@dataclass
class Cut:
    """What came through `seconds` of cut connections."""

    seconds: float
    published: int
    read: int
    repeated: int
    appended: int
    found: int
    rebuilt: int
    rebalances: int

    @property
    def lost(self) -> int:
        return (self.published - self.read) + (self.appended - self.found)


async def through_expiries(safe: KafkaSettings, cut: KafkaSettings, seconds: float) -> Cut:
    """Publish by `safe`, read as a group's member and append to a journal by `cut`, for so long."""
    world = KafkaWorld(safe)
    await world.open()
    world.settings = replace(cut, timing=world.settings.timing)
    source = world.source()
    seat = await seated(source)
    journal = world.journal()
    values: list[bytes] = []
    published = appended = 0
    began = time.monotonic()
    async with asyncio.timeout(seconds + 60):
        while time.monotonic() - began < seconds or len(set(values)) < published:
            if time.monotonic() - began < seconds:
                await world.publish(f"{published}".encode())
                published += 1
                await journal.append(Claim(epoch=published, member=uuid4().hex))
                appended += 1
            got = await source.poll((), 0.2)
            values += [] if isinstance(got, Trouble) else [record.value or b"" for record in got]
    found = await _count(journal)
    await source.stop()
    await journal.stop()
    await world.close()
    rebuilt = sum(isinstance(fact, StreamRebuilt) for fact in world.facts)
    unique = set(values)
    return Cut(
        seconds, published, len(unique), len(values) - len(unique), appended, found, rebuilt, seat.told.count(None)
    )


async def _count(journal: Journal) -> int:
    span = await journal.rewind(0.0)
    assert not isinstance(span, Trouble)
    epochs: set[int] = set()
    while entries := await journal.read(2.0):
        epochs |= {entry.record.epoch for entry in entries if isinstance(entry.record, Claim)}
    return len(epochs)
