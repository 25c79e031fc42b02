"""What a command costs while it waits on a lane: its bytes in the whole desk, and the CPU of its way in, out and home.

Run it with `python -m tests.benchmarks.waiting [--json FILE]`. Bytes are counted twice: as Python asks for them, and as
the whole process has them (each kind in a process of its own). Times are of this thread's CPU, the median of some
rounds; the planning is not in them.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from time import thread_time
from typing import Any

from rich.console import Console
from rich.table import Table

from consumer.core.desk import Desk
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import Capacity, Outcome, Planned, Position, Record
from consumer.core.outbox import Outbox
from consumer.core.plan import LaneProfile, Planner
from consumer.core.price import turn_and_price
from consumer.demo.events import (
    BONUSES,
    ORDERS,
    bonus_event,
    encode,
    make_bonus,
    make_customer,
    make_order,
    new_event_id,
    order_event,
)
from consumer.demo.lifecycle import Step
from tests.benchmarks.plan import AMOUNTS, APP, BEGIN, BOUNDLESS, SHOPS, routes
from tests.benchmarks.telling import keep, parser_of, ruled

COMMANDS = 100_000
EVENTS = 10_000
ROUNDS = 5
POLLED = 500
MEMORY_SECONDS = 8 * 86_400.0
KINDS = ("personal", "twelve")
WAYS = {"personal": (0.0, Capacity(1, 1)), "twelve": (6.0, Capacity(1, 1000))}


@dataclass(frozen=True, slots=True)
class Weight:
    """What a command takes: `texts` are the characters of its wordings alone, `traced` is everything beyond them."""

    kind: str
    commands: int
    groups: int
    texts_bytes: float
    traced_bytes: float
    process_bytes: float
    added_mib: float


@dataclass(frozen=True, slots=True)
class Cost:
    """µs of CPU a command, on a desk on which hardly anything else waits."""

    kind: str
    commands: int
    admit_us: float
    take_us: float
    land_us: float


# --- events: each of another customer ---------------------------------------------------------------------------------


def personal(count: int) -> Iterator[Record]:
    """New orders, which say their number and their sum."""
    random = Random(1)
    step = Step("order.created", "N", 0.0, 0.0)
    for number in range(count):
        order = make_order(number, make_customer(number, random), "courier", random)
        document = order_event(order, step, new_event_id(random), BEGIN)
        yield _record(number, ORDERS, order.customer.key, encode(document))


def twelve(count: int) -> Iterator[Record]:
    """Accruals of a night, in twelve texts."""
    random = Random(2)
    for number in range(count):
        customer = make_customer(number, random)
        bonus = {**make_bonus("bonus.accrued", number, BEGIN, random), "amount": random.choice(AMOUNTS)}
        document = bonus_event(customer, bonus, "bonus.accrued", new_event_id(random), BEGIN)
        yield _record(number, BONUSES, customer.key, encode(document))


def _record(number: int, topic: str, key: bytes | None, value: bytes) -> Record:
    return Record(Position(topic, number % 8, number // 8), BEGIN.timestamp() + number / 1000, key, value)


RECORDS: dict[str, Callable[[int], Iterator[Record]]] = {"personal": personal, "twelve": twelve}


def new_desk() -> Desk:
    return Desk(Outbox(BOUNDLESS, turn_and_price()), Ledger(), Memory(MEMORY_SECONDS))


def new_planner() -> Planner:
    return Planner(LaneProfile(APP, SHOPS), routes())


def planned(kind: str, count: int, planner: Planner) -> Iterator[tuple[Record, Planned]]:
    """As many records as come to something, without their bytes, and what they came to."""
    told = ((record, planner.plan(record)) for record in RECORDS[kind](2 * count))
    wanted = ((_emptied(record), plan) for record, plan in told if isinstance(plan, Planned) and plan.commands)
    return islice(wanted, count)


def _emptied(record: Record) -> Record:
    return Record(record.position, record.timestamp)


# --- bytes ------------------------------------------------------------------------------------------------------------


def filled(kind: str, count: int, planner: Planner) -> Desk:
    desk = new_desk()
    for record, plan in planned(kind, count, planner):
        desk.admit(record, plan)
    return desk


def texts_bytes(desk: Desk) -> int:
    """The characters alone, each text once: Python takes one byte for each in Latin letters, else two."""
    found: dict[int, str] = {}
    for group in desk.outbox.groups():
        for message in group.wordings:
            found.update((id(part), part) for part in message if part)
    return sum(len(part) * (1 if part.isascii() else 2) for part in found.values())


def process_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def weighed(kind: str, count: int, parts: int = 0) -> dict[str, Any]:
    """In this process, which must be fresh: what was there before is warm, and nothing else is freed meanwhile."""
    planner = new_planner()
    filled(kind, 1000, planner)
    before = process_bytes()
    desk = filled(kind, count, planner)
    added = process_bytes() - before
    groups, texts = desk.outbox.group_count, texts_bytes(desk)
    del desk
    gc.collect()
    tracemalloc.start()
    desk = filled(kind, count, planner)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    if parts:
        for each in tracemalloc.take_snapshot().statistics("lineno")[:parts]:
            sys.stderr.write(f"{each.size / count:8.1f} {each.traceback}\n")
    tracemalloc.stop()
    waiting = desk.outbox.waiting
    return asdict(
        Weight(kind, waiting, groups, texts / waiting, (traced - texts) / waiting, added / waiting, added / 2**20)
    )


def weight(kind: str, count: int, parts: int) -> Weight:
    command = [sys.executable, "-m", "tests.benchmarks.waiting", "--inside", kind, "--commands", str(count)]
    done = subprocess.run([*command, "--parts", str(parts)], stdout=subprocess.PIPE, text=True, check=True)
    return Weight(**json.loads(done.stdout))


# --- CPU --------------------------------------------------------------------------------------------------------------


def cost(kind: str, count: int, rounds: int) -> Cost:
    """A poll comes in, and all of it goes out and lands before the next one."""
    pairs = list(planned(kind, count, new_planner()))
    spent = [_spent(kind, pairs) for _ in range(rounds)]
    return Cost(kind, count, *(1e6 * median(each) / count for each in zip(*spent, strict=True)))


def _spent(kind: str, pairs: Sequence[tuple[Record, Planned]]) -> tuple[float, float, float]:
    desk, now = new_desk(), pairs[-1][0].timestamp
    gap, capacity = WAYS[kind]
    admitting = taking = landing = 0.0
    gc.collect()
    for start in range(0, len(pairs), POLLED):
        began = thread_time()
        for record, plan in pairs[start : start + POLLED]:
            desk.admit(record, plan, now)
        came = thread_time()
        flights = []
        while parcels := desk.take(now, gap, capacity):
            parcels, _ = desk.doorman.sift(parcels, now)
            flights.append([command for parcel in parcels for command in parcel.commands])
        went = thread_time()
        for commands in flights:
            desk.land(commands, (Outcome.DELIVERED,) * len(commands))
        admitting, taking, landing = admitting + came - began, taking + went - came, landing + thread_time() - went
    return admitting, taking, landing


# --- figures ----------------------------------------------------------------------------------------------------------


def table(title: str, rows: Sequence[Weight] | Sequence[Cost]) -> Table:
    made = ruled(title, (), [name.replace("_", " ") for name in asdict(rows[0])])
    for row in rows:
        values = asdict(row).values()
        made.add_row(
            *(value if isinstance(value, str) else f"{value:,.{1 - isinstance(value, int)}f}" for value in values)
        )
    return made


def main(arguments: Sequence[str]) -> None:
    parser = parser_of("waiting", __doc__)
    parser.add_argument("--commands", type=int, default=COMMANDS, help="how many wait")
    parser.add_argument("--events", type=int, default=EVENTS, help="how many go through")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--parts", type=int, default=0, help="say which lines of the code hold the most bytes")
    parser.add_argument("--inside", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        sys.stdout.write(json.dumps(weighed(options.inside, options.commands, options.parts)) + "\n")
        return
    costs = [cost(kind, options.events, options.rounds) for kind in KINDS]
    weights = [weight(kind, options.commands, options.parts) for kind in KINDS]
    console = Console(width=120)
    console.print(table("A waiting command", weights))
    console.print(table("In, out and home", costs))
    figures = {"weights": [asdict(each) for each in weights], "costs": [asdict(each) for each in costs]}
    keep(figures, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
