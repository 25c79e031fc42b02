"""Runs arrivals through the real outbox and quota in virtual time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from heapq import heappop, heappush
from itertools import islice
from math import inf, log
from random import Random
from typing import NamedTuple

from consumer.core.landing import DOUBTS_PER_COMMAND
from consumer.core.model import Bounds, Capacity, Command, Ended, OnUnsure, Outcome, Parcel, Quota
from consumer.core.outbox import Outbox
from consumer.core.quota import Window
from consumer.core.turn import Policy
from consumer.simulate.figures import Figures
from consumer.simulate.traffic import Arrival

# The day is about whose turn it is, so the backlog has no bound that would keep a record unread.
_BOUNDLESS = Bounds(commands=1 << 40, bytes=1 << 50, span=1 << 40)
_LATENCY_SIGMA = 0.5
# When a request without an answer is given up.
_TIMEOUT_SECONDS = 15.0
IMSHOP_QUOTA = Quota(10, 60.0)
IMSHOP_CAPACITY = Capacity(1, 1000)


class Replay(NamedTuple):
    """Old commands that come by the lane's backfill topic from a moment of the day on, as fast as there is room for
    them: `waiting` at a time."""

    since: float
    commands: Iterable[Command]
    waiting: int = 25_000


class Closed(NamedTuple):
    """When the gate grants nothing, in seconds of the day."""

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class LaneModel:
    """A lane and its provider. A request takes a log-normal time of that median.

    `errors_ratio` of the requests fail, each by itself: half of them are refused in passing (Deferred) and half get no
    answer (Unsure), which holds their place in the window as long as a lane's does. Those told by nobody wait again
    with their age and pass the same quota; a lost answer is repeated once where the route says so and else unknown.
    Neither a breaker nor a wait between tries stands in the way here, so that a provider that is down for long costs
    more than it would.
    """

    policy: Policy
    quota: Quota = IMSHOP_QUOTA
    capacity: Capacity = IMSHOP_CAPACITY
    latency_median_seconds: float = 0.06
    in_flight: int = 2
    closed: Closed | None = None
    errors_ratio: float = 0.0
    seed: int = 1
    replay: Replay | None = None


class _Answer(Enum):
    ACCEPTED = auto()
    DEFERRED = auto()
    NONE = auto()


class _Flight(NamedTuple):
    completed: float
    ticket: int
    parcels: tuple[Parcel, ...]
    answer: _Answer


def run_day(arrivals: Iterable[Arrival], lane: LaneModel, until_seconds: float = inf) -> Figures:
    """The figures when all has ended, or at `until_seconds`: what has no end by then still waits."""
    day = _Day(iter(arrivals), lane)
    day.run(until_seconds)
    return day.figures


class _Day:
    """Three things happen: a message arrives, a request starts, a request is answered; always the earliest of them."""

    def __init__(self, arrivals: Iterator[Arrival], lane: LaneModel) -> None:
        self._arrivals = arrivals
        self._next = next(arrivals, None)
        self._lane = lane
        self._dice = Random(f"{lane.seed}/latency")  # noqa: S311 - a die, no secret
        # Another die, so that a day with errors differs by them alone.
        self._misfortune = Random(f"{lane.seed}/errors")  # noqa: S311
        self._window = Window(lane.quota)
        self._outbox = Outbox(_BOUNDLESS, lane.policy)
        self._flights: list[_Flight] = []
        self._seen: set[bytes] = set()
        self._attempted: dict[int, int] = {}
        self._doubts: Counter[bytes] = Counter()
        self._now = -inf
        self._old = iter(lane.replay.commands if lane.replay is not None else ())
        self.figures = Figures()

    def run(self, until: float) -> None:
        while True:
            self._refill()
            arrival = inf if self._next is None else self._next.at
            answer = self._flights[0].completed if self._flights else inf
            start = self._start()
            self._now = min(arrival, answer, start)
            if self._now > until or self._now == inf:
                break
            if answer <= self._now:
                self._land(heappop(self._flights))
            elif arrival <= self._now:
                self._read()
            else:
                self._request()
        self.figures.end(self._outbox.expire(until))

    def _start(self) -> float:
        """When the next request may start; never while there is nothing to tell."""
        if not self._outbox.open_count or len(self._flights) == self._lane.in_flight:
            return inf
        start = self._window.next_start(self._now)
        closed = self._lane.closed
        if closed is not None and closed.since <= start < closed.until:
            self._window.hold(closed.until)
            return closed.until
        return start

    def _read(self) -> None:
        """Let everything wait that arrives at this moment or before anything else can happen."""
        while self._next is not None and self._next.at <= self._now:
            self._put(self._next.command)
            self._next = next(self._arrivals, None)

    def _refill(self) -> None:
        """Old ones wait in their topic while their part of the backlog is full; in line they count from then on."""
        replay = self._lane.replay
        if replay is None or self._now < replay.since:
            return
        done = self.figures.backfill
        for command in islice(self._old, replay.waiting - (done.published - done.delivered - done.ended.total())):
            self._put(replace(command, arrived=self._now))

    def _put(self, command: Command) -> None:
        if command.id in self._seen:
            return
        self._seen.add(command.id)
        self.figures.publish(command)
        thread = command.thread
        self.figures.end(self._outbox.put(command, None if thread is None else self._attempted.get(thread)))

    def _request(self) -> None:
        self.figures.end(self._outbox.expire(self._now))
        parcels = self._outbox.take(self._now, self._window.gap_seconds, self._lane.capacity)
        if not parcels:
            return
        self._remember(parcels)
        ticket = self._window.start(self._now)
        answer, seconds = (
            self._answer(),
            self._dice.lognormvariate(log(self._lane.latency_median_seconds), _LATENCY_SIGMA),
        )
        completed = self._now + (_TIMEOUT_SECONDS if answer is _Answer.NONE else seconds)
        heappush(self._flights, _Flight(completed, ticket, parcels, answer))

    def _answer(self) -> _Answer:
        drawn = self._misfortune.random() if self._lane.errors_ratio else 1.0
        if drawn >= self._lane.errors_ratio:
            return _Answer.ACCEPTED
        return _Answer.DEFERRED if drawn < self._lane.errors_ratio / 2 else _Answer.NONE

    def _remember(self, parcels: Iterable[Parcel]) -> None:
        """The highest rank ever attempted of each thread: nothing older is sent after it."""
        for parcel in parcels:
            for command in parcel.commands:
                if command.thread is not None:
                    before = self._attempted.get(command.thread, command.rank)
                    self._attempted[command.thread] = max(before, command.rank)

    def _land(self, flight: _Flight) -> None:
        if flight.answer is _Answer.NONE:
            self._window.lose(flight.ticket, flight.completed)
        else:
            self._window.complete(flight.ticket, flight.completed)
        if flight.answer is _Answer.ACCEPTED:
            self.figures.deliver(flight.parcels, flight.completed)
            self._settle(command for parcel in flight.parcels for command in parcel.commands)
        else:
            self.figures.fail(flight.completed)
            for parcel in flight.parcels:
                for command in parcel.commands:
                    self._return(command, flight.answer)

    def _settle(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._outbox.land(command.thread, command.rank)

    def _return(self, command: Command, answer: _Answer) -> None:
        """Nobody can say that it was told: it waits again with its age, or ends as unknown."""
        if answer is _Answer.NONE:
            stop = command.terms.on_unsure is OnUnsure.STOP or self._doubts[command.id] >= DOUBTS_PER_COMMAND
            self._doubts[command.id] += 1
            if stop:
                self._settle((command,))
                self.figures.end((Ended(command, Outcome.UNKNOWN, "unsure"),))
                return
        thread = command.thread
        attempted = None if thread is None else self._attempted.get(thread)
        self.figures.end(self._outbox.put_back(command, attempted))
