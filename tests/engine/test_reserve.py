"""Who must not be told: by frequency caps, counted from the journal, and by the list of suppressions."""

from consumer.core.facts import CommandEnded, LaneBlocked, LaneGauges
from consumer.core.model import Cap, Capacity, Deferred, Outcome, Trouble
from consumer.core.suppressions import Suppression, suppression_row
from tests.engine.harness import HASH_KEY, LISTED, Process, World, people, seconds
from tests.virtual import virtual

HOURLY = (Cap(2, 3600.0),)


def suppressed(process: Process) -> dict[str, int]:
    counts: dict[str, int] = {}
    for fact in process.said(CommandEnded):
        if fact.outcome is Outcome.SUPPRESSED:
            counts[fact.reason] = counts.get(fact.reason, 0) + fact.count
    return counts


def in_balance(*processes: Process) -> bool:
    return all(gauges.drift == 0 for process in processes for gauges in process.said(LaneGauges))


@virtual
async def test_nobody_is_told_more_marketing_than_the_caps_allow_in_any_window_over_restarts_too() -> None:
    world = World(session_seconds=2.0, rebalance_seconds=2.0)
    processes = [world.process(caps=HOURLY).start()]
    for turn in range(16):
        for person in ("a", "b"):
            world.publish(id=f"m{turn}", to=person, texts=[f"{turn}"], marketing=True)
            world.publish(id=f"o{turn}", to=person, texts=[f"order {turn}"])
        await seconds(600)
        if turn % 5 == 4:
            await processes[-1].kill()
            processes.append(world.process(caps=HOURLY).start())
    await world.settled(60)
    told: dict[str, list[float]] = {"a": [], "b": []}
    for push in world.provider.pushes:
        if not push.message.text.startswith("order"):
            told[push.recipient].append(push.at)
    for times in told.values():
        # Sixteen in 160 minutes were too many: two an hour are left.
        assert len(times) == 6
        assert all(later - earlier > 3599 for earlier, later in zip(times, times[2:], strict=False))
    assert world.ends() == {"delivered": 44, "suppressed": 20}
    assert sum(suppressed(process).get("frequency_cap", 0) for process in processes) == 20
    await processes[-1].stop()
    assert in_balance(*processes)


@virtual
async def test_a_cap_that_fills_while_a_command_waits_ends_it_when_its_request_is_bound() -> None:
    world = World(partitions=1)
    process = world.process(caps=HOURLY)
    process.sink.unfit = Deferred("warming_up", after_seconds=5.0)
    process.start()
    for number in range(5):
        world.publish(id=f"m{number}", to="a", texts=[f"{number}"], marketing=True, thread=f"t{number}")
    await seconds(4)
    assert process.lane.view().waiting == 5
    process.sink.unfit = None
    await world.settled(200)
    assert len(world.provider.pushes) == 2
    assert suppressed(process) == {"frequency_cap": 3}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_what_is_under_way_to_a_person_counts_as_told() -> None:
    """Requests of several messages, several at a time: the landing of one must not be waited for to know of it."""
    world = World(partitions=1)
    world.provider.latency_seconds = 5.0
    process = world.process(caps=HOURLY, quota=None, capacity=Capacity(3, 10)).start()
    await seconds(2)
    for number in range(9):
        world.publish(id=f"m{number}", to="a", texts=[f"{number}"], marketing=True)
    await world.settled(60)
    assert len(world.provider.pushes) == 2
    assert suppressed(process) == {"frequency_cap": 7}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_who_is_listed_is_told_nothing_whether_listed_before_or_while_it_waited() -> None:
    world = World(partitions=1)
    await world.table().put(*suppression_row(HASH_KEY, "before", Suppression(reason="complaint")))
    process = world.process(listed=True)
    process.sink.unfit = Deferred("warming_up", after_seconds=5.0)
    process.start()
    await seconds(2)
    for person in ("before", "meanwhile", "other"):
        world.publish(id="e", to=person, texts=[person], thread=person)
    await seconds(3)
    assert suppressed(process) == {"listed": 1}
    await world.table().put(*suppression_row(HASH_KEY, "meanwhile", Suppression()))
    await seconds(1)
    process.sink.unfit = None
    await world.settled(60)
    assert world.provider.told == {"other"}
    assert suppressed(process) == {"listed": 2}
    await world.table().put(*suppression_row(HASH_KEY, "before", None))
    await seconds(2)
    world.publish(id="e2", to="before", thread="before", rank=1)
    await world.settled(60)
    assert world.provider.told == {"other", "before"}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_nobody_is_told_before_the_list_was_read_to_its_end() -> None:
    world = World(partitions=1)
    for person in people(1200):
        await world.table().put(*suppression_row(HASH_KEY, person, Suppression()))
    world.broker.stall(LISTED, Trouble("broker_unreachable"))
    process = world.process(listed=True).start()
    for person in people(1201):
        world.publish(id="e", to=person)
    await seconds(30)
    assert world.provider.pushes == []
    assert [fact.reason for fact in process.said(LaneBlocked)] == ["suppressions"]
    world.broker.stall(LISTED, None)
    await world.settled(60)
    assert world.provider.told == {"u1200"}
    assert process.lane.view().blockages == ()
    await process.stop()
    assert in_balance(process)


@virtual
async def test_what_waits_or_is_parked_for_somebody_ends_when_they_are_listed_although_the_lane_may_not_send() -> None:
    world = World(partitions=1)
    night = (0, 1439, "UTC", False)
    process = world.process(listed=True)
    process.sink.unfit = Deferred("warming_up", after_seconds=9e6)
    process.start()
    for person in ("forgotten", "other"):
        world.publish(id="now", to=person)
        world.publish(id="tomorrow", to=person, quiet=night)
    await seconds(10)
    assert (process.lane.view().waiting, process.lane.view().parked) == (2, 2)
    await world.table().put(*suppression_row(HASH_KEY, "forgotten", Suppression(reason="asked")))
    await seconds(3)
    assert (process.lane.view().waiting, process.lane.view().parked) == (1, 1)
    assert world.ends() == {"suppressed": 2}
    await world.table().put(*suppression_row(HASH_KEY, "other", Suppression(reason="asked")))
    await seconds(15)
    assert (process.lane.view().waiting, process.lane.view().parked) == (0, 0)
    assert suppressed(process) == {"listed": 4}
    await process.kill()
    heir = world.process(listed=True).start()
    await world.settled(120)
    assert (world.provider.pushes, heir.lane.view().parked) == ([], 0)
    await heir.stop()
    assert in_balance(process, heir)
