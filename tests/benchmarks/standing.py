"""A consumer while little happens: its memory, how soon it starts and tells, and what a long journal costs it.

Run it with `python -m tests.benchmarks.standing`. On the embedded broker the latency is that broker's, which answers an
empty fetch only after its whole wait, and the long journal lies in files, for that broker forgets; give `--bootstrap` a
real Kafka to learn Vestnik's own. Each figure is printed as soon as it is there.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from consumer.catalogue import catalogue_files
from consumer.core.landing import attempt_records
from consumer.core.model import Batch, Command, Message, Outcome, Parcel, Position, Priority, Terms
from consumer.core.ports import Journal
from consumer.streams.codec import encoded
from consumer.streams.journal import KafkaJournal
from consumer.streams.lines import LinesJournal
from consumer.streams.settings import KafkaSettings
from schemas.journal import Attempt, Claim, Landing
from tests.benchmarks.contestants.job import body_of
from tests.benchmarks.jobs import COALESCED, ORDERS, Job, configuration, routes
from tests.benchmarks.peers import CONTESTANTS
from tests.benchmarks.provider import Provider
from tests.benchmarks.stage import BOOTSTRAP_HELP, Broker, NotDone, Process, broker, topics_for_lane, watched, written
from tests.benchmarks.telling import keep, parser_of
from tests.kafka.server import free_port

WARM_UP = 50
IDLE_SECONDS = 5.0
PER_SECOND = 100
CHUNK = 10_000
# So many wait before the counting begins: what the first ones need is not theirs alone.
FIRST = 2000
MIB = 1024 * 1024
PER_REQUEST = 1000
WAIT_SECONDS = 120.0
# A lane of so few requests must have a wording that many share.
LADDER = {"wordings": [*ORDERS.route["wordings"], {"title": "Заказ ждёт вас", "text": "Подробности в приложении"}]}
APP, STAFF = "app-push", "staff"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it is."""

    name: str
    value: float
    unit: str
    wanted: str = ""


