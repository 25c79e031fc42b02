"""The exact window: when the next request may start, so that no provider ever counts more than it allows."""

import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

from consumer.core.model import Quota

# A limit answer widens the gap by a tenth of what it is.
_WIDEN = 1.1
# After a quiet period the gap comes back by a hundredth of the base gap or a twentieth of what it is too wide,
# whichever is more: one limit answer is forgotten after ten quiet periods, the widest gap after about eighty.
_NARROW_OF_BASE = 0.01
_NARROW_OF_EXCESS = 0.05
# Kafka's timestamps are cut to milliseconds, so a landing may have happened this much after what the journal says.
_TIMESTAMP_GRAIN_SECONDS = 0.001


class Past(NamedTuple):
    """A request of an earlier life as the journal tells it: when it started, and when it was landed, if it was. `lost`:
    it landed without an answer, so its bytes may arrive later still. `recipients`: how many it may have told."""

    started: float
    completed: float | None
    lost: bool = False
    recipients: int = 0


class _Flight(NamedTuple):
    started: float
    started_before: float


class Gap:
    """The least time between two starts. A limit answer widens it, quiet narrows it again."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._quiet_since = -math.inf
        self.seconds = quota.gap_seconds

    @property
    def factor(self) -> float:
        """How much wider than usual."""
        return self.seconds / self._quota.gap_seconds

    def widen(self, now: float) -> None:
        """A limit answer came: the gap grows by a tenth, at most to one request a period."""
        self.seconds = max(self.seconds, min(self.seconds * _WIDEN, self._quota.per_seconds))
        self._quiet_since = now

    def narrow(self, now: float) -> None:
        """Let the gap come back for each whole quiet period since the last limit answer. Call it as often as you like;
        the rate is a hundredth of the base gap, or a twentieth of the excess if that is more, a quiet period."""
        base, period = self._quota.gap_seconds, self._quota.per_seconds
        while self.seconds > base and now - self._quiet_since >= period:
            step = max(base * _NARROW_OF_BASE, (self.seconds - base) * _NARROW_OF_EXCESS)
            self.seconds = max(base, self.seconds - step)
            self._quiet_since += period


class Window:
    """At most `requests` arrivals in any `per_seconds`, whoever counts and wherever the windows begin.

    A request arrives somewhere between its start and its completion, so each counts until a whole period after its
    *completion*; one in flight counts without end; one that got no answer counts as completed `lost_for_seconds` after
    its timeout, because its bytes may still be on the way. Besides, starts keep a gap of `per_seconds / requests`,
    which servers that count by token bucket or sliding counter want. All times are broker seconds.
    """

    def __init__(self, quota: Quota, lost_for_seconds: float = 60.0) -> None:
        self._quota = quota
        self._lost_for_seconds = lost_for_seconds
        self._completed: list[float] = []
        self._flights: dict[int, _Flight] = {}
        self._tickets = 0
        self._last_start = -math.inf
        self._hold_until = -math.inf
        self._gap = Gap(quota)

    @property
    def gap_seconds(self) -> float:
        """The least time between two starts just now."""
        return self._gap.seconds

    def next_start(self, now: float) -> float:
        """The earliest moment of the next request, not before `now`; `inf` while all places are in flight."""
        return max(now, self._free_from(), self._last_start + self._gap.seconds, self._hold_until)

    def start(self, now: float) -> int:
        """Take a place; the ticket is what `complete`, `lose` or `give_back` wants. ValueError when it is too early."""
        allowed = self.next_start(now)
        if allowed > now:
            raise ValueError(f"a request at {now} is too early, the quota allows the next one at {allowed}")
        self._tickets += 1
        self._flights[self._tickets] = _Flight(now, self._last_start)
        self._last_start = now
        return self._tickets

    def complete(self, ticket: int, now: float) -> None:
        """The answer is here. ValueError when the ticket is not in flight; so with `lose` and `give_back`."""
        self._land(ticket)
        self._remember(now)

    def lose(self, ticket: int, timed_out_at: float) -> None:
        """No answer will come any more; the request may still arrive for a while."""
        self._land(ticket)
        self._remember(timed_out_at + self._lost_for_seconds)

    def give_back(self, ticket: int) -> None:
        """The request never left this machine: neither the window nor the gap counts it."""
        flight = self._land(ticket)
        if flight.started == self._last_start:
            self._last_start = flight.started_before

    def widen(self, now: float) -> None:
        """A limit answer came."""
        self._gap.widen(now)

    def narrow(self, now: float) -> None:
        """No limit answer came."""
        self._gap.narrow(now)

    def hold(self, until: float) -> None:
        """Nothing starts before `until` (the provider's Retry-After). A shorter hold does not lift a longer one."""
        self._hold_until = max(self._hold_until, until)

    def silence(self, now: float) -> None:
        """One silent period: nobody knows what was sent before, because the journal is unreadable or cut."""
        self.hold(now + self._quota.per_seconds)

    def restore(self, past: Sequence[Past], now: float, request_timeout_seconds: float) -> None:
        """Count the requests of earlier owners. One without a landing may have left just before the claim at `now`."""
        open_until = now + request_timeout_seconds + self._lost_for_seconds
        for one in past:
            margin = _TIMESTAMP_GRAIN_SECONDS + (self._lost_for_seconds if one.lost else 0.0)
            self._remember(open_until if one.completed is None else one.completed + margin)
            self._last_start = max(self._last_start, one.started)

    def used(self, now: float) -> int:
        """Requests that count in the window now."""
        free_before = bisect_right(self._completed, now - self._quota.per_seconds)
        return len(self._flights) + len(self._completed) - free_before

    def _free_from(self) -> float:
        """A whole period after the completion of the N-th last request; those in flight are later than all others."""
        place = self._quota.requests - len(self._flights)
        if place <= 0:
            return math.inf
        return self._completed[-place] + self._quota.per_seconds if place <= len(self._completed) else -math.inf

    def _land(self, ticket: int) -> _Flight:
        flight = self._flights.pop(ticket, None)
        if flight is None:
            raise ValueError(f"ticket {ticket} is not in flight")
        return flight

    def _remember(self, completed: float) -> None:
        insort(self._completed, completed)
        del self._completed[: -self._quota.requests]


def past_in_bucket(past: Sequence[Past], quota: Quota, now: float) -> int:
    """How many units of a leaky bucket, `requests` deep and drained in `per_seconds`, earlier requests still fill.

    A request counts at its landing, or `now` without an answer: the latest moment at which it can have arrived.
    """
    level, at = 0.0, -math.inf
    for moment in sorted(now if one.completed is None or one.lost else min(now, one.completed) for one in past):
        level = max(0.0, level - (moment - at) / quota.gap_seconds) + 1
        at = moment
    return math.ceil(max(0.0, level - (now - at) / quota.gap_seconds)) if past else 0
