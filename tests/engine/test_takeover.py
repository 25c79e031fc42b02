"""Owners die, hang and come back; the next one goes on where the journal ends."""

import asyncio
import random

import pytest

from consumer.core.facts import CommandsReleased, LaneStuck, RequestWithdrawn
from consumer.core.model import Quota
from tests.engine.harness import GROUP, JOURNAL, World, people, seconds
from tests.virtual import virtual


@virtual
async def test_a_standby_takes_over_and_nothing_is_lost_or_told_twice_at_rest() -> None:
    world = World(session_seconds=10.0, rebalance_seconds=5.0)
    first = world.process().start()
    await seconds(1)
    second = world.process().start()
    for person in people(40):
        world.publish(id=person, to=person, texts=[person], within=10.0)
    await seconds(60)
    assert (first.lane.view().state, second.lane.view().state) == ("working", "standby")
    await first.kill()
    await world.settled()
    assert world.provider.told == set(people(40))
    assert world.provider.worst_window() <= 10
    assert second.lane.view().state == "working"
    await second.stop()


@virtual
async def test_the_quota_survives_a_clean_restart() -> None:
    world = World()
    for person in people(25):
        world.publish(id=person, to=person, texts=[person])
    for _ in range(5):
        process = world.process().start()
        await seconds(20)
        await process.stop()
    last = world.process().start()
    await world.settled()
    assert world.provider.worst_window() <= 10
    assert world.provider.repeats == {}
    await last.stop()


@virtual
async def test_a_rebalance_that_returns_to_the_same_owner_changes_nothing() -> None:
    world = World()
    owner = world.process().start()
    for person in people(30):
        world.publish(id=person, to=person, texts=[person])
    await seconds(10)
    others = []
    for _ in range(5):
        others.append(world.process().start())
        await seconds(7)
    await world.settled()
    assert world.provider.repeats == {}
    assert world.provider.told == set(people(30))
    assert owner.lane.view().state == "working"
    assert owner.said(CommandsReleased) == []
    for process in [owner, *others]:
        await process.stop()


@virtual
async def test_an_owner_that_was_cut_off_looks_before_it_sends_and_withdraws() -> None:
    world = World(partitions=1, session_seconds=10.0, rebalance_seconds=5.0)
    zombie = world.process(quota=None).start()
    await seconds(2)
    standby = world.process(quota=None).start()
    await seconds(2)
    world.broker.stall(JOURNAL)
    world.publish(id="e1", to="u1", unsure="stop")
    await seconds(2)  # the zombie's attempt waits for the journal
    zombie.wire.cut()
    world.broker.stall(JOURNAL, None)
    await seconds(60)
    assert standby.lane.view().state == "working"
    zombie.wire.mend()
    await seconds(60)
    assert [push.recipient for push in world.provider.pushes] == ["u1"]
    assert [fact.reason for fact in zombie.said(RequestWithdrawn)] == ["superseded_owner"]
    await zombie.stop()
    await standby.stop()


@virtual
async def test_a_command_in_doubt_waits_for_a_late_landing() -> None:
    world = World(partitions=1, session_seconds=5.0, rebalance_seconds=5.0)
    zombie = world.process(quota=None).start()
    await seconds(2)
    standby = world.process(quota=None).start()
    world.provider.latency_seconds = 20.0
    world.publish(id="e1", to="u1", unsure="repeat")
    await seconds(1)  # the request is on the wire
    zombie.wire.cut()
    await seconds(14)
    assert standby.lane.view().in_doubt == 1
    zombie.wire.mend()
    await seconds(60)
    # The zombie's landing came before the standby had to guess.
    assert len(world.provider.pushes) == 1
    assert world.ends() == {"delivered": 1}
    assert standby.lane.view().in_doubt == 0
    await zombie.stop()
    await standby.stop()


@pytest.mark.parametrize("unsure", ["repeat", "stop"])
def test_a_command_whose_owner_died_in_flight_ends_as_its_route_wants(unsure: str) -> None:
    @virtual
    async def run() -> None:
        world = World(partitions=1, session_seconds=5.0, rebalance_seconds=5.0)
        first = world.process().start()
        await seconds(2)
        second = world.process().start()
        world.provider.latency_seconds = 4.0
        world.publish(id="e1", to="u1", unsure=unsure)
        await seconds(3)
        await first.kill()
        await world.settled(600)
        expected = {"repeat": (2, {"delivered": 1}), "stop": (1, {"unknown": 1})}[unsure]
        assert (len(world.provider.pushes), world.ends()) == expected
        await second.stop()

    run()


