"""Rows on deaths with something half done: a dead letter, a token pair, memory that ran out, and again and again."""

import asyncio
import resource
import time
from collections import Counter
from pathlib import Path
from random import Random

from consumer.streams.letters import read_headers
from tests.chaos.cluster import behind_proxy
from tests.chaos.row import Outcome, Row
from tests.chaos.rows_processes_kills import SHORT
from tests.chaos.waves import Load
from tests.chaos.yard import Plot, yard
from tests.kafka.processes import Consumer, eventually
from tests.kafka.ring import shared_bootstrap

ROUNDS = 5
MEGABYTE = 1024 * 1024


def plot(name: str, **more: float) -> Plot:
    return Plot(f"{name}-{time.time_ns() // 1_000_000 % 10**8}", **more)  # type: ignore[arg-type]


# --- dead letters -----------------------------------------------------------------------------------------------------


async def dead_letter(folder: Path) -> Outcome:
    """The broker has the letter, its answer is on the way, and the process dies; each time with new letters."""
    async with behind_proxy() as (server, between):
        through = f"127.0.0.1:{between.port}"
        async with yard(folder / "letters", Plot("letters"), server.bootstrap, through=through) as place:
            for number in range(ROUNDS):
                consumer = place.consumer(kill_at="dead-letter-asked:1")
                await place.working(consumer)
                # A first letter, so that the way to the broker is open: the next one is asked for at once.
                first, second = (Load(seed=seed, waves=2, wave_seconds=0.1, poison_every=7) for seed in seeds(number))
                await place.publish(first.publications(place.plot.sources))
                await place.settled(consumer)
                consumer.arm()
                between.slow(0.8)
                await place.publish(second.publications(place.plot.sources))
                assert await consumer.died(30.0), "the trap did not spring"
                await between.heal()
                following = place.consumer()
                await place.working(following)
                await place.settled(following)
                await following.stop()
            copies = Counter(
                (letter.lane, letter.id) for each in await place.letters() if (letter := read_headers(each))
            )
            ledger = await place.judged()
    worst = max(copies.values())  # a row without a second copy has killed too early, and proves nothing
    return Outcome(
        ledger.kept and worst == 2,
        f"{ROUNDS} kills, {len(copies)} letters of both lanes, at most {worst} copies of one; {ledger.said}",
        {"kills": ROUNDS, "letters": len(copies), **ledger.figures()},
    )


def seeds(number: int) -> tuple[int, int]:
    return 2 * number, 2 * number + 1


# --- tokens -----------------------------------------------------------------------------------------------------------


async def token_pair(folder: Path) -> Outcome:
    """The provider has given a new pair, the old one is worth nothing, and the process dies before it is kept."""
    refreshes, alerts = [], []
    async with yard(folder / "token", plot("token", token_seconds=6.0), shared_bootstrap()) as place:
        began = time.monotonic()
        async with place.load(Load()):
            for _ in range(3):
                consumer = place.consumer(kill_at="token-kept:1")
                await place.recovered(began)
                consumer.arm()
                assert await consumer.died(40.0), "the trap did not spring"
                before, killed = place.staff.oauth.refreshes, time.monotonic()
                following = place.consumer()
                await said(following, "invalid_grant")
                alerts.append(time.monotonic() - killed)
                await asyncio.sleep(10.0)
                refreshes.append(place.staff.oauth.refreshes - before)
                place.authorise()
                began = time.monotonic()
                await place.recovered(began, 90.0)
                await following.stop()
                began = time.monotonic()
        last = place.consumer()
        await place.working(last)
        await place.settled(last, 120.0)
        await last.stop()
        ledger = await place.judged()
    limit = 30.0 + place.plot.session_seconds
    return Outcome(
        ledger.kept and max(refreshes) <= 3 and max(alerts) <= limit,
        f"3 kills between answer and file: a metric said invalid_grant within {max(alerts):.1f} s; at most "
        f"{max(refreshes)} refreshes after it; with a new pair the lane went on by itself; {ledger.said}",
        {"kills": 3, "slowest_alert_seconds": round(max(alerts), 1), "refreshes": max(refreshes), **ledger.figures()},
    )


async def said(consumer: Consumer, reason: str) -> None:
    """Wait until a metric names this reason."""

    async def named() -> bool:
        return f'reason="{reason}"' in await consumer.get("/metrics")

    await eventually(f"a metric says {reason}", named, 60.0)


# --- memory -----------------------------------------------------------------------------------------------------------


