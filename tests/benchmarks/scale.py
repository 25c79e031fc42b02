"""A shared lane in one, two and four processes: how much more they do together, and what an event costs them.

Run it with `python -m tests.benchmarks.scale`. It wants a real Kafka, for the embedded broker knows no groups worth the
name, and starts one where `--bootstrap` names none. What is measured is CPU time of the consumers alone: events a CPU
second, beside those of one process in the same run. The rate itself says something only where every process has a core
of its own, beside the broker's and the provider's.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.jobs import ORDERS, configuration, routes
from tests.benchmarks.peers import CONTESTANTS
from tests.benchmarks.provider import Provider
from tests.benchmarks.stage import Broker, NotDone, Process, watched, written
from tests.benchmarks.telling import keep, parser_of, ruled
from tests.kafka.server import KafkaServer, free_port

EVENTS = 10_000
WARM_UP = 400
SHARES = 4
PARTITIONS = 8
PROCESSES = (1, 2, 4)
ROUNDS = 3
LATENCY_MS = 20.0
SPREAD_SECONDS = 90.0
# Of two processes' events a CPU second over those of one.
WANTED = {2: 0.9}


class Wide(Broker):
    """A Kafka whose sources have as many partitions as every number of processes can divide."""

    @property
    def partitions(self) -> int:
        return PARTITIONS


@contextmanager
def kafka(bootstrap: str) -> Iterator[Broker]:
    """The one at this address, or one of our own."""
    if bootstrap:
        yield Wide(bootstrap)
        return
    with KafkaServer() as server:
        yield Wide(server.bootstrap)


@dataclass(frozen=True, slots=True)
class Score:
    """One run of so many processes. `twice`: who was told beyond one an event."""

    processes: int
    shares: int
    events: int
    events_per_second: float
    events_per_cpu_second: float
    us_per_event: float
    rss_mib: float
    twice: int


class Field:
    """A Kafka and a provider; each run has a topic and a lane of its own."""

    def __init__(self, stage: Broker, provider: Provider, folder: Path) -> None:
        self._stage = stage
        self._provider = provider
        self._folder = folder
        self._numbers = count(1)

    def play(self, processes: int, events: int, latency_ms: float, shares: int = SHARES) -> Score:
        """Start so many, wait until they have shared the lane out, warm them up, measure them, and stop them. Raises
        NotDone where they do not do their work."""
        lane = f"scale-{self._stage.mark}-{next(self._numbers)}"
        topic = f"{lane}-events"
        config = self._prepared(topic, lane, shares)
        running = [self._process(config, f"{lane}-{number}") for number in range(processes)]
        try:
            for each in running:
                each.start()
            self._shared_out(running, shares)
            self._done(running, topic, WARM_UP, latency_ms, seed=1000)
            time.sleep(1.0)
            return self._measured(running, (topic, shares), events, latency_ms)
        finally:
            for each in running:
                each.stop()

    def _measured(self, running: list[Process], where: tuple[str, int], events: int, latency_ms: float) -> Score:
        topic, shares = where
        cpu = sum(each.cpu_seconds for each in running)
        seconds, twice = self._done(running, topic, events, latency_ms, seed=1)
        spent = sum(each.cpu_seconds for each in running) - cpu
        return Score(
            processes=len(running),
            shares=shares,
            events=events,
            events_per_second=round(events / seconds, 1),
            events_per_cpu_second=round(events / spent, 1),
            us_per_event=round(1e6 * spent / events, 1),
            rss_mib=round(max(each.rss_mib for each in running), 1),
            twice=twice,
        )

    def _done(
        self, running: list[Process], topic: str, events: int, latency_ms: float, *, seed: int
    ) -> tuple[float, int]:
        """Seconds from the first event's publishing to the last push; and how many were told twice."""
        published = ORDERS.events(events, seed)
        self._provider.expect(events, latency_ms)
        began = time.monotonic()
        self._stage.publish(topic, published)
        reached = watched(self._provider, running[0])
        return reached.last - began, reached.recipients - events

    def _shared_out(self, running: list[Process], shares: int) -> None:
        """Wait until every share works, and each process has its part of them."""
        deadline = time.monotonic() + SPREAD_SECONDS
        wanted = sorted(len(range(number, shares, len(running))) for number in range(len(running)))
        while sorted(_working(each) for each in running) != wanted:
            if time.monotonic() > deadline:
                raise NotDone(f"the shares are not spread: {[_working(each) for each in running]}")
            time.sleep(0.5)

    def _prepared(self, topic: str, lane: str, shares: int) -> Path:
        """The topics, and the configuration of all processes."""
        self._stage.make(topic)
        self._stage.make(f"vestnik.journal.{lane}", shares, **{"message.timestamp.type": "LogAppendTime"})
        document = configuration(ORDERS, self._stage.bootstrap, lane, topic, self._provider.url)
        document["kafka"]["session_timeout"] = "10s"
        if shares > 1:
            document["lanes"][lane]["shares"] = shares
        return written(self._folder / lane, document, routes(ORDERS, lane))

    def _process(self, config: Path, name: str) -> Process:
        command = [*CONTESTANTS["vestnik"].vestnik(embedded=False), str(config)]
        return Process(command, self._folder / f"{name}.log", {"VESTNIK_ADMIN_PORT": str(free_port())})


