"""The inside of the outage benchmark: one real lane in a process of its own, whose hours pass in virtual time.

Real are the lane, the planner with its routes, the desk, the gate and their settings. Fakes stand at the edges: a
source that makes its records when they are read, so that what waits in Kafka takes no memory here, a journal in a file,
and a provider that is away for an hour. Each simulated minute the process looks at its own memory.
"""

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from consumer.app.profiles import lane_profile
from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import lane_settings
from consumer.core.facts import CommandEnded, Fact, LaneGauges, LaneStuck, RequestSent
from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Deferred,
    Delivered,
    Position,
    Record,
    TopicPartition,
    Verdicts,
)
from consumer.core.plan import Planner
from consumer.core.ports import Appended, DeadLetter, Entry, Extent, Seat, Span
from consumer.engine.lane import Lane
from consumer.engine.settings import LaneParts
from consumer.streams.codec import Entryable, decoded, encoded
from tests.virtual import VirtualLoop

EPOCH = 1_700_000_000.0
TOPIC, LANE = "shop.orders", "app-push"
MINUTE = 60.0
ACK_SECONDS = 0.004
LATENCY_SECONDS = 0.2
PATIENCE_MINUTES = 600

CONFIG = """\
source: {{lines: unused.jsonl}}
topics: {{sources: [shop.orders]}}
shops: {{ducky: {{slug: ducky}}}}
lanes:
  app-push:
    provider: {{type: imshop, url: "https://push.example/send", key: {{env: KEY}}}}
    mode: live
    backlog: {{commands: {commands}}}
routes: routes.yaml
"""
ROUTES = """\
- id: order-ready
  on: order.ready_for_pickup
  lane: app-push
  to: event.customer
  thread: event.order.id
  ttl: 6h
  deliver_within: 30m
  wordings:
    - title: "Заказ {{ order.public_id }} ждёт вас"
      text: "{{ order.delivery.title }}: приходите, когда вам удобно"
      link: "{{ lane.slug }}://account/orders/{{ order.id }}"
    - title: "Заказ готов к выдаче"
      text: "{{ order.delivery.title }}: приходите, когда вам удобно"
      link: "{{ lane.slug }}://account/home"
"""


@dataclass(frozen=True)
class Task:
    """What to simulate. Minutes are the lane's; `per_second` records are published all the time until the outage ends
    and two minutes more: ten times a day of 312,000 messages. `commands` is the lane's backlog, whose 128 MiB are the
    narrower bound where every text is somebody's own."""

    folder: str
    per_second: float = 36.0
    calm_minutes: float = 2.0
    outage_minutes: float = 60.0
    commands: int = 100_000
    partitions: int = 8
    texts: int = 40

    @property
    def records(self) -> int:
        return int(self.per_second * MINUTE * (2 * self.calm_minutes + self.outage_minutes))

    def is_out(self, seconds: float) -> bool:
        """Whether the provider is away so many seconds after the beginning."""
        return self.calm_minutes * MINUTE <= seconds < (self.calm_minutes + self.outage_minutes) * MINUTE


@dataclass
class Minute:
    """How the process stood at the end of one simulated minute."""

    minute: int
    out: bool
    rss_mib: float
    waiting: int
    lag: int
    told: int
    probes: int


@dataclass
class Result:
    """What the process saw of itself."""

    minutes: list[Minute] = field(default_factory=list)
    published: int = 0
    committed: int = 0
    pushes: int = 0
    repeats: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    worst_drift: int = 0
    stuck: int = 0
    cpu_seconds: float = 0.0


