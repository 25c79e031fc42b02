"""A provider that fails for long, that refuses, and a flood of what nobody needs soon."""

import math
from random import Random
from statistics import median

import pytest

from consumer.core.ceiling import PeopleLimit
from consumer.core.facts import BreakerMoved, LaneBlocked, LaneGauges, Pushed, RequestSent
from consumer.core.model import Bounds, Deferred, Refused, Unsure, Verdict
from tests.engine.harness import LETTERS, Process, World, people, seconds
from tests.virtual import virtual

HOUR = 3600.0
FLOOD = 500_000

DOWN: dict[str, Verdict] = {
    "unreachable": Deferred("connect", left=False),
    "without answers": Unsure("server_error", answered=True),
    "out of time": Unsure("timeout"),
}


def requests(process: Process) -> int:
    return len(process.said(RequestSent))


async def traffic(world: World, duration_seconds: float, start: int = 0) -> int:
    """Two messages a second in forty texts, of all priorities; the number of the next one."""
    for number in range(start, start + int(2 * duration_seconds)):
        priority = ("urgent", "normal", "low")[number % 3]
        text = f"{priority} {number % 40}"
        world.publish(id=f"e{number}", to=f"u{number}", texts=[text], priority=priority, ttl=1500.0, unsure="stop")
        await seconds(0.5)
    return start + int(2 * duration_seconds)


@pytest.mark.parametrize("how", DOWN)
def test_an_hour_without_the_provider_costs_only_probes_and_loses_nothing(how: str) -> None:
    @virtual
    async def run() -> None:
        world = World(partitions=1)
        process = world.process(bounds=Bounds(commands=1000)).start()
        await seconds(2)
        published = await traffic(world, 60.0)
        world.provider.mood = lambda _batch: DOWN[how]
        before, told = requests(process), len(world.provider.told)
        published = await traffic(world, HOUR, published)
        probes = requests(process) - before
        assert (how == "unreachable" and probes <= 2 + HOUR / 24) or probes <= 2 + 6 + HOUR / 96
        assert process.lane.view().holds == "breaker"
        assert len(world.provider.told) == told
        waiting = [gauges.waiting for gauges in process.said(LaneGauges)]
        # A bound of a thousand, and one poll beyond it.
        assert max(waiting) <= 1500
        assert max(waiting[-600:]) - min(waiting[-600:]) <= 700
        world.provider.mood = lambda _batch: None
        if how == "unreachable":
            # What never left did not arrive either.
            world.provider.arrivals.clear()
        published = await traffic(world, 60.0, published)
        await world.settled(2 * HOUR)
        ends = world.ends()
        assert ends.total() == published == world.committed
        assert ends["unknown"] <= (0 if how == "unreachable" else 40 + 5 * probes)
        assert ends["delivered"] == len(world.provider.pushes) >= 600
        assert set(ends) <= {"delivered", "expired", "unknown"}
        assert world.provider.worst_window() <= 10
        assert [moved.open for moved in process.said(BreakerMoved)] == [True, False]
        assert all(gauges.drift == 0 for gauges in process.said(LaneGauges))
        await process.stop()

    run()


@virtual
async def test_ten_minutes_of_502_leave_the_people_of_two_requests_and_of_small_probes_unknown() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await seconds(2)
    world.provider.answer = lambda _batch: Unsure("server_error", answered=True)
    for person in people(3000):
        urgent = int(person[1:]) % 100 == 0
        text, priority = (f"order {person}", "urgent") if urgent else ("sale", "low")
        world.publish(id=person, to=person, texts=[text], unsure="stop", priority=priority, within=300.0)
    await seconds(600)
    sent = process.said(RequestSent)
    assert 4 <= len(sent) <= 12
    assert [request.recipients for request in sent[2:]] == [1] * (len(sent) - 2)
    unknown = sum(request.recipients for request in sent)
    assert world.ends() == {"unknown": unknown}
    world.provider.answer = lambda _batch: None
    await world.settled()
    assert world.ends() == {"unknown": unknown, "delivered": 3000 - unknown}
    await process.stop()


@virtual
async def test_a_new_owner_in_the_middle_of_an_outage_begins_with_a_probe() -> None:
    world = World(partitions=1)
    first = world.process().start()
    await seconds(2)
    world.provider.answer = lambda _batch: Unsure("server_error", answered=True)
    for person in people(500):
        world.publish(id=person, to=person, texts=[f"{int(person[1:]) % 4}"], unsure="stop")
    await seconds(60)
    await first.kill()
    second = world.process().start()
    await seconds(60)
    assert second.said(BreakerMoved)[0].reason == "earlier_owner"
    world.provider.answer = lambda _batch: None
    world.publish(id="later", to="later", texts=["later"])
    await world.settled()
    assert [moved.open for moved in second.said(BreakerMoved)] == [True, False]
    await second.stop()


def guilty(*names: str) -> object:
    bad = set(names)
    return lambda batch: Refused("bad") if bad & {command.recipient for command in batch.commands} else None


