"""A real lane on the broker in memory that is fed one poisoned record and a good one after it."""

import asyncio
import gc
import json
import time
import tracemalloc
from dataclasses import dataclass, field

from consumer.core.facts import CommandEnded, DeadLettered, Fact, RecordsPlanned
from consumer.core.model import Record, TopicPartition
from consumer.core.plan import LaneProfile, Planner
from consumer.core.profile import ShopProfile
from consumer.engine.lane import Lane
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.streams.memory import MemoryBroker, MemoryDeadLetters, MemoryJournal, MemorySource
from tests.core.planning import AT, order, routes
from tests.engine.harness import JOURNAL, LETTERS, SOURCE, THOUSAND, Provider, ProviderSink
from tests.poison.corpus import HERE, Payload
from tests.virtual import VirtualLoop

BACKFILL = "vestnik.backfill.push"
GOOD_RECIPIENT = "the-next-one"
WITHIN_SECONDS = 600.0


@dataclass
class Seen:
    """What came of both records, and what it cost: CPU of the whole life of the lane, memory at its highest."""

    facts: list[Fact] = field(default_factory=list)
    letters: list[Record] = field(default_factory=list)
    provider: Provider = field(default_factory=Provider)
    committed: int = 0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def planned(self, result: str) -> list[RecordsPlanned]:
        return [fact for fact in self.facts if isinstance(fact, RecordsPlanned) and fact.result == result]

    @property
    def buried(self) -> list[DeadLettered]:
        return [fact for fact in self.facts if isinstance(fact, DeadLettered)]

    @property
    def ends(self) -> set[tuple[str, str]]:
        ends = (fact for fact in self.facts if isinstance(fact, CommandEnded))
        return {(fact.outcome.value, fact.reason) for fact in ends}


def _planner(limit_bytes: int) -> Planner:
    profile = LaneProfile(
        "push", {"ducky": ShopProfile("ducky", "ducky")}, event_bytes_limit=limit_bytes, backfill=BACKFILL
    )
    return Planner(profile, routes((HERE / "routes.yaml").read_text("utf-8")))


class Bench:
    """One life of a lane. Its provider takes everything."""

    def __init__(self, limit_bytes: int) -> None:
        self.seen = Seen()
        self._planner = _planner(limit_bytes)
        started = asyncio.get_running_loop().time()
        self.broker = MemoryBroker(lambda: AT + asyncio.get_running_loop().time() - started)
        for topic in (SOURCE, BACKFILL, JOURNAL, LETTERS):
            self.broker.create(topic)

    def lane(self) -> Lane:
        source = MemorySource(self.broker, "vestnik.push", [SOURCE, BACKFILL], emit=self.seen.facts.append)
        parts = LaneParts(
            source=source,
            journal=MemoryJournal(self.broker, JOURNAL),
            dead_letters=MemoryDeadLetters(self.broker, LETTERS),
            sink=ProviderSink(self.seen.provider, THOUSAND, 30.0),
            planner=self._planner,
            emit=self.seen.facts.append,
            wall=self.broker.clock,
            dice=lambda: 0.5,
        )
        return Lane(LaneSettings("push", "member-1", None, start_at="earliest"), parts)

    def publish(self, payload: Payload) -> str:
        topic = BACKFILL if payload.by_hand else SOURCE
        self.broker.publish(topic, payload.value, key=b"123", headers=payload.headers)
        good = order(event_id="e-good", order__id="777", customer__id=GOOD_RECIPIENT)
        self.broker.publish(topic, json.dumps(good, ensure_ascii=False).encode(), key=b"123")
        return topic

    async def live(self, payload: Payload) -> None:
        """Until both records are committed."""
        topic = self.publish(payload)
        offsets = self.broker.group("vestnik.push").offsets
        lane = self.lane()
        running = asyncio.create_task(lane.run())
        async with asyncio.timeout(WITHIN_SECONDS):
            while offsets.get(TopicPartition(topic, 0), 0) < 2:  # noqa: ASYNC110 - virtual time costs nothing
                await asyncio.sleep(0.5)
        lane.stop()
        await running
        self.seen.committed = offsets[TopicPartition(topic, 0)]
        self.seen.letters = self.broker.records(LETTERS)


async def _fed(payload: Payload, limit_bytes: int, found: list[Seen]) -> None:
    """Returns nothing: the runner spells out what its task returns, all 150 MB of it."""
    bench = Bench(limit_bytes)
    found.append(bench.seen)
    await bench.live(payload)


def feed(payload: Payload, limit_bytes: int, *, measured: bool = False) -> Seen:
    """What the lane makes of a record. `measured` counts memory, which makes everything slow."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        if measured:
            gc.collect()
            tracemalloc.start()
        try:
            found: list[Seen] = []
            began = time.process_time()
            runner.run(_fed(payload, limit_bytes, found))
            (seen,) = found
            seen.cpu_seconds = time.process_time() - began
            seen.peak_bytes = tracemalloc.get_traced_memory()[1] if measured else 0
        finally:
            tracemalloc.stop()
    return seen
