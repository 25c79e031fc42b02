"""Traffic from a file: a shop's own topic as JSON lines, planned with its own routes."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan, nan
from pathlib import Path
from typing import NamedTuple

from consumer.core.document import Problem
from consumer.core.model import Ignored, Planned, Position, Record, Rejected
from consumer.core.plan import Planner
from consumer.core.profile import LaneProfile, ShopProfile
from consumer.core.routes import RouteSet, load_routes
from consumer.simulate.traffic import Arrival
from consumer.streams.line_records import record_of

_TOPIC = "recorded"
# Links of routes begin with the app's own scheme, of which the file says nothing.
_SLUG = "app"


def read_routes(folder: Path) -> RouteSet | list[Problem]:
    """The routes of a folder, or every mistake in them."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    return load_routes({str(path): path.read_text(encoding="utf-8") for path in files})


def lanes_of(routes: RouteSet) -> tuple[str, ...]:
    """The lanes that the routes name."""
    return tuple(sorted({loaded.route.lane for loaded in routes.routes if loaded.route.enabled}))


@dataclass(slots=True)
class RecordedTraffic:
    """The records of a file in the order of their time, planned for one lane.

    A line is a record with `topic`, `partition`, `offset`, `timestamp` and `value`, or a plain event, whose time is its
    `occurred_at`. `seen` counts what the last reading made of the records.
    """

    path: Path
    routes: RouteSet
    lane: str
    seen: Counter[str] = field(default_factory=Counter)

    def arrivals(self) -> Iterator[Arrival]:
        """Only times and places are kept in memory; each line is read again when its time has come."""
        places, shops = self._survey()
        planner = Planner(LaneProfile(self.lane, shops, default_shop=next(iter(shops))), self.routes)
        self.seen = Counter()
        with self.path.open("rb") as file:
            for at, place, number in places:
                file.seek(place)
                record = _record(file.readline(), number, at)
                yield from _planned(planner, record, at, self.seen)

    def _survey(self) -> tuple[list[tuple[float, int, int]], Mapping[str, ShopProfile]]:
        """Each line's time and place in the file, by time; and the shops that the events name."""
        places: list[tuple[float, int, int]] = []
        shops = {_SLUG: ShopProfile(_SLUG, _SLUG)}
        place, at = 0, 0.0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if line.strip():
                    record = _record(line, number, nan)
                    told = _told(record)
                    at = _time(record, told, at)
                    places.append((at, place, number))
                    if isinstance(shop := told.get("shop"), str):
                        shops.setdefault(shop, ShopProfile(shop, _SLUG))
                place += len(line)
        return sorted(places), shops


class Happening(NamedTuple):
    """An event as JSON, and when the broker would have it, in broker seconds."""

    at: float
    event: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """A data set that can be simulated: what happened in it, from the first on at each call and in the order of time;
    the routes and the lane that suit it, its shops, and its name for people."""

    name: str
    happenings: Callable[[], Iterator[Happening]]
    routes: RouteSet
    lane: str
    shops: Mapping[str, ShopProfile]


@dataclass(slots=True)
class SampleTraffic:
    """The events of a sample, planned for one lane. `seen` counts what the last reading made of them."""

    sample: Sample
    seen: Counter[str] = field(default_factory=Counter)

    def arrivals(self) -> Iterator[Arrival]:
        """Nothing is kept in memory beyond what the sample itself keeps."""
        sample = self.sample
        planner = Planner(LaneProfile(sample.lane, sample.shops, default_shop=next(iter(sample.shops))), sample.routes)
        self.seen = Counter()
        for number, happening in enumerate(sample.happenings()):
            record = _record(happening.event, number, happening.at)
            yield from _planned(planner, record, happening.at, self.seen)


def _planned(planner: Planner, record: Record, at: float, seen: Counter[str]) -> Iterator[Arrival]:
    plan = planner.plan(record)
    seen["records"] += 1
    match plan:
        case Ignored():
            seen["ignored"] += 1
        case Rejected():
            seen["rejected"] += 1
        case Planned():
            if plan.rejections:
                seen["rejected"] += 1
            seen["commands"] += len(plan.commands)
            yield from (Arrival(at, command) for command in plan.commands)


def _record(line: bytes, number: int, at: float) -> Record:
    return record_of(line.rstrip(b"\r\n"), Position(_TOPIC, 0, number), at)


def _told(record: Record) -> Mapping[str, object]:
    """The event as it stands, unchecked; the planner says later what is wrong with it."""
    try:
        event = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _time(record: Record, told: Mapping[str, object], previous: float) -> float:
    """The broker's, else the event's own, else that of the line before."""
    if not isnan(record.timestamp):
        return record.timestamp
    try:
        moment = datetime.fromisoformat(str(told.get("occurred_at")))
    except ValueError:
        return previous
    return moment.timestamp() if moment.tzinfo else previous