def test_three_bad_recipients_of_a_thousand_get_letters_and_the_others_their_message() -> None:
    counts = []

    @virtual
    async def run(seed: int) -> None:
        world = World(partitions=1)
        bad = Random(seed).sample(list(people(1000)), 3)
        world.provider.mood = guilty(*bad)  # type: ignore[assignment]
        process = world.process()
        process.sink.unfit = Deferred("warming_up", after_seconds=3.0)
        process.start()
        for person in people(1000):
            world.publish(id=person, to=person)
        await seconds(2)
        process.sink.unfit = None
        await world.settled()
        counts.append(requests(process))
        assert world.ends() == {"delivered": 997, "refused": 3}
        assert world.provider.told == set(people(1000)) - set(bad)
        letters = [dict(letter.headers) for letter in world.broker.records(LETTERS)]
        assert [letter["vestnik-reason"] for letter in letters] == [b"refused"] * 3
        assert world.provider.worst_window() <= 10
        await process.stop()

    for seed in range(7):
        run(seed)
    assert max(counts) <= 40
    assert median(counts) <= 36


@virtual
async def test_a_text_that_is_refused_to_everybody_is_unresolved_when_others_are_told() -> None:
    world = World(partitions=1)
    world.provider.mood = lambda batch: Refused("bad_text") if batch.parcels[0].message.text == "bad" else None
    process = world.process()
    process.sink.unfit = Deferred("warming_up", after_seconds=3.0)
    process.start()
    for person in people(64):
        world.publish(id=person, to=person, texts=["bad"])
    await seconds(2)
    process.sink.unfit = None
    await seconds(300)
    assert requests(process) == math.floor(math.log2(64)) + 5
    assert world.broker.records(LETTERS) == []
    world.publish(id="good", to="good", texts=["good"])
    await world.settled()
    reasons = [dict(letter.headers)["vestnik-reason"] for letter in world.broker.records(LETTERS)]
    assert (reasons.count(b"refused"), reasons.count(b"unresolved")) == (5, 59)
    assert world.ends() == {"refused": 64, "delivered": 1}
    assert all(letter.value for letter in world.broker.records(LETTERS))
    await process.stop()
    assert all(gauges.drift == 0 for gauges in process.said(LaneGauges))


@virtual
async def test_a_provider_that_refuses_everything_blocks_the_lane_and_buries_nobody() -> None:
    world = World(partitions=1)
    world.provider.mood = lambda _batch: Refused("bad_request", "no such field")
    process = world.process()
    process.sink.unfit = Deferred("warming_up", after_seconds=3.0)
    process.start()
    for person in people(320):
        world.publish(id=person, to=person, texts=[f"text {int(person[1:]) % 10}"])
    await seconds(2)
    process.sink.unfit = None
    await seconds(HOUR)
    assert [fact.reason for fact in process.said(LaneBlocked)] == ["refusing_everything"]
    assert process.lane.view().waiting == 320
    assert world.broker.records(LETTERS) == []
    assert requests(process) <= 40
    world.provider.mood = lambda _batch: None
    await world.settled()
    assert world.ends() == {"delivered": 320}
    assert process.lane.view().blockages == ()
    await process.stop()
    assert all(gauges.drift == 0 for gauges in process.said(LaneGauges))


@virtual
async def test_no_more_people_are_told_in_a_minute_than_the_lane_s_ceiling() -> None:
    world = World(partitions=1)
    limit = PeopleLimit(150, 60.0)
    process = world.process(ceiling=limit).start()
    for person in people(1000):
        world.publish(id=person, to=person)
    await seconds(200)
    await process.kill()
    process = world.process(ceiling=limit).start()
    await world.settled()
    times = sorted(push.at for push in world.provider.pushes)
    assert len(times) == 1000
    assert max(sum(start <= at < start + 59.9 for at in times) for start in set(times)) <= 150
    assert times[-1] - times[0] <= 600.0
    await process.stop()


async def urgent_in_time(flood: int) -> float:
    """The part of five hundred urgent orders that is told within two minutes, beside a flood of low ones."""
    world = World(partitions=1)
    world.broker.create("shop.bulk", 1)
    process = world.process(bounds=Bounds(commands=max(1000, flood // 10)), extra=["shop.bulk"]).start()
    await seconds(2)
    for number in range(flood):
        world.publish_to(
            "shop.bulk",
            id=f"low{number}",
            to=f"l{number}",
            texts=[f"low {number % 400}"],
            priority="low",
            within=7200.0,
        )
    await seconds(60)
    if flood:
        assert process.lane.view().waiting >= flood // 20
    for number in range(500):
        text = [f"order {number % 12}"]
        world.publish(id=f"o{number}", to=f"o{number}", texts=text, priority="urgent", within=120.0)
        await seconds(3.0)
    await seconds(300.0)
    told = [push for push in process.said(Pushed) if push.message.text.startswith("order")]
    assert sum(len(push.recipients) for push in told) == 500
    await process.kill()
    return sum(push.in_time for push in told) / 500


@virtual
async def test_urgent_orders_are_in_time_though_half_a_million_low_ones_wait() -> None:
    alone, beside = await urgent_in_time(0), await urgent_in_time(FLOOD)
    assert beside >= alone - 0.02
    assert alone >= 0.98
