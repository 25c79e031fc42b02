"""An hour without the provider at ten times the usual traffic: what the lane holds in memory, and what becomes of it.

Run it with `python -m tests.benchmarks.outage [--json FILE]`. The lane runs in a process of its own, in virtual time:
every minute of the outage happens for the lane, with all its timers, and only the waiting takes no time here. `--quick`
is a shorter outage with less traffic and a smaller backlog. Ends with 1 where a number is not as it must be.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.outage_inside import Minute, Result, Task
from tests.benchmarks.telling import keep, parser_of, ruled

MEMORY_MIB = 256.0
SLOPE_MIB = 1.0
SETTLING_MINUTES = 3
FULL_PART = 0.99
FULL = Task("")
# The backlog fills within the first half minute, so that what is measured is the time after it.
QUICK = replace(FULL, per_second=40.0, calm_minutes=1.0, outage_minutes=12.0, commands=1000)
TIMEOUT_SECONDS = 3600.0
ROWS = 16


def simulate(task: Task) -> Result:
    """Run the lane in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="outage-") as folder:
        line = json.dumps(asdict(replace(task, folder=folder)))
        command = [sys.executable, "-m", "tests.benchmarks.outage_inside", line]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    if done.returncode:
        raise SystemExit(f"the lane's process ended with {done.returncode}: {done.stderr[-2000:]}")
    return result_of(done.stdout)


def result_of(text: str) -> Result:
    """A result as its process printed it."""
    fields = json.loads(text)
    return Result(**{**fields, "minutes": [Minute(**minute) for minute in fields["minutes"]]})


def slope_mib(minutes: Sequence[Minute]) -> float:
    """How much the memory grows a minute, by least squares."""
    middle = sum(each.minute for each in minutes) / len(minutes)
    mean = sum(each.rss_mib for each in minutes) / len(minutes)
    spread = sum((each.minute - middle) ** 2 for each in minutes)
    return sum((each.minute - middle) * (each.rss_mib - mean) for each in minutes) / spread if spread else 0.0


def figures(task: Task, result: Result) -> dict[str, Any]:
    """What is to be judged. The backlog is full, by count or by bytes, when no more of what comes is let in."""
    out = [each for each in result.minutes if each.out]
    most = max((each.waiting for each in out), default=0)
    full = [each for each in out if each.waiting >= FULL_PART * most]
    flat = full[SETTLING_MINUTES:]
    return {
        "simulated": "virtual time",
        "records_per_second": task.per_second,
        "outage_minutes": task.outage_minutes,
        "backlog_commands": task.commands,
        "published": result.published,
        "backlog_full_after_minutes": full[0].minute - out[0].minute if full else None,
        "most_waiting": max(each.waiting for each in result.minutes),
        "most_rss_mib": max(each.rss_mib for each in result.minutes),
        "rss_slope_mib_per_minute": round(slope_mib(flat), 3) if len(flat) > 1 else None,
        "probes": out[-1].probes if out else 0,
        "committed": result.committed,
        "outcomes": result.outcomes,
        "pushes": result.pushes,
        "told_twice": result.repeats,
        "worst_drift": result.worst_drift,
        "given_up": result.stuck,
        "minutes_until_all_had_ended": result.minutes[-1].minute,
        "cpu_seconds": result.cpu_seconds,
    }


def faults(told: dict[str, Any]) -> list[str]:
    """Every number that is not as it must be, in words; empty when all are."""
    slope = told["rss_slope_mib_per_minute"]
    rules = {
        f"memory is {told['most_rss_mib']} MiB, over {MEMORY_MIB:.0f}": told["most_rss_mib"] > MEMORY_MIB,
        "the backlog was never full for long enough to see whether memory is flat": slope is None,
        f"memory grows by {slope} MiB a minute": slope is not None and slope > SLOPE_MIB,
        f"{told['published'] - told['committed']} records have no end": told["published"] != told["committed"],
        "outcomes and records differ": sum(told["outcomes"].values()) != told["published"],
        "the provider and the lane count differently": told["outcomes"].get("delivered", 0) != told["pushes"],
        f"{told['told_twice']} people were told twice": bool(told["told_twice"]),
        f"the counters drift by {told['worst_drift']}": bool(told["worst_drift"]),
        "a watchdog spoke": bool(told["given_up"]),
    }
    return [words for words, broken in rules.items() if broken]


def table(result: Result) -> Table:
    numbers = ("minute", "provider", "rss MiB", "waiting", "lag", "told", "probes")
    made = ruled("The lane, minute by minute (virtual time)", (), numbers)
    step = max(1, len(result.minutes) // ROWS)
    for each in result.minutes[::step]:
        where = "out" if each.out else "well"
        counts = (f"{count:,}" for count in (each.waiting, each.lag, each.told, each.probes))
        made.add_row(str(each.minute), where, f"{each.rss_mib:.1f}", *counts)
    return made


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("outage", __doc__)
    parser.add_argument("--quick", action="store_true", help="twelve minutes with less of everything")
    parser.add_argument("--per-second", type=float, help=f"records published a second (default {FULL.per_second:.0f})")
    parser.add_argument("--commands", type=int, help="the lane's backlog (default: the configuration's)")
    options = parser.parse_args(arguments)
    task = QUICK if options.quick else FULL
    task = replace(task, per_second=options.per_second or task.per_second, commands=options.commands or task.commands)
    result = simulate(task)
    told = figures(task, result)
    wrong = faults(told)
    console = Console(width=120)
    console.print(table(result))
    for name, value in told.items():
        console.print(f"{name.replace('_', ' ')}: {value}")
    console.print("\n".join(wrong) or "All as it must be.")
    keep({**told, "faults": wrong}, options.json)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
