"""What a replay costs and what it does to live news, at full size.

`python -m tests.benchmarks.replay plan` — a dry run over a million events on a real Kafka: events a second of one core,
memory, and the plan's counts against a count of its own that keeps everything.
`python -m tests.benchmarks.replay delivered` — a hundred thousand events of yesterday, all delivered: nothing is sent;
with the journal's last hour cut off, that hour's commands are, once.
`python -m tests.benchmarks.replay live` — a replay of 200,000 beside a day of live news on ten requests a minute, in
virtual time: the live figures with it and without it.

All take `--events`; exit code 1 where a promise is broken.
"""

import argparse
import asyncio
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from consumer.app.profiles import lane_profile
from consumer.app.setup import Setup, load_setup
from consumer.catalogue import catalogue_files
from consumer.core.model import Command, Planned, Position, Priority, Record
from consumer.core.plan import Planner
from consumer.core.policies import POLICIES
from consumer.simulate.day import LaneModel, Replay, run_day
from consumer.simulate.figures import Figures
from consumer.simulate.traffic import Arrival, Traffic
from consumer.streams import topics
from consumer.streams.reading import read_whole
from consumer.streams.settings import KafkaSettings
from tests.kafka import yesterday
from tests.kafka.server import KafkaServer
from tests.kafka.yesterday import Dated

HOUR = 3600.0
TOPIC = "shop.events"
LANES = ("app-push", "staff")
# Of each hundred events: so many were delivered then, so many are older than any ttl, so many are copies.
DELIVERED, STALE, COPIES = 60, 10, 5
LEAST_PER_SECOND = 10_000
MOST_BYTES_PER_EVENT = 100
POINTS = 0.02
LOOK_SECONDS = 0.1
# Parts of the old messages that have a text of their own.
UNIQUES = (0.1, 0.0, 1.0)