@virtual
async def test_a_thread_waits_while_an_older_one_of_it_is_in_doubt() -> None:
    world = World(partitions=1, session_seconds=2.0, rebalance_seconds=2.0)
    first = world.process(quota=None).start()
    await seconds(2)
    world.provider.latency_seconds = 4.0
    world.publish(id="e1", to="u1", thread="o", rank=1, texts=["shipped"], unsure="stop")
    await seconds(1)
    await first.kill()
    world.publish(id="e2", to="u1", thread="o", rank=2, texts=["delivered"], unsure="stop")
    second = world.process(quota=None).start()
    await seconds(20)
    assert [push.message.text for push in world.provider.pushes] == ["shipped"]
    await world.settled(600)
    assert [push.message.text for push in world.provider.pushes] == ["shipped", "delivered"]
    await second.stop()


@pytest.mark.parametrize("seed", range(40))
def test_kills_at_random_moments_lose_nothing_and_repeat_only_what_was_in_flight(seed: int) -> None:
    @virtual
    async def run() -> None:
        dice = random.Random(seed)
        world = World(session_seconds=6.0, rebalance_seconds=5.0)
        world.provider.latency_seconds = dice.choice([0.06, 0.5, 3.0])
        in_flight_at_kills = 0
        process = world.process().start()
        published = 0
        for _ in range(8):
            for _ in range(dice.randrange(12)):
                unsure = dice.choice(["repeat", "stop"])
                world.publish(
                    id=f"e{published}", to=f"u{published}", texts=[f"{unsure} {dice.randrange(6)}"], unsure=unsure
                )
                published += 1
            await seconds(dice.uniform(0.0, 25.0))
            in_flight_at_kills += process.lane.view().in_flight
            await process.kill()
            process = world.process().start()
        await world.settled()
        pushes = {push.recipient for push in world.provider.pushes}
        ends = world.ends()
        assert ends.total() == published
        assert len(pushes) >= published - ends["unknown"]
        assert len(world.provider.repeats) <= in_flight_at_kills
        repeated = {
            push.message.text.split()[0] for push in world.provider.pushes if push.command in world.provider.repeats
        }
        assert repeated <= {"repeat"}
        assert world.provider.worst_window() <= 10
        await process.stop()
        assert all(g.drift == 0 for g in process.facts if hasattr(g, "drift"))

    run()


@virtual
async def test_a_standby_that_was_there_before_the_first_request_keeps_its_quota() -> None:
    world = World(partitions=1, session_seconds=2.0, rebalance_seconds=2.0)
    first = world.process(quota=Quota(1, 60.0)).start()
    second = world.process(quota=Quota(1, 60.0)).start()
    await seconds(1)
    world.publish(id="e1", to="u1", texts=["first"])
    await seconds(1)
    await first.kill()
    world.publish(id="e2", to="u2", texts=["second"])
    await world.settled()
    assert len(world.provider.pushes) == 2
    assert world.provider.worst_window() == 1
    await second.stop()


@virtual
async def test_an_owner_whose_claim_came_too_late_goes_on_as_it_was_under_the_next_one() -> None:
    world = World(partitions=1)
    owner = world.process(quota=Quota(1, 60.0)).start()
    world.publish(id="e1", to="u1", texts=["first"])
    await seconds(1)
    world.publish(id="e2", to="u2", texts=["second"])
    await seconds(1)
    world.broker.stall(JOURNAL)
    world.broker.group(GROUP).rebalance()
    await seconds(1)
    world.broker.group(GROUP).rebalance()
    await seconds(1)
    world.broker.stall(JOURNAL, None)
    await world.settled()
    assert world.provider.worst_window() == 1
    assert owner.said(CommandsReleased) == []
    await owner.stop()


@virtual
async def test_who_was_assigned_too_late_to_claim_stands_by() -> None:
    """It would look like a recovery that never ends: to people, to probes, and to its own watchdog."""
    world = World(session_seconds=10.0, rebalance_seconds=5.0)
    first = world.process().start()
    await seconds(1)
    second = world.process().start()
    await seconds(30)
    # The group gives it the partitions and takes them away again before its claim is on record.
    await second.lane.assigned(frozenset(first.lane.view().partitions))
    await asyncio.sleep(0)
    assert second.lane.view().state == "recovering"
    await second.lane.revoked()
    await seconds(5)
    assert second.lane.view().state == "standby"
    await seconds(200)
    assert second.said(LaneStuck) == []
    await first.stop()
    await second.stop()
