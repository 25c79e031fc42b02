"""One consumer under pressure, in a process of its own whose memory is measured from outside.

`python -m tests.chaos.pressure '{...}'` (the fields of `Load`) runs the service as `vestnik run` wires it. Its source
topics are made up as they are read, so that a topic of a million records takes no memory; the journal and the dead
letters are files; the provider is another process. Its seconds pass `pace` times as fast. Each line that it prints is a
JSON object: how it stands; the last one has `done`.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import yaml

from consumer.app.logs import configure
from consumer.app.service import Options, Service
from consumer.app.setup import Setup
from consumer.app.wiring import OpenStreams, Streams
from consumer.core.facts import CommandEnded, DeadLettered, Fact, LaneBlocked, LaneGauges, RecordsPlanned
from consumer.core.model import Position, Record
from consumer.core.ports import Emit
from consumer.streams.lines import LinesDeadLetters, LinesJournal
from consumer.streams.memory import MemoryBroker, MemorySource
from consumer.streams.memory_broker import Log
from tests.app.support import ENVIRON, local, setup_of
from tests.chaos.posting import rss_mib
from tests.virtual_network import FastLoop

LANE, TOPIC = "app-push", "shop.orders"
REPORT_SECONDS = 10.0
PARTITIONS = 4
KEY = ENVIRON["IMSHOP_KEY"]

ROUTES = """\
- id: order-paid
  on: order.paid
  lane: app-push
  ttl: 24h
  ladder: off
  wordings:
    - {title: "Order of group {{ order.public_id }} is paid", text: "Thank you"}
"""


@dataclass(frozen=True, slots=True)
class Load:
    """`per_second` events, `total` of them, each text for `alike` people in a row; of a hundred records `poison` are
    broken. The provider allows `requests` in `per` seconds, and
    `backlog` commands may wait. `users` 0: everybody is somebody else."""

    folder: str
    url: str
    pace: float
    per_second: float
    total: int
    alike: int = 10
    requests: int = 10
    per: float = 1.0
    poison: int = 0
    users: int = 0
    backlog: int = 100_000
    log_level: str = "warning"


@dataclass(slots=True)
class MadeUp:
    """One partition whose records exist only while they are read; takes the place of a `Log`."""

    load: Load
    partition: int
    began: float
    origin: float
    beginning: int = 0
    records: Sequence[Record] = ()

    @property
    def end(self) -> int:
        passed = asyncio.get_running_loop().time() - self.began
        return min(self.load.total // PARTITIONS, int(passed * self.load.per_second / PARTITIONS))

    def after(self, offset: int, count: int) -> Sequence[Record]:
        return [self._record(each) for each in range(offset, min(self.end, offset + count))]

    def _record(self, offset: int) -> Record:
        number = offset * PARTITIONS + self.partition
        at = self.origin + number / self.load.per_second
        position = Position(TOPIC, self.partition, offset)
        value = b'{"type": "order.paid", broken' if number % 100 < self.load.poison else _event(self.load, number, at)
        return Record(position, at, b"k", value)


def _event(load: Load, number: int, at: float) -> bytes:
    user = number % load.users if load.users else number
    return json.dumps(
        {
            "event_id": f"e-{number}", "type": "order.paid", "version": 1, "source": "oms", "shop": "ducky",
            "occurred_at": datetime.fromtimestamp(at, UTC).isoformat(),
            "customer": {"id": str(user + 1), "consents": {"push": True}},
            "order": {"id": f"{number}", "public_id": f"{number // load.alike}", "status": "paid", "revision": 1},
        }
    ).encode()  # fmt: skip


@dataclass(slots=True)
class Standing:
    """What is printed: counts since the beginning, and how the lane stands. `seconds` are the process's own."""

    seconds: float = 0.0
    planned: int = 0
    rejected: int = 0
    letters: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    in_flight: int = 0
    lag: int = 0
    drift: int = 0
    lines: int = 0
    cpu_seconds: float = 0.0
    ends: dict[str, int] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    done: bool = False
    exit_code: int = -1

    def see(self, fact: Fact) -> None:
        match fact:
            case RecordsPlanned():
                self.planned += fact.commands
                self.rejected += fact.records * (fact.result == "rejected")
            case CommandEnded():
                self.ends[fact.outcome.value] = self.ends.get(fact.outcome.value, 0) + fact.count
            case DeadLettered():
                self.letters += 1
            case LaneBlocked():
                self.blocked = [*self.blocked[-20:], fact.reason]
            case LaneGauges():
                self.waiting, self.waiting_bytes = fact.waiting, fact.waiting_bytes
                self.in_flight, self.lag = fact.in_flight, fact.lag_records
                self.drift = max(self.drift, abs(fact.drift))
            case _:
                pass


