"""The operators' commands on a real Kafka, in this process: what they read there, and what is wrong with it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from consumer.app import wiring
from consumer.app.doctor import Visit, diagnose
from consumer.app.forgetting import forget
from consumer.app.journal_tail import Asked, readings
from consumer.app.lagging import lags
from consumer.app.setup import Setup, load_setup
from consumer.core.model import Position, Record, Rejection
from consumer.core.ports import DeadLetter, Entry
from consumer.core.suppressions import fingerprint
from consumer.streams import topics
from consumer.streams.dead_letters import KafkaDeadLetters
from consumer.streams.journal import KafkaJournal
from consumer.streams.publisher import Publisher
from consumer.streams.table import KafkaTable
from schemas.journal import Claim, Outcomes
from tests.app.support import ROUTES, write
from tests.kafka.ring import shared_bootstrap

pytestmark = pytest.mark.kafka

KEY = "0123456789abcdef0123"


@pytest.fixture
async def place(tmp_path: Path) -> Setup:
    """A lane of the test's own that has worked: a source with three records, a journal with two, no offsets."""
    lane, source = f"lane-{uuid4().hex[:8]}", f"shop-{uuid4().hex[:8]}"
    text = f"""\
kafka: {{bootstrap: "{shared_bootstrap()}"}}
topics: {{sources: [{source}], dead_letters: dead-{lane}}}
shops: {{ducky: {{slug: ducky}}}}
lanes: {{{lane}: {{provider: {{type: console}}, mode: live}}}}
privacy: {{hash_key: {{env: KEY}}}}
admin: {{port: 0}}
"""
    setup = load_setup(write(tmp_path, text, ROUTES.replace("app-push", lane)), {"KEY": KEY})
    assert isinstance(setup, Setup), [str(each) for each in setup]
    settings = wiring.kafka_settings(setup)
    assert await topics.create(settings, wiring.wanted_topics(setup, 1)) == []
    assert await topics.create(settings, [topics.TopicSpec(source, 2, 1)]) == []
    async with Publisher(settings) as publisher:
        for number in range(3):
            await publisher.publish(source, b"key", b"%d" % number)
    journal = KafkaJournal(settings, wiring.journal_topic(lane), lambda _fact: None)
    await journal.append(Claim(epoch=3, member="host:1:ab"))
    await journal.append(Outcomes(epoch=3, outcome="expired", ids=["a" * 24], digests=["0" * 8], routes=["r"]))
    await journal.stop()
    return setup


def lane_of(setup: Setup) -> str:
    (lane,) = setup.config.lanes
    return lane


async def test_the_journal_s_records_are_shown_to_its_end_and_no_further(place: Setup) -> None:
    found = readings(place, Asked(lane_of(place), "1h", (), "", follow=False), datetime.now(UTC))
    assert not isinstance(found, str)
    shown: list[Entry] = []
    assert await found[0].run(shown.append) is None
    assert [type(entry.record) for entry in shown] == [Claim, Outcomes]


async def test_lag_names_the_last_owner_where_nobody_runs_and_no_offsets_where_there_are_none(place: Setup) -> None:
    (lag,) = await lags(place, [lane_of(place)], [], datetime.now(UTC).timestamp())
    assert lag.trouble == ""
    assert (lag.owner.member, lag.owner.epoch, lag.owner.host, lag.owner.group) == ("host:1:ab", 3, "", "Dead")
    assert sum(each.end for each in lag.partitions) == 3
    assert {each.records for each in lag.partitions} == {None}


async def test_the_doctor_finds_lost_offsets_a_lane_without_a_process_and_a_topic_that_is_gone(place: Setup) -> None:
    rows = {(row.part, row.what): row for row in await diagnose(place, Visit(1))}
    lane = f"lane {lane_of(place)}"
    assert rows[lane, "offsets"].state == "failed"
    assert "lost" in rows[lane, "offsets"].detail
    assert rows[lane, "group"].state == "warning"
    assert rows["kafka", "brokers"].detail.startswith("1 reached; Kafka 4.1")
    for good in (("kafka", "rights on topics"), ("kafka", "topics"), (lane, "journal")):
        assert rows[good].state == "ok"
    missing = place.config.model_copy(
        update={"topics": place.config.topics.model_copy(update={"sources": [f"shop-{uuid4().hex[:8]}"]})}
    )
    found = await diagnose(replace(place, config=missing), Visit(1))
    assert [row.detail for row in found if row.what == f"topic {missing.topics.sources[0]}"] == ["missing"]


async def test_who_is_forgotten_is_listed_and_the_letters_that_name_them_are_found(place: Setup) -> None:
    settings, name = wiring.kafka_settings(place), uuid4().hex
    letters = KafkaDeadLetters(settings, place.config.topics.dead_letters, lambda _fact: None, lane=lane_of(place))
    for customer in (name, "somebody else"):
        value = b'{"customer": {"id": "%s"}}' % customer.encode()
        record = Record(Position("shop.orders", 0, 5), 1000.0, b"key", value)
        await letters.append(DeadLetter(lane_of(place), record, Rejection(uuid4().hex, "schema")))
    await letters.stop()
    found = await forget(place, [name], "", letters=True)
    assert not isinstance(found, str), found
    assert found.troubles == ()
    kept = {each.place: each.kept_seconds for each in found.remains}
    assert kept[wiring.journal_topic(lane_of(place))] == 16 * 86_400.0
    assert kept[place.config.topics.dead_letters] == 30 * 86_400.0
    assert found.letters is not None
    assert [(letter.reason, bool(letter.until)) for letter in found.letters] == [("schema", True)]
    listed = await rows_of(KafkaTable(settings, "vestnik.suppressions", lambda _fact: None))
    assert fingerprint(KEY.encode(), name).hex().encode() in listed


async def rows_of(table: KafkaTable) -> set[bytes | None]:
    keys: set[bytes | None] = set()
    async with asyncio.timeout(20):
        while not table.complete:
            keys |= {row.key for row in await table.read(0.5)}
    await table.stop()
    return keys
