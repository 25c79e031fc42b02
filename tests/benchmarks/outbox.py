"""What the outbox costs: puts, takes, expiries, merges and memory, and batches of fifty out of many groups.

Run it with `python -m tests.benchmarks.outbox [--json FILE]`. All times are of this thread alone.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from time import thread_time

from rich.console import Console
from rich.table import Table

from consumer.core.model import Bounds, Capacity, Command, Message, Priority, Terms
from consumer.core.outbox import Outbox
from consumer.core.price import turn_and_price
from tests.benchmarks.telling import keep, parser_of, ruled

COMMANDS = (1_000, 100_000, 1_000_000)
GROUPS = (1_000, 50_000)
FEW_GROUPS = 30
# Of many groups each has about so many commands.
COMMANDS_A_GROUP = 20
COARSER_TEXTS = 12
BOUNDLESS = Bounds(commands=1 << 40, bytes=1 << 50, span=1 << 40)
ONE = Capacity(1, 1000)
FIFTY = Capacity(50, 1)
FIFTY_SHARED = Capacity(50, 1000)
GAP_SECONDS = 0.5
BATCHES = 200
PROBES = 20
TERMS = [
    Terms(priority.value, priority, within) for priority, within in zip(Priority, (120.0, 1800.0, 7200.0), strict=True)
]


@dataclass(frozen=True, slots=True)
class Load:
    """So many commands in so many groups: what each thing costs. Each rate is in commands; `merge` counts
    those that were told in a coarser wording together with others."""

    commands: int
    groups: int
    put_per_second: float
    take_per_second: float
    expire_per_second: float
    merge_per_second: float
    bytes_per_command: float


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of fifty parcels while as many commands come in as go out, in milliseconds."""

    groups: int
    recipients: int
    first_ms: float
    p50_ms: float
    p95_ms: float
    gauges_ms: float
    explain_ms: float


def commands_of(count: int, groups: int, arrived: float = 0.0, begin: int = 0) -> list[Command]:
    """Commands with wordings of their group and one of a few coarser ones, over three priorities."""
    dice = Random(f"{count}/{groups}")
    made = []
    for number in range(begin, begin + count):
        text = number % groups
        wordings = (Message(f"Order {text} is ready", "Come and fetch it"), Message(f"Shop {text % COARSER_TEXTS}", ""))
        made.append(
            Command(
                id=number.to_bytes(12),
                digest=b"\0\0\0\1",
                terms=TERMS[text % len(TERMS)],
                recipient=f"customer-{number}",
                wordings=wordings,
                thread=None,
                rank=0,
                arrived=arrived + dice.random(),
                deadline=arrived + 86_400.0,
            )
        )
    return made


def filled(commands: Sequence[Command]) -> Outbox:
    outbox = Outbox(BOUNDLESS, turn_and_price())
    for command in commands:
        outbox.put(command)
    return outbox


def seconds_of(work: Callable[[], object]) -> float:
    gc.collect()
    began = thread_time()
    work()
    return max(thread_time() - began, 1e-9)


def drain(outbox: Outbox, now: float, most_requests: int) -> tuple[int, int]:
    """Take with a shared batch until empty: how many commands, and how many of them in a coarser wording."""
    told = coarser = 0
    for _ in range(most_requests):
        parcels = outbox.take(now, GAP_SECONDS, FIFTY_SHARED)
        if not parcels:
            break
        told += sum(len(parcel.commands) for parcel in parcels)
        coarser += sum(len(parcel.commands) for parcel in parcels if parcel.level)
    return told, coarser


def loaded(count: int, groups: int) -> Load:
    size = bytes_per_command(count, groups)
    made = commands_of(count, groups)
    outbox = Outbox(BOUNDLESS, turn_and_price())
    put = seconds_of(lambda: [outbox.put(command) for command in made])
    told: list[int] = []
    take = seconds_of(lambda: told.append(drain(outbox, 2.0, count)[0]))
    outbox = filled(made)
    expire = seconds_of(lambda: outbox.expire(90_000.0))
    merged, spent = merges(made)
    return Load(
        commands=count,
        groups=groups,
        put_per_second=count / put,
        take_per_second=told[0] / take,
        expire_per_second=count / expire,
        merge_per_second=merged / spent,
        bytes_per_command=size,
    )


def merges(made: Sequence[Command]) -> tuple[int, float]:
    """All are late, so that what is small goes in its coarser wording: how many commands did, and the time of it."""
    outbox = filled(made)
    coarser: list[int] = []
    spent = seconds_of(lambda: coarser.append(drain(outbox, 7_300.0, PROBES)[1]))
    return coarser[0], spent


def bytes_per_command(count: int, groups: int) -> float:
    """Commands, texts and the outbox's indexes together."""
    gc.collect()
    tracemalloc.start()
    outbox = filled(commands_of(count, groups))
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return traced / outbox.waiting


def batches(groups: int, capacity: Capacity) -> Batches:
    outbox = filled(commands_of(groups, groups))
    now, spent = 2.0, []
    for batch in range(BATCHES):
        fresh = commands_of(capacity.parcels, 1 << 40, now, begin=groups + batch * capacity.parcels)
        for command in fresh:
            outbox.put(command)
        began = thread_time()
        outbox.take(now, GAP_SECONDS, capacity)
        spent.append(1000 * (thread_time() - began))
        now += GAP_SECONDS
    ordered = sorted(spent)
    gauges = seconds_of(lambda: (outbox.oldest, outbox.seconds_to_clear(GAP_SECONDS, capacity)))
    explain = seconds_of(lambda: outbox.explain(now, GAP_SECONDS, capacity))
    return Batches(
        groups=groups,
        recipients=capacity.recipients,
        first_ms=spent[0],
        p50_ms=ordered[len(ordered) // 2],
        p95_ms=ordered[len(ordered) * 95 // 100],
        gauges_ms=1000 * gauges,
        explain_ms=1000 * explain,
    )


def measured(counts: Sequence[int], groups: Sequence[int]) -> tuple[list[Load], list[Batches]]:
    loads = [loaded(count, few) for count in counts for few in (FEW_GROUPS, max(1, count // COMMANDS_A_GROUP))]
    return loads, [batches(many, capacity) for many in groups for capacity in (FIFTY, FIFTY_SHARED)]


def table(title: str, rows: Sequence[Load] | Sequence[Batches]) -> Table:
    made = ruled(title, (), [name.replace("_", " ") for name in asdict(rows[0])])
    for row in rows:
        made.add_row(*(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in asdict(row).values()))
    return made


def main(arguments: Sequence[str]) -> None:
    parser = parser_of("outbox", __doc__)
    parser.add_argument("--commands", type=int, nargs="*", default=COMMANDS)
    parser.add_argument("--groups", type=int, nargs="*", default=GROUPS)
    options = parser.parse_args(arguments)
    loads, taken = measured(options.commands, options.groups)
    console = Console(width=150)
    console.print(table("Commands in few and in many groups", loads))
    console.print(table("Batches of fifty", taken))
    figures = {"loads": [asdict(each) for each in loads], "batches": [asdict(each) for each in taken]}
    keep(figures, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