async def out_of_memory(folder: Path) -> Outcome:
    """The address space of a working process is closed a few megabytes above what it has, then a flood comes."""
    ends: Counter[str] = Counter()
    async with yard(folder / "memory", plot("memory"), shared_bootstrap()) as place:
        for number in range(3):
            consumer = place.consumer()
            await place.working(consumer)
            for fake in place.fakes.values():
                fake.fail("unavailable")  # so that everything stays in memory
            shut(consumer, number * MEGABYTE // 2)
            flood = Load(seed=number, customers=200, per_wave=100, waves=15, wave_seconds=0.1)
            await place.publish(flood.publications(place.plot.sources))
            await asyncio.sleep(5.0)
            assert consumer.process is not None
            code = consumer.process.poll()
            ends["lived on" if code is None else f"ended with {code}"] += 1
            ends["memory errors"] += consumer.log.count("MemoryError")
            if code is None:
                consumer.kill()
            place.app.heal()
            place.staff.heal()
        last = place.consumer()
        await place.working(last)
        await place.settled(last, 180.0)
        await last.stop()
        ledger = await place.judged()
    return Outcome(
        ledger.kept and ends["memory errors"] > 0,
        f"3 floods of 3000 events into 0, 0.5 and 1 MiB: "
        f"{', '.join(f'{name} {count}' for name, count in sorted(ends.items()))}, then a restart; {ledger.said}",
        {"floods": 3, "memory_errors": ends["memory errors"], **ledger.figures()},
    )


def shut(consumer: Consumer, room_bytes: int) -> None:
    """Let the process have so many bytes of address space more than now."""
    assert consumer.process is not None
    pages = int(Path(f"/proc/{consumer.process.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + room_bytes
    resource.prlimit(consumer.process.pid, resource.RLIMIT_AS, (limit, limit))


# --- again and again --------------------------------------------------------------------------------------------------


async def crash_loop(folder: Path) -> Outcome:
    """A supervisor starts it again at once; every second life ends 5 s after its start, the others soon after their
    first request, so that each of those spends some of the quota."""
    lives, dice = 0, Random(5)
    async with yard(folder / "loop", plot("loop", requests=10, per_seconds=20.0), shared_bootstrap()) as place:
        began = time.monotonic()
        async with place.load(Load(wave_seconds=8.0, step_every=0)):
            while time.monotonic() - began < 300.0:
                started, consumer = time.monotonic(), place.consumer()
                if lives % 2:
                    await asyncio.sleep(5.0)
                else:
                    await place.recovered(started, 180.0)
                    await asyncio.sleep(dice.uniform(0.5, 2.0))
                consumer.kill()
                lives += 1
        last = place.consumer()
        await place.working(last)
        await place.settled(last, 600.0)
        await last.stop()
        ledger = await place.judged()
        worst = place.app.worst_window(20.0)
        refused = sum(push.status == 429 for push in place.app.pushes)
    return Outcome(
        ledger.kept and worst <= 10 and refused == 0,
        f"{lives} lives in 300 s: at most {worst} of 10 requests in any window, {refused} refused; {ledger.said}",
        {"lives": lives, "worst_window": worst, "refused": refused, **ledger.figures()},
    )


AGAIN = "what was in flight, on repeat routes"

ROWS = (
    Row(
        "C2",
        "SIGKILL while a dead letter's acknowledgement is on its way",
        "the letter is there, at most twice, under one id",
        "lost 0; copies ≤ 2",
        dead_letter,
        minutes=2.0,
        selection=False,
        compressed=SHORT,
        again="the dead letter, under the same id",
    ),
    Row(
        "C3",
        "SIGKILL between a refreshed token pair and its file",
        "the lane stops, says invalid_grant, keeps its offsets, and goes on with a new pair",
        "events lost 0; refreshes ≤ 3; told within 30 s after the restart has the lane",
        token_pair,
        minutes=3.0,
        selection=False,
        compressed=SHORT,
        again="nothing",
    ),
    Row(
        "C4",
        "memory runs out (RLIMIT_AS)",
        "as a kill",
        "lost 0; duplicates ≤ in flight",
        out_of_memory,
        minutes=2.5,
        selection=False,
        compressed=SHORT,
        again=AGAIN,
    ),
    Row(
        "C5",
        "crash loop for 5 min: a kill 5 s after the start, or soon after the first request",
        "the journal remembers what was spent of the quota",
        "requests in any window ≤ N; refused 0",
        crash_loop,
        minutes=7.0,
        selection=False,
        compressed="10 requests in 20 s instead of 60 s",
        again=AGAIN,
    ),
)
