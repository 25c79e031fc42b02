"""The long-running process: lanes, observers and the admin port, from start to a clean stop."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from consumer.app import wiring
from consumer.app.admin import Admin, AdminSettings
from consumer.app.build import core, version
from consumer.app.deployed import Deployed, planners_of
from consumer.app.hardening import keep_memory_private
from consumer.app.logs import Logs, configure
from consumer.app.loop import loop_factory, tame_collector
from consumer.app.loop_watch import LoopWatch
from consumer.app.metrics import Metrics, TraceOf
from consumer.app.page.history import History
from consumer.app.page.preview import PreviewForm
from consumer.app.page.serving import Page
from consumer.app.reloading import Reload, Reloading, standing_of, tell_reload
from consumer.app.setup import Setup
from consumer.app.show import settings_of
from consumer.app.signals import StopRequest
from consumer.app.state import RoutesStanding, State
from consumer.app.why_live import live_report
from consumer.core.explain import Waiting
from consumer.core.facts import Fact, LaneGauges, LaneStuck
from consumer.core.head import Head
from consumer.core.model import TopicPartition
from consumer.core.ports import Emit
from consumer.engine.run import FAILED, UNFINISHED, Process
from consumer.engine.view import LaneView

LOOP_LAG_EVERY_SECONDS = 0.5


OpenStreams = Callable[[Setup, Emit], wiring.OpenStreams]


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may put in the place of the usual. `observers` hear every fact; `opened` is told the admin port
    once it listens, `turned` hears twice a second that the loop turns. `once`: stop by itself when all that there was
    is settled. `attach` is put around each lane's parts, and `trace_of` names the trace of a request."""

    streams: OpenStreams = wiring.usual_streams
    observers: Sequence[Emit] = field(default_factory=tuple)
    opened: Callable[[int], object] = lambda _: None
    once: bool = False
    turned: Callable[[], object] = lambda: None
    attach: wiring.Attach = wiring.unattached
    trace_of: TraceOf | None = None


class Observer(Protocol):
    """Somebody who is told facts."""

    def ear(self, kind: type[Fact]) -> Emit | None:
        """What is told facts of a kind; None where nobody wants to know. Asked once for each kind."""
        ...


class Service:
    """One process: `run` it once, `stop` it from anywhere in the loop."""

    def __init__(self, setup: Setup, options: Options) -> None:
        self._options = options
        self._setup = setup
        sheets = wiring.lane_sheets(setup)
        self.state = State(sheets, time.monotonic, time.time, self._open_groups, self._heads)
        self.state.read_offsets = self._read_offsets
        self.metrics = Metrics(wiring.expected(setup, version()), options.trace_of)
        history = History(setup.config.names, time.time)
        self._observers: tuple[Observer, ...] = (self.metrics, self.state, history, Logs(time.monotonic))
        self._audiences: dict[type[Fact], tuple[Emit, ...]] = {}
        streams = options.streams(setup, self.emit)
        deployed = Deployed(planners_of(setup))
        self.reloading = Reloading(setup, deployed, self._reloaded)
        self.state.routes = RoutesStanding(setup.routes_version, len(setup.routes.routes), time.time())
        member = wiring.new_member()
        self.process = Process(wiring.berths(setup, streams, self.emit, member, options.attach, deployed=deployed))
        config = setup.config.admin
        form = PreviewForm(lambda: self.reloading.setup)
        page = Page(self.state.report, history, settings_of(setup), form.routes())
        settings = AdminSettings(config.host, config.port)
        self._admin = Admin(settings, self.state, self.metrics, self._whereabouts, page)

    def emit(self, fact: Fact) -> None:
        """Tell every observer that has an ear for it."""
        for hear in self._audiences.get(type(fact)) or self._audience(type(fact)):
            hear(fact)

    def _audience(self, kind: type[Fact]) -> tuple[Emit, ...]:
        """Who wants to hear facts of a kind. Looked for once: each event is told in five of them."""
        ears = [ear for observer in self._observers if (ear := observer.ear(kind))]
        # What ends the process is told to all before.
        found = self._audiences[kind] = (*ears, *self._options.observers, *self._own_ears(kind))
        return found

    def _own_ears(self, kind: type[Fact]) -> Iterator[Callable[[Any], None]]:
        if kind is LaneStuck:
            yield self._give_up
        if kind is LaneGauges and self._options.once:
            yield self._end_when_finished

    def _give_up(self, fact: LaneStuck) -> None:
        self.state.draining = True
        self.process.give_up(f"lane {fact.lane}, {fact.reason}: {fact.detail}")

    def _end_when_finished(self, _fact: LaneGauges) -> None:
        if self._finished():
            self.stop()

    def reload(self) -> None:
        """Read the routes anew, soon."""
        self.reloading.ask()

    def _reloaded(self, reload: Reload) -> None:
        self.state.routes = standing_of(reload, self.state.routes)
        self.metrics.routes_reloaded(reload.outcome, wiring.expected(reload.setup, version()))
        tell_reload(reload)

    def _whereabouts(self, ids: Sequence[bytes]) -> dict[str, Any]:
        return live_report(self.process.lanes, self.state, ids, time.time())

    def _open_groups(self, lane: str, limit: int) -> Sequence[Waiting]:
        running = self.process.lanes.get(lane)
        return () if running is None else running.open_groups(limit)

    def _read_offsets(self, lane: str) -> Mapping[TopicPartition, int]:
        running = self.process.lanes.get(lane)
        return {} if running is None else running.view().read

    def _heads(self, lane: str) -> Sequence[Head]:
        running = self.process.lanes.get(lane)
        return () if running is None else running.heads

    def stop(self) -> None:
        """Readiness off first, then drain."""
        self.state.draining = True
        self.process.stop()

    async def run(self) -> int:
        """Work until stopped; the exit code."""
        log = structlog.stdlib.get_logger("vestnik")
        refused = await self._admin.start()
        if refused is not None:
            log.error("admin_port_refused", detail=refused)
            return FAILED
        lanes = list(self._setup.config.names)
        log.info("started", version=version(), core=core(), admin_port=self._admin.port, lanes=lanes)
        self._options.opened(self._admin.port)
        monitor = asyncio.create_task(self._watch_loop(), name="loop lag")
        reloading = asyncio.create_task(self.reloading.run(), name="reloading")
        try:
            code = await self.process.run()
        finally:
            monitor.cancel()
            reloading.cancel()
            await self._admin.stop()
        _tell_end(code, self.process.why)
        return code

    async def _watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOP_LAG_EVERY_SECONDS
            await asyncio.sleep(LOOP_LAG_EVERY_SECONDS)
            self.metrics.loop_lagged(max(0.0, loop.time() - due))
            self._options.turned()

    def _finished(self) -> bool:
        """Every lane has read all that there was and holds nothing."""
        return bool(self.process.lanes) and all(_finished(view) for view in self.process.views())


