"""`vestnik why` on a real Kafka: ten planted stories, each told right by one broker and one process."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.processes import Consumer, eventually
from tests.kafka.ring import shared_bootstrap
from tests.kafka.stall import SHOP, Gateway, Stall, event, lane

pytestmark = pytest.mark.kafka

WORDS = [{"title": "Your order", "text": "News of your order"}]


def route(name: str, on: str | list[str], where: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "on": on, "lane": where, "ttl": "12h", "wordings": WORDS, **more}


ROUTES = [
    route("paid", "order.paid", "fast"),
    route("rich", "order.paid", "fast", when="event.order.items_count > 100"),
    route("shipped", "order.shipped", "fast", wordings=[{"title": "Shipped", "text": "It is on its way"}]),
    route("ready", "order.ready_for_pickup", "fast",
          wordings=[{"title": "Ready", "text": "until {{ order.delivery.storage_until | date }}"}]),
    route("bonus", "bonus.accrued", "fast", ttl="2d"),
    route("created", "order.created", "slow"),
    route("progress", ["order.processing", "order.ready_to_dispatch"], "slow", thread="event.order.id"),
    route("delivered", "order.delivered", "slow", ttl="3s", deliver_within="3s"),
    route("cancelled", "order.cancelled", "lossy", on_unsure="stop"),
]  # fmt: skip


def quiet_hours() -> dict[str, str]:
    """It is night now, for the next hours."""
    now = datetime.now(UTC)
    begin, end = now - timedelta(hours=2), now + timedelta(hours=4)
    return {"from": begin.strftime("%H:%M"), "to": end.strftime("%H:%M")}


def planted() -> list[bytes | dict[str, Any]]:
    bonus = event("night", "bonus.accrued", bonus={"operation_id": "b-night", "amount": "5"})
    del bonus["order"]
    twice = event("twice")
    return [
        event("told"),
        event("late", "order.delivered"),
        event("passed", "order.processing", 2.0, event_id="e-passed-1"),
        event("passed", "order.ready_to_dispatch", event_id="e-passed-2"),
        event("queued", "order.processing"),
        bonus,
        event("barred", "order.shipped"),
        twice,
        twice,
        event("lost", "order.cancelled"),
        event("dead", "order.ready_for_pickup"),
        event("ignored", "order.refunded"),
    ]


class Stories:
    """What `vestnik why` says."""

    def __init__(self, stall: Stall, consumer: Consumer) -> None:
        self._stall = stall
        self._url = f"http://127.0.0.1:{consumer.port}"

    async def of(self, term: str) -> "Told":
        return Told(await self._stall.vestnik_json("why", term, "--url", self._url))

    async def text(self, term: str, code: int = 0) -> str:
        return await self._stall.vestnik("why", term, "--url", self._url, code=code)


class Told:
    """One story for machines."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.lines: Sequence[Mapping[str, Any]] = [line for each in document["chapters"] for line in each["lines"]]

    @property
    def states(self) -> Mapping[str, int]:
        states: Mapping[str, int] = self.document["states"]
        return states

    def one(self, what: str) -> Mapping[str, Any]:
        (line,) = self.all(what)
        return line

    def all(self, what: str) -> list[Mapping[str, Any]]:
        return [line for line in self.lines if line["what"] == what]


@pytest.mark.long
async def test_ten_planted_stories_are_told_right(tmp_path: Path) -> None:
    """Acceptance 7."""
    async with Gateway() as fast, Gateway() as slow, Gateway() as lossy, Stall(tmp_path, shared_bootstrap()) as stall:
        stall.document["shops"] = {SHOP: {"slug": SHOP, "timezone": "UTC", "quiet_hours": quiet_hours()}}
        once = {"requests": 1, "per": "1h"}
        lanes = {"fast": lane(fast), "slow": lane(slow, quota=once), "lossy": lane(lossy)}
        await stall.make_topics(stall.open(lanes, ROUTES))
        fast.refused = {"c-barred"}
        lossy.fail("reset_after")
        consumer = stall.consumer()
        await stall.publish([event("first", "order.created")])

        async def spent() -> bool:
            return len(slow.deliveries) == 1

        await eventually("the quota of the hour is spent", spent)
        await stall.publish(planted())

        async def settled() -> bool:
            standing = {name: await consumer.lane(stall.lane(name)) for name in lanes}
            outcomes = {name: each.get("outcomes", {}) for name, each in standing.items()}
            return (
                outcomes["fast"] == {"delivered": 2, "refused": 1}
                and outcomes["slow"] == {"delivered": 1, "expired": 1, "superseded": 1}
                and outcomes["lossy"] == {"unknown": 1}
                and standing["fast"].get("parked") == 1
                and standing["fast"].get("dead_letters") == {"refused": 1, "render": 1}
            )

        await eventually("everything has come to its end, or waits", settled, 120.0)
        # The ends that need no request are in the journal before the next commit, and offsets are a second behind.
        stories = Stories(stall, consumer)

        async def written() -> bool:
            late = await stories.of("o-late")
            return late.states == {"expired": 1} and all(each["committed"] for each in late.all("committed"))

        await eventually("the ends are in the journal", written, 120.0)
        await _are_told(stories, stall)
        assert await consumer.stop() == 0