class Lines:
    """A log of which only the number of lines is kept."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def write(self, text: str) -> int:
        self._standing.lines += text.count("\n")
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return False


async def _live(load: Load) -> None:
    standing, began = Standing(), asyncio.get_running_loop().time()
    configure("json", load.log_level, cast("Any", Lines(standing)), time.monotonic)
    # The journal's file is stamped by the host's clock, and the lane's time begins there.
    origin = time.time()
    broker = MemoryBroker(lambda: origin + asyncio.get_running_loop().time() - began)
    broker.create(TOPIC, PARTITIONS)
    broker.topics[TOPIC].logs = [cast("Log", MadeUp(load, number, began, origin)) for number in range(PARTITIONS)]
    setup = _setup(load)

    def streams(setup: Setup, emit: Emit) -> OpenStreams:
        folder = Path(load.folder)
        return lambda lane: Streams(
            MemorySource(broker, f"vestnik.{lane}", [TOPIC], emit=emit),
            LinesJournal(folder / "journal.jsonl"),
            LinesDeadLetters(folder / "letters.jsonl"),
        )

    service = Service(setup, Options(streams, (standing.see,)))
    running = asyncio.create_task(service.run(), name="service")
    telling = asyncio.create_task(_tell(standing, began), name="telling")
    stdin = asyncio.create_task(asyncio.to_thread(sys.stdin.read), name="stdin")
    offsets = broker.group(f"vestnik.{LANE}").offsets

    def over() -> bool:
        return sum(offsets.values()) >= load.total // PARTITIONS * PARTITIONS or running.done() or stdin.done()

    while not over():  # noqa: ASYNC110 - seconds that pass fast
        await asyncio.sleep(REPORT_SECONDS / 10)
    service.stop()
    await asyncio.wait({running}, timeout=60)
    telling.cancel()
    standing.done, standing.exit_code = True, running.result() if running.done() else -1
    _say(standing, began)


def _setup(load: Load) -> Setup:
    quota = {"requests": load.requests, "per": f"{load.per}s"}
    config = local(load.url, "10s", quota=quota, backlog={"commands": load.backlog}) | {"admin": {"port": 0}}
    return setup_of(Path(load.folder), yaml.safe_dump(config), ROUTES)


async def _tell(standing: Standing, began: float) -> None:
    while True:
        _say(standing, began)
        await asyncio.sleep(REPORT_SECONDS)


def _say(standing: Standing, began: float) -> None:
    standing.seconds = round(asyncio.get_running_loop().time() - began, 1)
    standing.cpu_seconds = round(time.process_time(), 1)
    sys.stdout.write(json.dumps(asdict(standing)) + "\n")
    sys.stdout.flush()


# --- the side of the row ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """How the process stood, and the memory that it had then."""

    standing: dict[str, Any]
    rss_mib: float

    @property
    def seconds(self) -> float:
        return float(self.standing["seconds"])


@dataclass(slots=True)
class Pressed:
    """A process under pressure, seen from outside."""

    process: asyncio.subprocess.Process
    samples: list[Sample] = field(default_factory=list)

    async def watch(self, look: Callable[[Sample], None] = lambda _sample: None) -> dict[str, Any]:
        """Until it is done; `look` is told of each line. What it said last."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            sample = Sample(json.loads(line), rss_mib(self.process.pid))
            if sample.standing["done"]:
                return sample.standing
            self.samples.append(sample)
            look(sample)
        raise OSError("the process under pressure ended without a word")

    def stop(self) -> None:
        """It stops as by SIGTERM, and says its last line."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    @property
    def highest_mib(self) -> float:
        return max((sample.rss_mib for sample in self.samples), default=0.0)

    def slope_mib_per_minute(self, since: float, until: float = 1e12) -> float:
        """How memory grew over these seconds of the process, by least squares."""
        points = [(each.seconds / 60, each.rss_mib) for each in self.samples if since <= each.seconds <= until]
        if len(points) < 3:
            return 99.0
        mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


@asynccontextmanager
async def pressed(load: Load) -> AsyncIterator[Pressed]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.pressure", json.dumps(asdict(load)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**20,
    )  # fmt: skip
    try:
        yield Pressed(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    given = Load(**json.loads(sys.argv[1]))
    with asyncio.Runner(loop_factory=lambda: FastLoop(given.pace)) as runner:
        runner.run(_live(given))
