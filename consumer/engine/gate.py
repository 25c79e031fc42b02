"""Grants requests: the quota, the ceiling of people, and the patience that a failing provider needs.

Everything that talks to the provider passes here, retries, parts and probes too. The gate answers when it is time; it
never holds work, so what goes into a request is decided after the grant.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiolimiter import AsyncLimiter

from consumer.core.breaker import Breaker
from consumer.core.ceiling import Ceiling, PeopleLimit
from consumer.core.facts import BreakerMoved, Fact, GateMoved
from consumer.core.model import Blocked, Capacity, Deferred, Quota, Unsure, Verdict
from consumer.core.quota import Gap, Past, Window, past_in_bucket
from consumer.engine.clock import BrokerClock


class Dice(Protocol):
    def __call__(self) -> float:
        """A number in [0, 1), for jitter."""
        ...


@dataclass(slots=True)
class Grant:
    """One granted request; given back to the gate with what came of it. `recipients` are those that it carries."""

    ticket: int
    waited_seconds: float
    cause: str
    recipients: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a lane's gate needs to know: the quota (None: no limit), how long an answer may take and a lost one may
    still be under way, in seconds, and how many people may be told (None: as many as the quota lets)."""

    quota: Quota | None
    request_timeout_seconds: float
    lost_for_seconds: float = 60.0
    ceiling: PeopleLimit | None = None
    lane: str = ""


