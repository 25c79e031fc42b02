"""What an event costs in each format, from the record to its commands with the shipped catalogue, against plain JSON.

Run it with `python -m tests.benchmarks.formats [--json FILE]`. All times are of this thread's CPU. The formats take
turns within a round, so that what else runs on the machine is the same for all; a format's figure is the median of its
rounds, and the ratio is that of the medians.
"""

import gc
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from time import thread_time
from typing import Any

from consumer.core.formats import Format, Formats, SourceFormat
from consumer.core.model import Planned, Record
from consumer.core.plan import LaneProfile, Planner
from consumer.core.routes import RouteSet
from consumer.streams.avro import avro_unpack
from tests.benchmarks.plan import APP, SHOPS, routes, shop_records
from tests.benchmarks.telling import keep, parser_of
from tests.core import formats as wraps
from tests.streams.registries import EVENT_SCHEMA, avro, framed

EVENTS = 4_000
ROUNDS = 7
LEAST_RATIO = 0.5
AVRO_NUMBER = 7


@dataclass(frozen=True, slots=True)
class Cost:
    """One format's cost of an event in microseconds of CPU, and its rate as a part of plain JSON's."""

    format: str
    us_per_event: float
    events_per_second: float
    ratio: float


def _framed_avro(event: dict[str, Any]) -> Record:
    return wraps.record(framed(AVRO_NUMBER, avro(EVENT_SCHEMA, event)))


def _plain(event: dict[str, Any]) -> Record:
    return wraps.record(event)


WAYS: Mapping[str, tuple[Format, Callable[[dict[str, Any]], Record]]] = {
    "json": (Format.AUTO, _plain),
    "cloudevents structured": (Format.AUTO, wraps.structured),
    "cloudevents binary": (Format.AUTO, wraps.binary),
    "debezium change": (Format.AUTO, wraps.change),
    "debezium routed": (Format.DEBEZIUM, wraps.routed),
    "confluent json": (Format.AUTO, wraps.framed),
    "confluent avro": (Format.AUTO, _framed_avro),
}


def wrapped(way: str, plain: Sequence[Record]) -> list[Record]:
    """The same events in this format."""
    wrap = WAYS[way][1]
    made = []
    for record in plain:
        event = json.loads(record.value or b"")
        # What an envelope says must be there to be said.
        event.setdefault("source", "shop")
        found = wrap(event)
        made.append(replace(record, value=found.value, headers=found.headers))
    return made


def planner(way: str, found: RouteSet) -> Planner:
    known = {AVRO_NUMBER: avro_unpack(EVENT_SCHEMA, [])} if way == "confluent avro" else None
    topics = ("shop.orders", "shop.bonuses")
    formats = Formats(dict.fromkeys(topics, SourceFormat(WAYS[way][0], schemas=known)))
    return Planner(LaneProfile(APP, SHOPS, formats=formats), found)


def _seconds(way: str, records: Sequence[Record], found: RouteSet) -> float:
    made = planner(way, found)
    gc.collect()
    gc.disable()
    began = thread_time()
    count = sum(isinstance(made.plan(record), Planned) for record in records)
    seconds = thread_time() - began
    gc.enable()
    assert count > len(records) // 4, f"{way}: only {count} of {len(records)} events became anything"
    return seconds


def measure(events: int = EVENTS, rounds: int = ROUNDS) -> list[Cost]:
    """Every format's cost."""
    plain = [record for record in shop_records(events) if b'"event_id"' in (record.value or b"")]
    records = {way: wrapped(way, plain) for way in WAYS}
    shipped = routes()
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, found in records.items():
            times[way].append(_seconds(way, found, shipped))
    seconds = {way: median(found) for way, found in times.items()}
    count = len(plain)
    return [
        Cost(way, round(each / count * 1e6, 1), round(count / each), round(seconds["json"] / each, 3))
        for way, each in seconds.items()
    ]


def main(arguments: Sequence[str]) -> int:
    """0 where each format is at least half as fast as plain JSON."""
    parser = parser_of("formats", __doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(arguments)
    costs = measure(asked.events, asked.rounds)
    for cost in costs:
        line = f"{cost.format:24} {cost.us_per_event:8.1f} µs {cost.events_per_second:9,} a second {cost.ratio:6.2f}"
        sys.stdout.write(line + "\n")
    keep([asdict(cost) for cost in costs], asked.json)
    return int(any(cost.ratio < LEAST_RATIO for cost in costs))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
