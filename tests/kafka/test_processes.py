"""What the README promises, with real processes, a real Kafka and real kills."""

import asyncio
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.demo.shop import Pace
from consumer.demo.world import APP_PUSH, STAFF
from schemas.journal import Landing
from tests.kafka.processes import SESSION_SECONDS, Town, eventually, town
from tests.kafka.server import KafkaServer

pytestmark = pytest.mark.kafka


@pytest.fixture
def bootstrap() -> Iterator[str]:
    """A broker of the test's own: the demo's topics and groups have fixed names."""
    with KafkaServer() as server:
        yield server.bootstrap


async def doubted(place: Town) -> int:
    """How many commands were in flight when their owner died, as the journal has it."""
    evidence = await place.evidence()
    lost = [
        record
        for lane in evidence.lanes.values()
        for record in lane.journal
        if isinstance(record, Landing) and record.reason == "owner_lost"
    ]
    return sum(len(record.doubtful) for record in lost)


async def test_ten_kills_lose_nothing_and_repeat_only_what_was_in_flight(tmp_path: Path, bootstrap: str) -> None:
    """Acceptance A3: kill -9 in mid-work, ten times at random moments, then a restart."""
    dice = random.Random(3)
    async with town(tmp_path, bootstrap) as place:
        selling = asyncio.create_task(place.sell(Pace(seconds=90.0, per_second=6.0)))
        consumer = place.consumer()
        for _ in range(10):
            await asyncio.sleep(dice.uniform(2.0, SESSION_SECONDS + 6.0))
            consumer.kill()
            consumer = place.consumer()
        await selling
        await eventually("everything ended", lambda: place.over(consumer), 180.0)
        assert await consumer.stop() == 0
        report = (await place.findings()).report
        assert report.published > 400
        assert (report.lost, report.waiting) == (0, 0)
        assert report.duplicates <= await doubted(place)
        assert report.worst_window[APP_PUSH] <= 10
        assert report.dead_letters >= report.poisoned


async def test_a_standby_takes_over_within_the_session_timeout_and_ten_seconds(tmp_path: Path, bootstrap: str) -> None:
    """Acceptance A4."""
    async with town(tmp_path, bootstrap) as place:
        first = place.consumer()

        async def working() -> bool:
            return (await first.lane(APP_PUSH)).get("state") == "working"

        await eventually("the first works", working)
        second = place.consumer()

        async def standing_by() -> bool:
            return (await second.lane(APP_PUSH)).get("state") == "standby" and (await working())

        await eventually("the second stands by, the first still works", standing_by)
        selling = asyncio.create_task(place.sell(Pace(seconds=30.0, per_second=6.0)))
        await asyncio.sleep(5)
        first.kill()

        async def taken_over() -> bool:
            return (await second.lane(APP_PUSH)).get("state") == "working"

        assert await eventually("the second took over", taken_over) <= SESSION_SECONDS + 10
        await selling
        await eventually("everything ended", lambda: place.over(second), 120.0)
        assert await second.stop() == 0
        report = (await place.findings()).report
        assert (report.lost, report.waiting) == (0, 0)
        assert report.duplicates <= await doubted(place)
        assert report.worst_window[APP_PUSH] <= 10


async def test_a_blocked_imshop_says_why_and_does_not_touch_bitrix24(tmp_path: Path, bootstrap: str) -> None:
    """Acceptance A5: "Integration is unavailable" for a while."""
    async with town(tmp_path, bootstrap) as place:
        imshop, bitrix24 = place.world.fakes[APP_PUSH], place.world.fakes[STAFF]
        imshop.fail("unavailable")
        consumer = place.consumer()
        selling = asyncio.create_task(place.sell(Pace(seconds=20.0, per_second=6.0)))

        async def blocked() -> bool:
            lane = await consumer.lane(APP_PUSH)
            return any("integration_unavailable" in str(entry) for entry in lane.get("blocked", []))

        await eventually("the lane says why", blocked)
        assert 'reason="integration_unavailable"' in await consumer.get("/metrics")
        assert await consumer.get("/livez") != ""
        before = len(bitrix24.deliveries)
        await selling

        async def flowed() -> bool:
            return len(bitrix24.deliveries) > before and (await consumer.lane(STAFF)).get("waiting") == 0

        await eventually("Bitrix24's pushes flow on", flowed, 150.0)
        assert imshop.deliveries == []
        imshop.heal()
        await eventually("everything ended", lambda: place.over(consumer), 150.0)
        assert await consumer.stop() == 0
        report = (await place.findings()).report
        assert (report.lost, report.waiting, report.duplicates) == (0, 0, 0)


async def test_missing_topics_are_a_named_state_and_heal_by_themselves(tmp_path: Path, bootstrap: str) -> None:
    """No stack trace and no silent exit: the line says which topic, and making it is enough."""
    async with town(tmp_path, bootstrap, with_topics=False) as place:
        consumer = place.consumer()

        async def told() -> bool:
            return "topic_missing" in await consumer.get("/api/state")

        await eventually("the state names the trouble", told)
        await place.make_topics()

        async def working() -> bool:
            return (await consumer.lane(STAFF)).get("state") == "working"

        await eventually("the lane works", working, 90.0)
        assert "Traceback" not in consumer.log
        assert await consumer.stop() == 0


async def test_a_second_signal_ends_at_once(tmp_path: Path, bootstrap: str) -> None:
    """SIGTERM drains; whoever asks twice does not want to wait."""
    async with town(tmp_path, bootstrap) as place:
        place.world.fakes[STAFF].fail("hang")
        consumer = place.consumer()
        await place.sell(Pace(seconds=5.0, per_second=10.0))

        async def flying() -> bool:
            return bool((await consumer.lane(STAFF)).get("in_flight"))

        await eventually("a request hangs", flying)
        consumer.signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        consumer.signal(signal.SIGTERM)
        assert consumer.process is not None
        await asyncio.to_thread(consumer.process.wait, 2)
