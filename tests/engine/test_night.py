"""Quiet hours: nobody is told in them, nobody is forgotten over them, whoever owns the lane by the morning."""

import random
from datetime import UTC, datetime

import pytest

from consumer.core.facts import CommandEnded, CommandsParked, CommandsRestored, LaneGauges, RecordRepeated
from consumer.core.model import Bounds, Deferred, Outcome
from schemas.journal import Parked
from tests.engine.harness import EPOCH, JOURNAL, Process, World, broker_now, people, seconds
from tests.virtual import virtual

# The worlds begin at 22:30 of 14 November 2023, UTC.
BEGIN, END = 23 * 60, 30
NIGHT = (BEGIN, END, "UTC", False)
DROPPED = (BEGIN, END, "UTC", True)
NIGHTFALL = datetime(2023, 11, 14, 23, tzinfo=UTC).timestamp()
MORNING = datetime(2023, 11, 15, 0, 30, tzinfo=UTC).timestamp()


async def until(moment: float) -> None:
    await seconds(max(moment - broker_now(), 0.0))


def in_balance(*processes: Process) -> bool:
    return all(gauges.drift == 0 for process in processes for gauges in process.said(LaneGauges))


def told_at_night(world: World) -> list[str]:
    return [push.recipient for push in world.provider.pushes if NIGHTFALL <= EPOCH + push.at < MORNING]


def ends(process: Process) -> list[tuple[Outcome, str, int]]:
    return [(fact.outcome, fact.reason, fact.count) for fact in process.said(CommandEnded)]


@virtual
async def test_a_night_with_two_takeovers_loses_nobody_tells_nobody_in_it_and_everybody_once_after_it() -> None:
    world = World(session_seconds=6.0, rebalance_seconds=5.0)
    first = world.process()
    first.sink.unfit = Deferred("warming_up", after_seconds=60.0)
    first.start()
    for person in people(40):
        world.publish(id=f"evening {person}", to=person, texts=["вечер"], quiet=NIGHT)
    await until(NIGHTFALL + 30)
    assert first.lane.view().parked == 40
    first.sink.unfit = None
    for person in people(40):
        world.publish(id=f"night {person}", to=person, texts=["ночь"], quiet=NIGHT)
    world.publish(id="order", to="customer", texts=["заказ"])
    await world.settled(120)
    assert told_at_night(world) == ["customer"]
    await first.kill()
    second = world.process().start()
    await seconds(60)
    assert (second.lane.view().parked, second.lane.view().waiting) == (80, 0)
    assert [fact.count for fact in second.said(CommandsRestored)] == [80]
    await second.stop()
    third = world.process().start()
    await until(MORNING + 60)
    assert told_at_night(world) == ["customer"]
    assert len(world.provider.pushes) == 81
    assert world.provider.repeats == {}
    assert world.ends() == {"delivered": 81}
    assert third.lane.view().parked == 0
    await third.stop()
    assert in_balance(first, second, third)


@virtual
async def test_an_owner_that_died_after_it_woke_the_sleepers_leaves_them_to_the_next_one() -> None:
    world = World(partitions=1, session_seconds=2.0, rebalance_seconds=2.0)
    first = world.process().start()
    await until(NIGHTFALL)
    for person in people(20):
        world.publish(id=person, to=person, texts=[person], quiet=NIGHT)
    await until(MORNING + 20)
    assert 0 < len(world.provider.pushes) < 20
    assert first.lane.view().parked == 0
    await first.kill()
    second = world.process().start()
    await seconds(200)
    assert world.provider.told == set(people(20))
    assert world.ends() == {"delivered": 20}
    assert len(world.provider.repeats) <= 1
    await second.stop()
    assert in_balance(first, second)


@virtual
async def test_what_must_not_wait_until_the_morning_ends_with_its_reason() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await until(NIGHTFALL - 5)
    world.publish(id="dropped", to="u1", texts=["a"], quiet=DROPPED)
    await until(NIGHTFALL)
    world.publish(id="dropped", to="u2", texts=["a"], quiet=DROPPED)
    world.publish(id="too late by then", to="u3", texts=["b"], quiet=NIGHT, ttl=1800.0)
    await world.settled(60)
    assert world.provider.told == {"u1"}
    assert world.ends() == {"delivered": 1, "suppressed": 1, "expired": 1}
    assert set(ends(process)) == {
        (Outcome.DELIVERED, "", 1),
        (Outcome.SUPPRESSED, "quiet_hours", 1),
        (Outcome.EXPIRED, "quiet_hours", 1),
    }
    assert process.said(CommandsParked) == []
    await process.stop()
    assert in_balance(process)


@virtual
async def test_a_request_whose_attempt_waited_into_the_night_is_withdrawn() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await until(NIGHTFALL - 5)
    world.broker.stall(JOURNAL)
    world.publish(id="e1", to="u1", quiet=NIGHT)
    await until(NIGHTFALL + 5)
    world.broker.stall(JOURNAL, None)
    await seconds(30)
    assert [landing.reason for landing in world.landings("withdrawn")] == ["quiet_hours"]
    assert process.lane.view().parked == 1
    await until(MORNING + 5)
    assert [push.recipient for push in world.provider.pushes] == ["u1"]
    await process.stop()
    assert in_balance(process)


