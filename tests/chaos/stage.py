"""The whole consumer, wired as `vestnik run` does it, on the mock cluster with the fake providers."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import TypeVar

import aiohttp

from consumer.app import wiring
from consumer.app.logs import configure
from consumer.app.service import Options, Service
from consumer.app.setup import Setup, load_setup
from consumer.core.facts import Fact
from consumer.core.ports import Emit
from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS
from consumer.demo.collect import Run, collect, traces_of
from consumer.demo.evidence import Evidence
from consumer.demo.publish import Account, publish_all
from consumer.demo.report import Findings, examine
from consumer.demo.shop import Pace, Publication, Shop
from consumer.demo.world import DEAD_LETTERS, SOURCES, TOPICS, World, make_world
from consumer.streams.publisher import Publisher
from consumer.streams.settings import KafkaSettings, Timing
from tests.chaos.mock import MockCluster

SESSION_MS = 6_000
TIMING = Timing(
    session_ms=SESSION_MS, heartbeat_ms=600, rebalance_ms=8_000, fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS
)
STOP_SECONDS = 30.0

F = TypeVar("F", bound=Fact)


@dataclass(slots=True)
class Consumer:
    """One running service and what it said; the log is what an SRE would read."""

    service: Service
    facts: list[tuple[float, Fact]]
    port: int = 0
    task: "asyncio.Task[int] | None" = None

    def said(self, kind: type[F], since: float = 0.0) -> list[F]:
        return [fact for at, fact in self.facts if isinstance(fact, kind) and at >= since]

    def first(self, kind: type[F], since: float, true: Callable[[F], bool] = lambda _: True) -> float | None:
        """How many seconds after `since` it said such a fact for the first time."""
        return next(
            (at - since for at, fact in self.facts if at >= since and isinstance(fact, kind) and true(fact)), None
        )

    async def stop(self) -> int:
        self.service.stop()
        assert self.task is not None
        await asyncio.wait({self.task}, timeout=STOP_SECONDS)
        return self.task.result() if self.task.done() else -1

    async def ready(self) -> bool:
        """What a load balancer would see."""
        return await self.status("/readyz") == 200

    async def status(self, path: str) -> int:
        timeout = aiohttp.ClientTimeout(total=3)
        address = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as answer:
            return answer.status


@dataclass(slots=True)
class Stage:
    """A shop, its mock Kafka, both providers and the consumers of a row. `fast` divides the quotas' time."""

    cluster: MockCluster
    world: World
    setup: Setup
    settings: KafkaSettings
    log: io.StringIO
    account: Account = field(default_factory=Account)
    consumers: list[Consumer] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _shop: Iterator[Publication] = field(default_factory=lambda: iter(()))

    def consumer(self) -> Consumer:
        """Start one more consumer."""
        facts: list[tuple[float, Fact]] = []

        def streams(setup: Setup, emit: Emit) -> wiring.OpenStreams:
            return wiring.kafka_streams(setup, emit, self.settings.timing)

        def hear(fact: Fact) -> None:
            facts.append((time.monotonic(), fact))

        found = Consumer(
            Service(self.setup, Options(streams, (hear,), lambda port: setattr(found, "port", port))), facts
        )
        found.task = asyncio.create_task(found.service.run(), name="consumer")
        self.consumers.append(found)
        return found

    def open(self, pace: Pace, seed: int = 1) -> None:
        """A shop whose records `sell` publishes part by part."""
        self._shop = Shop(Random(seed), datetime.now(UTC), pace).publications()

    async def sell(self, records: int) -> None:
        """Publish the next records of the shop, at its pace."""
        async with Publisher(self.settings) as publisher:
            await publish_all(publisher, islice(self._shop, records), time.monotonic, asyncio.Event(), self.account)
        if self.account.trouble is not None:
            raise OSError(f"the shop could not publish: {self.account.trouble.reason}")

    async def idle(self) -> bool:
        """Each lane works in one of the consumers, which has read and ended everything."""
        lanes = dict.fromkeys(self.world.fakes, False)
        for consumer in self.consumers:
            for view in consumer.service.process.views():
                busy = view.waiting or view.in_flight or view.in_doubt or view.lag_records
                lanes[view.id] |= view.state == "working" and not busy and view.lag_records == 0
        return all(lanes.values())

    async def drained(self, within_seconds: float = 120.0) -> float:
        """Until everything published has ended; how long that took. The journal is asked, not the consumer."""
        began = time.monotonic()
        await eventually(self.idle, within_seconds)
        while (await self.findings()).report.waiting:
            if time.monotonic() - began > within_seconds:
                break
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    async def evidence(self) -> Evidence:
        traces = traces_of(self.setup, self.world.fakes, self.world.quotas)
        found = await collect(self.settings, Run(self.account, self.began, SOURCES, DEAD_LETTERS), traces)
        if not isinstance(found, Evidence):
            raise OSError(f"the topics could not be read: {found.reason} {found.detail}")
        return found

    async def findings(self) -> Findings:
        return examine(await self.evidence())

    def lines(self) -> int:
        """How many lines the log has."""
        return self.log.getvalue().count("\n")

    def errors(self) -> int:
        """How many of them are warnings or errors."""
        text = self.log.getvalue()
        return text.count('"level": "error"') + text.count('"level": "warning"')


async def eventually(true: Callable[[], Awaitable[bool]], within_seconds: float) -> float | None:
    """Look again and again until it is true; how long that took, None where it was not within the time."""
    began = time.monotonic()
    while not await true():
        if time.monotonic() - began > within_seconds:
            return None
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@asynccontextmanager
async def stage(folder: Path, *, brokers: int = 1, fast: float = 30.0, **timing: int) -> AsyncIterator[Stage]:
    """The demo's world on a mock cluster of the row's own; consumers that still run are stopped at its end."""
    log = io.StringIO()
    configure("json", "info", log, time.monotonic)
    with MockCluster(brokers, TOPICS) as cluster:
        settings = KafkaSettings(cluster.bootstrap, timing=replace(TIMING, **timing))
        async with make_world(folder, cluster.bootstrap, fast) as world:
            setup = load_setup(world.config, {})
            if not isinstance(setup, Setup):
                raise TypeError("; ".join(str(problem) for problem in setup))
            found = Stage(cluster, world, setup, settings, log)
            try:
                yield found
            finally:
                await _ended(found)


async def _ended(found: Stage) -> None:
    found.cluster.slow(0)
    found.cluster.up()
    for consumer in found.consumers:
        if consumer.task is not None and not consumer.task.done():
            await consumer.stop()
            consumer.task.cancel()
    await asyncio.wait({each.task for each in found.consumers if each.task}, timeout=5) if found.consumers else None