def said(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a benchmark prints


# --- live news beside a replay ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beside:
    """A day with a replay that begins before its bursts."""

    seed: int = 1
    old: int = 200_000
    unique: float = 0.1
    since: float = 9.5 * HOUR
    scale: float = 1.0
    until_seconds: float = 24 * HOUR

    @property
    def live(self) -> Traffic:
        return Traffic(seed=self.seed, scale=self.scale, until_seconds=self.until_seconds)

    def commands(self) -> Iterator[Command]:
        """Yesterday's, in texts of their own, true until the evening of tomorrow."""
        other = Traffic(seed=self.seed + 100, unique=self.unique)
        for _, command in islice(other.arrivals(), self.old):
            terms = replace(command.terms, priority=Priority.LOW, deliver_within_seconds=8 * 24 * HOUR, backfill=True)
            wordings = tuple(each._replace(title=f"old {each.title}") for each in command.wordings)
            id_ = b"old" + command.id[3:]
            yield replace(command, id=id_, terms=terms, wordings=wordings, deadline=self.since + 36 * HOUR)

    def with_it(self) -> Figures:
        return run_day(self.arrivals(), self._lane(Replay(self.since, self.commands())))

    def without_it(self) -> Figures:
        return run_day(self.arrivals(), self._lane(None))

    def arrivals(self) -> Iterator[Arrival]:
        return self.live.arrivals()

    def _lane(self, old: Replay | None) -> LaneModel:
        return LaneModel(POLICIES["turn"](), seed=self.seed, replay=old)


def worst_window(figures: Figures, seconds: float = 60.0) -> int:
    """The most requests that were answered within any minute: each was in its window by then."""
    times, first, worst = sorted(figures.answered_at), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def live(events: int, uniques: Sequence[float] = UNIQUES) -> bool:
    kept = True
    for unique in uniques:
        day = Beside(old=events, unique=unique)
        alone, beside = day.without_it(), day.with_it()
        for priority in Priority:
            before, after = alone.classes[priority].in_time_ratio, beside.classes[priority].in_time_ratio
            coarse = alone.classes[priority].coarser_ratio, beside.classes[priority].coarser_ratio
            kept &= before - after <= POINTS
            said(
                f"unique {unique:4.0%}  {priority:7} in time {before:8.3%} alone, {after:8.3%} beside a replay;"
                f" coarser {coarse[0]:.2%}, {coarse[1]:.2%}"
            )
        old, worst = beside.backfill, worst_window(beside)
        kept &= worst <= 10 and old.published == events
        hours = (max(old.told_at, default=day.since) - day.since) / HOUR
        said(
            f"unique {unique:4.0%}  replay: {old.delivered:,} of {old.published:,} told within {hours:.1f} h,"
            f" {old.expired:,} expired; requests {alone.requests:,} alone, {beside.requests:,} beside;"
            f" worst minute {worst}"
        )
    return kept


# --- on a real Kafka --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shop:
    """The catalogue's routes on their two lanes, on a broker of its own."""

    setup: Setup
    config: Path
    settings: KafkaSettings

    def plan(self, *words: str) -> tuple[dict[str, Any], float, int]:
        """`vestnik replay` in a process of its own: its report, its seconds of CPU and its most bytes of memory."""
        vestnik = str(Path(sys.executable).with_name("vestnik"))
        command = [vestnik, "replay", *words, "--config", str(self.config), "--output", "json"]
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(command, stdout=output)
            most_bytes = 0
            # Asked of the process itself: what the system sums up has the parent's memory in it, from before the start.
            ended = os.pidfd_open(process.pid)
            while not select.select([ended], [], [], LOOK_SECONDS)[0]:
                most_bytes = max(most_bytes, _resident_bytes(process.pid))
            os.close(ended)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            if process.returncode:
                raise RuntimeError(f"exit code {process.returncode}")
            return json.load(output), usage.ru_utime + usage.ru_stime, most_bytes


def _resident_bytes(pid: int) -> int:
    """The most that it has had in memory so far; 0 when it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    with tempfile.TemporaryDirectory() as name, KafkaServer() as server:
        folder = Path(name)
        for path, text in catalogue_files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        lanes = {lane: {"provider": {"type": "console"}, "mode": "live", "backfill": True} for lane in LANES}
        document = {
            "kafka": {"bootstrap": server.bootstrap},
            "topics": {"sources": [TOPIC]},
            "shops": {"ducky": {"slug": "ducky"}},
            "lanes": lanes,
        }
        config = folder / "vestnik.yaml"
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        setup = load_setup(config, {})
        assert isinstance(setup, Setup), setup
        settings = KafkaSettings(server.bootstrap)
        specs = [topics.TopicSpec(TOPIC, 3, 1)]
        for lane in LANES:
            specs += [topics.TopicSpec(f"vestnik.{part}.{lane}", 1, 1) for part in ("journal", "backfill")]
        assert await topics.create(settings, specs) == []
        yield Shop(setup, config, settings)


def events(count: int, now: float) -> Iterator[Dated]:
    """The catalogue's examples again and again, each order and each bonus of its own in blocks of the examples; of a
    hundred events some are older than any ttl, and some come twice."""
    documents = [json.loads(text) for path, text in catalogue_files().items() if path.startswith("examples/")]
    previous: Dated | None = None
    for number in range(count):
        if previous is not None and number % 100 < COPIES:
            yield previous
            continue
        block, place = divmod(number, len(documents))
        event = json.loads(json.dumps(documents[place]))
        age = 40 * HOUR if number % 100 >= 100 - STALE else HOUR + number % 600
        event["event_id"] = f"e-{number}"
        event["occurred_at"] = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now - age))
        if event.get("customer"):
            event["customer"]["id"] = f"c-{block}"
        if "order" in event:
            event["order"]["id"] = f"o-{block}"
            event["order"]["revision"] = place
        else:
            event["bonus"]["operation_id"] = f"b-{number}"
        previous = Dated(now - age, event)
        yield previous


class Counted:
    """The count that keeps everything: each command once, and of each thread the newest."""

    def __init__(self, now: float) -> None:
        self.delivered: list[tuple[Command, Position]] = []
        self._now = now
        self._fates: Counter[tuple[str, str]] = Counter()
        self._seen: set[bytes] = set()
        self._newest: dict[int | None, int] = {}
        self._candidates: list[tuple[str, int | None, int]] = []

    def see(self, plan: Planned, position: Position, *, was_delivered: bool) -> None:
        for end in plan.ended:
            self._count(end.command, "delivered" if was_delivered else "suppressed")
            if was_delivered:
                self.delivered.append((end.command, position))
        for command in plan.commands:
            fate = "delivered" if was_delivered else "expired" if command.deadline <= self._now else "told"
            if self._count(command, fate):
                self._newest[command.thread] = max(self._newest.get(command.thread, 0), command.rank)
                if was_delivered:
                    self.delivered.append((command, position))

    def _count(self, command: Command, fate: str) -> bool:
        route = command.terms.route
        if command.id in self._seen:
            self._fates[route, "repeated"] += 1
            return False
        self._seen.add(command.id)
        if fate == "told":
            self._candidates.append((route, command.thread, command.rank))
        else:
            self._fates[route, fate] += 1
        return True

    def fates(self) -> Counter[tuple[str, str]]:
        found = self._fates.copy()
        for route, thread, rank in self._candidates:
            newer = thread is not None and self._newest[thread] > rank
            found[route, "superseded" if newer else "told"] += 1
        return found


def count(shop: Shop, lane: str, records: Sequence[Record], now: float) -> Counted:
    planner, found = Planner(lane_profile(shop.setup.config, lane), shop.setup.routes), Counted(now)
    for number, record in enumerate(records):
        plan = planner.plan(record)
        if isinstance(plan, Planned):
            found.see(plan, record.position, was_delivered=COPIES <= number % 100 < COPIES + DELIVERED)
    return found


def same(report: dict[str, Any], right: Counter[tuple[str, str]]) -> bool:
    counted: Counter[tuple[str, str]] = Counter()
    for tally in report["fates"]:
        counted[tally["route"], tally["fate"]] += tally["commands"]
    for key in sorted(counted.keys() | right.keys()):
        if counted[key] != right[key]:
            said(f"WRONG {key}: the plan says {counted[key]}, it is {right[key]}")
    return counted == right


async def _plan(number: int) -> bool:
    kept = True
    async with shop() as place:
        now = time.time()
        records = await yesterday.publish(place.settings.bootstrap, TOPIC, events(number, now))
        said(
            f"{len(records):,} events, {sum(len(each.value or b'') for each in records) / len(records):.0f} bytes each"
        )
        rights = {}
        for lane in LANES:
            rights[lane] = count(place, lane, records, now)
            await yesterday.deliver(place.setup, place.settings.bootstrap, lane, rights[lane].delivered)
            said(f"{lane}: {len(rights[lane].delivered):,} delivered in the journal")
        del records
        idle, idle_seconds, idle_bytes = await asyncio.to_thread(place.plan, "--from", "1s")
        report, seconds, bytes_ = await asyncio.to_thread(place.plan, "--from", "50h")
        for lane in LANES:
            found = report["lanes"][lane]
            kept &= same(found, rights[lane].fates())
            said(f"{lane}: told {found['told']:,}, people {found['people']:,}, quota {found['quota']}")
        said(f"idle: {idle['records']} records, {idle_seconds:.1f} s of CPU, {idle_bytes / 1e6:.0f} MB")
        rate = report["records"] / (seconds - idle_seconds)
        more = (bytes_ - idle_bytes) / report["records"]
        said(
            f"{report['records']:,} events in {seconds:.1f} s of CPU, {report['seconds']:.1f} s by the clock: "
            f"{rate:,.0f} a second of one core; {bytes_ / 1e6:.0f} MB, {more:.0f} bytes an event beyond an idle one"
        )
        return kept and bool(rate >= LEAST_PER_SECOND and more <= MOST_BYTES_PER_EVENT)


async def _delivered(number: int) -> bool:
    async with shop() as place:
        now = time.time()
        dated = list(events(number, now))
        fresh = [replace_time(each, now - 30 * HOUR + 10 * HOUR * at / number) for at, each in enumerate(dated)]
        records = await yesterday.publish(place.settings.bootstrap, TOPIC, fresh)
        cut = now - 21 * HOUR
        lost: dict[str, set[str]] = {}
        for lane in LANES:
            commands = yesterday.commands_of(place.setup, lane, records)
            firsts = {command.id: (command, at) for command, at in reversed(commands)}
            late = {command.id for command, _ in firsts.values() if command.arrived >= cut}
            lost[lane] = {id_.hex() for id_ in late}
            known = [pair for pair in firsts.values() if pair[0].id not in late]
            await yesterday.deliver(place.setup, place.settings.bootstrap, lane, known)
        until = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(cut - 1))
        words = ("--from", "31h", "--extend-ttl", "3d", "--send", "--yes", "--reason", "benchmark")
        report, seconds, _ = await asyncio.to_thread(place.plan, *words, "--to", until)
        kept = True
        for lane in LANES:
            found = report["lanes"][lane]
            told = Counter[str]()
            for tally in found["fates"]:
                told[tally["fate"]] += tally["commands"]
            said(f"{lane}, all delivered: {dict(told)} ({seconds:.0f} s of CPU)")
            kept &= found["told"] == 0
        report, seconds, _ = await asyncio.to_thread(place.plan, *words)
        for lane in LANES:
            found, published = report["lanes"][lane], await read_whole(place.settings, [f"vestnik.backfill.{lane}"])
            assert isinstance(published, list), published
            planner = Planner(replace(lane_profile(place.setup.config, lane)), place.setup.routes)
            plans = [planner.plan(each) for each in published if each.value is not None]
            ids = Counter(command.id.hex() for plan in plans if isinstance(plan, Planned) for command in plan.commands)
            gone = sum(tally["commands"] for tally in found["fates"] if tally["fate"] == "superseded")
            said(
                f"{lane}, last hour cut off: {len(lost[lane]):,} commands lost,"
                f" {found['sent']['commands']:,} published, {gone:,} superseded meanwhile"
            )
            kept &= set(ids) <= lost[lane] and max(ids.values(), default=1) == 1
            kept &= found["sent"]["commands"] + gone == len(lost[lane]) and len(ids) == found["sent"]["commands"]
        return kept


def replace_time(dated: Dated, at: float) -> Dated:
    happened = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
    return Dated(at, {**dated.event, "occurred_at": happened})


SIZES = {"plan": 1_000_000, "delivered": 100_000, "live": 200_000}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.replay")
    parser.add_argument("what", choices=sorted(SIZES))
    parser.add_argument("--events", type=int)
    parser.add_argument("--unique", type=float, nargs="*", default=UNIQUES, help="of live: the shares of own texts")
    asked = parser.parse_args(arguments)
    size = asked.events or SIZES[asked.what]
    if asked.what == "live":
        kept = live(size, asked.unique)
    else:
        kept = asyncio.run(_plan(size) if asked.what == "plan" else _delivered(size))
    said("all promises kept" if kept else "BROKEN")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
