"""What an event costs on its pure way, with the shipped catalogue: from bytes to commands, and into the outbox.

Run it with `python -m tests.benchmarks.plan [--json FILE]`. All times are of this thread's CPU, the median of some
rounds; each round has a planner of its own, so that it remembers nothing of the one before it.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from random import Random
from statistics import median
from time import thread_time

from rich.console import Console
from rich.table import Table

from consumer.catalogue import catalogue_files
from consumer.core.decode import decode
from consumer.core.hindsight import Hindsight
from consumer.core.model import Bounds, Planned, Position, Record
from consumer.core.outbox import Outbox
from consumer.core.plan import LaneProfile, Planner
from consumer.core.price import turn_and_price
from consumer.core.profile import ShopProfile
from consumer.core.replay import Asked, Forecast, Foresight, Outlook
from consumer.core.routes import RouteSet, load_routes
from consumer.demo.events import BONUSES, SHOP, Customer, bonus_event, encode, make_bonus, make_customer, new_event_id
from consumer.demo.shop import Pace, Shop
from schemas.envelope import Event
from tests.benchmarks.telling import keep, parser_of, ruled

EVENTS = 20_000
ROUNDS = 5
CUSTOMERS = 2_000
BEGIN = datetime(2026, 9, 1, 9, tzinfo=UTC)
# Hours after the events, and long before what they say has become old.
NOW = BEGIN.timestamp() + 3600.0
LIMIT = 256 * 1024
APP, STAFF = LANES = ("app-push", "staff")
SHOPS = {SHOP: ShopProfile(SHOP, SHOP)}
# In two languages these make twelve texts.
AMOUNTS = ("50", "100", "150", "250", "500", "1000")
BOUNDLESS = Bounds(commands=1 << 40, bytes=1 << 50, span=1 << 40)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way costs an event, in microseconds of CPU; `commands` is what came of all events."""

    way: str
    events: int
    bytes_per_event: float
    commands: int
    us_per_event: float
    events_per_second: float


# --- events -----------------------------------------------------------------------------------------------------------


def shop_records(count: int) -> list[Record]:
    """A shop's day without what is broken: orders on their way, operations of bonuses, some repeats and oddities."""
    pace = Pace(seconds=1e9, per_second=100.0, customers=CUSTOMERS, burst=0, poison_every_seconds=1e9)
    shop = Shop(Random(1), BEGIN, pace)
    said = (each for each in shop.publications() if not each.poison)
    return [_record(number, each.topic, each.key, each.value) for number, each in enumerate(islice(said, count))]


def order_records(count: int) -> list[Record]:
    """The orders alone: each has words of its own."""
    found = (each for each in shop_records(3 * count) if b'"type":"order.' in (each.value or b""))
    return list(islice(found, count))


def bonus_records(count: int) -> list[Record]:
    """Accruals of one night: many customers, twelve texts."""
    random = Random(2)
    people = [make_customer(number, random) for number in range(CUSTOMERS)]
    return [_accrual(number, random.choice(people), random) for number in range(count)]


def _accrual(number: int, customer: Customer, random: Random) -> Record:
    bonus = {**make_bonus("bonus.accrued", number, BEGIN, random), "amount": random.choice(AMOUNTS)}
    document = bonus_event(customer, bonus, "bonus.accrued", new_event_id(random), BEGIN)
    return _record(number, BONUSES, customer.key, encode(document))


def _record(number: int, topic: str, key: bytes | None, value: bytes) -> Record:
    return Record(Position(topic, 0, number), BEGIN.timestamp() + number / 1000, key, value)


# --- ways -------------------------------------------------------------------------------------------------------------

Way = Callable[[Sequence[Record]], int]
"""Goes with all records to the end, and says how many commands came of them."""


def routes() -> RouteSet:
    files = {path: text for path, text in catalogue_files().items() if path.startswith("routes/")}
    loaded = load_routes(files)
    assert isinstance(loaded, RouteSet), loaded
    return loaded