class Bench:
    """A broker, a provider and a folder for everything."""

    def __init__(self, stage: Broker, provider: Provider, folder: Path) -> None:
        self._stage = stage
        self._provider = provider
        self._folder = folder

    # --- memory -------------------------------------------------------------------------------------------------------

    def idle(self) -> Iterator[Figure]:
        """Two lanes with the shipped catalogue, and nothing to do."""
        document = self._document(ORDERS, self._named("idle"))
        lane = document["lanes"].popitem()[1]
        document["lanes"] = {
            APP: lane,
            STAFF: {**lane, "provider": {**lane["provider"], "url": f"{self._provider.url}s"}},
        }
        for name in document["lanes"]:
            topics_for_lane(self._stage, name)
        path = written(self._folder / "idle", document, [])
        for name, text in catalogue_files().items():
            file = self._folder / "idle" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        (self._folder / "idle" / "routes" / "all.yaml").unlink()
        process = self._process(path, "idle")
        try:
            self._until(process, "working")
            time.sleep(IDLE_SECONDS)
            yield Figure("memory, idle with the catalogue on two lanes", process.rss_mib, "MiB", "at most 105")
        finally:
            process.stop()

    def waiting(self, job: Job, count: int) -> Iterator[Figure]:
        """Commands that wait because the lane has had its one request of the hour."""
        lane, apart = self._named(f"waiting-{job.name}"), job.recipients_per_request == 1
        document = self._document(job, lane)
        document["lanes"][lane] |= {"quota": {"requests": 1, "per": "1h"}, "in_flight": 1}
        document["lanes"][lane]["backlog"] = {"commands": 2 * count, "bytes": "1GiB"}
        topics_for_lane(self._stage, lane)
        route = {**routes(job, lane)[0], **(LADDER if apart else {})}
        process = self._process(written(self._folder / lane, document, [route]), lane)
        self._provider.expect(1)
        self._publish(lane, job.events(1, 6))
        try:
            watched(self._provider, process, WAIT_SECONDS)
            self._publish(lane, job.events(FIRST, 7))
            self._until(process, "waiting", FIRST)
            before, began = process.rss_mib, process.cpu_seconds
            for number in range(0, count, CHUNK):
                self._publish(lane, job.events(min(CHUNK, count - number), 8 + number))
                self._until(process, "waiting", FIRST + min(number + CHUNK, count))
            more, spent = process.rss_mib - before, process.cpu_seconds - began
        finally:
            process.stop()
        what = "texts of their own" if apart else "twelve texts"
        yield Figure(
            f"memory, {count:,} waiting, {what}", more, "MiB more", "" if apart else f"at most {count / 2000:,.0f}"
        )
        text = text_bytes(job.events(1000, 1)) if apart else 0.0
        yield Figure(f"a waiting command beyond its text, {what}", more * MIB / count - text, "bytes", "at most 400")
        yield Figure(f"plan and put, {what}", 1e6 * spent / count, "µs of CPU")

    # --- time ---------------------------------------------------------------------------------------------------------

    def steady(self, seconds: float) -> Iterator[Figure]:
        """So many events a second, and what lies between an event's publishing and its request at the provider."""
        lane = self._named("steady")
        document = self._document(ORDERS, lane)
        topics_for_lane(self._stage, lane)
        count = int(PER_SECOND * seconds)
        self._provider.expect(WARM_UP)
        self._publish(lane, ORDERS.events(WARM_UP, 3))
        process = self._process(written(self._folder / lane, document, routes(ORDERS, lane)), lane)
        try:
            yield from self._started(process, "new journal", "at most 2")
            time.sleep(IDLE_SECONDS)
            self._provider.expect(count, keep=True)
            began = process.cpu_seconds
            published = self._trickle(f"{lane}-events", ORDERS.events(count, 4))
            arrived = watched(self._provider, process, WAIT_SECONDS).arrivals
            waits = sorted(1000 * (arrived[who] - at) for who, at in published.items())
            yield Figure(f"publish to push at {PER_SECOND}/s, p50", statistics.median(waits), "ms")
            wanted = "" if self._stage.embedded else "at most 30"
            yield Figure(f"publish to push at {PER_SECOND}/s, p99", waits[int(len(waits) * 0.99)], "ms", wanted)
            yield Figure(f"CPU at {PER_SECOND}/s", 1e6 * (process.cpu_seconds - began) / count, "µs an event")
        finally:
            process.stop()

    def _started(self, process: Process, what: str, wanted: str) -> Iterator[Figure]:
        """From the start to the first push: by the clock, and in the process's own CPU time up to then."""
        first = watched(self._provider, process, WAIT_SECONDS).first - process.began
        yield Figure(f"start to first push, {what}", first, "s", wanted)
        yield Figure("of that, CPU", process.cpu_seconds, "s")

    def _trickle(self, topic: str, values: Sequence[bytes]) -> dict[str, float]:
        producer = Producer({"bootstrap.servers": self._stage.bootstrap, "linger.ms": 0, "log_level": 2})
        published, due = {}, time.monotonic()
        for number, value in enumerate(values):
            due += 1 / PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            published[json.loads(value)["customer"]["id"]] = time.monotonic()
            producer.produce(topic, value, partition=number % self._stage.partitions)
            producer.poll(0)
        producer.flush(30)
        return published

    def long_journal(self, commands: int) -> Iterator[Figure]:
        """A start after a clean stop, with a journal of that many commands: in Kafka, or in files."""
        lane = self._named("long")
        path, size = self._in_files(lane, commands) if self._stage.embedded else self._in_kafka(lane, commands)
        yield Figure(f"journal of {commands:,} commands", size / 1e6, "MB")
        self._provider.expect(1)
        process = self._process(path, lane, level="info", files=self._stage.embedded is not None)
        try:
            yield from self._started(process, f"journal of {commands:,} commands", "at most 5")
            told = re.search(r'"records": (\d+), "seconds": ([\d.]+)', process.log.read_text())
            if told is not None:
                yield Figure("of that, reading back", float(told[2]), "s")
            yield Figure("memory then", process.rss_mib, "MiB")
        finally:
            process.stop()

    def _in_files(self, lane: str, commands: int) -> tuple[Path, int]:
        place = self._folder / lane
        document = configuration(COALESCED, "", lane, f"{lane}-events", self._provider.url)
        del document["kafka"]
        path = written(place, {**document, "source": {"lines": "events.jsonl", "out": "out"}}, routes(COALESCED, lane))
        (place / "out").mkdir()
        journal = place / "out" / f"vestnik.journal.{lane}.jsonl"
        asyncio.run(journal_of(commands, LinesJournal(journal)))
        (place / "events.jsonl").write_bytes(b"\n".join(COALESCED.events(WARM_UP, 5)) + b"\n")
        (place / "out" / f"offsets.{lane}.json").write_text(json.dumps({f"{lane}-events": {"0": 0}}))
        return path, journal.stat().st_size

    def _in_kafka(self, lane: str, commands: int) -> tuple[Path, int]:
        document = self._document(COALESCED, lane)
        topics_for_lane(self._stage, lane)
        journal = KafkaJournal(KafkaSettings(self._stage.bootstrap), f"vestnik.journal.{lane}", lambda _: None)
        size = asyncio.run(journal_of(commands, journal))
        self._stage.begin(f"vestnik.{lane}", f"{lane}-events")
        self._stage.publish(f"{lane}-events", COALESCED.events(WARM_UP, 5))
        return written(self._folder / lane, document, routes(COALESCED, lane)), size

    # --- a lane -------------------------------------------------------------------------------------------------------

    def _named(self, what: str) -> str:
        return f"{what}-{self._stage.mark}"

    def _document(self, job: Job, lane: str) -> dict[str, Any]:
        topic = f"{lane}-events"
        self._stage.make(topic)
        return configuration(job, self._stage.bootstrap, lane, topic, self._provider.url)

    def _process(self, path: Path, name: str, level: str = "warning", *, files: bool = False) -> Process:
        command = CONTESTANTS["vestnik"].vestnik(embedded=self._stage.embedded is not None and not files)
        own = {"VESTNIK_LOG_LEVEL": level, "VESTNIK_ADMIN_PORT": str(free_port())}
        process = Process([*command, str(path)], self._folder / f"{name}.log", own)
        process.start()
        return process

    def _publish(self, lane: str, events: Sequence[bytes]) -> None:
        self._stage.publish(f"{lane}-events", events)

    def _until(self, process: Process, what: str, least: int = 0) -> None:
        """Until all lanes work, or the lane has so many waiting; it says so by its log and its page."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and process.alive:
            state = process.state()
            lanes = state["lanes"].values() if state else []
            if what == "working" and lanes and all(lane["state"] == "working" for lane in lanes):
                return
            if what == "waiting" and lanes and sum(lane.get("waiting", 0) for lane in lanes) >= least:
                return
            time.sleep(0.3)
        raise NotDone(process.last_words)


def text_bytes(events: Sequence[bytes]) -> float:
    """What the texts of an event take in memory, title and text, on the average."""
    told = [json.loads(body_of(event)) for event in events]
    return statistics.fmean(sys.getsizeof(push["title"]) + sys.getsizeof(push["text"]) for push in told)


# --- a journal --------------------------------------------------------------------------------------------------------


async def journal_of(commands: int, journal: Journal) -> int:
    """A journal of requests of 1000, all delivered, as an owner would have left it; its size in bytes."""
    await journal.start()
    now, size = time.time(), 0
    records: list[Claim | Attempt | Landing] = [Claim(epoch=1, member="earlier")]
    for number in range(0, commands, PER_REQUEST):
        batch = Batch(f"1.{number}", 1, (_parcel(number, now),))
        places = {each.id: (Position("long-events", 0, 0),) for each in batch.commands}
        records += attempt_records(batch, places)
        records.append(Landing(attempt=batch.id, epoch=1, verdict="delivered", outcome=Outcome.DELIVERED.value))
        if number % CHUNK == 0 or number + PER_REQUEST >= commands:
            size += sum(len(encoded(record)) for record in records)
            await asyncio.gather(*map(journal.append, records))
            records.clear()
    await journal.stop()
    return size


def _parcel(number: int, now: float) -> Parcel:
    message = Message(f"Вам начислили {number} бонусов", "Спасибо, что вы с нами!")
    terms = Terms("bonus-accrued", Priority.LOW, 7200.0)
    commands = tuple(_command(each, message, terms, now) for each in range(number, number + PER_REQUEST))
    return Parcel(message, 0, commands)


def _command(number: int, message: Message, terms: Terms, now: float) -> Command:
    id_ = number.to_bytes(8) * 2
    return Command(
        id=id_[4:], terms=terms, recipient=str(number), wordings=(message,), deadline=now + 3600.0, arrived=now,
        thread=number, rank=1, digest=id_[:4], source="long-events",
    )  # fmt: skip


# --- the table --------------------------------------------------------------------------------------------------------


def table(figures: Sequence[Figure]) -> Table:
    made = Table(title="While little happens")
    for name in ("what", "figure", "unit", "wanted"):
        made.add_column(name, justify="right" if name == "figure" else "left")
    for each in figures:
        made.add_row(
            each.name, f"{each.value:,.2f}" if each.value < 10 else f"{each.value:,.0f}", each.unit, each.wanted
        )
    return made


def measured(options: argparse.Namespace, tell: Callable[[str], None]) -> tuple[list[Figure], int]:
    """Every figure, and how many of the measurements came to no end."""
    found: list[Figure] = []
    undone = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        broker(options.bootstrap) as stage,
        Provider() as told,
    ):
        bench = Bench(stage, told, Path(folder))
        parts = (
            bench.idle(),
            bench.steady(options.seconds),
            bench.waiting(ORDERS, options.waiting),
            bench.waiting(COALESCED, options.waiting),
            bench.long_journal(options.journal),
        )
        for part in parts:
            try:
                for figure in part:
                    tell(f"{figure.name}: {figure.value:,.2f} {figure.unit}")
                    found.append(figure)
            except NotDone as why:
                undone += 1
                sys.stderr.write(f"not done: {why}\n")
    return found, undone


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("standing", __doc__)
    parser.add_argument("--waiting", type=int, default=100_000, help="commands that wait")
    parser.add_argument("--journal", type=int, default=1_000_000, help="commands in the journal that is read back")
    parser.add_argument("--seconds", type=float, default=20.0, help=f"of {PER_SECOND} events a second")
    parser.add_argument("--bootstrap", default="", help=BOOTSTRAP_HELP)
    options = parser.parse_args(arguments)
    console = Console(width=120)
    figures, undone = measured(options, lambda line: console.print(line, markup=False, highlight=False))
    console.print(table(figures))
    rows = [{"name": each.name, "value": each.value, "unit": each.unit, "wanted": each.wanted} for each in figures]
    keep(rows, options.json)
    return int(undone > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
