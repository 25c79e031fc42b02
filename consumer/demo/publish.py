"""Publishing at a pace: each record when it is due, and an account of what the broker took."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from consumer.core.model import Position, Trouble
from consumer.demo.evidence import Sent
from consumer.demo.shop import Headers, Publication


class Publishes(Protocol):
    """What takes records: a publisher of `streams`, or a list in a test."""

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()
    ) -> Position | Trouble: ...


@dataclass(slots=True)
class Account:
    """What was published: `records` in order, where each landed, and the trouble that ended it early, if one did."""

    sent: list[Sent] = field(default_factory=list)
    records: list[Publication] = field(default_factory=list)
    trouble: Trouble | None = None

    def note(self, landed: Position, publication: Publication, at: float) -> None:
        """The broker has it."""
        self.sent.append(Sent(landed, at, publication.poison))
        self.records.append(publication)

    @property
    def poisoned(self) -> int:
        return sum(1 for sent in self.sent if sent.poison)


async def publish_all(
    publisher: Publishes,
    publications: Iterable[Publication],
    clock: Callable[[], float],
    stop: asyncio.Event,
    account: Account,
) -> None:
    """Publish each record `delay_seconds` after the one before it was due, without catching breath when it is late.
    Ends at the last one, at `stop`, or at the first trouble, which the account then has. `clock` gives seconds."""
    due = clock()
    for publication in publications:
        due += publication.delay_seconds
        if await _stopped(stop, due - clock()):
            return
        landed = await publisher.publish(publication.topic, publication.key, publication.value, publication.headers)
        if isinstance(landed, Trouble):
            account.trouble = landed
            return
        account.note(landed, publication, clock())


async def _stopped(stop: asyncio.Event, wait_seconds: float) -> bool:
    """Wait so long unless it is to stop before."""
    if wait_seconds > 0:
        try:
            async with asyncio.timeout(wait_seconds):
                await stop.wait()
        except TimeoutError:
            pass
    return stop.is_set()
