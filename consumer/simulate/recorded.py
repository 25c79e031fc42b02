"""Traffic from a file: a shop's own topic as JSON lines, planned with its own routes."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan, nan
from pathlib import Path

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
                yield from self._planned(planner, record, at)

    def _planned(self, planner: Planner, record: Record, at: float) -> Iterator[Arrival]:
        plan = planner.plan(record)
        self.seen["records"] += 1
        match plan:
            case Ignored():
                self.seen["ignored"] += 1
            case Rejected():
                self.seen["rejected"] += 1
            case Planned():
                if plan.rejections:
                    self.seen["rejected"] += 1
                self.seen["commands"] += len(plan.commands)
                yield from (Arrival(at, command) for command in plan.commands)

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