@dataclass(frozen=True, slots=True)
class Bench:
    """The catalogue on its two lanes. Each method makes one way, fresh."""

    routes: RouteSet

    def decoding(self) -> Way:
        return lambda records: sum(isinstance(decode(record.value, LIMIT), Event) for record in records)

    def planning(self, lane: str = APP) -> Way:
        planner = self._planner(lane)
        return lambda records: sum(_commands(planner, record) for record in records)

    def putting(self) -> Way:
        """Planned, and put into the outbox of a lane."""
        planner, outbox = self._planner(APP), Outbox(BOUNDLESS, turn_and_price())

        def put(records: Sequence[Record]) -> int:
            for record in records:
                plan = planner.plan(record)
                for command in plan.commands if isinstance(plan, Planned) else ():
                    # Threads would replace each other, and nothing would wait.
                    outbox.put(replace(command, thread=None))
            return outbox.waiting

        return put

    def foreseeing(self) -> Way:
        """Judged for both lanes, as the dry run of a replay does."""
        forecasts = [self._forecast(lane) for lane in LANES]

        def foresee(records: Sequence[Record]) -> int:
            for record in records:
                event = decode(record.value, LIMIT)
                for forecast in forecasts:
                    forecast.see(record, event)
            return sum(tally.commands for forecast in forecasts for tally in forecast.tallies())

        return foresee

    def _planner(self, lane: str) -> Planner:
        return Planner(LaneProfile(lane, SHOPS), self.routes)

    def _forecast(self, lane: str) -> Forecast:
        profile = LaneProfile(lane, SHOPS)
        foresight = Foresight(profile, self.routes)
        outlook = Outlook(foresight, self._planner(lane), Hindsight(profile.memory_seconds), NOW)
        forecast = Forecast(outlook, Asked("r-1"))
        # The estimate's sample is the same however long the range: without it the figures are those of a long one.
        forecast.sayings.most = 0
        return forecast


def _commands(planner: Planner, record: Record) -> int:
    plan = planner.plan(record)
    return len(plan.commands) if isinstance(plan, Planned) else 0


# --- figures ----------------------------------------------------------------------------------------------------------


def measured(name: str, make: Callable[[], Way], records: Sequence[Record], rounds: int) -> Cost:
    spent, commands = [], 0
    for _ in range(rounds):
        way = make()
        gc.collect()
        began = thread_time()
        commands = way(records)
        spent.append(max(thread_time() - began, 1e-9))
    seconds = median(spent)
    size = sum(len(record.value or b"") for record in records) / len(records)
    us = 1e6 * seconds / len(records)
    return Cost(name, len(records), size, commands, us, len(records) / seconds)


def costs(count: int, rounds: int) -> Iterator[Cost]:
    bench = Bench(routes())
    shop, orders, bonuses = shop_records(count), order_records(count), bonus_records(count)
    yield measured("decode", bench.decoding, shop, rounds)
    yield measured("plan, a shop's mixture", bench.planning, shop, rounds)
    yield measured("plan, personal texts", bench.planning, orders, rounds)
    yield measured("plan, twelve texts", bench.planning, bonuses, rounds)
    yield measured("plan, staff", lambda: bench.planning(STAFF), orders, rounds)
    yield measured("plan and put, twelve texts", bench.putting, bonuses, rounds)
    yield measured("dry run for both lanes", bench.foreseeing, shop, rounds)


def table(rows: Sequence[Cost]) -> Table:
    numbers = ("events", "bytes an event", "commands", "µs an event", "events a second")
    made = ruled("The pure way of an event", ["way"], numbers)
    for row in rows:
        figures = (row.events, row.bytes_per_event, row.commands)
        made.add_row(row.way, *(f"{each:,.0f}" for each in figures), f"{row.us_per_event:.1f}", _rate(row))
    return made


def _rate(row: Cost) -> str:
    return f"{row.events_per_second:,.0f}"


def main(arguments: Sequence[str]) -> None:
    parser = parser_of("plan", __doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    rows = list(costs(options.events, options.rounds))
    Console(width=120).print(table(rows))
    keep([asdict(row) for row in rows], options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