class Tape:
    """A source whose records are made when they are read: record `n` is published `n / per_second` after the start."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._began = asyncio.get_running_loop().time()
        self._expected: dict[TopicPartition, int] = {}
        self._turns = [TopicPartition(TOPIC, number) for number in range(task.partitions)]
        self.offsets: dict[TopicPartition, int] = {}

    @property
    def published(self) -> int:
        seconds = asyncio.get_running_loop().time() - self._began
        return min(int(seconds * self._task.per_second), self._task.records)

    def _end(self, partition: int) -> int:
        return (self.published - partition + self._task.partitions - 1) // self._task.partitions

    def _record(self, partition: TopicPartition, offset: int) -> Record:
        number = offset * self._task.partitions + partition.partition
        at = EPOCH + self._began + number / self._task.per_second
        customer = f"{100_000 + number}"
        event = {
            "event_id": f"e-{number}",
            "type": "order.ready_for_pickup",
            "version": 1,
            "occurred_at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
            "source": "oms",
            "shop": "ducky",
            "customer": {"id": customer, "consents": {"push": True}},
            "order": {
                "id": f"{number:08d}",
                "public_id": f"М-{number}",
                "status": "ready",
                "total": "2450.00",
                "currency": "RUB",
                "delivery": {"kind": "pickup", "title": f"Пункт выдачи {number % self._task.texts}"},
            },
        }
        value = json.dumps(event, ensure_ascii=False).encode()
        return Record(Position(*partition, offset), at, customer.encode(), value)

    async def start(self, seat: Seat) -> None:
        await seat.assigned(frozenset(self._turns))

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record]:
        for partition in list(self._turns):
            begin = self._expected.get(partition)
            if begin is None or partition in held or begin >= self._end(partition.partition):
                continue
            self._turns.remove(partition)
            self._turns.append(partition)
            until = self._expected[partition] = min(begin + 500, self._end(partition.partition))
            await asyncio.sleep(0)
            return [self._record(partition, offset) for offset in range(begin, until)]
        await asyncio.sleep(timeout_seconds)
        return ()

    async def committed(self) -> Mapping[TopicPartition, int | None]:
        return {partition: self.offsets.get(partition, 0) for partition in self._turns}

    async def extents(self) -> Mapping[TopicPartition, Extent]:
        return {partition: Extent(0, self._end(partition.partition)) for partition in self._turns}

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._expected.update(offsets)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await asyncio.sleep(ACK_SECONDS)
        self.offsets.update(offsets)

    async def fetch(self, position: Position) -> Record:
        return self._record(position.topic_partition, position.offset)

    def claim(self, epoch: int | None) -> None:
        """Nobody else is in the group."""

    async def stop(self) -> None:
        """Nothing is open."""


class FileJournal:
    """The journal in a file, a record a line; an append is acked after some milliseconds of the lane's time."""

    trouble = None

    def __init__(self, path: Path) -> None:
        self._written = path.open("ab")
        self._read = path.open("rb")
        self._end = self._next = 0
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Open already."""

    async def append(self, *records: Entryable) -> Appended:
        await asyncio.sleep(ACK_SECONDS)
        now = _now()
        for record in records:
            self._written.write(f"{now:.6f} ".encode() + encoded(record) + b"\n")
        self._written.flush()
        self._end += len(records)
        self._changed.set()
        return Appended(self._end - 1, now)

    async def rewind(self, since: float) -> Span:
        return Span(0, cut=False, empty=True)

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        if self._next == self._end:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._changed.wait()
            except TimeoutError:
                return ()
        found: list[Entry] = []
        while self._next < self._end and len(found) < 500:
            at, _, value = self._read.readline().partition(b" ")
            found.append(Entry(self._next, float(at), decoded(value)))
            self._next += 1
        return found

    async def stop(self) -> None:
        self._written.close()
        self._read.close()


class FileLetters:
    """Dead letters are counted; there ought to be none."""

    trouble = None

    def __init__(self) -> None:
        self.count = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def append(self, letter: DeadLetter) -> None:
        self.count += 1

    async def stop(self) -> None:
        """Nothing to close."""


class Provider:
    """Knows everybody whom it told; while it is out no connection can be made."""

    provider = "imshop"
    idempotent = False
    capacity = Capacity(1, 1000)
    timeout_seconds = 30.0

    def __init__(self, task: Task) -> None:
        self._task = task
        self._began = asyncio.get_running_loop().time()
        self._told = bytearray(task.records)
        self.pushes = 0
        self.repeats = 0

    @property
    def out(self) -> bool:
        return self._task.is_out(asyncio.get_running_loop().time() - self._began)

    async def ready(self) -> Blocked | Deferred | None:
        return None

    async def send(self, batch: Batch) -> Verdicts:
        await asyncio.sleep(LATENCY_SECONDS)
        if self.out:
            return (Deferred("connect", left=False),)
        for command in batch.commands:
            number = int(command.recipient) - 100_000
            self.repeats += self._told[number]
            self._told[number] = 1
            self.pushes += 1
        return (Delivered(),)

    async def close(self) -> None:
        """Nothing is open."""


def _now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


def rss_mib() -> float:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Notes:
    """What the lane says, in counts alone."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self.outcomes: Counter[str] = Counter()
        self.requests = 0
        self.gauges: LaneGauges | None = None

    def see(self, fact: Fact) -> None:
        match fact:
            case CommandEnded():
                self.outcomes[fact.outcome.value] += fact.count
            case RequestSent():
                self.requests += fact.verdict == "deferred"
            case LaneGauges():
                self.gauges = fact
                self._result.worst_drift = max(self._result.worst_drift, abs(fact.drift))
            case LaneStuck():
                self._result.stuck += 1
            case _:
                pass


async def simulate(task: Task, setup: Setup) -> Result:
    """The calm before, the outage, and all the time that the lane needs afterwards."""
    result = Result()
    notes, tape, provider = Notes(result), Tape(task), Provider(task)
    settings = lane_settings(setup, LANE, "benchmark")
    parts = LaneParts(
        source=tape,
        journal=FileJournal(Path(task.folder) / "journal"),
        dead_letters=FileLetters(),
        sink=provider,
        planner=Planner(lane_profile(setup.config, LANE), setup.routes),
        emit=notes.see,
        wall=_now,
        dice=lambda: 0.5,
    )
    lane = Lane(settings, parts)
    running = asyncio.create_task(lane.run())
    for minute in range(1, PATIENCE_MINUTES):
        await asyncio.sleep(MINUTE)
        gauges = notes.gauges
        waiting, lag = (gauges.waiting, gauges.lag_records) if gauges else (0, 0)
        result.minutes.append(
            Minute(minute, provider.out, round(rss_mib(), 1), waiting, lag, provider.pushes, notes.requests)
        )
        if sum(tape.offsets.values()) == task.records:
            break
    lane.stop()
    await running
    result.published, result.committed = tape.published, sum(tape.offsets.values())
    result.pushes, result.repeats = provider.pushes, provider.repeats
    result.outcomes = dict(notes.outcomes)
    result.cpu_seconds = round(sum(os.times()[:2]), 1)
    return result


def main(line: str) -> None:
    """Do the task that is written in JSON, and print the result in JSON."""
    task = Task(**json.loads(line))
    folder = Path(task.folder)
    (folder / "vestnik.yaml").write_text(CONFIG.format(commands=task.commands), "utf-8")
    (folder / "routes.yaml").write_text(ROUTES, "utf-8")
    setup = load_setup(folder / "vestnik.yaml", {"KEY": "k"})
    if not isinstance(setup, Setup):
        raise SystemExit("; ".join(str(problem) for problem in setup))
    gc.collect()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(simulate(task, setup))
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
