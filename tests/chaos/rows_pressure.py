"""Rows on pressure: too much, for too long, or all of it poison, in a process whose memory is measured from outside."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from consumer.demo.fakes import ImshopFake
from tests.chaos.pressure import KEY, Load, Pressed, Sample, pressed
from tests.chaos.row import Outcome, Row

RSS_LIMIT_MIB = 256
SLOPE_LIMIT = 1.0
POLL_RECORDS = 500
UNTIL_STOPPED = 10**9
# A lane keeps a quarter of its outbox for what comes by hand.
SHARE = 0.75
LATEST_SECONDS = 1800.0


async def _stopped_after(found: Pressed, seconds: float, waiting: float = 0.0) -> dict[str, Any]:
    """Watch the process for so many of its seconds after so many commands waited, then stop it; what it said last."""
    began = 0.0 if not waiting else LATEST_SECONDS

    def look(sample: Sample) -> None:
        nonlocal began
        if sample.standing["waiting"] >= waiting:
            began = min(began, sample.seconds)
        if sample.seconds >= min(began + seconds, LATEST_SECONDS):
            found.stop()

    return await found.watch(look)


def _full(found: Pressed, load: Load) -> float:
    """When as much waited as may."""
    full = (each.seconds for each in found.samples if each.standing["waiting"] >= SHARE * load.backlog)
    return next(full, LATEST_SECONDS)


async def overload(folder: Path) -> Outcome:
    """Ten times as many events as the provider takes, until the outbox is full and five minutes longer."""
    async with ImshopFake(KEY, None) as fake:
        load = Load(str(folder), fake.url, 2, 500.0, UNTIL_STOPPED, alike=50, requests=1, backlog=40_000)
        async with pressed(load) as found:
            await _stopped_after(found, 300, SHARE * load.backlog)
    full = _full(found, load)
    slope = found.slope_mib_per_minute(full + 60)
    waiting = max(sample.standing["waiting"] for sample in found.samples)
    in_flight = max(sample.standing["in_flight"] for sample in found.samples)
    lag, drift = found.samples[-1].standing["lag"], found.samples[-1].standing["drift"]
    bound = load.backlog + POLL_RECORDS
    return Outcome(
        found.highest_mib <= RSS_LIMIT_MIB and slope <= SLOPE_LIMIT and waiting <= bound and lag > 0 and not drift,
        f"500 events a second against a provider that takes 50: memory {found.highest_mib:.0f} MiB at most, "
        f"{slope:+.2f} MiB a minute once the outbox was full (after {full:.0f} s); at most {waiting} commands waiting "
        f"of {load.backlog}, {in_flight} in flight, lag {lag} in Kafka; conservation off by {drift}",
        {
            "rss_mib": round(found.highest_mib, 1),
            "slope_mib_per_minute": round(slope, 2),
            "waiting": waiting,
            "lag": lag,
        },
    )


async def outage(folder: Path) -> Outcome:
    """A provider that hangs for an hour at ten times the traffic of a day of 312,000 messages, and then is well."""
    async with ImshopFake(KEY, None) as fake:
        load = Load(str(folder), fake.url, 12, 36.0, 134_400, alike=100, backlog=20_000)
        async with pressed(load) as found:

            def look(sample: Sample) -> None:
                if 60 <= sample.seconds < 3660 and not fake.faults:
                    fake.fail("hang")
                if sample.seconds >= 3660 and fake.faults:
                    fake.heal()

            last = await found.watch(look)
        told = Counter(delivery.recipient for delivery in fake.deliveries)
    full = _full(found, load)
    slope = found.slope_mib_per_minute(full + 60, 3650)
    waiting = max(sample.standing["waiting"] for sample in found.samples)
    ends: dict[str, int] = last["ends"]
    lost = load.total - sum(ends.values())
    unseen = ends.get("delivered", 0) - len(told)
    again = sum(count - 1 for count in told.values())
    return Outcome(
        found.highest_mib <= RSS_LIMIT_MIB and slope <= SLOPE_LIMIT and not lost and unseen <= 0 and not last["drift"],
        f"134,400 events, 36 a second, an hour of outage: memory {found.highest_mib:.0f} MiB at most, {slope:+.2f} "
        f"MiB a minute once the outbox was full (after {full:.0f} s), {waiting} commands of {load.backlog} waiting; "
        f"lost {lost}, told twice {again}, outcomes {dict(sorted(ends.items()))}",
        {"rss_mib": round(found.highest_mib, 1), "slope_mib_per_minute": round(slope, 2), "lost": lost,
         "waiting": waiting, "duplicates": again},
    )  # fmt: skip


async def a_million_users(folder: Path) -> Outcome:
    """A million events, each for somebody else."""
    async with ImshopFake(KEY, None) as fake:
        load = Load(str(folder), fake.url, 2, 2000.0, 1_000_000, alike=1000, requests=10, per=1.0)
        async with pressed(load) as found:
            last = await found.watch()
        people = len({delivery.recipient for delivery in fake.deliveries})
    early = next((each.rss_mib for each in found.samples if each.standing["planned"] >= 100_000), 0.0)
    per_user = (found.samples[-1].rss_mib - early) * 2**20 / 900_000
    waiting = max(sample.standing["waiting"] for sample in found.samples)
    return Outcome(
        found.highest_mib <= RSS_LIMIT_MIB and per_user <= 64 and people == load.total and not last["drift"],
        f"{people} people told: memory {found.highest_mib:.0f} MiB at most, {per_user:.0f} bytes for each user beyond "
        f"the first 100,000; at most {waiting} commands waiting",
        {"people": people, "rss_mib": round(found.highest_mib, 1), "bytes_per_user": round(per_user, 1)},
    )


async def all_poison(folder: Path) -> Outcome:
    """A source that gives nothing but poison, five thousand a second, for ten minutes."""
    async with ImshopFake(KEY, None) as fake:
        load = Load(str(folder), fake.url, 10, 5000.0, UNTIL_STOPPED, poison=100)
        async with pressed(load) as found:
            last = await _stopped_after(found, 600)
    lines = last["lines"] / last["seconds"]
    letters, said = last["letters"], sorted(set(last["blocked"]))
    in_file = await asyncio.to_thread(_lines, folder / "letters.jsonl")
    slope = found.slope_mib_per_minute(60)
    return Outcome(
        letters <= 5000 and "poison_flood" in said and lines <= 10 and found.highest_mib <= RSS_LIMIT_MIB
        and slope <= SLOPE_LIMIT,
        f"3,000,000 poisoned records: the lane says {', '.join(said)} and wrote "
        f"{in_file} dead letters, {lines:.2f} log lines a second; memory {found.highest_mib:.0f} MiB, "
        f"{slope:+.2f} MiB a minute",
        {"letters": in_file, "log_lines_per_second": round(lines, 3), "rss_mib": round(found.highest_mib, 1)},
    )  # fmt: skip


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


FAST = "its seconds pass {} times as fast; memory is real"
ROWS = (
    Row(
        "B-1", "ten times too much, until the outbox is full and five minutes longer",
        "the outbox fills to its bound, then lag grows in Kafka only",
        "memory ≤ 256 MiB, ≤ 1 MiB a minute once it is full; waiting ≤ the bound", overload, 8.0, selection=False,
        compressed=FAST.format(2), again="no",
        test="tests/engine/test_lane.py::test_a_full_backlog_leaves_its_topic_out_of_the_poll",
    ),
    Row(
        "B-4", "a million different users", "nothing is kept for a user but that he was told",
        "memory ≤ 256 MiB and ≤ 64 bytes a user", a_million_users, 9.0, selection=False, compressed=FAST.format(2),
        again="no",
    ),
    Row(
        "B-5", "the provider hangs for an hour at ten times the traffic of a day of 312,000 messages",
        "what waits is bounded, nothing is lost",
        "memory ≤ 256 MiB and flat; lost 0", outage, 8.0, selection=False, compressed=FAST.format(12),
        again="as the route says",
        test="tests/engine/test_outage.py::test_an_hour_without_the_provider_costs_only_probes_and_loses_nothing",
    ),
    Row(
        "E-10", "nothing but poison, five thousand a second, for ten minutes",
        "the lane is blocked by name and reads no more", "a few hundred letters; memory flat; ≤ 10 log lines a second",
        all_poison, 1.2, selection=True, compressed=FAST.format(10), again="no",
    ),
)  # fmt: skip
