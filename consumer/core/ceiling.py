"""The ceiling: how many people may be told in any window, whatever the provider would take."""

import math
from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from consumer.core.quota import Past


class PeopleLimit(NamedTuple):
    """At most so many recipients in any so many seconds: ten thousand people who open a shop's app in one minute are a
    load test of the shop."""

    recipients: int
    per_seconds: float


class Ceiling:
    """Counts whoever may have been told: from the request's start until a whole window after its end. Who was refused,
    or put off, does not count. Times are broker seconds."""

    def __init__(self, limit: PeopleLimit) -> None:
        self._limit = limit
        self._told: list[tuple[float, int]] = []
        self._flying = 0

    def fly(self, recipients: int) -> None:
        """A request with so many recipients starts."""
        self._flying += recipients

    def land(self, recipients: int, told: int, now: float) -> None:
        """It came to its end, and `told` so many of them, as far as anyone knows."""
        self._flying -= recipients
        self._remember(now, told)

    def restore(self, past: Sequence[Past], now: float) -> None:
        """Count what earlier owners told; a request without a landing may have reached everybody just now."""
        for one in past:
            self._remember(now if one.completed is None else one.completed, one.recipients)

    def room(self, now: float) -> int:
        """How many recipients a request may have now."""
        # The very sum that `free_from` names, so that rounding cannot part the two.
        while self._told and self._told[0][0] + self._limit.per_seconds <= now:
            self._told.pop(0)
        return max(0, self._limit.recipients - self._flying - sum(told for _, told in self._told))

    def free_from(self, now: float, least: int) -> float:
        """When there is room for `least` recipients (never more than the ceiling itself has), not before `now`; `inf`
        while that depends on requests in flight."""
        lacking = min(least, self._limit.recipients) - self.room(now)
        if lacking <= 0:
            return now
        for at, told in self._told:
            lacking -= told
            if lacking <= 0:
                return at + self._limit.per_seconds
        return math.inf

    def _remember(self, at: float, told: int) -> None:
        if told:
            insort(self._told, (at, told))
