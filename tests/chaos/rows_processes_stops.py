"""Rows on processes that are asked to stop: in seven states, twice, just after their start, and one after another."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from consumer.engine.run import UNFINISHED
from tests.chaos.ledger import Ledger, merged
from tests.chaos.row import Outcome, Row
from tests.chaos.rows_processes_kills import OVERLOAD, SHORT
from tests.chaos.waves import Load
from tests.chaos.yard import Plot, Yard, until, yard
from tests.kafka.processes import Consumer
from tests.kafka.ring import shared_bootstrap
from tests.kafka.server import KafkaServer

EXIT_SECONDS = 25.0
AFTER_SECONDS = 0.1
SELECTED_ROUNDS, FULL_ROUNDS = 3, 10


@dataclass(slots=True)
class Stops:
    """How the stops of one state went: seconds to the exit, exit codes, requests that came after SIGTERM + 0.1 s."""

    state: str
    seconds: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    late: int = 0
    load: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def good(self) -> bool:
        # Who was not answered is in doubt, and so is an answer that no broker takes down; else nobody is told twice.
        told = self.ledger.kept if self.state in ("provider hanging", BROKERS_DOWN) else self.ledger.clean
        # What the clocks of a machine say that is many times overloaded is no news of us.
        in_time = (max(self.seconds) <= EXIT_SECONDS and self.late == 0) or self.load > OVERLOAD
        return told and in_time and set(self.codes) <= {0, UNFINISHED}


async def stopped(place: Yard, consumer: Consumer, stops: Stops) -> None:
    """SIGTERM, and what followed it."""
    asked = time.monotonic()
    consumer.signal(signal.SIGTERM)
    assert consumer.process is not None
    stops.codes.append(await asyncio.to_thread(consumer.process.wait, 60))
    ended = time.monotonic()
    stops.seconds.append(ended - asked)
    stops.load = max(stops.load, os.getloadavg()[0] / (os.cpu_count() or 1))
    pushes = [push for fake in place.fakes.values() for push in fake.pushes]
    # Somebody else may own the lane by then, which is no sin of this process.
    others = any(other.process is not None and other.process.poll() is None for other in place.consumers)
    stops.late += 0 if others else sum(asked + AFTER_SECONDS < push.at for push in pushes)


# --- seven states -----------------------------------------------------------------------------------------------------


async def idle(place: Yard, stops: Stops, rounds: int, _dice: Random) -> None:
    for _ in range(rounds):
        consumer = place.consumer()
        await place.working(consumer)
        await stopped(place, consumer, stops)


async def under_load(place: Yard, stops: Stops, rounds: int, dice: Random) -> None:
    async with place.load(Load(seed=1)):
        for _ in range(rounds):
            began = time.monotonic()
            consumer = place.consumer()
            await place.recovered(began)
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            await stopped(place, consumer, stops)


async def during_start(place: Yard, stops: Stops, rounds: int, dice: Random) -> None:
    async with place.load(Load(seed=1)):
        for _ in range(rounds):
            consumer = place.plain()
            # Before the first of its own code runs the interpreter ends as any program does; that is S3.
            await asyncio.sleep(dice.uniform(0.4, 3.0))
            await stopped(place, consumer, stops)


async def during_rebalance(place: Yard, stops: Stops, rounds: int, _dice: Random) -> None:
    async with place.load(Load(seed=1)):
        consumer = place.consumer()
        await place.working(consumer)
        for _ in range(rounds):
            following = place.consumer()
            await revoked(consumer)
            await stopped(place, consumer, stops)
            consumer = following
            await place.working(consumer)


async def revoked(consumer: Consumer) -> None:
    await until("a lane is revoked", lambda: "partitions_revoked" in consumer.log)


async def queue_full(place: Yard, stops: Stops, rounds: int, dice: Random) -> None:
    await place.publish(Load(seed=2, waves=10, wave_seconds=0.05, poison_every=0).publications(place.plot.sources))
    await under_load(place, stops, rounds, dice)


async def provider_hanging(place: Yard, stops: Stops, rounds: int, _dice: Random) -> None:
    async with place.load(Load(seed=1)):
        for _ in range(rounds):
            for fake in place.fakes.values():
                fake.fail("hang")
            began, consumer = time.monotonic(), place.consumer()
            await place.recovered(began)
            await stopped(place, consumer, stops)
            for fake in place.fakes.values():
                fake.heal()


STATES: Mapping[str, tuple[Callable[[Yard, Stops, int, Random], Awaitable[None]], Mapping[str, float]]] = {
    "idle": (idle, {}),
    "under load": (under_load, {}),
    "during start": (during_start, {}),
    "during rebalance": (during_rebalance, {}),
    "limiter queue full": (queue_full, {"requests": 4}),
    "provider hanging": (provider_hanging, {"timeout_seconds": 60.0}),
}
BROKERS_DOWN = "brokers down"


async def in_state(folder: Path, state: str, rounds: int) -> Stops:
    """So many stops in one state, in a world of its own; then everything is brought to its end and judged."""
    if state == BROKERS_DOWN:
        return await brokers_down(folder, rounds)
    act, more = STATES[state]
    name = f"{state.replace(' ', '-')}-{int(time.time() * 1000) % 10**8}"
    plot = Plot(name, **{"timeout_seconds": 10.0, **more})  # type: ignore[arg-type]
    stops = Stops(state)
    async with yard(folder / plot.name, plot, shared_bootstrap()) as place:
        await act(place, stops, rounds, Random(state))
        await finished(place, stops)
    return stops


async def finished(place: Yard, stops: Stops) -> None:
    """End everybody cleanly, let one process do what is left, and judge."""
    for consumer in place.consumers:
        if consumer.process is not None and consumer.process.poll() is None:
            await consumer.stop()
    last = place.consumer()
    await place.working(last)
    await place.settled(last, 180.0)
    assert await last.stop() in (0, UNFINISHED)
    stops.ledger = await place.judged()


async def brokers_down(folder: Path, rounds: int) -> Stops:
    """A broker of its own, killed before each SIGTERM."""
    stops = Stops(BROKERS_DOWN)
    with KafkaServer() as server:
        async with yard(folder / "down", Plot("down", timeout_seconds=10.0), server.bootstrap) as place:
            for number in range(rounds):
                began = time.monotonic()
                consumer = place.consumer()
                # A seed of its own: ids of events come from it, and one used twice is a conflict.
                load = Load(seed=number + 1, waves=3)
                await place.publish(load.publications(place.plot.sources))
                await place.recovered(began, 150.0)
                await asyncio.to_thread(server.kill)
                await asyncio.sleep(1.0)
                await stopped(place, consumer, stops)
                await asyncio.to_thread(server.restart)
            await finished(place, stops)
    return stops


def _outcome(done: Sequence[Stops]) -> Outcome:
    slowest = {stops.state: max(stops.seconds) for stops in done}
    ledger, late = merged([stops.ledger for stops in done]), sum(stops.late for stops in done)
    codes = sorted({code for stops in done for code in stops.codes})
    rounds, bad = sum(len(stops.seconds) for stops in done), [stops.state for stops in done if not stops.good]
    worst, load = max(slowest, key=lambda state: slowest[state]), max(stops.load for stops in done)
    return Outcome(
        not bad,
        f"{rounds} stops in {len(done)} states, slowest {slowest[worst]:.1f} s ({worst}), exit codes "
        f"{', '.join(map(str, codes))}, requests after SIGTERM + 0.1 s: {late}; {ledger.said}"
        + (f"; times not judged: {load:.0f} processes a core waited to run" if load > OVERLOAD else "")
        + (f"; not as promised: {', '.join(bad)}" if bad else ""),
        {"stops": rounds, "late_requests": late, "slowest_exit_seconds": round(slowest[worst], 1), **ledger.figures()},
    )


def stops_in(states: Sequence[str], rounds: int) -> Callable[[Path], Awaitable[Outcome]]:
    async def run(folder: Path) -> Outcome:
        shared_bootstrap()
        room = asyncio.Semaphore(2)

        async def one(state: str) -> Stops:
            async with room:
                return await in_state(folder, state, rounds)

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one(state)) for state in states]
        return _outcome([task.result() for task in running])

    return run


# --- signals ----------------------------------------------------------------------------------------------------------


async def second_signal(folder: Path) -> Outcome:
    """While requests hang, ask twice."""
    seconds, codes = [], []
    async with yard(folder / "twice", Plot(f"twice-{time.time_ns() % 10**8}"), shared_bootstrap()) as place:
        place.app.fail("hang")
        place.staff.fail("hang")
        async with place.load(Load()):
            for number in (signal.SIGTERM, signal.SIGINT) * 5:
                began, consumer = time.monotonic(), place.plain()
                await place.recovered(began)
                consumer.signal(number)
                await asyncio.sleep(0.3)
                assert consumer.process is not None
                assert consumer.process.poll() is None
                again = time.monotonic()
                consumer.signal(number)
                codes.append(await asyncio.to_thread(consumer.process.wait, 60))
                seconds.append(time.monotonic() - again)
    wanted = {128 + signal.SIGTERM, 128 + signal.SIGINT}
    return Outcome(
        max(seconds) <= 0.5 and set(codes) == wanted,
        f"{len(seconds)} second signals: ended within {max(seconds):.2f} s, exit codes {sorted(set(codes))}",
        {"signals": len(seconds), "slowest_exit_seconds": round(max(seconds), 3)},
    )


async def early_signal(folder: Path) -> Outcome:
    """SIGTERM so soon after the start that nothing is imported yet."""
    seconds, codes = [], []
    async with yard(folder / "early", Plot(f"early-{time.time_ns() % 10**8}"), shared_bootstrap()) as place:
        for delay in [0.05] * 10 + [0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0]:
            consumer = place.plain()
            await asyncio.sleep(delay)
            asked = time.monotonic()
            consumer.signal(signal.SIGTERM)
            assert consumer.process is not None
            codes.append(await asyncio.to_thread(consumer.process.wait, 60))
            seconds.append(time.monotonic() - asked)
    # An interpreter that has not run a line of ours dies of the signal; later it is asked, and ends with 0.
    return Outcome(
        max(seconds) <= 2.0 and set(codes) <= {0, -signal.SIGTERM},
        f"SIGTERM 0.05 s after the start, 10 times, and 0.1 to 2 s, 10 times: slowest exit {max(seconds):.2f} s",
        {"signals": len(seconds), "slowest_exit_seconds": round(max(seconds), 2), "died_of_it": codes.count(-15)},
    )


# --- one after another ------------------------------------------------------------------------------------------------


def rolling(rounds: int) -> Callable[[Path], Awaitable[Outcome]]:
    async def run(folder: Path) -> Outcome:
        """Three replicas, each stopped and started in turn, under load."""
        slowest = 0.0
        async with yard(folder / "rolling", Plot(f"rolling-{time.time_ns() % 10**8}"), shared_bootstrap()) as place:
            began = time.monotonic()
            replicas = [place.consumer() for _ in range(3)]
            async with place.load(Load()):
                await place.recovered(began)
                for turn in range(3 * rounds):
                    asked = time.monotonic()
                    assert await replicas[turn % 3].stop() == 0
                    slowest = max(slowest, time.monotonic() - asked)
                    replicas[turn % 3] = place.consumer()
                    await place.ready(replicas[turn % 3])
                await place.recovered(time.monotonic())
            lag_seconds = await place.settled(replicas[0])
            for replica in replicas:
                await replica.stop()
            ledger = await place.judged()
        ratio = ledger.duplicates / max(1, ledger.delivered)
        return Outcome(
            ledger.kept and ratio <= 0.01 and lag_seconds <= 60,
            f"{rounds} rounds of 3 replicas: {ledger.said}, duplicate ratio {ratio:.2%}; lag 0 within "
            f"{lag_seconds:.1f} s of the last event, slowest stop {slowest:.1f} s",
            {"restarts": 3 * rounds, "lag_zero_seconds": round(lag_seconds, 1), "duplicate_ratio": ratio}
            | ledger.figures(),
        )

    return run


ALL_STATES = (*STATES, BROKERS_DOWN)
STOP = "takes nothing new, lets requests finish within 20 s, commits, leaves the group, exits with 0, or 75 if cut off"
STOP_PASSES = "exit ≤ 25 s; requests after SIGTERM + 0.1 s = 0; duplicates after a clean stop = 0"
TEST = "tests/kafka/test_survival.py"

ROWS = (
    Row(
        "S1",
        "SIGTERM in seven states, 3 times each (rows S1.a to S1.g: 10 times each)",
        STOP,
        STOP_PASSES,
        stops_in(ALL_STATES, SELECTED_ROUNDS),
        minutes=3.5,
        selection=True,
        compressed=SHORT,
        again="nothing, where provider and brokers answer",
        test=TEST,
    ),
    *(
        Row(
            f"S1.{letter}",
            f"SIGTERM: {state}, {FULL_ROUNDS} times",
            STOP,
            STOP_PASSES,
            stops_in([state], FULL_ROUNDS),
            minutes=5.0,
            selection=False,
            compressed=SHORT,
            again="nothing, where provider and brokers answer",
        )
        for letter, state in zip("abcdefg", ALL_STATES, strict=True)
    ),
    Row(
        "S2",
        "a second SIGTERM or SIGINT while it drains",
        "ends at once",
        "≤ 0.5 s",
        second_signal,
        minutes=2.0,
        selection=False,
        again="what was in flight, on repeat routes",
        test=TEST,
    ),
    Row(
        "S3",
        "SIGTERM 50 ms after the start",
        "handlers come first",
        "exit ≤ 2 s",
        early_signal,
        minutes=1.0,
        selection=True,
        again="nothing",
    ),
    Row(
        "S4",
        "rolling restart of 3 replicas under load, 3 rounds (row S4.a: 10)",
        "the lanes move on to the next replica",
        "lost 0; duplicate ratio ≤ 1 %; lag 0 within 60 s",
        rolling(3),
        minutes=3.0,
        selection=True,
        compressed=SHORT,
        again="nothing",
        test=TEST,
    ),
    Row(
        "S4.a",
        "rolling restart of 3 replicas under load, 10 rounds",
        "the lanes move on to the next replica",
        "lost 0; duplicate ratio ≤ 1 %; lag 0 within 60 s",
        rolling(10),
        minutes=5.0,
        selection=False,
        compressed=SHORT,
        again="nothing",
    ),
)
