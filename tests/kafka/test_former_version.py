"""A rolling upgrade with the code of a former version: both own the lanes in turn, on a real Kafka."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.demo.shop import Pace
from consumer.demo.world import APP_PUSH
from tests.kafka.processes import Consumer, Town, eventually, town
from tests.kafka.server import KafkaServer
from tests.upgrade import former

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not former.is_there(), reason="the history does not reach back to the former version"),
]


@pytest.fixture
def bootstrap() -> Iterator[str]:
    with KafkaServer() as server:
        yield server.bootstrap


def started(place: Town, packages: Path | None) -> Consumer:
    """One more process: of this version, or of the one whose packages are given."""
    consumer = Consumer(place.world.config, place.world.folder / f"consumer-{len(place.consumers)}.log")
    consumer.command = former.command(place.world.config)
    consumer.environment = {} if packages is None else {"PYTHONPATH": str(packages)}
    place.consumers.append(consumer)
    return consumer.start()


async def lanes_are(place: Town, consumer: Consumer, state: str) -> None:
    async def reached() -> bool:
        lanes = [await consumer.lane(name) for name in place.world.fakes]
        return all(lane.get("state") == state for lane in lanes)

    await eventually(f"all lanes are {state}", reached)


async def handed_over(place: Town, old: Consumer, packages: Path | None) -> Consumer:
    """The next one stands by before the last one goes, as a deployment does it."""
    await lanes_are(place, old, "working")
    new = started(place, packages)
    await lanes_are(place, new, "standby")
    assert await old.stop() == 0
    await lanes_are(place, new, "working")
    return new


@pytest.mark.long
async def test_a_former_version_and_this_one_own_the_lanes_in_turn(tmp_path: Path, bootstrap: str) -> None:
    packages = former.unpacked(tmp_path / "former")
    assert former.place_of(packages).is_relative_to(packages)
    async with town(tmp_path, bootstrap) as place:
        consumer = started(place, packages)
        selling = asyncio.create_task(place.sell(Pace(seconds=15.0, per_second=6.0)))
        for version in (None, packages, None):
            consumer = await handed_over(place, consumer, version)
        await selling
        await eventually("everything ended", lambda: place.over(consumer), 120.0)
        assert await consumer.stop() == 0
        report = (await place.findings()).report
        assert report.published > 60
        assert (report.lost, report.waiting, report.duplicates) == (0, 0, 0)
        assert report.worst_window[APP_PUSH] <= 10
        assert not [log for each in place.consumers if "lane_crashed" in (log := each.log)]