@virtual
async def test_a_newer_command_replaces_a_parked_one_of_its_thread_and_an_older_one_does_not() -> None:
    world = World(partitions=1, session_seconds=2.0, rebalance_seconds=2.0)
    first = world.process().start()
    await until(NIGHTFALL)
    world.publish(id="e2", to="u1", thread="o", rank=2, texts=["second"], quiet=NIGHT)
    await world.settled(60)
    world.publish(id="e1", to="u1", thread="o", rank=1, texts=["first"])
    await world.settled(60)
    assert world.provider.pushes == []
    await first.kill()
    second = world.process().start()
    world.publish(id="e3", to="u1", thread="o", rank=3, texts=["third"], quiet=NIGHT)
    await world.settled(60)
    assert second.lane.view().parked == 1
    await until(MORNING + 5)
    assert [push.message.text for push in world.provider.pushes] == ["third"]
    assert world.ends() == {"delivered": 1, "superseded": 2}
    await second.stop()
    assert in_balance(first, second)


@virtual
async def test_a_parked_command_is_not_told_after_a_newer_one_that_was() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await until(NIGHTFALL)
    world.publish(id="e1", to="u1", thread="o", rank=1, texts=["bonus"], quiet=NIGHT)
    await world.settled(60)
    world.publish(id="e2", to="u1", thread="o", rank=2, texts=["urgent"])
    await world.settled(60)
    await until(MORNING + 5)
    assert [push.message.text for push in world.provider.pushes] == ["urgent"]
    assert world.ends() == {"delivered": 1, "superseded": 1}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_a_repeat_joins_a_parked_command_after_a_takeover_too() -> None:
    world = World(partitions=1, session_seconds=2.0, rebalance_seconds=2.0)
    first = world.process().start()
    await until(NIGHTFALL)
    world.publish(id="e1", to="u1", quiet=NIGHT)
    world.publish(id="e1", to="u1", quiet=NIGHT)
    await world.settled(60)
    await first.kill()
    second = world.process().start()
    await seconds(30)
    world.publish(id="e1", to="u1", quiet=NIGHT)
    world.publish(id="e1", to="u1", quiet=NIGHT, texts=["another payload"])
    await world.settled(60)
    assert [fact.state for fact in second.said(RecordRepeated)] == ["joined"]
    assert len(world.broker.records("vestnik.dead-letters")) == 1
    await until(MORNING + 5)
    assert len(world.provider.pushes) == 1
    world.publish(id="e1", to="u1", quiet=NIGHT)
    await world.settled(60)
    assert len(world.provider.pushes) == 1
    await second.stop()
    assert in_balance(first, second)


@virtual
async def test_while_the_journal_takes_nothing_sleepers_hold_their_records_and_their_part_of_the_bound() -> None:
    world = World(partitions=1)
    process = world.process(bounds=Bounds(commands=1000)).start()
    await until(NIGHTFALL)
    world.broker.stall(JOURNAL)
    for person in people(3000):
        world.publish(id=person, to=person, quiet=NIGHT)
    await seconds(60)
    assert world.committed == 0
    assert 1000 <= process.lane.view().parked <= 1500
    world.broker.stall(JOURNAL, None)
    await world.settled(60)
    assert process.lane.view().parked == 3000
    # The outbox has room for a thousand at a time; they wake as it empties.
    await until(MORNING + 120)
    assert world.provider.told == set(people(3000))
    await process.stop()
    assert in_balance(process)


@virtual
async def test_who_sleeps_less_than_a_minute_is_not_written_down() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await until(MORNING - 50)
    world.publish(id="e1", to="u1", quiet=NIGHT)
    await seconds(30)
    assert (process.lane.view().parked, world.committed) == (1, 0)
    await until(MORNING + 5)
    assert world.provider.told == {"u1"}
    assert not [record for record in world.journal() if isinstance(record, Parked)]
    await process.stop()
    assert in_balance(process)


@pytest.mark.parametrize("seed", range(12))
def test_kills_at_random_moments_of_a_night_lose_nobody_and_wake_nobody(seed: int) -> None:
    @virtual
    async def run() -> None:
        dice = random.Random(seed)
        world = World(session_seconds=6.0, rebalance_seconds=5.0)
        processes = [world.process().start()]
        in_flight_at_kills = published = 0
        await until(NIGHTFALL - 60)
        for moment in sorted(dice.uniform(NIGHTFALL - 60, MORNING + 60) for _ in range(8)):
            for _ in range(dice.randrange(10)):
                world.publish(id=f"e{published}", to=f"u{published}", texts=[str(dice.randrange(4))], quiet=NIGHT)
                published += 1
            await until(moment)
            in_flight_at_kills += processes[-1].lane.view().in_flight
            await processes[-1].kill()
            processes.append(world.process().start())
        await until(MORNING + 60)
        await world.settled()
        await seconds(120)
        assert told_at_night(world) == []
        assert world.provider.told == {f"u{number}" for number in range(published)}
        assert len(world.provider.repeats) <= in_flight_at_kills
        assert world.ends().total() == published
        await processes[-1].stop()
        assert in_balance(*processes)

    run()
