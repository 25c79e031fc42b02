"""A process of the world: one `vestnik run` with its lane, its connection, and what befell it."""

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass, field

from consumer.core.facts import Fact
from consumer.engine.lane import Lane
from consumer.engine.run import UNFINISHED, Berth, Process
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.engine.view import LaneView
from consumer.engine.watchlist import SuppressionParts
from tests.world.adapters import CONTROL, LISTED, LifeJournal, LifeLetters, LifeSource, LifeTable, Link, WorldBroker
from tests.world.lives import Life, Outside
from tests.world.plan import Design
from tests.world.provider import LifeSink, Provider
from tests.world.routes import MEMORY_SECONDS, planner
from tests.world.witness import Witness

DRAIN_SECONDS = 20.0
LIST_KEY = b"a key for the worlds"


@dataclass
class Span:
    """From when to when something was wrong with a process, or with the broker."""

    since: float
    until: float = math.inf
    what: str = ""

    def touches(self, begin: float, end: float) -> bool:
        return self.since <= end and begin <= self.until


@dataclass
class Surroundings:
    """What all processes of a world share."""

    design: Design
    outside: Outside
    broker: WorldBroker
    provider: Provider
    witness: Witness
    broker_down: bool = False


class Pod:
    """One process from its start to its end, however it ends."""

    def __init__(self, name: str, around: Surroundings, dice: random.Random) -> None:
        self.name = name
        self.life = Life(name, self._killed)
        self.link = Link(self.life, around.outside, around.design.weather, random.Random(dice.random()))
        self.spans: list[Span] = []
        self.stopped_at: float | None = None
        self.ended_at: float | None = None
        self._around = around
        self._dice = random.Random(dice.random())
        self._source: LifeSource | None = None
        self._ties: Counter[str] = Counter()
        self._process = Process([Berth("push", self._build, self._emit)])
        if around.broker_down:
            self.tie("outage")
        self.life.after_step = self._balance
        self._task = around.outside.enter(self.life, self._process.run())
        self._task.add_done_callback(self._returned, context=around.outside.context)

    def _build(self) -> Lane:
        design, around = self._around.design, self._around
        self._source = LifeSource(around.broker, self.link, design.topics, self._emit)
        parts = LaneParts(
            source=self._source,
            journal=LifeJournal(around.broker, self.link, around.witness.binds),
            dead_letters=LifeLetters(around.broker, self.link),
            sink=LifeSink(self.life, around.provider, design.capacity),
            planner=planner(design.quiet),
            emit=self._emit,
            wall=around.broker.clock,
            dice=self._dice.random,
            suppressions=SuppressionParts(LifeTable(around.broker, self.link, LISTED), lambda: LIST_KEY),
            control=LifeTable(around.broker, self.link, CONTROL),
        )
        settings = LaneSettings(
            "push",
            self.name,
            design.quota,
            in_flight=design.in_flight,
            bounds=design.bounds,
            memory_seconds=MEMORY_SECONDS,
            lost_for_seconds=design.lost_for_seconds,
            start_at="earliest",
            drain_seconds=DRAIN_SECONDS,
            caps=design.caps,
        )
        return Lane(settings, parts)

    def _emit(self, fact: Fact) -> None:
        if self.life.runs:
            self._around.witness.fact(self.life, fact)

    def _balance(self) -> None:
        """I2, at every instant: planned = outcomes + joined + waiting + parked + in flight + in doubt, and each command
        that is live has one place."""
        tenure = None if self.lane is None else self.lane._tenure
        if tenure is None or tenure.desk.closed:
            return
        books = tenure.desk._books
        placed = sum(books._places.values())
        if tenure.desk.drift or placed != len(books.live):
            self._around.witness.blame("I2 drift", f"{self.name}: {tenure.desk.drift}, {placed} of {len(books.live)}")

    @property
    def lane(self) -> Lane | None:
        return self._process.lanes.get("push")

    @property
    def view(self) -> LaneView | None:
        """How its lane stands; None before it has one."""
        return None if self.lane is None else self.lane.view()

    # --- what may befall it -------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """SIGTERM."""
        if self.stopped_at is None and self.life.runs:
            self.stopped_at = asyncio.get_running_loop().time()
            self._process.stop()

    def tie(self, what: str) -> None:
        """Cut the wire for this reason; it is up again when no reason is left."""
        self._ties[what] += 1
        self._around.outside.call(self._turn)

    def untie(self, what: str) -> None:
        self._ties[what] -= 1
        self._around.outside.call(self._turn)

    def _turn(self) -> None:
        wanted = not +self._ties
        wire = self.link.wire
        if wire.up and not wanted:
            wire.cut()
        elif not wire.up and wanted and self.life.runs:
            wire.mend()

    def _killed(self, life: Life) -> None:
        self.spans.append(Span(asyncio.get_running_loop().time(), what="killed"))
        self.ended_at = asyncio.get_running_loop().time()
        self._ties["dead"] += 1
        self._around.outside.call(self.link.wire.cut if self._source is None else self._source.kill)

    def _returned(self, task: "asyncio.Task[int]") -> None:
        """The process has ended by itself: nothing of it runs on."""
        if task.cancelled() or not self.life.runs:
            return
        error = task.exception()
        if error is not None or task.result() not in (0, UNFINISHED):
            self._around.witness.blame("crash", f"{self.name} ended by itself: {error!r}")
        span = self.spans
        self.life.kill("exit")
        span.pop()  # it left in good order
        self._source = None

    def bury(self) -> None:
        self.life.bury()
        self._task.cancel()


@dataclass
class Town:
    """All processes that ever lived, and those that do."""

    pods: list[Pod] = field(default_factory=list)

    @property
    def alive(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.life.over.done()]

    def of(self, life: Life) -> Pod:
        return next(pod for pod in self.pods if pod.life is life)
