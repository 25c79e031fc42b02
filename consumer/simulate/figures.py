"""What a simulated day came to: who was told in time, in which wording, and how long people waited."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, nan

from consumer.core.model import Command, Ended, Outcome, Parcel, Priority

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True)
class Tally:
    """Figures of some messages; waits are seconds from the arrival to the provider's answer. What was told when, and in
    which step of its ladder, stands at the same places in `told_at` (broker seconds) and `levels`."""

    published: int = 0
    delivered: int = 0
    in_time: int = 0
    coarser: int = 0
    ended: Counter[Outcome] = field(default_factory=Counter)
    waits: "array[float]" = field(default_factory=lambda: array("d"))
    told_at: "array[float]" = field(default_factory=lambda: array("d"))
    levels: "array[int]" = field(default_factory=lambda: array("H"))

    @property
    def expired(self) -> int:
        return self.ended[Outcome.EXPIRED]

    @property
    def waiting(self) -> int:
        """Published, and without an end."""
        return self.published - self.delivered - self.ended.total()

    @property
    def expired_ratio(self) -> float:
        return _ratio(self.expired, self.published)

    @property
    def in_time_ratio(self) -> float:
        """Delivered within `deliver_within`, of all that was not replaced by something newer."""
        return _ratio(self.in_time, self.published - self.ended[Outcome.SUPERSEDED])

    @property
    def coarser_ratio(self) -> float:
        """Delivered in a coarser wording, of what was delivered."""
        return _ratio(self.coarser, self.delivered)

    def quantiles(self) -> dict[str, float]:
        """Of the waits, in seconds; not a number when nobody was told."""
        ordered = sorted(self.waits)
        return {name: ordered[ceil(share * len(ordered)) - 1] if ordered else nan for name, share in QUANTILES.items()}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else nan


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole.published += tally.published
        whole.delivered += tally.delivered
        whole.in_time += tally.in_time
        whole.coarser += tally.coarser
        whole.ended += tally.ended
        whole.waits.extend(tally.waits)
        whole.told_at.extend(tally.told_at)
        whole.levels.extend(tally.levels)
    return whole


@dataclass(slots=True)
class Figures:
    """Of one lane over one day, by class; what a replay brought is counted apart in `backfill`. `requests` counts those
    that failed too; `answered_at` has their times."""

    classes: dict[Priority, Tally] = field(default_factory=lambda: {priority: Tally() for priority in Priority})
    requests: int = 0
    failed: int = 0
    recipients: int = 0
    answered_at: "array[float]" = field(default_factory=lambda: array("d"))
    backfill: Tally = field(default_factory=Tally)

    def publish(self, command: Command) -> None:
        self._tally(command).published += 1

    def end(self, ended: Iterable[Ended]) -> None:
        """What ended without a request."""
        for end in ended:
            self._tally(end.command).ended[end.outcome] += 1

    def deliver(self, parcels: Iterable[Parcel], at: float) -> None:
        """A request was accepted."""
        self._answer(at)
        for parcel in parcels:
            self.recipients += len({command.recipient for command in parcel.commands})
            for command in parcel.commands:
                self._deliver(command, parcel.level, at)

    def fail(self, at: float) -> None:
        """A request was made, and nobody can say that it told anybody."""
        self._answer(at)
        self.failed += 1

    def _answer(self, at: float) -> None:
        self.requests += 1
        self.answered_at.append(at)

    def _deliver(self, command: Command, level: int, at: float) -> None:
        tally = self._tally(command)
        wait = at - command.arrived
        tally.delivered += 1
        tally.waits.append(wait)
        tally.told_at.append(at)
        tally.levels.append(level)
        if wait <= command.terms.deliver_within_seconds:
            tally.in_time += 1
        if level:
            tally.coarser += 1

    def _tally(self, command: Command) -> Tally:
        return self.backfill if command.terms.backfill else self.classes[command.terms.priority]

    @property
    def whole(self) -> Tally:
        return total(self.classes.values())

    @property
    def recipients_per_request(self) -> float:
        return _ratio(self.recipients, self.requests)
