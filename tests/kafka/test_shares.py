"""A lane that is shared: two processes on one Kafka divide its work, and each can do the other's."""

import asyncio
import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from consumer.app.setup import Setup
from consumer.app.wiring import journal_topic, lane_settings, wanted_topics
from consumer.streams import topics
from consumer.streams.codec import decoded
from consumer.streams.reading import read_whole
from schemas.journal import Landing
from tests.kafka.processes import SESSION_SECONDS, Consumer, eventually
from tests.kafka.ring import shared_bootstrap
from tests.kafka.stall import Gateway, Stall, event, lane

pytestmark = pytest.mark.kafka

SHARES = 4
ROUTES = [{"id": "paid", "on": "order.paid", "lane": "hook", "ttl": "3h", "thread": "event.order.id",
           "wordings": [{"title": "Paid", "text": "{{ order.id }}"}]}]  # fmt: skip


class Case:
    """A stall whose one lane has shares, and what its processes say of them."""

    def __init__(self, stall: Stall, gateway: Gateway) -> None:
        self.stall, self.gateway = stall, gateway
        self.shares = [f"{stall.lane('hook')}.{number}" for number in range(SHARES)]

    def open(self, shares: int | None = SHARES) -> Setup:
        return self.stall.open({"hook": lane(self.gateway, 1, quota=None, shares=shares)}, ROUTES)

    async def owned(self, consumer: Consumer) -> list[str]:
        return [name for name in self.shares if (await consumer.lane(name)).get("state") == "working"]

    async def spread(self, consumers: list[Consumer], wanted: list[int]) -> bool:
        """Each share works in one process, and as many in each as wanted."""
        owned = [await self.owned(consumer) for consumer in consumers]
        return list(map(len, owned)) == wanted and sorted(chain(*owned)) == self.shares

    def told(self) -> Counter[str]:
        return Counter(delivery.recipient for delivery in self.gateway.deliveries)

    async def settled(self, consumer: Consumer) -> bool:
        lanes = [await consumer.lane(name) for name in self.shares]
        return all((lane["waiting"], lane["in_flight"], lane["lag_records"]) == (0, 0, 0) for lane in lanes)

    async def doubted(self) -> int:
        """How many commands nobody knows the end of, as the journal has it."""
        found = await read_whole(self.stall.settings, [journal_topic(self.stall.lane("hook"))])
        assert isinstance(found, list), found
        records = [decoded(each.value) for each in found]
        return sum(len(each.doubtful) for each in records if isinstance(each, Landing))


async def test_two_processes_have_two_shares_each_and_one_takes_all_when_the_other_is_killed(tmp_path: Path) -> None:
    async with Gateway() as gateway, Stall(tmp_path, shared_bootstrap()) as stall:
        case = Case(stall, gateway)
        await stall.make_topics(case.open(), partitions=8)
        consumers = [stall.consumer(), stall.consumer()]
        await eventually("each has two shares", lambda: case.spread(consumers, [2, 2]))
        gateway.fail("slow", seconds=0.05)
        people = [f"{number}" for number in range(2000)]
        publishing = asyncio.create_task(stall.publish([event(number) for number in people]))
        await gateway.arrived(300)
        consumers[0].kill()
        await publishing
        took = await eventually("the other has all", lambda: case.spread(consumers[1:], [4]))
        assert took <= SESSION_SECONDS + 15

        async def over() -> bool:
            return len(case.told()) == len(people)

        await eventually("everybody is told", over, 180.0)
        repeated = sum(case.told().values()) - len(people)
        assert repeated <= await case.doubted() <= lane_settings(case.open(), case.shares[0], "").in_flight * SHARES
        lag = await stall.vestnik_json("lag", stall.lane("hook"))
        assert [each["lane"] for each in lag] == case.shares
        # One that comes gets its part again, and nothing of what was told is told anew.
        consumers[0].start()
        await eventually("each has two shares again", lambda: case.spread(consumers, [2, 2]))
        before = case.told()
        await stall.publish([event(number) for number in people[:50]])
        await stall.publish([event("last")])

        async def last() -> bool:
            return case.told()["c-last"] == 1

        await eventually("the last is told", last)
        assert case.told() - before == Counter({"c-last": 1})
        for consumer in consumers:
            assert await consumer.stop() == 0