async def _are_told(stories: Stories, stall: Stall) -> None:
    fast, slow, lossy = map(stall.lane, ("fast", "slow", "lossy"))

    told = await stories.of("o-told")
    assert (told.document["kinds"], told.states) == (["order"], {"delivered": 1})
    assert (told.one("planned")["route"], told.one("planned")["lane"]) == ("paid", fast)
    (rich,) = [line for line in told.all("not_planned") if line["route"] == "rich"]
    assert (rich["answer"], "event.order.items_count > 100" in rich["words"]) == ("unwanted", True)
    assert (told.one("request")["wording"], told.one("request")["epoch"]) == (0, 1)
    assert told.one("answer")["verdict"] == "delivered"
    assert "in time" in told.one("outcome")["words"]
    assert {line["lane"] for line in told.all("ignored")} == {slow, lossy}
    steps = [line["what"] for line in told.lines if line["lane"] in ("", fast)]
    assert steps == ["seen", "planned", "not_planned", "request", "answer", "outcome", "committed"]

    late = await stories.of("e-late")
    assert (late.document["kinds"], late.states) == (["event"], {"expired": 1})
    assert late.one("outcome")["reason"] == "ttl"

    passed = await stories.of("o-passed")
    assert passed.states == {"superseded": 1, "waiting": 1}
    newer = passed.all("planned")[1]["command"]
    assert newer in passed.one("outcome")["words"]

    queued = await stories.of("c-queued")
    assert (queued.document["kinds"], queued.states) == (["customer"], {"waiting": 1})
    assert (queued.one("waits")["where"], queued.one("waits")["held_by"]) == ("open", "quota")
    assert "one request every 3600 s" in queued.one("waits")["words"]
    assert [line["committed"] for line in queued.all("committed") if line["lane"] == slow] == [False]
    sources = [each for each in queued.document["looked"] if each["topic"] == stall.orders]
    assert [(each["partitions"], each["of"]) for each in sources] == [(1, 3)]

    night = await stories.of("b-night")
    assert (night.document["kinds"], night.states) == (["operation"], {"waiting": 1})
    assert night.one("parked")["reason"] == "quiet_hours"
    assert "sleeps until" in night.one("waits")["words"]

    barred = await stories.of("o-barred")
    assert barred.states == {"refused": 1}
    assert barred.one("dead_letter")["reason"] == "refused"
    assert barred.one("dead_letter")["command"] == barred.one("planned")["command"]

    twice = await stories.of("o-twice")
    assert twice.states == {"delivered": 1, "duplicate": 1}
    assert twice.one("duplicate")["command"] == twice.one("outcome")["command"]

    lost = await stories.of("o-lost")
    assert lost.states == {"unknown": 1}
    assert lost.one("answer")["verdict"] == "unsure"

    dead = await stories.of("o-dead")
    assert (dead.states, dead.all("planned")) == ({"dead": 1}, [])
    assert (dead.one("dead_letter")["reason"], dead.one("dead_letter")["route"]) == ("render", "ready")

    ignored = await stories.of("o-ignored")
    assert ignored.states == {"ignored": 1}
    assert {line["reason"] for line in ignored.all("ignored")} == {"no_route"}

    await _by_other_names(stories, told, late)


async def _by_other_names(stories: Stories, told: Told, late: Told) -> None:
    """The same by a command's id, with and without a request, and by a record's place; and what nobody knows."""
    for each in (told, late):
        by_command = await stories.of(each.one("planned")["command"])
        assert (by_command.document["kinds"], by_command.states) == (["command"], each.states)
        assert by_command.all("not_planned") == []
    by_place = await stories.of(told.document["chapters"][0]["place"])
    assert (by_place.document["kinds"], by_place.states) == (["record"], told.states)
    text = await stories.text("o-told")
    assert "condition is false: event.order.items_count > 100" in " ".join(text.split())
    assert "c-told" not in text
    nothing = await stories.text("o-nobody", code=1)
    assert "Nothing is known of o-nobody." in nothing
    assert "--since 7d" in nothing
