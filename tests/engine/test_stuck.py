"""A lane that stands still although nothing outside is in the way says so, and one that has a reason never does."""

import pytest

from consumer.core.facts import LaneStuck, PartitionFreed, PartitionStuck
from consumer.core.model import Blocked, Bounds, Deferred, Quota, TopicPartition, Unsure, Verdict
from consumer.engine.view import gauges
from tests.engine.harness import EPOCH, JOURNAL, LETTERS, SOURCE, Process, World, people, seconds
from tests.virtual import virtual

HOUR = 3600.0
LONG = 900.0


def reasons(process: Process) -> list[str]:
    return [fact.reason for fact in process.said(LaneStuck)]


@virtual
async def test_a_request_that_could_go_out_for_two_minutes_and_does_not_is_told_once() -> None:
    world = World()
    process = world.process().start()
    await seconds(5)
    process.sink.sane.clear()
    world.publish(id="e", to="u")
    await seconds(118)
    assert reasons(process) == []
    await seconds(LONG)
    (stuck,) = process.said(LaneStuck)
    assert (stuck.reason, stuck.detail) == ("no_request", "a request was possible for 120 s and did not come about")
    await process.kill()


@virtual
async def test_a_request_that_never_lands_is_told_two_minutes_after_its_time_is_over() -> None:
    world = World()
    process = world.process(timeout_seconds=30.0).start()
    world.publish(id="e", to="u")
    world.provider.hanging.clear()
    await seconds(5)
    process.sink.sane.clear()
    world.provider.hanging.set()
    await seconds(140)
    assert reasons(process) == []
    await seconds(20)
    assert reasons(process) == ["no_landing"]
    await process.kill()


WEATHER: dict[str, Verdict | None] = {
    "a provider that is down": Deferred("connect", left=False),
    "a provider without answers": Unsure("timeout"),
    "a blocked lane": Blocked("key_refused"),
    "a limit": Deferred("limit", after_seconds=900.0, limit=True),
    "a full quota": None,
}


@pytest.mark.parametrize("weather", WEATHER)
def test_a_lane_that_waits_for_something_outside_is_not_stuck(weather: str) -> None:
    @virtual
    async def run() -> None:
        world = World()
        process = world.process(quota=Quota(1, 300.0)).start()
        verdict = WEATHER[weather]
        world.provider.mood = lambda _batch: verdict
        for person in people(50):
            world.publish(id=person, to=person, texts=[person], ttl=2 * HOUR)
        await seconds(LONG)
        assert reasons(process) == []
        assert process.said(PartitionStuck) == []
        await process.kill()

    run()


@virtual
async def test_a_lane_without_work_or_with_sleepers_or_without_a_broker_is_not_stuck() -> None:
    world = World()
    process = world.process(quota=None).start()
    await seconds(LONG)
    minute = int((EPOCH + 1000 + LONG) % 86_400 // 60)
    night = [minute % 1440, (minute + 180) % 1440, "UTC"]
    for person in people(5):
        world.publish(id=person, to=person, quiet=night, ttl=12 * HOUR)
    await seconds(LONG)
    assert process.lane.view().parked == 5
    for topic in (JOURNAL, LETTERS, SOURCE):
        world.broker.stall(topic)
    world.publish(id="e", to="u")
    await seconds(LONG)
    process.wire.cut()
    await seconds(LONG)
    assert reasons(process) == []
    assert process.said(PartitionStuck) == []
    await process.kill()


@virtual
async def test_a_partition_that_gives_nothing_is_named_while_the_other_flows_and_freed_when_it_gives() -> None:
    world = World(partitions=2)
    process = world.process(quota=None, bounds=Bounds(commands=1000)).start()
    await seconds(2)
    lost = TopicPartition(SOURCE, 0)
    process.source._turns.remove(lost)  # as a client does that has forgotten one
    for number in range(600):
        world.publish(id=f"e{number}", to=f"u{number}")
        await seconds(0.5)
    (stuck,) = process.said(PartitionStuck)
    assert (stuck.topic, stuck.partition, stuck.reason) == (SOURCE, 0, "silent")
    assert 120 <= stuck.seconds < 126
    (told,) = process.lane.view().stuck
    assert told.partition == lost
    assert gauges(process.lane.view()).stuck_partitions == 1
    process.source._turns.append(lost)
    world.publish(id="last", to="u")
    await world.settled()
    await seconds(6)
    assert [fact.partition for fact in process.said(PartitionFreed)] == [0]
    assert process.lane.view().stuck == ()
    await process.stop()


@virtual
async def test_the_view_names_the_command_that_holds_the_committed_prefix_and_since_when() -> None:
    world = World(partitions=1)
    process = world.process(quota=Quota(1, 60.0)).start()
    for number in range(40):
        world.publish(id=f"e{number}", to=f"u{number}", texts=[f"text {number}"])
    await seconds(340)
    (head,) = process.lane.view().heads
    assert head.position.offset == world.committed
    assert (head.route, head.where) == ("orders", "open")
    assert len(head.command) == 24
    assert 10 <= gauges(process.lane.view()).head_seconds <= 70
    world.provider.mood = lambda _batch: Deferred("connect", left=False)
    await seconds(LONG)
    assert gauges(process.lane.view()).head_seconds >= LONG - 60
    await process.kill()
