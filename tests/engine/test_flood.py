"""A source that gives nothing but poison is read no more but for a record now and then, and nothing of it is lost."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from consumer.core.control import Order, order_row
from consumer.core.facts import DeadLettered, LaneBlocked, LaneUnblocked, RecordsPlanned
from consumer.core.flood import FloodRule
from consumer.core.model import TopicPartition
from tests.engine.harness import CONTROL, LETTERS, SOURCE, Process, World, broker_now, people, seconds
from tests.virtual import virtual

POISON = b"{not json"
BULK = "shop.bulk"


def poison(world: World, count: int, topic: str = SOURCE) -> None:
    for number in range(count):
        world.broker.publish(topic, POISON, key=str(number).encode())


def letters(world: World) -> int:
    return len(world.broker.records(LETTERS))


def blockages(process: Process) -> list[str]:
    return [blockage.reason for blockage in process.lane.view().blockages]


async def resume(world: World) -> None:
    order = Order(paused=False, who="anna", reason="mended", since=datetime.fromtimestamp(broker_now(), UTC))
    await world.table(topic=CONTROL).put(*order_row("push", order))


@virtual
async def test_an_all_poison_topic_stops_at_half_of_a_hundred_and_says_why() -> None:
    world = World(partitions=2)
    process = world.process().start()
    poison(world, 5000)
    await seconds(9)
    assert letters(world) == 50
    assert blockages(process) == ["poison_flood"]
    said = process.said(LaneBlocked)[-1].detail
    assert said.startswith("50 of the last 50 records of shop.orders are dead letters, mostly invalid_json (50); ")
    assert process.lane.view().holds == "blocked"
    await seconds(600)
    assert 100 <= letters(world) <= 50 + 62  # one is tried every ten seconds
    assert world.committed == letters(world)
    await process.stop()


@virtual
async def test_the_other_source_flows_on_beside_a_flood() -> None:
    world = World(partitions=1)
    world.broker.create(BULK, 1)
    process = world.process(quota=None, extra=[BULK]).start()
    poison(world, 1000, BULK)
    await seconds(10)
    assert blockages(process) == ["poison_flood"]
    for person in people(500):
        world.publish(id=person, to=person)
    await seconds(20)
    assert world.provider.told == set(people(500))
    assert world.broker.group("vestnik.push").offsets[TopicPartition(SOURCE, 0)] == 500
    await process.stop()


@virtual
async def test_good_records_behind_the_poison_end_the_flood_and_every_record_comes_to_its_end() -> None:
    world = World(partitions=1)
    process = world.process(quota=None).start()
    poison(world, 80)
    for person in people(400):
        world.publish(id=person, to=person)
    await seconds(200)
    assert blockages(process) == ["poison_flood"]
    await world.settled(400)
    assert letters(world) == 80
    assert world.provider.told == set(people(400))
    assert world.provider.repeats == {}
    assert process.said(LaneUnblocked)[-1].reason == "poison_flood"
    assert process.lane.view().drift == 0
    await process.stop()


@virtual
async def test_a_flood_that_has_run_dry_blocks_nobody_any_more() -> None:
    world = World(partitions=3)
    process = world.process().start()
    poison(world, 55)
    await seconds(120)
    assert letters(world) == world.committed == 55
    assert blockages(process) == []
    await process.stop()


@virtual
async def test_a_person_may_let_a_flood_pass_and_the_next_fifty_stop_it_again() -> None:
    world = World(partitions=1)
    process = world.process(controlled=True).start()
    poison(world, 500)
    await seconds(5)
    before = letters(world)
    await resume(world)
    await seconds(3)
    assert letters(world) == before + 50
    assert blockages(process) == ["poison_flood"]
    await process.stop()


@virtual
async def test_where_the_configuration_lets_poison_pass_letters_keep_their_pace() -> None:
    world = World(partitions=1)
    process = world.process(flood=FloodRule(stop=False, letters_per_second=100.0)).start()
    poison(world, 5000)
    await seconds(2)
    for _ in range(5):
        before = letters(world)
        await seconds(4)
        assert letters(world) - before <= 450
    await world.settled(60)
    assert letters(world) == 5000
    assert blockages(process) == []
    # Of a partition with two hundred letters to write nothing more is read: at most one poll lies in memory.
    read, written = Counter[int](), Counter[int]()
    for fact in process.facts:
        read[0] += fact.records if isinstance(fact, RecordsPlanned) else 0
        written[0] += isinstance(fact, DeadLettered)
        assert read[0] - written[0] <= 200 + 500
    await process.stop()


@pytest.mark.parametrize("how", ["kill", "stop", "revoke"])
def test_whoever_goes_on_with_a_flooded_source_loses_and_repeats_nothing(how: str) -> None:
    @virtual
    async def run() -> None:
        world = World(partitions=2)
        first = world.process(quota=None).start()
        poison(world, 130)
        for person in people(300):
            world.publish(id=person, to=person)
        await seconds(7)
        assert blockages(first) == ["poison_flood"]
        second = world.process(quota=None).start()
        if how == "kill":
            await first.kill()
        elif how == "stop":
            await first.stop()
        await world.settled(3600)
        assert world.provider.told == set(people(300))
        assert world.provider.repeats == {}
        places = {dict(record.headers)["vestnik-id"] for record in world.broker.records(LETTERS)}
        assert len(places) == 130
        for process in (first, second):
            if process.task is not None and not process.task.done():
                assert process.lane.view().drift == 0
                await process.stop()

    run()


@virtual
async def test_a_route_that_fails_while_another_makes_something_of_the_record_floods_nothing() -> None:
    world = World(partitions=1)
    process = world.process(quota=None).start()
    for person in people(300):
        world.publish(id=person, to=person, fails="render")
    await world.settled(60)
    assert (letters(world), world.provider.told) == (300, set(people(300)))
    assert process.said(LaneBlocked) == []
    await process.stop()
