"""Rows on the group: rebalances all the time, a slow revoke, a blocked event loop, a process that is stopped."""

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from consumer.app import wiring
from tests.chaos.members import member
from tests.chaos.row import Outcome, Row
from tests.chaos.rows_processes_kills import RECOVERY_SECONDS, SHORT
from tests.chaos.waves import Load
from tests.chaos.yard import Armed, Plot, Yard, until, yard
from tests.kafka.ring import shared_bootstrap

# IMSHOP's lane has two requests at a time.
IN_FLIGHT = 2
HIGHEST = 1_000_000


def plot(name: str, **more: float) -> Plot:
    return Plot(f"{name}-{time.time_ns() // 1_000_000 % 10**8}", **more)  # type: ignore[arg-type]


# --- storm ------------------------------------------------------------------------------------------------------------


async def storm(folder: Path) -> Outcome:
    """Two replicas; somebody joins both groups and leaves again, every two seconds, for two minutes."""
    joins = 0
    async with yard(folder / "storm", plot("storm"), shared_bootstrap()) as place:
        began = time.monotonic()
        replicas = [place.plain(), place.plain()]
        async with place.load(Load()), place.offsets_watched() as rewinds:
            await place.recovered(began)
            storm_began = time.monotonic()
            while time.monotonic() - storm_began < 120:
                async with AsyncExitStack() as stack:
                    for lane in place.plot.lanes:
                        group = member(place.settings, wiring.group_name(lane), place.plot.sources)
                        await stack.enter_async_context(group)
                    await asyncio.sleep(1.0)
                await asyncio.sleep(1.0)
                joins += 1
            idlest = least_in(place, storm_began, time.monotonic(), 30.0)
            await place.recovered(time.monotonic())
        lag_seconds = await place.settled(replicas[0])
        for replica in replicas:
            await replica.stop()
        ledger = await place.judged()
    return Outcome(
        ledger.kept and not rewinds and idlest > 0 and joins >= 10,
        f"{joins} joins and leaves in 120 s: rewinds {len(rewinds)}, at least {idlest} requests in any 30 s of a lane; "
        f"{ledger.said}; lag 0 {lag_seconds:.1f} s later",
        {"joins": joins, "rewinds": len(rewinds), "least_requests_in_30_s": idlest, **ledger.figures()},
    )


def least_in(place: Yard, since: float, until_: float, span_seconds: float) -> int:
    """The fewest requests that a provider got in any such span, looked at every second."""
    least = 10**9
    for fake in place.fakes.values():
        moments = [push.at for push in fake.pushes]
        start = since
        while start + span_seconds <= until_:
            least = min(least, sum(start <= moment < start + span_seconds for moment in moments))
            start += 1.0
    return least


# --- slow revoke ------------------------------------------------------------------------------------------------------


async def slow_revoke(folder: Path) -> Outcome:
    """A request hangs for a minute at each provider while somebody with a higher claim takes the lanes for a while."""
    sent, slowest = 0, 0.0
    async with yard(folder / "slow", plot("slow", timeout_seconds=60.0), shared_bootstrap()) as place:
        began = time.monotonic()
        consumer = place.plain()
        async with place.load(Load()):
            await place.recovered(began)
            for _ in range(3):
                for fake in place.fakes.values():
                    fake.fail("hang", times=1)
                await until("a request hangs at each", lambda: all(_hangs(place, name) for name in place.fakes))
                asked = time.monotonic()
                async with AsyncExitStack() as stack:
                    for lane in place.plot.lanes:
                        group = member(place.settings, wiring.group_name(lane), place.plot.sources, claim=HIGHEST)
                        await stack.enter_async_context(group)
                    slowest = max(slowest, time.monotonic() - asked)
                    taken = time.monotonic()
                    await asyncio.sleep(5.0)
                    sent += sum(push.at > taken + 0.1 for fake in place.fakes.values() for push in fake.pushes)
                for fake in place.fakes.values():
                    fake.heal()
                await place.recovered(time.monotonic())
        await place.settled(consumer)
        await consumer.stop()
        ledger = await place.judged()
    return Outcome(
        ledger.kept and sent == 0 and slowest <= 10.0,
        f"3 revokes with a request hanging at each provider: let go within {slowest:.1f} s, requests in 5 s after it: "
        f"{sent}; {ledger.said}",
        {"revokes": 3, "slowest_revoke_seconds": round(slowest, 1), "sent_after_revoke": sent, **ledger.figures()},
    )


def _hangs(place: Yard, name: str) -> bool:
    return any(push.fault == "hang" and push.status == 0 for push in place.fakes[name].pushes[-20:])


# --- processes that do not run ----------------------------------------------------------------------------------------


