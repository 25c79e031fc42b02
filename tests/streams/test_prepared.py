"""While a schema registry gives no answer its source stands still, others are read on, and nothing is lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from consumer.core.facts import Fact, LaneBlocked, LaneUnblocked
from consumer.core.formats import Format, Formats, SourceFormat
from consumer.core.model import Position, Quota, Record, TopicPartition, Trouble
from consumer.core.plan import LaneProfile, Planner
from consumer.engine.lane import Lane
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.streams.memory import MemoryBroker, MemoryDeadLetters, MemoryJournal, MemorySource
from consumer.streams.prepared import PreparedSource
from consumer.streams.registry import Registry
from tests.core.planning import DUCKY, order, routes
from tests.engine.harness import GROUP, JOURNAL, LETTERS, THOUSAND, Provider, ProviderSink
from tests.streams.registries import (
    EVENT_SCHEMA,
    FakeRegistry,
    Mood,
    answering,
    avro,
    framed,
    hanging,
    registry,
    registry_server,
)
from tests.virtual_network import fast

AVRO, PLAIN = "shop.avro", "shop.plain"
EPOCH = 1_788_246_905.0
PACE = 10.0


def _event(number: int) -> dict[str, Any]:
    return order(event_id=f"e-{number}", customer__id=f"c-{number}", order__id=str(number), occurred_at=_MOMENT)


_MOMENT = "2026-09-01T10:15:00+03:00"


@dataclass
class World:
    """One lane of two topics behind a registry."""

    fake: FakeRegistry
    registry: Registry
    broker: MemoryBroker = field(init=False)
    provider: Provider = field(default_factory=Provider)
    facts: list[Fact] = field(default_factory=list)
    source: PreparedSource = field(init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.broker = MemoryBroker(lambda: EPOCH + loop.time() - began)
        for topic in (JOURNAL, LETTERS):
            self.broker.create(topic)
        for topic in (AVRO, PLAIN):
            self.broker.create(topic, 2)

    def lane(self) -> Lane:
        formats = Formats({AVRO: SourceFormat(Format.AUTO, schemas=self.registry.schemas)})
        profile = LaneProfile("push", {"ducky": DUCKY}, formats=formats)
        self.source = PreparedSource(
            MemorySource(self.broker, GROUP, [AVRO, PLAIN]), formats.wanted_schema, self.registry
        )
        parts = LaneParts(
            source=self.source,
            journal=MemoryJournal(self.broker, JOURNAL),
            dead_letters=MemoryDeadLetters(self.broker, LETTERS),
            sink=ProviderSink(self.provider, capacity=THOUSAND, timeout_seconds=30.0),
            planner=Planner(profile, routes(_ROUTE)),
            emit=self.facts.append,
            wall=lambda: EPOCH,
        )
        return Lane(LaneSettings("push", "member-1", Quota(1000, 1.0), start_at="earliest"), parts)

    def publish(self, number: int, schema: int = 7) -> None:
        value = framed(schema, avro(EVENT_SCHEMA, _event(number)))
        self.broker.publish(AVRO, value, partition=number % 2)

    def publish_plain(self, number: int) -> None:
        self.broker.publish(PLAIN, json.dumps(_event(number)).encode(), partition=number % 2)

    async def until_told(self, people: Sequence[int]) -> None:
        wanted = {f"c-{number}" for number in people}
        async with asyncio.timeout(300):
            while not wanted <= self.provider.told:  # noqa: ASYNC110 - the clock is fast, and a look is cheap
                await asyncio.sleep(0.5)

    def reasons(self, kind: type[LaneBlocked] | type[LaneUnblocked] = LaneBlocked) -> list[str]:
        return [fact.reason for fact in self.facts if isinstance(fact, kind)]


_ROUTE = """
- {id: ready, on: order.ready_for_pickup, lane: push, ttl: 12h, deliver_within: 5m,
   wordings: [{title: "Заказ готов", text: "Ждёт вас"}]}
