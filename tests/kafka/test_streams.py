"""What only a real broker shows: topics made and checked, and a broker that dies under a lane."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumer.core.facts import Fact, StreamHealed, StreamTroubled
from consumer.core.model import Record, Trouble
from consumer.core.ports import Source
from consumer.streams.journal import KafkaJournal
from consumer.streams.settings import KafkaSettings, Timing
from consumer.streams.topics import Shape, check, create, wanted
from schemas.journal import Claim
from tests.contract.worlds import KafkaWorld, seated
from tests.kafka.ring import shared_bootstrap
from tests.kafka.server import KafkaServer


@pytest.fixture
def own_server() -> Iterator[KafkaServer]:
    """A broker of the test's own, to be killed."""
    with KafkaServer() as server:
        yield server


async def test_topics_are_made_once_and_found_good() -> None:
    """What is missing is named before, nothing after; the shop's topics are never made."""
    settings = KafkaSettings(shared_bootstrap())
    lane, source = uuid4().hex[:8], f"shop-{uuid4().hex[:8]}"
    specs = [spec for spec in wanted([lane], [source], Shape(replicas=1)) if lane in spec.name or not spec.ours]
    assert {problem.topic for problem in await check(settings, specs)} == {spec.name for spec in specs}
    assert await create(settings, specs) == []
    assert await create(settings, specs) == []
    assert [problem.topic for problem in await check(settings, specs)] == [source]


async def test_a_topic_of_another_shape_is_named() -> None:
    """A journal of two partitions that keeps records for an hour and stamps them with the client's clock."""
    settings = KafkaSettings(shared_bootstrap())
    (journal, _, *_) = wanted([uuid4().hex[:8]], [], Shape(replicas=1))
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(journal.name, 2, 1, topic_configs={"retention.ms": "3600000"})])
    await admin.close()
    texts = [problem.what for problem in await check(settings, [journal])]
    assert "2 partitions instead of 1" in texts
    assert "message.timestamp.type is CreateTime instead of LogAppendTime" in texts
    assert any(text.startswith("retention.ms is 3600000") for text in texts)


async def test_an_append_outlives_the_death_of_the_broker(own_server: KafkaServer) -> None:
    """It waits, says so, and is acked when the broker is back; what was acked before is still there."""
    settings = KafkaSettings(own_server.bootstrap, timing=Timing(request_ms=26_000))
    topics = wanted(["lane"], [], Shape(replicas=1))
    assert await create(settings, topics) == []
    facts: list[Fact] = []
    journal = KafkaJournal(settings, topics[0].name, facts.append)
    before = await journal.append(Claim(epoch=1, member="a"))
    await asyncio.to_thread(own_server.kill)
    append = asyncio.ensure_future(journal.append(Claim(epoch=2, member="a")))
    async with asyncio.timeout(30):
        while journal.trouble is None:
            await asyncio.wait({append}, timeout=0.05)
    assert not append.done()
    assert journal.trouble.reason == "broker_unreachable"
    await asyncio.to_thread(own_server.restart)
    async with asyncio.timeout(60):
        after = await append
    assert after.offset > before.offset
    assert isinstance(facts[0], StreamTroubled)
    assert isinstance(facts[-1], StreamHealed)
    await journal.stop()


async def test_a_source_reads_on_after_its_broker_came_back(own_server: KafkaServer) -> None:
    """Nothing is lost, nor given twice without a revocation; stopping is quick while the broker is dead."""
    world = KafkaWorld(KafkaSettings(own_server.bootstrap))
    await world.open()
    source = world.source()
    seat = await seated(source)
    await world.publish(b"before")
    assert await _values(source) == [b"before"]
    await asyncio.to_thread(own_server.kill)
    assert list(_records(await source.poll((), 1.0))) == []
    await asyncio.to_thread(own_server.restart)
    await world.publish(b"after")
    values = await _values(source)
    # After an eviction the seat has begun at the beginning again.
    assert values == ([b"after"] if seat.told.count(None) == 0 else [b"before", b"after"])
    await asyncio.to_thread(own_server.kill)
    began = time.monotonic()
    await source.stop()
    assert time.monotonic() - began < 12
    await asyncio.to_thread(own_server.restart)
    await world.close()


def _records(got: Sequence[Record] | Trouble) -> Sequence[Record]:
    return () if isinstance(got, Trouble) else got


async def _values(source: Source) -> list[bytes]:
    values: list[bytes] = []
    async with asyncio.timeout(60):
        while not values or values[-1] not in (b"before", b"after"):
            got = await source.poll((), 0.5)
            values += [record.value or b"" for record in _records(got)]
    return values
