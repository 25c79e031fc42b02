"""Static members: a restart that is short shares nothing out, and one that never comes back is replaced."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from consumer.demo.shop import Pace
from consumer.demo.world import APP_PUSH
from tests.kafka.processes import Consumer, Town, eventually, town
from tests.kafka.server import KafkaServer

# Longer than a restart, also on a machine that has other things to do.
SESSION_SECONDS = 90
PATIENCE_SECONDS = 240.0
pytestmark = [pytest.mark.kafka, pytest.mark.long]


@pytest.fixture
def bootstrap() -> Iterator[str]:
    with KafkaServer() as server:
        yield server.bootstrap


def named(place: Town, name: str) -> Consumer:
    consumer = Consumer(place.world.config, place.world.folder / f"{name}.log")
    consumer.environment = {"VESTNIK_KAFKA_STATIC_MEMBER": name}
    place.consumers.append(consumer.start())
    return consumer


def patient(place: Town) -> None:
    """A session that outlasts a restart."""
    document = yaml.safe_load(place.world.config.read_text("utf-8"))
    document["kafka"]["session_timeout"] = f"{SESSION_SECONDS}s"
    place.world.config.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


def shared_out(consumer: Consumer) -> int:
    """How often its lane was given partitions, or none."""
    return len(re.findall(rf'"lane": "{APP_PUSH}", [^\n]*"event": "partitions_assigned"', consumer.log))


async def joined(consumer: Consumer) -> bool:
    return shared_out(consumer) > 0


async def state(consumer: Consumer, wanted: str) -> bool:
    return (await consumer.lane(APP_PUSH)).get("state") == wanted


async def test_a_short_restart_shares_nothing_out_and_a_long_absence_hands_over(tmp_path: Path, bootstrap: str) -> None:
    async with town(tmp_path, bootstrap) as place:
        patient(place)
        selling = asyncio.create_task(place.sell(Pace(seconds=300.0, per_second=4.0)))
        owner = named(place, "vestnik-0")
        await eventually("the first owns", lambda: state(owner, "working"), PATIENCE_SECONDS)
        standby = named(place, "vestnik-1")
        await eventually("the second is a member", lambda: joined(standby), PATIENCE_SECONDS)
        await eventually("the first owns still", lambda: state(owner, "working"))
        before = shared_out(standby)
        assert await owner.stop() == 0
        owner.start()
        await eventually("the first owns again", lambda: state(owner, "working"), PATIENCE_SECONDS)
        assert await state(standby, "standby")
        assert shared_out(standby) == before
        assert await owner.stop() == 0
        took = await eventually("the second takes over", lambda: state(standby, "working"), PATIENCE_SECONDS)
        assert took >= SESSION_SECONDS / 2
        place.closed.set()
        await selling
        await eventually("everything ended", lambda: place.over(standby), 180.0)
        assert await standby.stop() == 0
        found = await place.findings()
        assert (found.report.lost, found.report.duplicates, found.report.waiting) == (0, 0, 0)
