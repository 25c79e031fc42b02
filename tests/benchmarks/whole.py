"""The whole job, side by side: the same events to the same provider by Vestnik, by a bare loop, and by what others use.

Run it with `python -m tests.benchmarks.whole`. Each contestant is a process of its own, started one after the other in
one run: warmed up, left idle, then measured from the first event that is published to the last push that is accepted.
CPU seconds are the contestant's process's alone. Only ratios within one run mean anything on another machine.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import peers
from tests.benchmarks.contestants.job import Task
from tests.benchmarks.jobs import COALESCED, ORDERS, Job, configuration, routes
from tests.benchmarks.nowhere import Ear
from tests.benchmarks.peers import Contestant
from tests.benchmarks.provider import Provider
from tests.benchmarks.stage import (
    BOOTSTRAP_HELP,
    Broker,
    Hearing,
    NotDone,
    Process,
    broker,
    settled,
    topics_for_lane,
    watched,
    written,
)
from tests.benchmarks.telling import keep, parser_of, ruled

EVENTS = 5_000
WARM_UP = 300
IN_FLIGHT = 256
IDLE_SECONDS = 1.5
LATENCIES_MS = (0.0, 20.0, 100.0)
COALESCED_LATENCY_MS = 20.0
# What is wanted: Vestnik's events a CPU second over the other's, at least; and µs of CPU an event, at most.
WANTED = {"bare": 0.85, "faststream": 1.25, "quix": 1.6, "arroyo": 1.8, "faust": 2.0}
WANTED_US = {("vestnik", "coalesced"): 50.0, ("vestnik-null", "orders"): 100.0, ("vestnik-null", "coalesced"): 50.0}


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured of one contestant at one latency in one round. `twice` are those who were told beyond one an
    event."""

    contestant: str
    job: str
    latency_ms: float
    events: int
    events_per_second: float
    events_per_cpu_second: float
    us_per_event: float
    rss_mib: float
    first_push_seconds: float
    requests: int
    twice: int
    committed: bool
    round: int = 1

    @property
    def task(self) -> tuple[str, str, float]:
        return self.contestant, self.job, self.latency_ms


class Match:
    """One run of one job: a broker, a provider, and fresh names for each contestant."""

    def __init__(
        self, stage: Broker, provider: Hearing, folder: Path, job: Job = ORDERS, profile: Path | None = None
    ) -> None:
        self._stage = stage
        self._job = job
        self._profile = profile
        self._provider = provider
        self._folder = folder
        self._numbers = count(1)

    def play(self, contestant: Contestant, latency_ms: float, events: int) -> Score:
        """Start it, warm it up, measure it, stop it. Raises NotDone where it does not do its work."""
        number = next(self._numbers)
        lane = f"{self._job.name}-{self._stage.mark}-{number}"
        topic = f"{lane}-events"
        self._stage.make(topic)
        group = f"vestnik.{lane}"
        hearing = self._provider if contestant.http else Ear(self._folder / f"{lane}.count")
        process = self._process(contestant, topic, lane, group)
        # An ear for the first event: what a process costs to start is measured by itself.
        hearing.expect(WARM_UP, latency_ms)
        self._stage.publish(topic, self._job.events(WARM_UP, 1000 + number))
        process.start()
        try:
            first = watched(hearing, process).first - process.began
            time.sleep(IDLE_SECONDS)
            return self._measured(contestant, (process, hearing), (topic, group), (latency_ms, events, first))
        finally:
            process.stop()

    def _measured(
        self,
        contestant: Contestant,
        who: tuple[Process, Hearing],
        where: tuple[str, str],
        how: tuple[float, int, float],
    ) -> Score:
        process, hearing = who
        latency_ms, events, first_push = how
        published = self._job.events(events, 1)
        hearing.expect(events, latency_ms)
        cpu, began = process.cpu_seconds, time.monotonic()
        self._stage.publish(where[0], published)
        reached = watched(hearing, process)
        spent, rss = process.cpu_seconds - cpu, process.rss_mib
        waited = settled(self._stage, where[1], where[0], WARM_UP + events)
        return Score(
            contestant=contestant.name,
            job=self._job.name,
            latency_ms=latency_ms,
            events=events,
            events_per_second=round(events / (reached.last - began), 1),
            events_per_cpu_second=round(events / spent, 1),
            us_per_event=round(1e6 * spent / events, 1),
            rss_mib=round(rss, 1),
            first_push_seconds=round(first_push, 2),
            requests=reached.requests,
            twice=reached.recipients - events,
            committed=waited is not None,
        )

    def _process(self, contestant: Contestant, topic: str, lane: str, group: str) -> Process:
        log = self._folder / f"{contestant.name}-{lane}.log"
        if not contestant.is_ours:
            variant = {"uvloop": contestant.uvloop, "lean": contestant.lean}
            task = Task(self._stage.bootstrap, topic, group, self._provider.url, IN_FLIGHT, **variant)
            return Process([*contestant.command, json.dumps(asdict(task))], log)
        topics_for_lane(self._stage, lane)
        document = configuration(self._job, self._stage.bootstrap, lane, topic, self._provider.url)
        path = written(self._folder / lane, document, routes(self._job, lane))
        nowhere = None if contestant.http else self._folder / f"{lane}.count"
        command = contestant.vestnik(embedded=self._stage.embedded is not None, profile=self._profile, nowhere=nowhere)
        return Process([*command, str(path)], log, plain=contestant.plain)


