"""Dead letters on a real Kafka: a thousand of them go out again once their cause is mended, and none in circles."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from consumer.app.profiles import backfill_topic
from consumer.core.backfill import Backfilled, backfilled_of
from consumer.core.facts import Fact
from consumer.core.model import Position, Record, Rejection
from consumer.core.ports import DeadLetter
from consumer.streams import topics
from consumer.streams.dead_letters import KafkaDeadLetters
from consumer.streams.reading import read_whole
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


@pytest.mark.long
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

        await eventually("all are dead", dead, 150.0)
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

        await eventually("all but the stubborn are told", delivered, 150.0)
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


def silent(_: Fact) -> None:
    """Nobody listens."""


class Mortuary:
    """Letters as a lane writes them."""

    def __init__(self, stall: Stall) -> None:
        self._stall = stall
        self._letters = KafkaDeadLetters(stall.settings, stall.letters, silent)

    async def bury(self, lane_name: str, record: Record, reason: str, **more: Any) -> None:
        place = "/".join(map(str, record.position))
        rejection = Rejection(more.get("id", place), reason, "why", more.get("route"))
        await self._letters.append(DeadLetter(self._stall.lane(lane_name), record, rejection, more.get("command")))

    async def close(self) -> None:
        await self._letters.stop()


@pytest.mark.long
async def test_letters_are_listed_shown_exported_and_those_that_were_cut_are_read_again(tmp_path: Path) -> None:
    """The source has what the letter lacks; a backfill topic that takes no record of that size stops nobody else."""
    async with Gateway() as first, Gateway() as second, Stall(tmp_path, shared_bootstrap()) as stall:
        lanes = {"wide": lane(first, event_limit="4MiB"), "narrow": lane(second, event_limit="4MiB")}
        setup = stall.open(lanes, [{**routes("Come")[0], "id": name, "lane": name} for name in lanes])
        wide = backfill_topic(stall.lane("wide"))
        assert (
            await topics.create(stall.settings, [topics.TopicSpec(wide, 1, 1, {"max.message.bytes": "2000000"})]) == []
        )
        await stall.make_topics(setup)
        big, small = event("big", filler="x" * 1_200_000), event("small")
        places = await stall.publish([big, small])
        now = time.time()
        large = Record(places[0], now, b"c-big", json.dumps(big).encode())
        mortuary = Mortuary(stall)
        await mortuary.bury("wide", large, "oversize")
        await mortuary.bury("wide", large, "oversize")
        await mortuary.bury("narrow", large, "oversize")
        await mortuary.bury("narrow", Record(places[1], now, b"c-small", json.dumps(small).encode()), "render",
                            id="ab" * 16, route="narrow")  # fmt: skip
        await mortuary.bury("wide", Record(Position(stall.orders, 0, 999), now), "refused", id="cd" * 12)
        await mortuary.bury("wide", Record(places[1], now, b"\xff", b"\xff\x00"), "invalid_json", id="raw")
        await mortuary.close()

        listed = await stall.vestnik("dead", "list")
        assert "5 of 5 letters" in listed
        assert "abababababab " in listed
        only = await stall.vestnik_json(
            "dead", "list", "--lane", stall.lane("wide"), "--reason", "oversize", "--from", "1h"
        )
        assert [each["copies"] for each in only["letters"]] == [2]
        assert (await stall.vestnik_json("dead", "list", "--to", "1h"))["total"] == 0
        shown = await stall.vestnik("dead", "show", "ab" * 4)
        assert "c-small" not in shown
        assert "c-small" in await stall.vestnik("dead", "show", "ab" * 4, "--reveal")
        file = tmp_path / "letters.jsonl"
        await stall.vestnik("dead", "export", "--reveal", "--reason", "invalid_json", "--file", str(file))
        (line,) = map(json.loads, file.read_text("utf-8").splitlines())
        assert base64.b64decode(line["value"]["base64"]) == b"\xff\x00"
        assert file.stat().st_mode & 0o077 == 0

        done = await stall.vestnik_json("dead", "redrive", "--send", code=3)
        fates = {(each["lane"], each["reason"], each["fate"]): each["letters"] for each in done["by"]}
        assert fates == {
            (stall.lane("wide"), "oversize", "goes"): 1,
            (stall.lane("narrow"), "oversize", "goes"): 1,
            (stall.lane("narrow"), "render", "goes"): 1,
            (stall.lane("wide"), "refused", "gone"): 1,
            (stall.lane("wide"), "invalid_json", "dies_again"): 1,
        }
        assert (done["published"], len(done["refused"])) == (2, 1)
        found = await read_whole(stall.settings, [wide])
        assert isinstance(found, list)
        (again,) = map(backfilled_of, found)
        assert isinstance(again, Backfilled)
        assert (again.record.position, again.record.value, again.redrives) == (places[0], large.value, 1)
        later = await stall.vestnik_json("dead", "redrive", "--reason", "oversize", "--reason", "render")
        assert sorted(each["fate"] for each in later["by"]) == ["done", "done", "goes"]
