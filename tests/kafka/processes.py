"""`vestnik run` as its users run it: processes on a real Kafka, that are killed, stopped and started again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
import yaml

from consumer.app.setup import Setup, load_setup
from consumer.demo.collect import Run, collect, traces_of
from consumer.demo.evidence import Evidence
from consumer.demo.publish import Account, publish_all
from consumer.demo.report import Findings, examine
from consumer.demo.shop import Pace, Publication, Shop
from consumer.demo.world import DEAD_LETTERS, SOURCES, World, make_world
from consumer.streams import topics
from consumer.streams.publisher import Publisher
from consumer.streams.settings import KafkaSettings
from tests.kafka.server import free_port

SESSION_SECONDS = 6
REQUEST_SECONDS = 3
LOG_CHARACTERS = 3000


class Running(Protocol):
    """What is used of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...


class Consumer:
    """One process of `vestnik run`; its log is kept."""

    def __init__(self, config: Path, log: Path) -> None:
        self.log_file = log
        self.port = free_port()
        self.process: Running | None = None
        self.command = [str(Path(sys.executable).with_name("vestnik")), "run", "--config", str(config)]
        self.environment: dict[str, str] = {}

    def start(self) -> Self:
        own = {"VESTNIK_ADMIN_PORT": str(self.port), "VESTNIK_LOG_LEVEL": "info"}
        environment = os.environ | own | self.environment
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(timeout=10)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, 30)

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    async def get(self, path: str) -> str:
        """A page of the admin port; empty while it does not answer."""
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=3)
            address = f"http://127.0.0.1:{self.port}{path}"
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as answer:
                return await answer.text()
        return ""

    async def lane(self, name: str) -> dict[str, Any]:
        """One lane in `/api/state`; empty while the process does not answer."""
        text = await self.get("/api/state")
        lanes: dict[str, dict[str, Any]] = json.loads(text)["lanes"] if text else {}
        return lanes.get(name, {})


def end(consumers: Iterable[Consumer], *, tell: bool = False) -> None:
    """Kill those that still run. `tell`: the last words of all of them, for whoever reads the failure."""
    for consumer in consumers:
        if consumer.process is not None and consumer.process.poll() is None:
            consumer.kill()
        if tell:
            sys.stderr.write(f"--- {consumer.log_file}\n{consumer.log[-LOG_CHARACTERS:]}\n")


async def eventually(what: str, true: Callable[[], Awaitable[bool]], within_seconds: float = 120.0) -> float:
    """Look again and again until it is true; how long that took, in seconds."""
    began = time.monotonic()
    while not await true():
        assert time.monotonic() - began < within_seconds, f"not within {within_seconds} s: {what}"
        await asyncio.sleep(0.2)
    return time.monotonic() - began


class Town:
    """A shop, its Kafka, both providers and as many consumers as a test starts. `fast` divides the quotas' time."""

    def __init__(self, world: World, settings: KafkaSettings, fast: float) -> None:
        self.world = world
        self.settings = settings
        self.fast = fast
        self.account = Account()
        self.consumers: list[Consumer] = []
        self.closed = asyncio.Event()
        self._began = time.monotonic()
        setup = load_setup(world.config, {})
        assert isinstance(setup, Setup), setup
        self.setup = setup

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self.consumers, tell=error is not None)

    async def make_topics(self) -> None:
        specs = topics.wanted(list(self.world.fakes), SOURCES, topics.Shape(replicas=1, dead_letters=DEAD_LETTERS))
        assert await topics.create(self.settings, specs) == []
        sources = [topics.TopicSpec(name, 3, 1) for name in SOURCES]
        assert await topics.create(self.settings, sources) == []

    def consumer(self) -> Consumer:
        log = self.world.folder / f"consumer-{len(self.consumers)}.log"
        self.consumers.append(Consumer(self.world.config, log).start())
        return self.consumers[-1]

    async def sell(self, pace: Pace, seed: int = 1) -> None:
        """Publish the sample shop's events at their own pace."""
        await self.publish(Shop(Random(seed), datetime.now(UTC), pace).publications())

    async def publish(self, publications: Iterable[Publication]) -> None:
        async with Publisher(self.settings) as publisher:
            await publish_all(publisher, publications, time.monotonic, self.closed, self.account)
        assert self.account.trouble is None

    async def idle(self, consumer: Consumer) -> bool:
        """Both lanes of the consumer have read and ended everything."""
        lanes = [await consumer.lane(name) for name in self.world.fakes]
        return all(lane.get("state") == "working" for lane in lanes) and all(
            (lane["waiting"], lane["in_flight"], lane["in_doubt"], lane["lag_records"]) == (0, 0, 0, 0)
            for lane in lanes
        )

    async def over(self, consumer: Consumer) -> bool:
        """A lane that has not seen the last records yet is idle too; the journal knows better."""
        return await self.idle(consumer) and (await self.findings()).report.waiting == 0

    async def evidence(self) -> Evidence:
        traces = traces_of(self.setup, self.world.fakes, self.world.quotas)
        found = await collect(self.settings, Run(self.account, self._began, SOURCES, DEAD_LETTERS), traces)
        assert isinstance(found, Evidence), found
        return found

    async def findings(self) -> Findings:
        return examine(await self.evidence())


@asynccontextmanager
async def town(folder: Path, bootstrap: str, *, fast: float = 10.0, with_topics: bool = True) -> AsyncIterator[Town]:
    """The demo's world on a real broker, with sessions and requests short enough for a test."""
    async with make_world(folder, bootstrap, fast) as world:
        document = yaml.safe_load(world.config.read_text(encoding="utf-8"))
        document["kafka"]["session_timeout"] = f"{SESSION_SECONDS}s"
        for lane in document["lanes"].values():
            lane["provider"]["timeout"] = f"{REQUEST_SECONDS}s"
        world.config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        async with Town(world, KafkaSettings(bootstrap), fast) as place:
            if with_topics:
                await place.make_topics()
            yield place
