"""Rows on processes that die: SIGKILL at each of thirteen named points. `CHAOS_KILLS` says how often."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos.killpoints import POINTS
from tests.chaos.ledger import Ledger, merged
from tests.chaos.row import Outcome, Row
from tests.chaos.waves import Load
from tests.chaos.yard import Armed, Plot, Yard, yard
from tests.kafka.ring import shared_bootstrap

SHORT = "session timeout 6 s instead of 30 s, requests time out after 2 s, quotas 30 times as fast"
RECOVERY_SECONDS = 10.0
SIDE_BY_SIDE = 4
FULL_KILLS, SELECTED_KILLS = (int(os.environ.get("CHAOS_KILLS", usual)) for usual in ("20", "2"))
# On a machine that has many times more to do than it can, seconds say nothing about us.
OVERLOAD = 3.0
REPLICAS = 2
# How often a point is passed within a second or two: the trap springs at a random one of so many calls.
CALLS = {"token-refresh": 1, "revoke": 1, "dead-letter": 2, "gate-wait": 3}


@dataclass(frozen=True, slots=True)
class Killed:
    """One world's kills: how long until both lanes sent again after each, and what came of everything. `load` is how
    many processes a core had to run in the worst minute."""

    recoveries: Sequence[float]
    ledger: Ledger
    load: float


async def kills(place: Yard, point: str, count: int, dice: Random) -> Killed:
    """Kill the owner at the point, so often, each time in the midst of its work, under load, with a standby ready."""
    recoveries: list[float] = []
    load = 0.0
    async with place.load(Load(seed=dice.randrange(1000))):
        began = time.monotonic()
        people = [_armed(place, point, dice), _armed(place, point, dice)]
        await place.recovered(began, 90.0)
        for _ in range(count):
            owner = await _owner(place, people, point)
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            killed = await _killed(place, point, owner, people, dice)
            # What was on its way when the process died arrives within moments; later is the next process's.
            recoveries.append(await place.recovered(killed + 0.5) + 0.5)
            load = max(load, os.getloadavg()[0] / (os.cpu_count() or 1))
    await place.settled(people[0])
    for consumer in people:
        assert await consumer.stop() == 0
    return Killed(recoveries, await place.judged(), load)


def _armed(place: Yard, point: str, dice: Random) -> Armed:
    return place.consumer(kill_at=f"{point}:{dice.randint(1, CALLS.get(point, 6))}")


async def _owner(place: Yard, people: Sequence[Armed], point: str) -> Armed:
    """Who has the lane on which the point is passed, once all are ready: only the first one's requests wait for one
    another, and only the staff's has tokens."""
    lane = 0 if point == "gate-wait" else 1
    for consumer in people:
        await place.ready(consumer)
    while True:
        for consumer in people:
            if (await place.states(consumer))[lane] == "working":
                return consumer
        await asyncio.sleep(0.2)


async def _killed(place: Yard, point: str, owner: Armed, people: list[Armed], dice: Random) -> float:
    """When the owner died; another process joins in its place."""
    if point == "on-the-wire":
        for fake in place.fakes.values():
            fake.fail("slow", seconds=0.4)
    if point == "token-refresh":
        place.staff.fail("hang", path="/oauth")
    owner.arm()
    people.remove(owner)
    if point == "revoke":
        people.append(_armed(place, point, dice))
    assert await owner.died(60.0), f"{point}: the trap did not spring"
    killed = time.monotonic()
    for fake in place.fakes.values():
        fake.heal()
    if len(people) < REPLICAS:
        people.append(_armed(place, point, dice))
    return killed


def _plot(point: str, number: int) -> Plot:
    name = f"{point}-{number}-{int(time.time() * 1000) % 10**8}"
    if point == "gate-wait":
        return Plot(name, requests=6)  # so few that requests wait for one another
    return Plot(name, token_seconds=5.0 if point == "token-refresh" else 3600.0)


async def world(folder: Path, point: str, number: int, count: int) -> Killed:
    plot = _plot(point, number)
    async with yard(folder / plot.name, plot, shared_bootstrap()) as place:
        return await kills(place, point, count, Random(f"{point} {number}"))


async def side_by_side(jobs: Sequence[Callable[[], Awaitable[Killed]]]) -> list[Killed]:
    """All of them, a few at a time: most of the time of a killed lane is waiting for its session to end."""
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(job: Callable[[], Awaitable[Killed]]) -> Killed:
        async with room:
            return await job()

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(job)) for job in jobs]
    return [task.result() for task in running]


def _outcome(done: Sequence[Killed], session_seconds: float) -> Outcome:
    recoveries = [seconds for each in done for seconds in each.recoveries]
    ledger, slowest = merged([each.ledger for each in done]), max(recoveries)
    limit, load = session_seconds + RECOVERY_SECONDS, max(each.load for each in done)
    judged = load <= OVERLOAD
    excuse = "" if judged else f", not judged: {load:.0f} processes a core waited to run"
    return Outcome(
        ledger.kept and (slowest <= limit or not judged),
        f"{len(recoveries)} kills, {ledger.said}; both lanes sent again within {slowest:.1f} s{excuse}",
        {"kills": len(recoveries), "slowest_recovery_seconds": round(slowest, 1), "load_per_core": round(load, 1)}
        | ledger.figures(),
    )


def at_point(point: str) -> Callable[[Path], Awaitable[Outcome]]:
    """Kills at one point, in worlds of their own."""

    async def run(folder: Path) -> Outcome:
        shared_bootstrap()
        each = FULL_KILLS // SIDE_BY_SIDE
        jobs = [lambda number=number: world(folder, point, number, each) for number in range(SIDE_BY_SIDE)]
        return _outcome(await side_by_side(jobs), _plot(point, 0).session_seconds)

    return run


async def at_every_point(folder: Path) -> Outcome:
    """Some kills at each of the thirteen points."""
    shared_bootstrap()
    jobs = [lambda point=point: world(folder, point, 0, SELECTED_KILLS) for point in POINTS]
    return _outcome(await side_by_side(jobs), _plot("", 0).session_seconds)


FAULT = "SIGKILL at a named point of the work"
PROMISE = "nothing is lost; what was in flight is told again at most once, and never on a stop route"
PASSES = "lost 0; duplicates ≤ recipients in flight; of stop routes 0; recovery ≤ session timeout + 10 s"
AGAIN = "only what was in flight, on repeat routes"
TEST = "tests/kafka/test_survival.py"

ROWS = (
    Row(
        "C1",
        f"{FAULT}: each of thirteen, at least twice (rows C1.a to C1.m: 20 times each)",
        PROMISE,
        PASSES,
        at_every_point,
        minutes=6.0,
        selection=True,
        compressed=SHORT,
        again=AGAIN,
        test=TEST,
    ),
    *(
        Row(
            f"C1.{letter}",
            f"SIGKILL {point}, 20 times",
            PROMISE,
            PASSES,
            at_point(point),
            minutes=4.0,
            selection=False,
            compressed=SHORT,
            again=AGAIN,
            test=TEST,
        )
        for letter, point in zip("abcdefghijklm", POINTS, strict=True)
    ),
)