# --- figures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """Who plays what."""

    match: Match
    contestant: Contestant
    latency_ms: float
    events: int
    round: int = 1


def turns(match: Match, contestants: Sequence[Contestant], latencies: Sequence[float], events: int) -> Iterator[Turn]:
    """Everybody at each latency."""
    for latency_ms in latencies:
        for contestant in contestants:
            yield Turn(match, contestant, latency_ms, events)


def _apart(match: Match, able: Sequence[Contestant], options: argparse.Namespace) -> Iterator[Turn]:
    """A request an event; who sends nothing answers at once."""
    for http, latencies in ((True, options.latency_ms), (False, [0.0])):
        yield from turns(match, [each for each in able if each.http is http], latencies, options.events)


def _together(match: Match, able: Sequence[Contestant], events: int) -> Iterator[Turn]:
    """Only Vestnik brings equal texts together, and they must have the time to meet."""
    ours = [each for each in able if each.is_ours and events]
    return turns(match, ours, [COALESCED_LATENCY_MS], events)


def in_rounds(asked: Sequence[Turn], rounds: int) -> list[Turn]:
    """All of them in turn, again and again: what else the machine does meanwhile meets everybody alike."""
    return [replace(turn, round=number) for number in range(1, rounds + 1) for turn in asked]


def scores(asked: Sequence[Turn]) -> Iterator[Score]:
    for turn in asked:
        try:
            yield replace(turn.match.play(turn.contestant, turn.latency_ms, turn.events), round=turn.round)
        except NotDone as why:
            sys.stderr.write(f"{turn.contestant.name} at {turn.latency_ms:.0f} ms: not done: {why}\n")


OTHERS = [name for name, contestant in peers.CONTESTANTS.items() if not contestant.is_ours]


