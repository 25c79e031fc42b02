"""Providers that count requests in five different ways."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from consumer.core.model import Quota


class Limiter(Protocol):
    def admits(self, at: float) -> bool:
        """A request arrives; whether it is let in. Asked in the order of time."""
        ...


@dataclass
class FixedWindow:
    """Counts in windows that begin at whole multiples of the period."""

    quota: Quota
    window: int = -1
    count: int = 0

    def admits(self, at: float) -> bool:
        window = int(at // self.quota.per_seconds)
        self.count = self.count + 1 if window == self.window else 1
        self.window = window
        return self.count <= self.quota.requests


@dataclass
class SlidingLog:
    """Counts all of the last period, those that it refused too."""

    quota: Quota
    log: deque[float] = field(default_factory=deque)

    def admits(self, at: float) -> bool:
        while self.log and self.log[0] <= at - self.quota.per_seconds:
            self.log.popleft()
        self.log.append(at)
        return len(self.log) <= self.quota.requests


@dataclass
class SlidingCounter:
    """The count of this window, and that of the last one as far as it still reaches into the period."""

    quota: Quota
    window: int = -2
    before: int = 0
    count: int = 0

    def admits(self, at: float) -> bool:
        window, into = divmod(at, self.quota.per_seconds)
        if window != self.window:
            self.before = self.count if window == self.window + 1 else 0
            self.window, self.count = int(window), 0
        if self.before * (1 - into / self.quota.per_seconds) + self.count >= self.quota.requests:
            return False
        self.count += 1
        return True


@dataclass
class TokenBucket:
    """As many tokens as requests; they come back one by one."""

    quota: Quota
    tokens: float = 10.0
    at: float = 0.0

    def admits(self, at: float) -> bool:
        gained = (at - self.at) / self.quota.gap_seconds
        self.tokens, self.at = min(self.quota.requests, self.tokens + gained), at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Pacer:
    """Lets nobody in sooner than so many seconds after the last one that it let in."""

    seconds: float
    last: float = float("-inf")

    def admits(self, at: float) -> bool:
        if at - self.last < self.seconds:
            return False
        self.last = at
        return True


LIMITERS: dict[str, Callable[[Quota], Limiter]] = {
    "fixed window": FixedWindow,
    "sliding log": SlidingLog,
    "sliding counter": SlidingCounter,
    "token bucket": TokenBucket,
}


def most_in_a_window(arrivals: list[float], seconds: float) -> int:
    """The largest number of arrivals in any window of that length, wherever it begins."""
    times, first, most = sorted(arrivals), 0, 0
    for last, time in enumerate(times):
        # A hair shorter: sums of floats may be off by that much.
        while times[first] <= time - (seconds - 1e-6):
            first += 1
        most = max(most, last - first + 1)
    return most