class Gate:
    """`emit` hears when the breaker moves and when the gap does."""

    def __init__(
        self, pace: Pace, clock: BrokerClock, dice: Dice, emit: Callable[[Fact], None] = lambda _fact: None
    ) -> None:
        self._pace = pace
        self._clock = clock
        self._dice = dice
        self._emit = emit
        self._changed = asyncio.Event()
        self._breaker = Breaker()
        self._window: Window | None = None
        self._bucket: AsyncLimiter | None = None
        self._ceiling = None if pace.ceiling is None else Ceiling(pace.ceiling)
        quota = pace.quota
        self._bucket_gap = None if quota is None else Gap(quota)
        if quota is not None and quota.bucket:
            self._bucket = AsyncLimiter(quota.requests, quota.per_seconds)
        elif quota is not None:
            self._window = Window(quota, pace.lost_for_seconds)

    # --- how it stands ------------------------------------------------------------------------------------------------

    @property
    def failing(self) -> bool:
        """The provider's last answer was a failure or a limit: one request at a time until one goes well."""
        return self._breaker.suspicious

    @property
    def probing(self) -> bool:
        """The breaker is open: the next request only finds out whether the provider is back."""
        return self._breaker.is_open

    @property
    def held(self) -> bool:
        """Waiting because the provider fails, not because of the quota."""
        return self._breaker.holds(self._clock.now())

    def opens(self, least: int = 1) -> bool:
        """Whether a request with so many recipients could start at this moment."""
        now = self._clock.now()
        if self._next_start(now, least) > now:
            return False
        return self._bucket is None or self._bucket_gap is None or self._bucket.has_capacity(self._bucket_gap.factor)

    @property
    def full(self) -> bool:
        """As many people were told as the ceiling allows."""
        return self._ceiling is not None and self._ceiling.room(self._clock.now()) == 0

    @property
    def gap_seconds(self) -> float:
        """What the turn rule reckons with as the time between two requests."""
        if self._window is not None:
            return self._window.gap_seconds
        return 0.0 if self._bucket_gap is None else self._bucket_gap.seconds

    @property
    def used(self) -> int:
        """Requests that the window counts now; 0 for a bucket, whose level only the provider knows."""
        return 0 if self._window is None else self._window.used(self._clock.now())

    def fit(self, capacity: Capacity) -> Capacity:
        """What a request may carry now: the provider's capacity, within the ceiling."""
        if self._ceiling is None:
            return capacity
        room = self._ceiling.room(self._clock.now())
        return capacity._replace(recipients=min(capacity.recipients, room), total=room)

    # --- from owner to owner ------------------------------------------------------------------------------------------

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
        if self._ceiling is not None:
            self._ceiling.restore(past, now)
        self._breaker.restore(past)
        self._tell_moved(was_open=False)

    def retire(self) -> None:
        """Another owner has the lane: what this one thought of the provider is over."""
        was_open, self._breaker = self._breaker.is_open, Breaker()
        self._tell_moved(was_open)

    # --- grants -------------------------------------------------------------------------------------------------------

    async def grant(self, least: int = 1) -> Grant:
        """Return when a request with `least` recipients may start. The caller starts it now, or gives it back."""
        asked = self._clock.now()
        cause = "" if self._next_start(asked, least) <= asked else await self._opened(least)
        if self._bucket is not None and self._bucket_gap is not None:
            # After limit answers each request takes more than its share, so that the bucket drains more slowly.
            await self._bucket.acquire(self._bucket_gap.factor)
            cause = await self._opened(least) or cause
        now = self._clock.now()
        return self._granted(now, now - asked, cause)

    def at_once(self, least: int = 1) -> Grant | None:
        """The same without waiting: None where it would have to, or could have to."""
        now = self._clock.now()
        if self._bucket is not None or self.failing or self._next_start(now, least) > now:
            return None
        return self._granted(now, 0.0, "")

    def _granted(self, now: float, waited_seconds: float, cause: str) -> Grant:
        ticket = 0 if self._window is None else self._window.start(now)
        return Grant(ticket, waited_seconds, cause or "none")

    async def _opened(self, least: int) -> str:
        cause = ""
        while (moment := self._next_start(now := self._clock.now(), least)) > now:
            full = self._ceiling is not None and self._ceiling.free_from(now, least) == moment
            cause = "breaker" if self.held else "ceiling" if full else "quota"
            await self._sleep_until(moment)
        return cause

    async def patience(self) -> None:
        """Return when the provider's answers no longer ask for waiting."""
        while self._breaker.until > self._clock.now():
            await self._sleep_until(self._breaker.until)

    async def _sleep_until(self, moment: float) -> None:
        """Or until something changes. One waits here at a time: whoever dispatches."""
        self._changed.clear()
        await self._clock.sleep_until(moment, self._changed)

    def _next_start(self, now: float, least: int) -> float:
        window = now if self._window is None else self._window.next_start(now)
        ceiling = now if self._ceiling is None else self._ceiling.free_from(now, least)
        return max(self._breaker.until, window, ceiling)

    def carry(self, grant: Grant, recipients: int) -> None:
        """The granted request is bound, and carries so many."""
        grant.recipients = recipients
        if self._ceiling is not None:
            self._ceiling.fly(recipients)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def give_back(self, grant: Grant) -> None:
        """The request never left."""
        if self._window is not None:
            self._window.give_back(grant.ticket)
        self._tell_ceiling(grant, 0)
        self._changed.set()

    def settle(self, grant: Grant, verdict: Verdict, told: int = 0) -> None:
        """A request came to its end and may have `told` so many; its place in the quota and the lane's patience follow
        from the verdict."""
        now, gap = self._clock.now(), self.gap_seconds
        if self._window is not None:
            _account(self._window, grant, verdict, now)
        elif self._bucket_gap is not None:
            _adapt(self._bucket_gap, verdict, now)
        self._tell_ceiling(grant, told)
        was_open = self._breaker.is_open
        self._breaker.settle(verdict, now, self._dice())
        self._tell_moved(was_open)
        if self.gap_seconds != gap:
            self._emit(GateMoved(self._pace.lane, self.gap_seconds))
        self._changed.set()

    def refuse(self, verdict: Blocked | Deferred) -> None:
        """The credential is not fit for a request: wait as after an answer that said so."""
        was_open = self._breaker.is_open
        self._breaker.refuse(verdict, self._clock.now(), self._dice())
        self._tell_moved(was_open)
        self._changed.set()

    def _tell_ceiling(self, grant: Grant, told: int) -> None:
        if self._ceiling is not None:
            self._ceiling.land(grant.recipients, told, self._clock.now())

    def _tell_moved(self, was_open: bool) -> None:
        if self._breaker.is_open != was_open:
            self._emit(BreakerMoved(self._pace.lane, self._breaker.is_open, self._breaker.reason))


def _account(window: Window, grant: Grant, verdict: Verdict, now: float) -> None:
    match verdict:
        case Deferred(left=False):
            window.give_back(grant.ticket)
        case Unsure(answered=False) | Deferred(same_key=True):
            window.lose(grant.ticket, now)
        case Deferred(limit=True):
            window.widen(now)
            window.complete(grant.ticket, now)
        case _:
            window.narrow(now)
            window.complete(grant.ticket, now)


def _adapt(gap: Gap, verdict: Verdict, now: float) -> None:
    """A leaky bucket is slowed by limit answers too."""
    if isinstance(verdict, Deferred) and verdict.limit:
        gap.widen(now)
    else:
        gap.narrow(now)