def typical(found: Sequence[Score]) -> list[Score]:
    """Of each contestant's rounds the one that cost the median."""
    rounds: defaultdict[tuple[str, str, float], list[Score]] = defaultdict(list)
    for score in found:
        rounds[score.task].append(score)
    return [sorted(each, key=attrgetter("us_per_event"))[len(each) // 2] for each in rounds.values()]


def ratios(found: Sequence[Score], figure: str = "events_per_cpu_second") -> dict[str, float]:
    """Vestnik over each other, at each latency; each the median of those of its rounds."""
    ours = {
        (score.latency_ms, score.round): score
        for score in found
        if (score.contestant, score.job) == ("vestnik", ORDERS.name)
    }
    rounds: defaultdict[str, list[float]] = defaultdict(list)
    for score in found:
        beside = ours.get((score.latency_ms, score.round))
        if beside is not None and score.job == ORDERS.name and score.contestant in OTHERS:
            name = f"vestnik/{score.contestant} at {score.latency_ms:.0f} ms"
            rounds[name].append(getattr(beside, figure) / getattr(score, figure))
    return {name: round(median(each), 3) for name, each in rounds.items()}


def wanted_of(ratio: str) -> float | None:
    """What is wanted of a ratio, by its name; None where nothing is."""
    return WANTED.get(ratio.removeprefix("vestnik/").partition(" at ")[0])


def table(found: Sequence[Score]) -> Table:
    numbers = (
        "provider ms",
        "events/s",
        "events/CPU s",
        "µs CPU an event",
        "wanted",
        "RSS MiB",
        "first push s",
        "twice",
        "committed",
    )
    made = ruled("The whole job", ["contestant"], numbers)
    for each in found:
        rates = (f"{each.events_per_second:,.0f}", f"{each.events_per_cpu_second:,.0f}", f"{each.us_per_event:.0f}")
        wanted = WANTED_US.get((each.contestant, each.job))
        rest = (
            "" if wanted is None else f"≤ {wanted:.0f}",
            f"{each.rss_mib:.0f}",
            f"{each.first_push_seconds:.2f}",
            str(each.twice),
            "yes" if each.committed else "no",
        )
        name = each.contestant if each.job == ORDERS.name else f"{each.contestant}, {each.job}"
        made.add_row(name, f"{each.latency_ms:.0f}", *rates, *rest)
    return made


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("whole", __doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"for each contestant (default {EVENTS})")
    parser.add_argument("--latency-ms", type=float, nargs="+", default=LATENCIES_MS, help="of the provider")
    parser.add_argument("--contestants", nargs="+", choices=sorted(peers.CONTESTANTS), default=list(peers.CONTESTANTS))
    parser.add_argument("--bootstrap", default="", help=BOOTSTRAP_HELP)
    parser.add_argument(
        "--profile", type=Path, help="where Vestnik's cProfile goes; its figures are worth nothing then"
    )
    parser.add_argument("--coalesced", type=int, default=0, help="so many accruals of twelve texts in shared requests")
    parser.add_argument("--rounds", type=int, default=1, help="how often everybody plays; medians are told")
    options = parser.parse_args(arguments)
    console = Console(width=140)
    asked = [peers.CONTESTANTS[name] for name in options.contestants]
    missing = peers.missing(asked, embedded=not options.bootstrap)
    for name, why in missing.items():
        console.print(f"left out: {name}: {why}", markup=False)
    able = [each for each in asked if each.name not in missing]
    with tempfile.TemporaryDirectory(prefix="whole-") as folder, broker(options.bootstrap) as stage, Provider() as told:
        everybody = [
            *_apart(Match(stage, told, Path(folder), profile=options.profile), able, options),
            *_together(Match(stage, told, Path(folder), COALESCED, options.profile), able, options.coalesced),
        ]
        asked_for, found = in_rounds(everybody, options.rounds), []
        for score in scores(asked_for):
            found.append(score)
            name = f"{score.contestant}, {score.job}, {score.latency_ms:.0f} ms"
            console.print(f"{name}: {score.us_per_event:.0f} µs of CPU an event", markup=False, highlight=False)
    _tell(console, found)
    document = {
        "scores": [_row(each) for each in typical(found)],
        "ratios": ratios(found),
        "rates": ratios(found, "events_per_second"),
        "compiled": peers.core_is_compiled(),
        "wanted": WANTED,
        "left_out": missing,
    }
    keep(document, options.json)
    return 0 if len(found) == len(asked_for) else 1


def _row(score: Score) -> dict[str, Any]:
    """A score as JSON, with what is wanted."""
    return {**asdict(score), "wanted_us_per_event": WANTED_US.get((score.contestant, score.job))}


def _tell(console: Console, found: Sequence[Score]) -> None:
    console.print(table(typical(found)))
    rates = ratios(found, "events_per_second")
    for name, ratio in ratios(found).items():
        wanted = wanted_of(name)
        aim = "" if wanted is None else f" (wanted: {wanted:.2f})"
        console.print(f"{name}: {ratio:.2f}{aim}; events a second: {rates[name]:.2f}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
