"""Grants requests: the quota, and the patience that a failing provider needs.

Everything that talks to the provider passes here, retries, halves and probes too. The gate answers when it is time; it
never holds work, so what goes into a request is decided after the grant.
"""

import asyncio
import math
from dataclasses import dataclass
from typing import Protocol

from aiolimiter import AsyncLimiter

from consumer.core.model import Blocked, Deferred, Delivered, Quota, Refused, Unsure, Verdict
from consumer.core.quota import Past, Window, past_in_bucket
from consumer.core.retry import BLOCKED, LIMIT, UNREACHABLE, UNSURE, Backoff, honour
from consumer.engine.clock import BrokerClock


class Dice(Protocol):
    def __call__(self) -> float:
        """A number in [0, 1), for jitter."""
        ...


@dataclass(slots=True)
class Grant:
    """One granted request; given back to the gate with what came of it."""

    ticket: int
    waited_seconds: float
    cause: str


@dataclass(frozen=True, slots=True)
class Pace:
    """What a lane's gate needs to know: the quota (None: no limit), and how long an answer may take and a lost one may
    still be under way, in seconds."""

    quota: Quota | None
    request_timeout_seconds: float
    lost_for_seconds: float = 60.0


class Gate:
    def __init__(self, pace: Pace, clock: BrokerClock, dice: Dice) -> None:
        self._pace = pace
        self._clock = clock
        self._dice = dice
        self._changed = asyncio.Event()
        self._held_until = -math.inf
        self._failures = 0
        self._window: Window | None = None
        self._bucket: AsyncLimiter | None = None
        quota = pace.quota
        if quota is not None and quota.bucket:
            self._bucket = AsyncLimiter(quota.requests, quota.per_seconds)
        elif quota is not None:
            self._window = Window(quota, pace.lost_for_seconds)

    @property
    def failing(self) -> bool:
        """The provider's last answer was a failure: one request at a time until one goes well."""
        return self._failures > 0

    @property
    def held(self) -> bool:
        """Waiting because of the provider's answers, not because of the quota."""
        return self._clock.now() < self._held_until

    @property
    def gap_seconds(self) -> float:
        """What the turn rule reckons with as the time between two requests."""
        if self._window is not None:
            return self._window.gap_seconds
        return 0.0 if self._pace.quota is None else self._pace.quota.gap_seconds

    @property
    def used(self) -> int:
        """Requests that the window counts now; 0 for a bucket, whose level only the provider knows."""
        return 0 if self._window is None else self._window.used(self._clock.now())

    async def restore(self, past: list[Past], cut: bool) -> None:
        """Take up the quota where an earlier owner left it. `cut`: the journal does not tell, so keep one silence."""
        now = self._clock.now()
        quota = self._pace.quota
        if self._window is not None:
            self._window.restore(past, now, self._pace.request_timeout_seconds)
            if cut:
                self._window.silence(now)
        elif self._bucket is not None and quota is not None:
            used = quota.requests if cut else past_in_bucket(past, quota, now)
            if used:
                # A new limiter is empty, so this returns at once and only raises its level.
                await self._bucket.acquire(min(used, quota.requests))

    async def grant(self) -> Grant:
        """Return when a request may start. The caller starts it now, or gives the grant back."""
        asked = self._clock.now()
        cause = "none"
        while (moment := self._next_start()) > self._clock.now():
            cause = "breaker" if self.held else "quota"
            await self._clock.sleep_until(moment, self._changed)
        if self._bucket is not None:
            await self._bucket.acquire()
        now = self._clock.now()
        ticket = 0 if self._window is None else self._window.start(now)
        return Grant(ticket, now - asked, cause)

    async def patience(self) -> None:
        """Return when the provider's answers no longer ask for waiting."""
        while self.held:
            await self._clock.sleep_until(self._held_until, self._changed)

    def _next_start(self) -> float:
        if self._window is None:
            return self._held_until
        return max(self._held_until, self._window.next_start(self._clock.now()))

    def give_back(self, grant: Grant) -> None:
        """The request never left."""
        if self._window is not None:
            self._window.give_back(grant.ticket)
        self._wake()

    def settle(self, grant: Grant, verdict: Verdict) -> None:
        """A request came to its end; its place in the quota and the lane's patience follow from the verdict."""
        now = self._clock.now()
        if self._window is not None:
            self._account(self._window, grant, verdict, now)
        match verdict:
            case Delivered() | Refused():
                self._failures = 0
                self._held_until = -math.inf
            case Deferred():
                self._wait(LIMIT if verdict.limit else UNREACHABLE, now, verdict.after_seconds)
            case Unsure():
                self._wait(UNSURE, now)
            case Blocked():
                self._wait(BLOCKED, now)
        self._wake()

    def _account(self, window: Window, grant: Grant, verdict: Verdict, now: float) -> None:
        match verdict:
            case Deferred(left=False):
                window.give_back(grant.ticket)
                return
            case Unsure(answered=False):
                window.lose(grant.ticket, now)
                return
            case Deferred(limit=True):
                window.widen(now)
            case _:
                window.narrow(now)
        window.complete(grant.ticket, now)

    def refuse(self, verdict: Blocked | Deferred) -> None:
        """The credential is not fit for a request: wait as after an answer that said so."""
        if isinstance(verdict, Blocked):
            self._wait(BLOCKED, self._clock.now())
        else:
            self._wait(UNREACHABLE, self._clock.now(), verdict.after_seconds)
        self._wake()

    def _wait(self, backoff: Backoff, now: float, after_seconds: float | None = None) -> None:
        seconds = backoff.delay(self._failures, self._dice())
        self._failures += 1
        if after_seconds is not None:
            # The provider named the time itself, which is better than our guess in both directions.
            seconds = honour(after_seconds)
        self._held_until = max(self._held_until, now + seconds)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
