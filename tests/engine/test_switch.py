"""A lane that people have paused sends nothing new, says so, keeps everything, and goes on at once when it may."""

import random
from datetime import UTC, datetime

import pytest

from consumer.core.control import Order, order_row
from consumer.core.facts import LaneBlocked, LaneGauges, LaneUnblocked, RequestWithdrawn
from consumer.core.model import Bounds
from tests.engine.harness import CONTROL, JOURNAL, SOURCE, Process, World, broker_now, people, seconds
from tests.virtual import virtual


def order(*, paused: bool, until: float | None = None, reason: str = "wrong text") -> Order:
    now = datetime.fromtimestamp(broker_now(), UTC)
    end = None if until is None else datetime.fromtimestamp(until, UTC)
    return Order(paused=paused, who="anna@desk", reason=reason, since=now, until=end)


async def pause(world: World, until: float | None = None, reason: str = "wrong text") -> None:
    await world.table(topic=CONTROL).put(*order_row("push", order(paused=True, until=until, reason=reason)))


async def resume(world: World) -> None:
    await world.table(topic=CONTROL).put(*order_row("push", order(paused=False)))


def blockages(process: Process) -> list[str]:
    return [blockage.reason for blockage in process.lane.view().blockages]


@virtual
async def test_a_paused_lane_reads_on_keeps_its_offsets_and_sends_at_once_when_it_may() -> None:
    world = World()
    process = world.process(controlled=True).start()
    await seconds(10)
    await pause(world)
    await seconds(1)
    for person in people(20):
        world.publish(id=person, to=person)
    await seconds(3600)
    view = process.lane.view()
    assert (view.waiting, view.holds, blockages(process)) == (20, "blocked", ["paused"])
    assert (world.provider.pushes, world.committed) == ([], 0)
    assert process.said(LaneBlocked)[-1].detail == "by anna@desk: wrong text"
    await resume(world)
    await seconds(1)
    assert world.provider.told == set(people(20))
    assert (process.said(LaneUnblocked)[-1].reason, blockages(process)) == ("paused", [])
    await world.settled(10)
    await process.stop()


@virtual
async def test_an_order_that_nobody_can_read_changes_nothing_and_is_counted() -> None:
    world = World()
    process = world.process(controlled=True).start()
    await seconds(10)
    await pause(world)
    await world.table(topic=CONTROL).put(b"push", b"on with it")
    await seconds(1)
    assert blockages(process) == ["paused"]
    assert process.said(LaneGauges)[-1].unreadable_rows == 1
    await process.stop()


@virtual
async def test_a_pause_outlives_the_process_and_holds_from_the_first_moment_of_the_next() -> None:
    world = World()
    await pause(world)
    for person in people(5):
        world.publish(id=person, to=person)
    for _ in range(3):
        process = world.process(controlled=True).start()
        await seconds(300)
        assert blockages(process) == ["paused"]
        await process.kill()
    assert world.provider.pushes == []
    last = world.process(controlled=True).start()
    await resume(world)
    await world.settled()
    assert (world.provider.told, world.provider.repeats) == (set(people(5)), {})
    await last.stop()


@virtual
async def test_nothing_is_sent_before_the_table_was_read_and_the_lane_says_what_it_waits_for() -> None:
    world = World()
    world.broker.stall(CONTROL)
    process = world.process(controlled=True).start()
    world.publish(id="e", to="u")
    await seconds(60)
    assert world.provider.pushes == []
    assert blockages(process) == ["control"]
    world.broker.stall(CONTROL, None)
    await seconds(20)
    assert (world.provider.told, blockages(process)) == ({"u"}, [])
    await process.stop()


@virtual
async def test_a_pause_ends_by_itself_at_its_time() -> None:
    world = World()
    process = world.process(controlled=True).start()
    world.publish(id="e", to="u")
    await seconds(0.5)
    await pause(world, until=broker_now() + 600)
    world.provider.pushes.clear()
    await seconds(1)
    world.publish(id="f", to="v")
    await seconds(590)
    assert world.provider.pushes == []
    await seconds(15)
    assert (world.provider.told, blockages(process)) == ({"v"}, [])
    await process.stop()


@virtual
async def test_flights_land_and_an_attempt_that_is_not_on_the_wire_yet_is_withdrawn() -> None:
    world = World()
    world.provider.latency_seconds = 20.0
    process = world.process(controlled=True).start()
    world.publish(id="flies", to="u1")
    await seconds(5)
    await pause(world)
    await seconds(60)
    assert (world.provider.told, world.committed) == ({"u1"}, 1)
    await resume(world)
    await seconds(5)
    world.provider.latency_seconds = 0.06
    world.broker.stall(JOURNAL)
    world.publish(id="announced", to="u2")
    await seconds(10)
    await pause(world)
    await seconds(10)
    world.broker.stall(JOURNAL, None)
    await seconds(60)
    assert [fact.reason for fact in process.said(RequestWithdrawn)] == ["paused"]
    assert world.provider.told == {"u1"}
    await resume(world)
    await world.settled()
    assert (world.provider.told, world.provider.repeats) == ({"u1", "u2"}, {})
    assert all(gauges.drift == 0 for gauges in process.said(LaneGauges))
    await process.stop()


@virtual
async def test_a_paused_lane_goes_on_reading_up_to_its_bounds_and_no_further() -> None:
    world = World(partitions=1)
    await pause(world)
    process = world.process(controlled=True, bounds=Bounds(commands=100, shares={SOURCE: 1.0})).start()
    for person in people(1500):
        world.publish(id=person, to=person)
    await seconds(60)
    assert 100 <= process.lane.view().waiting < 1500
    await resume(world)
    await world.settled()
    assert world.provider.told == set(people(1500))
    await process.stop()


@virtual
async def test_a_pause_that_is_said_anew_tells_its_new_reason() -> None:
    world = World()
    process = world.process(controlled=True).start()
    for reason in ("first", "second"):
        await pause(world, reason=reason)
        await seconds(2)
    assert [fact.detail for fact in process.said(LaneBlocked)] == ["by anna@desk: first", "by anna@desk: second"]
    await process.stop()


@pytest.mark.parametrize("seed", range(8))
def test_pauses_kills_and_takeovers_at_random_lose_nobody_and_send_nothing_while_paused(seed: int) -> None:
    @virtual
    async def run() -> None:
        dice = random.Random(seed)
        world = World(session_seconds=6.0, rebalance_seconds=5.0)
        processes = [world.process(controlled=True, quota=None).start()]
        published, paused = 0, False
        in_flight_at_kills = 0
        for _ in range(30):
            for _ in range(dice.randrange(5)):
                world.publish(id=f"e{published}", to=f"u{published}", texts=[str(dice.randrange(9))])
                published += 1
            match dice.randrange(4):
                case 0:
                    paused = True
                    await pause(world)
                case 1:
                    paused = False
                    await resume(world)
                case 2:
                    in_flight_at_kills += processes[-1].lane.view().in_flight
                    await processes[-1].kill()
                    processes.append(world.process(controlled=True, quota=None).start())
                case _:
                    pass
            await seconds(2)
            before = len(world.provider.arrivals)
            await seconds(dice.uniform(1, 30))
            assert not paused or len(world.provider.arrivals) == before
        await resume(world)
        await world.settled()
        assert world.provider.told == {f"u{number}" for number in range(published)}
        assert len(world.provider.repeats) <= in_flight_at_kills
        await processes[-1].stop()

    run()