async def test_another_number_of_shares_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    async with Gateway() as gateway, Stall(tmp_path, shared_bootstrap()) as stall:
        case = Case(stall, gateway)
        await stall.make_topics(case.open(), partitions=8)
        first = stall.consumer()
        await eventually("it has all shares", lambda: case.spread([first], [4]))
        for shares, name in ((2, f"{stall.lane('hook')}.1"), (None, stall.lane("hook"))):
            problems = await topics.check(stall.settings, wanted_topics(case.open(shares), 1))
            assert "never changes" in next(each.mend for each in problems if "journal" in each.topic)
            other = stall.consumer()

            async def refused(other: Consumer = other, name: str = name) -> bool:
                told: Any = (await other.lane(name)).get("blocked", [])
                return any("shares_changed" in each["detail"] and "shares: 4" in each["detail"] for each in told)

            await eventually("it says why", refused)
            await stall.publish([event(f"beside-{shares}")])

            async def told(shares: int | None = shares) -> bool:
                return case.told()[f"c-beside-{shares}"] == 1

            await eventually("the others go on as they were", told)
            # Who has a group of its own waits with its claim for a journal that fits, and gives it up to stop.
            assert await other.stop() == 0
        assert set(case.told().values()) == {1}
        assert await first.stop() == 0


async def test_what_people_say_of_the_lane_reaches_the_share_that_it_concerns(tmp_path: Path) -> None:
    """Each share knows its own commands alone: whatever comes back must come back to the share that had it."""
    async with Gateway() as gateway, Stall(tmp_path, shared_bootstrap()) as stall:
        case = Case(stall, gateway)
        hook = stall.lane("hook")
        await stall.make_topics(case.open(), partitions=8)
        gateway.refused = {"c-stubborn"}
        consumer = stall.consumer()
        await eventually("it has all shares", lambda: case.spread([consumer], [4]))
        people = [f"{number}" for number in range(40)]
        await stall.publish([event(number) for number in [*people, "stubborn"]])

        async def told(count: int) -> bool:
            return sum(case.told().values()) == count

        await eventually("all but one are told", lambda: told(40))
        await eventually("their offsets are committed", lambda: case.settled(consumer))
        rows = await stall.vestnik_json("doctor", "--replicas", "1", code=None)
        assert [row for row in rows if row["state"] == "failed"] == []

        story = await stall.vestnik("why", "o-7", "--url", f"http://127.0.0.1:{consumer.port}")
        assert "in 1 record: 1 delivered." in story
        assert sum(name in story for name in case.shares) == 1
        tail = await stall.vestnik("journal", "tail", hook, "--kind", "landing", "-o", "json")
        assert {json.loads(line)["lane"] for line in tail.splitlines()} == set(case.shares)

        plan = await stall.vestnik_json("replay", "--lane", hook, "--from", "1h")
        assert list(plan["lanes"]) == case.shares
        assert sum(each["told"] for each in plan["lanes"].values()) == 0
        await stall.vestnik(
            "replay", "--lane", hook, "--from", "1h", "--again", "--send", "--yes", "--reason", "to see it"
        )
        await eventually("everybody is told again", lambda: told(80))
        assert set(case.told().values()) == {2}

        gateway.refused.clear()
        await stall.vestnik("dead", "redrive", "--lane", hook, "--send", "--yes")
        await eventually("the stubborn one is told", lambda: told(81))
        await stall.vestnik("send", hook, "--to", "c-guest", "--text", "Hello")
        await eventually("so is the guest", lambda: told(82))

        await stall.vestnik("lane", "pause", hook, "--reason", "to see it")

        async def paused() -> bool:
            lanes = [await consumer.lane(name) for name in case.shares]
            return all(any("paused" in each["reason"] for each in lane["blocked"]) for lane in lanes)

        await eventually("every share is paused", paused)
        assert "which means all its shares" in await stall.vestnik("lane", "resume", case.shares[1], code=2)
        await stall.publish([event(f"later-{number}") for number in people])
        await stall.vestnik("lane", "resume", hook)
        await eventually("what waited is told", lambda: told(122))
        shown = await stall.vestnik("lane", "show", hook, "--url", f"http://127.0.0.1:{consumer.port}")
        assert all(f"{name}: working" in shown for name in case.shares)
        assert await consumer.stop() == 0