def _working(process: Process) -> int:
    return sum(lane["state"] == "working" for lane in process.state().get("lanes", {}).values())


# --- figures ----------------------------------------------------------------------------------------------------------


Runs = dict[tuple[int, int], list[Score]]
"""By processes and shares: each round's."""


def middle(scores: Sequence[Score]) -> Score:
    """The run whose cost is the median of its like."""
    cost = statistics.median_low(each.us_per_event for each in scores)
    return next(each for each in scores if each.us_per_event == cost)


def ratios(runs: Runs) -> dict[int, float]:
    """Events a CPU second of so many processes over those of one, the median of the rounds'."""
    ones = runs.get((1, SHARES), [])
    return {
        processes: round(statistics.median(one.us_per_event / each.us_per_event for one, each in pairs), 3)
        for (processes, _), scores in runs.items()
        if processes > 1 and (pairs := list(zip(ones, scores, strict=False)))
    }


def table(runs: Runs) -> Table:
    title = f"A lane with {SHARES} shares, on {os.cpu_count()} cores with its broker and its provider"
    numbers = ("events/s", "events/CPU s", "µs CPU an event", "of one process", "wanted", "RSS MiB", "twice")
    made = ruled(title, ["processes"], numbers)
    compared = ratios(runs)
    for each in map(middle, runs.values()):
        ratio, wanted = compared.get(each.processes), WANTED.get(each.processes)
        made.add_row(
            str(each.processes) if each.shares > 1 else f"{each.processes}, a lane without shares",
            f"{each.events_per_second:,.0f}",
            f"{each.events_per_cpu_second:,.0f}",
            f"{each.us_per_event:.0f}",
            "" if ratio is None else f"{ratio:.2f}",
            "" if wanted is None else f"≥ {wanted:.2f}",
            f"{each.rss_mib:.0f}",
            str(each.twice),
        )
    return made


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("scale", __doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"in each run (default {EVENTS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each, in turns; the median is told")
    parser.add_argument("--processes", type=int, nargs="+", default=PROCESSES)
    parser.add_argument("--latency-ms", type=float, default=LATENCY_MS, help="of the provider")
    parser.add_argument("--bootstrap", default="", help="a Kafka; without one a broker is started for this")
    options = parser.parse_args(arguments)
    runs: Runs = {(1, 1): [], **{(each, SHARES): [] for each in options.processes}}
    with tempfile.TemporaryDirectory(prefix="scale-") as folder, kafka(options.bootstrap) as stage, Provider() as told:
        there = set(stage.admin.list_topics(timeout=10).topics)
        for topic in {"vestnik.dead-letters", "vestnik.control"} - there:
            stage.make(topic, 1)
        field = Field(stage, told, Path(folder))
        for _ in range(options.rounds):
            for (processes, shares), scores in runs.items():
                scores.append(field.play(processes, options.events, options.latency_ms, shares))
    Console(width=140).print(table(runs))
    named = {f"{processes} processes/1, events a CPU second": ratio for processes, ratio in ratios(runs).items()}
    document = {"scores": [asdict(each) for scores in runs.values() for each in scores], "ratios": named}
    keep(document, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