def zombies(rounds: int, away_seconds: float, *, blocked: bool) -> Callable[[Path], Awaitable[Outcome]]:
    """The owner's loop is blocked, or the whole process stopped, for so long that a standby takes over; then it wakes
    up. Owner and standby change places in each round."""

    async def run(folder: Path) -> Outcome:
        nights: list[Night] = []
        async with yard(folder / "zombie", plot("zombie"), shared_bootstrap()) as place:
            seconds = away_seconds if blocked else 0.0
            people = {who: place.consumer(config=place.named(who), block_seconds=seconds) for who in ("anna", "boris")}
            began = time.monotonic()
            async with place.load(Load()), place.offsets_watched() as rewinds:
                await place.recovered(began)
                for number in range(rounds):
                    await asyncio.sleep(1.0 + 0.3 * number)
                    nights.append(await night(place, people, away_seconds, blocked=blocked))
            await place.settled(people["anna"])
            for consumer in people.values():
                await consumer.stop()
            ledger = await place.judged()
        slowest, sends = max(each.takeover_seconds for each in nights), max(each.requests for each in nights)
        known = not blocked or min(each.lag_seconds for each in nights) > 0.8 * away_seconds
        return Outcome(
            ledger.kept and not rewinds and sends <= IN_FLIGHT and known and slowest <= RECOVERY_SECONDS + 6.0,
            f"{rounds} times {away_seconds:g} s: the standby sent after at most {slowest:.1f} s; who woke up sent "
            f"{sends} requests of at most {IN_FLIGHT} in flight, rewinds {len(rewinds)}; {ledger.said}",
            {"rounds": rounds, "zombie_requests": sends, "slowest_takeover_seconds": round(slowest, 1)}
            | ledger.figures(),
        )

    return run


@dataclass(frozen=True, slots=True)
class Night:
    """How long the standby took, what the owner sent after that, and how late its loop was by its own metric."""

    takeover_seconds: float
    requests: int
    lag_seconds: float


async def night(place: Yard, people: Mapping[str, Armed], away_seconds: float, *, blocked: bool) -> Night:
    """The owner is away, the standby takes over, the owner wakes up."""
    owner, other = ranked(place, people)
    await place.ready(people[other])
    for fake in place.fakes.values():
        fake.fail("slow", seconds=0.5)  # so that requests are on their way when it happens
    await until("a request is on its way", lambda: any(push.status == 0 for push in place.app.pushes[-IN_FLIGHT:]))
    asleep = time.monotonic()
    people[owner].signal(signal.SIGUSR1 if blocked else signal.SIGSTOP)
    await until("the standby sends", lambda: bool(place.app.by(other, asleep)))
    taken = place.app.by(other, asleep)[0]
    place.app.heal()
    place.staff.heal()
    await asyncio.sleep(max(0.0, asleep + away_seconds - time.monotonic()))
    people[owner].signal(signal.SIGCONT)
    await asyncio.sleep(5.0)
    await place.ready(people[owner])
    found = re.search(r"vestnik_event_loop_lag_seconds_sum(?:{.*?})? ([\d.e+-]+)", await people[owner].get("/metrics"))
    return Night(taken - asleep, len(place.app.by(owner, taken)), float(found[1]) if found else 0.0)


def ranked(place: Yard, people: Mapping[str, Armed]) -> tuple[str, str]:
    """Who asked the provider last, and the other."""
    last = max(people, key=lambda who: max(place.app.by(who), default=0.0))
    (other,) = set(people) - {last}
    return last, other


ROWS = (
    Row(
        "K-1",
        "rebalance storm: members join and leave both groups every 2 s for 2 min",
        "what is in flight lands, offsets never go back, work goes on",
        "rewinds 0; duplicates ≤ in flight; order violations 0; progress in every 30 s",
        storm,
        minutes=3.5,
        selection=False,
        compressed=SHORT,
        again="nothing",
    ),
    Row(
        "K-2",
        "slow revoke: a request takes a minute while the lane is taken away",
        "the revoke does not wait for it, and nothing new is sent",
        "revoke ≤ 10 s; requests after it 0",
        slow_revoke,
        minutes=2.0,
        selection=False,
        again="nothing",
    ),
    Row(
        "K-3",
        "the event loop is blocked, a standby takes over",
        "who was blocked learns it before it sends, and its metric says so",
        "its requests after another took over ≤ in flight; recovery ≤ session timeout + 10 s",
        zombies(2, 12.0, blocked=True),
        minutes=2.0,
        selection=False,
        compressed="blocked 12 s with a session of 6 s instead of 40 s with 30 s",
        again="what was in flight, on repeat routes",
    ),
    Row(
        "K-4",
        "SIGSTOP, a standby takes over, SIGCONT (zombie)",
        "the zombie learns from the journal that it is none any more",
        "requests by the zombie ≤ in flight; offsets never go back; of stop routes no duplicate",
        zombies(5, 14.0, blocked=False),
        minutes=3.0,
        selection=True,
        compressed="stopped 14 s with a session of 6 s instead of 40 s with 30 s",
        again="what was in flight, on repeat routes",
        test="tests/kafka/test_survival.py",
    ),
)