"""


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with registry_server() as fake:
        fake.put(7, EVENT_SCHEMA)
        yield World(fake, registry(fake))


@asynccontextmanager
async def running(made: World) -> AsyncIterator[Lane]:
    lane = made.lane()
    task = asyncio.create_task(lane.run())
    try:
        yield lane
    finally:
        lane.stop()
        await task


MOODS: dict[str, tuple[Mood | None, str]] = {
    "down": (None, "registry_unreachable"),
    "broken": (answering(500, "{}"), "registry_unreachable"),
    "nonsense": (answering(200, "<html>", "text/html"), "registry_nonsense"),
    "denied": (answering(401, "{}"), "registry_denied"),
}


@pytest.mark.parametrize("name", MOODS)
def test_a_registry_in_trouble_stops_its_source_alone_and_nothing_is_lost(name: str) -> None:
    mood, reason = MOODS[name]

    @fast(PACE)
    async def told() -> None:
        async with world() as made:
            made.fake.mood = mood
            if mood is None:
                await made.fake.down()
            async with running(made):
                for number in range(20):
                    made.publish(number)
                    made.publish_plain(100 + number)
                await made.until_told(range(100, 120))
                assert reason in made.reasons()
                assert not made.provider.told & {f"c-{number}" for number in range(20)}
                assert not [
                    tp for tp, offset in made.broker.group(GROUP).offsets.items() if tp.topic == AVRO and offset
                ]
                made.fake.mood = None
                if mood is None:
                    await made.fake.up()
                await made.until_told(range(20))
                assert reason in made.reasons(LaneUnblocked)
            assert made.broker.records(LETTERS) == []
            assert made.provider.repeats == {}
            assert sum(made.broker.group(GROUP).offsets.values()) == 40

    told()


@fast(PACE)
async def test_a_registry_that_hangs_holds_back_only_its_source() -> None:
    async with world() as made:
        made.fake.mood = hanging
        async with running(made):
            made.publish(1)
            for number in range(100, 110):
                made.publish_plain(number)
            await made.until_told(range(100, 110))
            made.fake.mood = None
            await made.until_told([1])


@fast(PACE)
async def test_records_before_the_one_that_waits_go_out_and_a_schema_that_there_is_not_is_a_dead_letter() -> None:
    async with world() as made, running(made):
        made.publish(2)
        await made.until_told([2])
        made.publish(4)
        made.publish(6, schema=99)
        made.publish(8)
        await made.until_told([4, 8])
        (letter,) = made.broker.records(LETTERS)
        headers = dict(letter.headers)
        assert headers["vestnik-reason"] == b"unknown_schema"
        assert letter.value == framed(99, avro(EVENT_SCHEMA, _event(6)))


class _Seat:
    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.partitions = partitions

    async def revoked(self) -> None:
        self.partitions = frozenset()


@fast(PACE)
async def test_what_comes_before_the_record_that_waits_is_given_at_once_and_trouble_is_said_once() -> None:
    async with world() as made:
        made.lane()
        seat = _Seat()
        await made.source.start(seat)
        made.publish(0)
        made.publish(2)
        made.publish(4, schema=8)
        partition = TopicPartition(AVRO, 0)
        await asyncio.sleep(1)
        made.source.seek({partition: 0})
        assert await made.registry.learn([7]) is None
        made.fake.mood = answering(500, "{}")
        first = await made.source.poll((), 5.0)
        assert not isinstance(first, Trouble)
        assert [record.position.offset for record in first] == [0, 1]
        said = await made.source.poll((), 5.0)
        assert said == Trouble("registry_unreachable", "schema registry: status 500", partition)
        silent = [await made.source.poll((), 2.0) for _ in range(8)]
        assert set(silent) == {()}
        made.source.seek({partition: 2})
        again = await made.source.poll((), 5.0)
        assert isinstance(again, Trouble)
        assert await made.source.extents()
        assert isinstance(await made.source.committed(), dict)
        assert await made.source.commit({partition: 1}) is None
        fetched = await made.source.fetch(Position(AVRO, 0, 0))
        assert isinstance(fetched, Record)
        made.source.claim(3)
        await made.source.stop()


@fast(PACE)
async def test_records_that_were_taken_away_while_the_registry_was_asked_are_not_given() -> None:
    async with world() as made:
        made.lane()
        await made.source.start(_Seat())
        made.publish(0)
        partition = TopicPartition(AVRO, 0)
        await asyncio.sleep(1)
        made.source.seek({partition: 0})
        made.fake.mood = hanging
        polling = asyncio.create_task(made.source.poll((), 5.0))
        await asyncio.sleep(0.5)
        made.source.seek({partition: 0})
        assert await polling == ()
        await made.source.stop()
