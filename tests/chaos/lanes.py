"""Real lanes with real sinks and the fakes on loopback, in seconds that pass faster: for rows on providers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.core.facts import Fact
from consumer.demo.fakes import FakeProvider, ImshopFake, WebhookFake
from consumer.sinks.base import SinkConfig
from consumer.sinks.imshop import ImshopConfig
from tests.chaos.row import Outcome
from tests.engine.harness import LETTERS, ends_of, journal_of
from tests.sinks.lanes import Shore
from tests.sinks.support import CANARY
from tests.sinks.test_webhook import config as webhook_config
from tests.virtual import VirtualLoop
from tests.virtual_network import FastLoop

Run = Callable[[Path], Coroutine[Any, Any, Outcome]]
Figures = Mapping[str, float | int | str]
LONGEST_SECONDS = 7 * 86_400


def fast(pace: float) -> Callable[[Run], Run]:
    """Run a row so many times as fast as its clocks say, with a real network, on a loop and a thread of its own."""

    def decorated(run: Run) -> Run:
        async def there(folder: Path) -> Outcome:
            return await asyncio.to_thread(_run, lambda: FastLoop(pace), run, folder)

        return there

    return decorated


def virtual(run: Run) -> Run:
    """Run a row in virtual time, without a network, on a loop and a thread of its own."""

    async def there(folder: Path) -> Outcome:
        return await asyncio.to_thread(_run, VirtualLoop, run, folder)

    return there


def _run(loop: Callable[[], asyncio.AbstractEventLoop], run: Run, folder: Path) -> Outcome:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(asyncio.wait_for(run(folder), LONGEST_SECONDS))


def now() -> float:
    """The loop's seconds, which the lanes and the fakes go by."""
    return asyncio.get_running_loop().time()


class Quay(Shore):
    """A shore that can be asked what came of everything."""

    @property
    def ends(self) -> Counter[str]:
        """Commands by their outcome, as the journal has them."""
        return ends_of(journal_of(self.broker))

    @property
    def letters(self) -> int:
        return len(self.broker.records(LETTERS))

    @property
    def facts(self) -> list[Fact]:
        return [fact for process in self.processes for fact in process.facts]

    async def stop(self) -> None:
        for process in self.processes:
            if process.task is not None and not process.task.done():
                await process.stop()


def imshop_config(url: str, **more: Any) -> ImshopConfig:
    return ImshopConfig.model_validate({"type": "imshop", "url": url, "key": {"env": "K"}, **more})


@asynccontextmanager
async def lane(config: SinkConfig, credential: str = CANARY) -> AsyncIterator[Quay]:
    """A lane's world; its processes stop at the end."""
    quay = Quay(config, credential)
    try:
        yield quay
    finally:
        await quay.stop()


@asynccontextmanager
async def app_push(**more: Any) -> AsyncIterator[tuple[ImshopFake, Quay]]:
    """An IMSHOP with its real quota, and a lane to it."""
    async with ImshopFake(CANARY, clock=now) as fake, lane(imshop_config(fake.url, **more)) as quay:
        yield fake, quay


@asynccontextmanager
async def gateway(*strangers: str, **more: Any) -> AsyncIterator[tuple[WebhookFake, Quay]]:
    """A shop's own gateway without a quota, and a lane to it."""
    headers = {"Authorization": {"prefix": "Bearer ", "secret": {"env": "K"}}}
    async with WebhookFake(CANARY, frozenset(strangers), clock=now) as fake:
        config = webhook_config(url=fake.url, headers=headers, unknown_recipients="body.unknown", **more)
        async with lane(config) as quay:
            yield fake, quay


def told(fake: FakeProvider) -> Counter[str]:
    """How often each person was told."""
    return Counter(delivery.recipient for delivery in fake.deliveries)


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds from an event to its delivery."""

    count: int
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        ordered = sorted(seconds) or [0.0]

        def rank(percent: int) -> float:
            return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]

        return cls(len(seconds), rank(50), rank(99))