def _tell_end(code: int, why: str) -> None:
    """The last line of every process: its exit code, and the reason of any other than 0."""
    level = logging.INFO if code == 0 else logging.WARNING if code == UNFINISHED else logging.ERROR
    fields = {"why": why} if why else {}
    structlog.stdlib.get_logger("vestnik").log(level, "ended", exit_code=code, **fields)


def _finished(view: LaneView) -> bool:
    busy = view.waiting or view.held or view.in_flight or view.in_doubt or view.requests_in_flight
    return view.state == "working" and view.lag_records == 0 and not busy and not view.blockages


async def serve(setup: Setup, stop: StopRequest, options: Options) -> int:
    """Run a service until a signal asks it to stop; the exit code."""
    loop = asyncio.get_running_loop()
    service = Service(setup, options)
    tame_collector()
    loop.set_exception_handler(_tell_exception)
    stop.attach(lambda: loop.call_soon_threadsafe(service.stop))
    loop.add_signal_handler(signal.SIGHUP, service.reload)
    return await service.run()


def _tell_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    info = error if isinstance(error, BaseException) else None
    structlog.stdlib.get_logger("vestnik").error("task_failed", detail=str(context.get("message")), exc_info=info)


def run_service(setup: Setup, stop: StopRequest, options: Options) -> int:
    """The whole life of the process, from logging to the exit code."""
    keep_memory_private()
    wanted = setup.config.logs
    configure(wanted.format, wanted.level, sys.stderr, time.monotonic)
    for warning in setup.warnings:
        structlog.stdlib.get_logger("vestnik").warning("configuration_warning", detail=warning)
    if setup.config.traces.export == "otlp":
        return _traced(setup, stop, options)
    return _run(setup, stop, options)


def _run(setup: Setup, stop: StopRequest, options: Options) -> int:
    watch = LoopWatch(setup.config.watchdogs.loop)
    watch.start()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(serve(setup, stop, replace(options, turned=watch.beat)))
    watch.stop()
    return code


def _traced(setup: Setup, stop: StopRequest, options: Options) -> int:
    """The same with traces, whose libraries are imported for nobody else."""
    from consumer.app.trace_export import open_traces  # noqa: PLC0415

    traces = open_traces(setup.config.names, version())
    try:
        return _run(setup, stop, replace(options, attach=traces.attach, trace_of=traces.trace_of))
    finally:
        traces.close()
