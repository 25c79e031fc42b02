"""Quiet hours: from when to when somebody is not told, whatever the clocks of that place do in between."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from consumer.core.filters import find_zone
from consumer.core.model import Quiet

_GRAIN_SECONDS = 1.0


class Night(NamedTuple):
    """One stretch of quiet, in broker seconds: from `begin` on, not at `end` any more."""

    begin: float
    end: float


class Nights:
    """The stretch that holds or comes next for each rule, worked out once for each."""

    def __init__(self) -> None:
        self._nights: dict[Quiet, Night] = {}

    def night(self, quiet: Quiet, now: float) -> Night:
        """The first stretch that ends after `now`; it holds now when it has begun."""
        known = self._nights.get(quiet)
        if known is None or not known.end > now or known.begin - now > _AHEAD_SECONDS:
            known = self._nights[quiet] = next_night(quiet, now)
        return known

    def quiet_until(self, quiet: Quiet | None, now: float) -> float | None:
        """When the quiet that holds now ends; None where it is not quiet."""
        if quiet is None:
            return None
        begin, end = self.night(quiet, now)
        return end if begin <= now else None


# A cached stretch further away than this is of a time that the caller has gone back from.
_AHEAD_SECONDS = 2 * 86_400.0


def next_night(quiet: Quiet, now: float) -> Night:
    """The first stretch of quiet that ends after `now`, in the place's own time.

    Where the clock is put back over one of its edges, quiet begins at the first and ends at the second such time; where
    the clock is put forward over it, the edge is the moment of the change.
    """
    zone = find_zone(quiet.zone) or UTC
    today = datetime.fromtimestamp(now, zone).date()
    return next(night for night in _nights(quiet, zone, today - timedelta(days=1)) if night.end > now)


def _nights(quiet: Quiet, zone: tzinfo, first: date) -> Iterator[Night]:
    overnight = timedelta(days=1) if quiet.end <= quiet.start else timedelta()
    day = first
    while True:
        begin, end = _instants(day, quiet.start, zone), _instants(day + overnight, quiet.end, zone)
        yield Night(begin[0], end[1])
        day += timedelta(days=1)


def _instants(day: date, minute: int, zone: tzinfo) -> tuple[float, float]:
    """The first and the last moment at which a clock there shows this time; twice the change that leaves it out."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), zone)
    first, last = wall.timestamp(), wall.replace(fold=1).timestamp()
    if first <= last:
        return first, last
    change = _change(zone, last, first)
    return change, change


def _change(zone: tzinfo, low: float, high: float) -> float:
    """The moment between two at which the clock is put forward, to the second."""
    before = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > _GRAIN_SECONDS:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
