"""Dead letters on a real Kafka: a thousand of them go out again once their cause is mended, and none in circles."""

from pathlib import Path
from typing import Any

import pytest

from tests.kafka.processes import Consumer, eventually
from tests.kafka.ring import shared_bootstrap
from tests.kafka.stall import Gateway, Stall, event, lane

pytestmark = pytest.mark.kafka

RENDER, OVERSIZE, REFUSED, GOOD = 550, 350, 100, 1100
BROKEN = "until {{ order.delivery.storage_until | date }}"
# So many letters are meant.
FLOOD = {"rejected": 100, "of": 100}
STUBBORN = {f"c-refused-{number}" for number in range(10)}


def routes(text: str) -> list[dict[str, Any]]:
    words = [{"title": "Paid", "text": "Thank you"}]
    return [
        {"id": "paid", "on": "order.paid", "lane": "many", "ttl": "12h", "wordings": words},
        {"id": "ready", "on": "order.ready_for_pickup", "lane": "many", "ttl": "12h",
         "wordings": [{"title": "Ready", "text": text}]},
        {"id": "shipped", "on": "order.shipped", "lane": "one", "ttl": "12h", "wordings": words},
    ]  # fmt: skip


def events() -> list[bytes | dict[str, Any]]:
    """Among each dead record stands a good one: the lane is not flooded."""
    bad = [event(f"render-{n}", "order.ready_for_pickup") for n in range(RENDER)]
    bad += [event(f"large-{n}", order__cancel_reason="x" * 1500) for n in range(OVERSIZE)]
    bad += [event(f"refused-{n}", "order.shipped") for n in range(REFUSED)]
    good = [event(f"good-{n}", "order.shipped" if n % 11 == 0 else "order.paid") for n in range(GOOD)]
    mixed: list[bytes | dict[str, Any]] = []
    for number in range(GOOD):
        mixed += [good[number], *bad[number : number + 1]]
    return mixed


class Case:
    """One shop, whose mistakes can be mended."""

    def __init__(self, stall: Stall, many: Gateway, one: Gateway) -> None:
        self.stall, self.many, self.one = stall, many, one

    def open(self, *, mended: bool) -> Any:
        limit = "16KiB" if mended else "1KiB"
        lanes = {
            "many": lane(self.many, event_limit=limit, flood=FLOOD),
            "one": lane(self.one, 1, event_limit=limit, flood=FLOOD),
        }
        return self.stall.open(lanes, routes("Come" if mended else BROKEN))

    async def letters(self, consumer: Consumer) -> int:
        found = [await consumer.lane(self.stall.lane(name)) for name in ("many", "one")]
        return sum(sum(each.get("dead_letters", {}).values()) for each in found)

    async def redrive(self, *more: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = await self.stall.vestnik_json("dead", "redrive", *more, code=code)
        return found

    def told(self) -> list[str]:
        return [seen.recipient for seen in (*self.many.deliveries, *self.one.deliveries)]


async def test_a_thousand_letters_of_three_reasons_are_delivered_once_after_their_cause_is_mended(
    tmp_path: Path,
) -> None:
    """Acceptance 5. The few that are refused again and again go out twice more, and then never."""
    async with Gateway() as many, Gateway() as one, Stall(tmp_path, shared_bootstrap()) as stall:
        case = Case(stall, many, one)
        await stall.make_topics(case.open(mended=False))
        one.refused = {f"c-refused-{number}" for number in range(REFUSED)}
        first = stall.consumer()
        await stall.publish(events())

        async def dead() -> bool:
            # The oversize ones die on both lanes.
            everything = RENDER + 2 * OVERSIZE + REFUSED
            return await case.letters(first) == everything and len(case.told()) == GOOD

        await eventually("all are dead", dead)
        assert await first.stop() == 0
        by = {
            (each["reason"], each["lane"]): each["letters"]
            for each in (await stall.vestnik_json("dead", "stats"))["by"]
        }
        many_lane, one_lane = stall.lane("many"), stall.lane("one")
        assert by == {
            ("render", many_lane): RENDER,
            ("oversize", many_lane): OVERSIZE,
            ("oversize", one_lane): OVERSIZE,
            ("refused", one_lane): REFUSED,
        }
        still = await case.redrive()
        assert (still["going"], still["published"]) == (REFUSED, 0)
        case.open(mended=True)
        one.refused = set(STUBBORN)
        dry = await case.redrive()
        assert (dry["going"], dry["messages"], dry["published"]) == (1000, 1000, 0)
        assert len(case.told()) == GOOD

        second = stall.consumer()
        await eventually("the lanes work", lambda: stall.working(second))
        done = await case.redrive("--send")
        assert (done["going"], done["published"]) == (1000, 1000)

        async def delivered() -> bool:
            return len(case.told()) >= GOOD + 1000 - len(STUBBORN) and await case.letters(second) == len(STUBBORN)

        await eventually("all but the stubborn are told", delivered)
        told = case.told()
        assert len(told) == len(set(told)) == GOOD + 1000 - len(STUBBORN)
        assert not STUBBORN & set(told)

        again = await case.redrive("--send")
        assert again["published"] == len(STUBBORN)

        async def twice_dead() -> bool:
            return await case.letters(second) == 2 * len(STUBBORN)

        await eventually("they die a second time", twice_dead)
        requests = len(one.requests)
        last = await case.redrive("--send")
        fates = {(each["reason"], each["fate"]): each["letters"] for each in last["by"]}
        assert (last["going"], last["published"]) == (0, 0)
        assert fates[("refused", "too_often")] == len(STUBBORN)
        assert len(one.requests) == requests
        assert len(case.told()) == GOOD + 1000 - len(STUBBORN)
        assert await second.stop() == 0
