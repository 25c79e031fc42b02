"""Rows on brokers: cut off in five ways, moved to new addresses, killed one by one and all together."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.cluster import behind_proxy, cluster
from tests.chaos.proxy import Proxy, proxy
from tests.chaos.row import Outcome, Row
from tests.chaos.rows_processes_groups import IN_FLIGHT
from tests.chaos.rows_processes_kills import RECOVERY_SECONDS
from tests.chaos.waves import Load
from tests.chaos.yard import Plot, Yard, until, yard
from tests.kafka.processes import Consumer
from tests.kafka.server import KafkaServer, free_port

AWAY_SECONDS, DARK_SECONDS = 15.0, 60.0
# Who does not answer at all is waited for until a request's time is over, which is 40 s.
FROZEN_SECONDS = 60.0
LANES = 2

Fault = Callable[[Proxy], Awaitable[None]]


async def cut(between: Proxy) -> None:
    await between.cut()


async def stall(between: Proxy) -> None:
    between.stall()


async def stall_answers(between: Proxy) -> None:
    between.stall("down")


async def drip(between: Proxy) -> None:
    between.drip()


async def reset(between: Proxy) -> None:
    between.reset()


FAULTS: Mapping[str, Fault] = {
    "cut": cut,
    "half-open": stall,
    "answers lost": stall_answers,
    "a byte a second": drip,
    "reset": reset,
}


async def partitioned(folder: Path) -> Outcome:
    """The owner reaches its broker through a proxy that fails in five ways; the standby has a door of its own."""
    takeovers: dict[str, float] = {}
    sends: dict[str, int] = {}
    async with behind_proxy() as (server, between):
        through = f"127.0.0.1:{between.port}"
        async with yard(folder / "cut", Plot("cut"), server.bootstrap) as place:
            began = time.monotonic()
            anna = place.plain(place.named("anna", through))
            async with place.load(Load()), place.offsets_watched() as rewinds:
                await place.recovered(began)
                for name, fault in FAULTS.items():
                    boris = place.plain(place.named("boris"))
                    await place.ready(boris)
                    takeovers[name], sends[name] = await cut_off(place, between, fault)
                    await place.ready(anna)
                    # The lanes go back to who sits behind the proxy.
                    assert await boris.stop() == 0
                    await sends_again(place, "anna")
            await place.settled(anna)
            assert await anna.stop() == 0
            ledger = await place.judged()
    slowest = max(takeovers, key=lambda name: takeovers[name])
    return Outcome(
        ledger.kept
        and not rewinds
        and max(sends.values()) <= IN_FLIGHT
        and takeovers[slowest] <= RECOVERY_SECONDS + place.plot.session_seconds,
        f"{', '.join(takeovers)}: the standby sent after at most {takeovers[slowest]:.1f} s ({slowest}); who was cut "
        f"off sent {max(sends.values())} requests after it, of at most {IN_FLIGHT} in flight, rewinds {len(rewinds)}; "
        f"{ledger.said}",
        {"faults": len(takeovers), "slowest_takeover_seconds": round(takeovers[slowest], 1)}
        | {"zombie_requests": max(sends.values()), "rewinds": len(rewinds)}
        | ledger.figures(),
    )


async def sends_again(place: Yard, who: str) -> None:
    since = time.monotonic()
    await until(f"{who} sends again", lambda: bool(place.app.by(who, since)), 60.0)


async def cut_off(place: Yard, between: Proxy, fault: Fault) -> tuple[float, int]:
    """Seconds until the standby sent, and what the one that was cut off sent after that."""
    began = time.monotonic()
    await fault(between)
    await until("the standby sends", lambda: bool(place.app.by("boris", began)), 60.0)
    taken = place.app.by("boris", began)[0]
    await asyncio.sleep(max(0.0, began + AWAY_SECONDS - time.monotonic()))
    await between.heal()
    await asyncio.sleep(3.0)
    return taken - began, len(place.app.by("anna", taken))


async def moved(folder: Path) -> Outcome:
    """The broker comes back at another address; only the first address, which a proxy stands for, leads there."""
    with KafkaServer() as server:
        async with (
            proxy(server.port) as door,
            yard(folder / "moved", Plot("moved"), server.bootstrap, through=f"127.0.0.1:{door.port}") as place,
        ):
            began, consumer = time.monotonic(), place.plain()
            async with place.load(Load()):
                await place.recovered(began)
            await asyncio.to_thread(server.stop)
            door.target_port = server.port = free_port()
            await asyncio.to_thread(server.restart)
            place.settings = type(place.settings)(server.bootstrap)
            back, exits = time.monotonic(), 0
            async with place.load(Load(seed=2)):
                while len(place.first_since(back)) < 2 and time.monotonic() - back < 300:
                    if consumer.process is not None and consumer.process.poll() is not None:
                        exits, consumer = exits + 1, place.plain()  # as Kubernetes would
                    await asyncio.sleep(1.0)
                recovered = await place.recovered(back)
            await place.settled(consumer)
            assert await consumer.stop() == 0
            ledger = await place.judged()
    return Outcome(
        ledger.kept and recovered <= 180.0,
        f"both lanes sent again {recovered:.0f} s after the broker was back elsewhere, exits {exits}; {ledger.said}",
        {"recovery_seconds": round(recovered, 1), "exits": exits, **ledger.figures()},
    )


async def outages(folder: Path) -> Outcome:
    """Three real brokers: one is killed, one frozen, then all are killed for a while; under load."""
    seconds: dict[str, float] = {}
    async with cluster() as brokers, yard(folder / "three", Plot("three", replicas=3), brokers.bootstrap) as place:
        began, consumer = time.monotonic(), place.plain()
        async with place.load(Load()), place.offsets_watched() as rewinds:
            await place.recovered(began, 90.0)
            for number in (1, 2, 3):
                gone = time.monotonic()
                await brokers.kill(number)
                seconds[f"broker {number} killed"] = await place.recovered(gone + 0.5, 90.0)
                await brokers.restart(number)
                await asyncio.sleep(8.0)
            gone = time.monotonic()
            brokers.servers[0].freeze()
            seconds["a broker frozen"] = await place.recovered(gone + 0.5, 90.0)
            await asyncio.sleep(10.0)
            brokers.servers[0].thaw()
            await asyncio.sleep(8.0)
        used, lines = cpu_seconds(consumer), consumer.log.count("\n")
        await brokers.kill()
        await asyncio.sleep(DARK_SECONDS)
        percent = (cpu_seconds(consumer) - used) / DARK_SECONDS * 100
        per_minute = (consumer.log.count("\n") - lines) / DARK_SECONDS * 60
        alive = consumer.process is not None and consumer.process.poll() is None
        await brokers.restart()
        back = time.monotonic()
        async with place.load(Load(seed=2)):
            seconds["all brokers killed"] = await place.recovered(back, 120.0)
        await place.settled(consumer)
        assert await consumer.stop() == 0
        ledger = await place.judged()
    frozen = seconds.pop("a broker frozen")
    slowest = max(seconds, key=lambda name: seconds[name])
    quick = seconds[slowest] <= 30.0 and frozen <= FROZEN_SECONDS
    return Outcome(
        ledger.kept and alive and not rewinds and percent < 20 and per_minute < 60 * LANES and quick,
        f"each of 3 brokers killed, one frozen, all killed for {DARK_SECONDS:.0f} s: sent again at latest "
        f"{seconds[slowest]:.1f} s later ({slowest}; the frozen one {frozen:.1f} s), CPU {percent:.0f} % and "
        f"{per_minute:.0f} log lines a minute while all were dead; {ledger.said}",
        {
            "slowest_recovery_seconds": round(seconds[slowest], 1),
            "frozen_seconds": round(frozen, 1),
            "cpu_percent": round(percent, 1),
        }
        | {"log_lines_per_minute": round(per_minute, 1)}
        | ledger.figures(),
    )


def cpu_seconds(consumer: Consumer) -> float:
    """What the process has used so far."""
    assert consumer.process is not None
    with suppress(OSError):
        fields = Path(f"/proc/{consumer.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


ROWS = (
    Row(
        "K-5.r",
        "real brokers: each of three killed, one frozen, all killed for a while",
        "the process stays and goes on by itself",
        "lost 0; no exit; CPU < 20 %; log lines < 60 a minute and lane; sends again in 30 s, after a freeze in 60 s",
        outages,
        minutes=5.0,
        selection=False,
        compressed="all brokers dead for 1 min instead of 5",
        again="what was in flight, on repeat routes",
    ),
    Row(
        "K-10",
        "network partition between the owner and its broker: cut, half-open, one way, a byte a second, reset",
        "a standby takes over; who was cut off sends nothing more",
        "its requests after another took over ≤ in flight; offsets never go back; of stop routes no duplicate",
        partitioned,
        minutes=5.0,
        selection=False,
        compressed=f"{AWAY_SECONDS:.0f} s with a session of 6 s instead of 60 s with 30 s",
        again="what was in flight, on repeat routes",
    ),
    Row(
        "K-11",
        "the brokers come back at new addresses",
        "within two minutes the process begins at its first address again",
        "sends again within 180 s; lost 0",
        moved,
        minutes=4.5,
        selection=False,
        again="nothing",
    ),
)
