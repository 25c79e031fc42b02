"""A replay on a real Kafka tells whom it still concerns and who was not told: everybody once, and nobody else."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from consumer.app.setup import Setup
from consumer.core.model import Record
from consumer.streams.reading import read_whole
from tests.kafka import yesterday
from tests.kafka.processes import eventually
from tests.kafka.ring import shared_bootstrap
from tests.kafka.stall import Gateway, Stall, event, lane
from tests.kafka.yesterday import Dated

pytestmark = pytest.mark.kafka

HOUR = 3600.0
EVENTS = 2000
TEXTS = [{"title": "Your order is paid", "text": "Thank you"}]
PAID = {"id": "paid", "on": "order.paid", "lane": "push", "ttl": "3d", "wordings": TEXTS}
STEPS = ("order.created", "order.paid", "order.ready_for_pickup")
LIVES = [
    {
        "id": kind.replace("order.", "").replace("_", "-"),
        "on": kind,
        "lane": "push",
        "thread": "event.order.id",
        "ttl": "2h",
        "wordings": [{"title": kind, "text": "See the app"}],
    }
    for kind in STEPS
]


class Case:
    """One shop with one lane, and the people whom its gateway has told."""

    def __init__(self, stall: Stall, gateway: Gateway, setup: Setup) -> None:
        self.stall, self.gateway, self.setup = stall, gateway, setup
        self.lane = stall.lane("push")
        self.bootstrap = str(stall.settings.bootstrap)

    async def publish(self, events: Sequence[Dated]) -> list[Record]:
        records = await yesterday.publish(self.bootstrap, self.stall.orders, events)
        await yesterday.skip(self.setup, self.bootstrap, self.lane, self.stall.orders)
        return records

    async def replay(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The part of the report that is the lane's."""
        report = await self.stall.vestnik_json("replay", *words, code=code)
        found: dict[str, Any] = report["lanes"][self.lane]
        return found

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """The command in a process of its own, in the state of someone who may press Ctrl-C."""
        vestnik = str(Path(sys.executable).with_name("vestnik"))
        command = [vestnik, "replay", *words, "--config", str(self.stall.config)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ))

    async def backfilled(self) -> list[Record]:
        records = await read_whole(self.stall.settings, [f"vestnik.backfill.{self.lane}"])
        assert isinstance(records, list), records
        return [record for record in records if record.value is not None]

    def told(self) -> Counter[str]:
        return Counter(seen.recipient for seen in self.gateway.deliveries)

    async def quiet(self, people: int) -> None:
        """So many were told, and nothing more is under way."""
        consumer = self.stall.consumers[-1]

        async def over() -> bool:
            view = await consumer.lane(self.lane)
            idle = (view.get("waiting"), view.get("in_flight"), view.get("lag_records")) == (0, 0, 0)
            return idle and len(self.told()) >= people

        await eventually(f"{people} people told", over, 180.0)


@asynccontextmanager
async def case(folder: Path, routes: list[dict[str, Any]] | None = None, **more: Any) -> AsyncIterator[Case]:
    async with Gateway() as gateway, Stall(folder, shared_bootstrap()) as stall:
        setup = stall.open({"push": lane(gateway, **more)}, routes or [PAID])
        await stall.make_topics(setup)
        yield Case(stall, gateway, setup)


def paid(count: int, since: float, until: float) -> list[Dated]:
    """Events evenly over a time, each of a customer of its own."""
    now, step = time.time(), (until - since) / count
    ages = [now - since - number * step for number in range(count)]
    return [Dated(now - age, event(str(number), ago_seconds=age)) for number, age in enumerate(ages)]


