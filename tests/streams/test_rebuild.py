"""A client that gets an error which no repeating mends is made anew, slowly; against librdkafka's mock cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from consumer.core.facts import Fact, LaneStuck, StreamRebuilt
from consumer.core.model import TopicPartition
from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS
from consumer.streams import source as streams
from consumer.streams.endurance import ENDLESS, Endurance
from consumer.streams.settings import KafkaSettings, Timing
from consumer.streams.source import KafkaSource
from tests.chaos.mock import Api, Code, MockCluster

TOPIC = "shop.orders"
TIMING = Timing(
    session_ms=6_000, heartbeat_ms=300, rebalance_ms=5_000, fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS
)
ODD = (Code.FENCED_INSTANCE, Code.GROUP_AUTHORIZATION_FAILED, Code.UNKNOWN)


class Seat:
    """What the group has given to a member, and how often."""

    def __init__(self) -> None:
        self.assignments: list[frozenset[TopicPartition]] = []
        self.moments: list[float] = []
        self.revocations = 0

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.assignments.append(partitions)
        self.moments.append(time.monotonic())

    async def revoked(self) -> None:
        self.revocations += 1


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster(topics=[TOPIC], partitions=2) as started:
        yield started


@asynccontextmanager
async def member(
    cluster: MockCluster, endurance: Endurance = ENDLESS
) -> AsyncIterator[tuple[KafkaSource, Seat, list[Fact]]]:
    """A source that has joined its group."""
    facts: list[Fact] = []
    source = KafkaSource(
        KafkaSettings(cluster.bootstrap, timing=TIMING), "push", [TOPIC], facts.append, endurance=endurance
    )
    seat = Seat()
    await source.start(seat)
    try:
        await until(lambda: bool(seat.assignments))
        yield source, seat, facts
    finally:
        await source.stop()


async def until(true: Callable[[], bool], within_seconds: float = 20.0) -> None:
    async with asyncio.timeout(within_seconds):
        while not true():  # noqa: ASYNC110 - what is waited for happens in a library's thread or far away
            await asyncio.sleep(0.02)


def rebuilt(facts: list[Fact]) -> int:
    return sum(isinstance(fact, StreamRebuilt) for fact in facts)


@pytest.mark.parametrize("code", ODD, ids=lambda code: code.name.lower())
async def test_an_answer_to_a_heartbeat_that_nobody_expects_costs_one_client_and_a_second(
    cluster: MockCluster, code: Code
) -> None:
    async with member(cluster) as (_, seat, facts):
        cluster.count()
        began = time.monotonic()
        cluster.fail(Api.HEARTBEAT, [code])
        await until(lambda: len(seat.assignments) == 2)
        assert 1.0 <= seat.moments[1] - began <= 15.0
        assert (rebuilt(facts), seat.revocations) == (1, 1)
        # No hot loop: a few heartbeats a second, and two joins (the second names the member).
        requests = cluster.requests()
        assert requests[Api.HEARTBEAT] <= 5 * (time.monotonic() - began) + 5
        assert requests[Api.JOIN_GROUP] <= 3


async def test_a_commit_that_can_never_succeed_with_this_client_makes_a_new_one(cluster: MockCluster) -> None:
    async with member(cluster) as (source, seat, facts):
        cluster.fail(Api.OFFSET_COMMIT, [Code.FENCED_INSTANCE])
        assert await source.commit({TopicPartition(TOPIC, 0): 0}) is not None
        await until(lambda: len(seat.assignments) == 2)
        assert rebuilt(facts) == 1
        assert await source.commit({TopicPartition(TOPIC, 0): 0}) is None


async def test_clients_that_break_one_after_the_other_are_made_ever_more_slowly_and_the_third_is_the_last(
    cluster: MockCluster,
) -> None:
    async with member(cluster, Endurance(rebuilds=3)) as (_, seat, facts):
        cluster.fail(Api.HEARTBEAT, [Code.FENCED_INSTANCE] * 3)
        await until(lambda: any(isinstance(fact, LaneStuck) for fact in facts), 30.0)
        first, second, third = seat.moments[:3]
        assert second - first >= 1.0
        assert third - second >= 2.0
        assert rebuilt(facts) == 3
        (stuck,) = (fact for fact in facts if isinstance(fact, LaneStuck))
        assert stuck.reason == "client_broken"


async def test_brokers_that_are_gone_for_too_long_are_told_once(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PROBE_SECONDS", 0.5)
    async with member(cluster, Endurance(without_broker_seconds=2.0)) as (source, _, facts):
        cluster.down()
        await until(lambda: any(isinstance(fact, LaneStuck) for fact in facts), 30.0)
        assert source.trouble is not None
        assert source.trouble.reason == "broker_unreachable"
        assert [fact.reason for fact in facts if isinstance(fact, LaneStuck)] == ["no_broker"]
        cluster.up()
