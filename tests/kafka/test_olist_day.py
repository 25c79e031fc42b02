"""A real day of real orders through the whole job on real Kafka; skipped where the data is not at hand."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumer.core.model import Trouble
from consumer.demo.olist import BRAZIL, Window, publications, read_orders
from consumer.demo.publish import publish_all
from consumer.streams.publisher import Publisher
from tests.kafka.processes import eventually, town
from tests.kafka.server import KafkaServer

OLIST = Path(os.environ.get("OLIST_DIR", Path(__file__).resolve().parents[3] / "shared" / "data" / "olist"))
# The sale of that Friday: the busiest day in the data.
DAY = datetime(2017, 11, 24, tzinfo=BRAZIL)

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not OLIST.is_dir(), reason="olist: no data; set OLIST_DIR"),
]


@pytest.fixture
def bootstrap() -> Iterator[str]:
    """A broker of the test's own: topics and groups have fixed names."""
    with KafkaServer() as server:
        yield server.bootstrap


@pytest.mark.long
async def test_a_day_of_real_orders_is_told_without_loss(tmp_path: Path, bootstrap: str) -> None:
    """Published twice, byte for byte: the second time nobody is told anything."""
    orders = read_orders(OLIST)
    assert not isinstance(orders, Trouble)
    window = Window(DAY, DAY + timedelta(days=1), speed=86_400.0, begin=datetime.now(UTC))
    async with town(tmp_path, bootstrap, fast=30.0) as place:
        consumer = place.consumer()
        async with Publisher(place.settings) as publisher:
            for _ in range(2):
                records = publications(orders, window)
                await publish_all(publisher, records, time.monotonic, place.closed, place.account)
        await eventually("everything ended", lambda: place.over(consumer), 120.0)
        assert await consumer.stop() == 0
        found = await place.findings()
    assert found.faults == ()
    report = found.report
    assert report.published > 300
    assert report.published % 2 == 0
    assert (report.lost, report.duplicates, report.waiting, report.dead_letters) == (0, 0, 0, 0)
    assert report.planned == sum(report.outcomes.values())
    assert report.outcomes["delivered"] > 100