def fates(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for tally in report["fates"]:
        found[tally["fate"], tally["why"]] += tally["commands"]
    return found


async def test_what_was_delivered_is_not_told_again_and_what_the_journal_lost_is_told_once(tmp_path: Path) -> None:
    """Acceptance 1: nothing for a day that was delivered; with the journal's last hour cut off, that hour's alone."""
    async with case(tmp_path) as shop:
        now = time.time()
        records = await shop.publish(paid(EVENTS, now - 30 * HOUR, now - 20 * HOUR))
        commands = yesterday.commands_of(shop.setup, shop.lane, records)
        assert len(commands) == EVENTS
        # Between two events, so that no rounding decides.
        cut = now - 21 * HOUR - 6.0
        last_hour = {command.recipient for command, _ in commands if command.arrived >= cut}
        known = [pair for pair in commands if pair[0].recipient not in last_hour]
        await yesterday.deliver(shop.setup, shop.bootstrap, shop.lane, known)
        report = await shop.replay("--from", "31h", "--to", str_of(cut), "--send", "--reason", "all is told")
        assert fates(report) == {("delivered", "journal"): len(known)}
        assert (report["told"], await shop.backfilled()) == (0, [])
        plan = await shop.replay("--from", "31h")
        assert fates(plan) == {("delivered", "journal"): len(known), ("told", ""): len(last_hour)}
        assert plan["people"] == len(last_hour) > 150
        report = await shop.replay("--from", "31h", "--send", "--reason", "the journal lost an hour")
        assert report["sent"]["commands"] == len(last_hour) == len(await shop.backfilled())
        shop.stall.consumer()
        await shop.quiet(len(last_hour))
        assert shop.told() == Counter(last_hour)
        again = await shop.replay("--from", "31h", "--send", "--reason", "once more")
        assert fates(again) == {("delivered", "journal"): EVENTS}
        assert shop.told() == Counter(last_hour)


def str_of(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def lives(orders: int) -> tuple[list[Dated], set[str], Counter[str]]:
    """Six hours of orders that go through their steps, some of them to the end; who is still to be told, and how often
    each fate is right. Nobody's deadline is within five minutes of now."""
    now = time.time()
    events: list[Dated] = []
    still: set[str] = set()
    right: Counter[str] = Counter()
    for number in range(orders):
        begun = 6 * HOUR - (number % 60) * 360.0
        ages = [begun - step * (number % 7) * 600.0 for step in range(len(STEPS))]
        happened = [age for age in ages if age > 60.0 and abs(age - 2 * HOUR) > 300.0]
        for step, age in enumerate(happened):
            more = {"order__revision": step + 1, "customer__id": f"c-{number}", "order__id": f"o-{number}"}
            events.append(Dated(now - age, event(f"{number}-{step}", STEPS[step], age, **more)))
        stale = sum(age >= 2 * HOUR for age in happened)
        if happened and happened[-1] < 2 * HOUR:
            still.add(f"c-{number}")
            right["told"] += 1
            right["expired"] += stale
            right["superseded"] += len(happened) - stale - 1
        else:
            right["expired"] += len(happened)
    return sorted(events, key=lambda dated: dated.at), still, +right


async def test_after_six_hours_only_what_is_still_true_is_told_and_as_much_as_the_plan_said(tmp_path: Path) -> None:
    """Acceptance 2: old news has expired, and of each order only its newest is told."""
    async with case(tmp_path, LIVES) as shop:
        events, still, right = lives(600)
        await shop.publish(events)
        plan = await shop.replay("--from", "7h")
        counted = Counter[str]()
        for (fate, _), count in fates(plan).items():
            counted[fate] += count
        assert counted == right
        assert plan["people"] == plan["told"] == len(still) > 100
        sent = await shop.replay("--from", "7h", "--send", "--reason", "the portal was down for six hours")
        assert sent["sent"]["commands"] == len(still)
        shop.stall.consumer()
        await shop.quiet(len(still))
        assert shop.told() == Counter(still)


async def test_whoever_expired_untold_is_told_with_a_longer_ttl_and_only_once(tmp_path: Path) -> None:
    """Also when the lane has read and ended all of it meanwhile, and somebody else replays it too."""
    async with case(tmp_path, [{**PAID, "ttl": "2h"}]) as shop:
        now = time.time()
        await yesterday.publish(shop.bootstrap, shop.stall.orders, paid(200, now - 5 * HOUR, now - 3 * HOUR))
        consumer = shop.stall.consumer()

        async def expired() -> bool:
            return fates(await shop.replay("--from", "6h")) == {("expired", "journal"): 200}

        await eventually("all has expired", expired, 60.0)
        assert (await shop.replay("--from", "6h", "--extend-ttl", "1h"))["told"] < 200
        longer = ("--from", "6h", "--extend-ttl", "12h", "--send", "--reason", "they still want to know")
        reports = [await shop.replay(*longer), await shop.replay(*longer)]
        assert reports[0]["sent"]["commands"] == 200
        await shop.quiet(200)
        assert fates(await shop.replay(*longer)) == {("delivered", "journal"): 200}
        assert shop.told() == Counter({f"c-{number}": 1 for number in range(200)})
        assert await consumer.stop() == 0


async def test_a_replay_that_was_interrupted_goes_on_and_tells_everybody_once(tmp_path: Path) -> None:
    """Acceptance 4: Ctrl-C in the middle, a kill in the middle, then to the end."""
    async with case(tmp_path) as shop:
        now = time.time()
        await shop.publish(paid(EVENTS, now - 5 * HOUR, now - 4 * HOUR))
        first = shop.start("--from", "6h", "--send", "--yes", "--reason", "a test", "--ahead", "500")

        async def some(count: int) -> bool:
            return len(await shop.backfilled()) >= count

        await eventually("some are published", lambda: some(500), 60.0)
        first.send_signal(signal.SIGINT)
        output = (await asyncio.to_thread(first.communicate, timeout=30))[0].decode()
        assert first.returncode == 3, output
        replay = output.partition("--resume ")[2].split()[0]
        assert 500 <= len(await shop.backfilled()) < EVENTS
        before = len(await shop.backfilled())
        second = shop.start("--resume", replay, "--send", "--yes", "--ahead", "1500")
        await eventually("more are published", lambda: some(before + 100), 60.0)
        second.kill()
        await asyncio.to_thread(second.communicate, timeout=30)
        shop.stall.consumer()
        done = await shop.stall.vestnik("replay", "--resume", replay, "--send", "--yes")
        assert f"Replay {replay} is with its lanes" in done
        await shop.quiet(EVENTS)
        records = await shop.backfilled()
        assert len(records) == EVENTS == len({record.value for record in records})
        assert shop.told() == Counter({f"c-{number}": 1 for number in range(EVENTS)})
        assert "has come to its end already" in await shop.stall.vestnik("replay", "--resume", replay, code=2)


async def test_two_replays_at_once_are_both_right(tmp_path: Path) -> None:
    """Acceptance 4: each publishes all of it, and the lane tells everybody once."""
    async with case(tmp_path) as shop:
        now = time.time()
        await shop.publish(paid(EVENTS, now - 5 * HOUR, now - 4 * HOUR))
        shop.stall.consumer()
        words = ("--from", "6h", "--send", "--yes", "--reason", "a test", "--output", "json")
        both = [shop.start(*words) for _ in range(2)]
        reports = [json.loads((await asyncio.to_thread(each.communicate, timeout=60))[0]) for each in both]
        assert [each.returncode for each in both] == [0, 0]
        assert reports[0]["replay"] != reports[1]["replay"]
        await shop.quiet(EVENTS)
        assert shop.told() == Counter({f"c-{number}": 1 for number in range(EVENTS)})


async def test_a_replay_tells_again_only_whoever_asks_for_it_loudly(tmp_path: Path) -> None:
    """By offsets, of one customer, from JSON lines, to the console."""
    async with case(tmp_path) as shop:
        now = time.time()
        records = await shop.publish(paid(60, now - 5 * HOUR, now - 4 * HOUR))
        await yesterday.deliver(
            shop.setup, shop.bootstrap, shop.lane, yesterday.commands_of(shop.setup, shop.lane, records)
        )
        shop.stall.consumer()
        one = ("--from", "6h", "--customer", "c-7")
        assert (await shop.replay(*one))["told"] == 0
        again = await shop.replay(*one, "--again", "--send", "--reason", "they deleted the app")
        assert again["sent"]["commands"] == 1
        await shop.quiet(1)
        assert shop.told() == Counter({"c-7": 1})
        zero = sorted(record.position.offset for record in records if record.position.partition == 0)
        part = ("--topic", shop.stall.orders, "--partition", "0", "--from", str(zero[2]), "--to", str(zero[5]))
        assert fates(await shop.replay(*part)) == {("delivered", "journal"): 3}
        lines = tmp_path / "events.jsonl"
        lines.write_text("\n".join(json.dumps(event(f"new-{number}")) for number in range(3)), encoding="utf-8")
        assert (await shop.replay("--lines", str(lines)))["told"] == 3
        shown = await shop.stall.vestnik("replay", "--lines", str(lines), "--console", "--reveal")
        assert "c-new-1  Your order is paid | Thank you" in shown
        sent = await shop.replay("--lines", str(lines), "--send", "--reason", "their topic was lost")
        assert sent["sent"]["commands"] == 3
        await shop.quiet(4)
        assert shop.told() == Counter(["c-7", "c-new-0", "c-new-1", "c-new-2"])
