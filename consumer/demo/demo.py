"""`vestnik demo`: a broker, two providers, a shop and the consumer in one process, and a report of what came of it."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.live import Live

from consumer.app import wiring
from consumer.app.logs import configure
from consumer.app.service import Options, Service
from consumer.app.setup import Setup, load_setup
from consumer.core.model import Trouble
from consumer.core.ports import Emit
from consumer.demo.broker import FETCH_WAIT_MS, EmbeddedBroker
from consumer.demo.collect import Run, collect, traces_of
from consumer.demo.publish import Account, publish_all
from consumer.demo.report import Findings, examine
from consumer.demo.shop import Pace, Shop
from consumer.demo.summary import fast_note, print_summary
from consumer.demo.view import DemoView, LaneCard
from consumer.demo.world import DEAD_LETTERS, SOURCES, TOPICS, World, make_world
from consumer.streams.publisher import Publisher
from consumer.streams.settings import KafkaSettings, Timing

REDRAW_SECONDS = 0.25
LINE_SECONDS = 5.0
# The shop closes before the demo ends, so that one can see the lanes work off what waits.
DRAIN_SHARE, DRAIN_SECONDS = 0.2, 10.0
STOP_SECONDS = 40.0
LAST_WORDS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`seconds` is how long the consumer works; `fast` divides the time of quotas and providers."""

    seconds: float = 60.0
    per_second: float = 6.0
    report: Path | None = None
    seed: int = 1
    fast: float = 1.0

    @property
    def pace(self) -> Pace:
        open_seconds = self.seconds - min(DRAIN_SECONDS, DRAIN_SHARE * self.seconds)
        return Pace(seconds=open_seconds, per_second=self.per_second)


@dataclass(slots=True)
class _Stage:
    """Everything of one run that its acts share. `stop` ends the run early."""

    options: DemoOptions
    console: Console
    stop: asyncio.Event
    settings: KafkaSettings
    world: World
    view: DemoView
    account: Account
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0

    @property
    def elapsed(self) -> float:
        return self.clock() - self.started


async def run_demo(options: DemoOptions, console: Console, stop: asyncio.Event) -> int:
    """Play it all and report. 0 when all promises were kept, 1 when one was not or something did not work."""
    with TemporaryDirectory(prefix="vestnik-demo-") as folder, EmbeddedBroker(TOPICS) as broker:
        settings = KafkaSettings(broker.bootstrap, timing=Timing(fetch_wait_ms=FETCH_WAIT_MS))
        async with make_world(Path(folder), broker.bootstrap, options.fast) as world:
            view = DemoView({name: LaneCard() for name in world.fakes}, options.seconds)
            stage = _Stage(options, console, stop, settings, world, view, Account())
            return await _play(stage)


async def _play(stage: _Stage) -> int:
    setup = load_setup(stage.world.config, {})
    if not isinstance(setup, Setup):
        # Our own configuration is wrong: a bug, said as plainly as anybody's mistake.
        for problem in setup:
            stage.console.print(str(problem), style="red", markup=False)
        return 2
    if stage.options.fast != 1:
        stage.view.note = fast_note(stage.options.fast)
        stage.console.print(stage.view.note, style="yellow")
    failed = await _work(stage, _service(stage, setup))
    if failed:
        stage.console.print(f"the consumer ended with exit code {failed}", style="red")
    findings = await _examined(stage, setup)
    if isinstance(findings, Trouble):
        stage.console.print(f"the topics could not be read: {findings.reason} {findings.detail}", style="red")
        return 1
    return _tell(stage, findings, failed)


# --- while it runs ----------------------------------------------------------------------------------------------------


def _service(stage: _Stage, setup: Setup) -> Service:
    """The consumer, wired as `vestnik run` does it; the embedded broker wants its fetches short."""
    logs = setup.config.logs
    configure("console", logs.level, sys.stderr, stage.clock)

    def streams(setup: Setup, emit: Emit) -> wiring.OpenStreams:
        return wiring.kafka_streams(setup, emit, stage.settings.timing)

    def opened(port: int) -> None:
        stage.view.page = f"http://127.0.0.1:{port}/"
        if not stage.console.is_terminal:
            stage.console.print(f"the consumer's page: {stage.view.page}", highlight=False)

    return Service(setup, Options(streams, (stage.view.tell,), opened))


async def _work(stage: _Stage, service: Service) -> int:
    """Consumer, shop and screen side by side; then the consumer is stopped as by SIGTERM."""
    closed, done = asyncio.Event(), asyncio.Event()
    stage.started = stage.clock()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(service.run())
        shown = tasks.create_task(_show(stage, done))
        selling = tasks.create_task(_sell(stage, closed))
        await _until_over(stage, running)
        closed.set()
        await selling
        if stage.stop.is_set():
            # Interrupted: what the shop said last is still on its way to the consumer.
            await asyncio.wait({running}, timeout=LAST_WORDS_SECONDS)
        service.stop()
        await asyncio.wait({running}, timeout=STOP_SECONDS)
        done.set()
        await shown
        if not running.done():
            stage.console.print("the consumer did not stop in time", style="red")
            running.cancel()
            return 1
    return running.result()


async def _until_over(stage: _Stage, running: asyncio.Task[int]) -> None:
    """Until the time is up, somebody stops it, or the consumer ends on its own."""
    stop = asyncio.create_task(stage.stop.wait())
    await asyncio.wait({stop, running}, timeout=stage.options.seconds, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()


async def _sell(stage: _Stage, closed: asyncio.Event) -> None:
    """The shop publishes at its own pace until it closes."""
    shop = Shop(Random(stage.options.seed), datetime.now(UTC), stage.options.pace)  # noqa: S311 - a game of dice
    async with Publisher(stage.settings) as publisher:
        stage.account.trouble = publisher.trouble
        if publisher.trouble is None:
            await publish_all(publisher, shop.publications(), stage.clock, closed, stage.account)


async def _show(stage: _Stage, done: asyncio.Event) -> None:
    if not stage.console.is_terminal:
        while not await _happened(done, LINE_SECONDS):
            stage.view.published = len(stage.account.sent)
            stage.console.print(stage.view.line(stage.elapsed), markup=False, highlight=False, soft_wrap=True)
        return
    with Live(console=stage.console, auto_refresh=False, transient=True) as live:
        while not await _happened(done, REDRAW_SECONDS):
            stage.view.published = len(stage.account.sent)
            live.update(stage.view.render(stage.elapsed), refresh=True)


async def _happened(event: asyncio.Event, timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


# --- afterwards -------------------------------------------------------------------------------------------------------


async def _examined(stage: _Stage, setup: Setup) -> Findings | Trouble:
    run = Run(stage.account, stage.started, SOURCES, DEAD_LETTERS)
    evidence = await collect(stage.settings, run, traces_of(setup, stage.world.fakes, stage.world.quotas))
    return evidence if isinstance(evidence, Trouble) else examine(evidence)


def _tell(stage: _Stage, findings: Findings, failed: int) -> int:
    print_summary(stage.console, findings, stage.world.quotas, stage.options.fast)
    if stage.options.report is not None:
        text = findings.report.model_dump_json(indent=2)
        stage.options.report.write_text(text + "\n", encoding="utf-8")
    if stage.account.trouble is not None:
        trouble = stage.account.trouble
        stage.console.print(f"publishing ended early: {trouble.reason} {trouble.detail}", style="red")
        return 1
    return 1 if findings.faults or failed else 0
