"""The simulated day: a shop's messages as they arrive, made up from a seed."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate, count
from math import exp, floor
from operator import attrgetter
from random import Random
from typing import NamedTuple

from consumer.core.model import Command, Message, Priority, Terms

DAY_SECONDS = 86_400.0
_HOUR_SECONDS = 3600.0
_MINUTE_SECONDS = 60.0
_GENERIC_WORDINGS = 4
_ZIPF = 1.1
_DIGEST = b"\0\0\0\0"


class Arrival(NamedTuple):
    """A command, and when the lane reads it, in broker seconds."""

    at: float
    command: Command


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of messages: its part of the steady traffic, how many texts it has, and its terms."""

    priority: Priority
    share: float
    texts: int
    ttl_seconds: float
    deliver_within_seconds: float


@dataclass(frozen=True, slots=True)
class Burst:
    """Many messages of one class within minutes, over `texts` of its texts from number `first` on."""

    name: str
    start_seconds: float
    seconds: float
    messages: int
    priority: Priority
    first: int
    texts: int


KINDS = (
    Kind(Priority.URGENT, 0.15, 40, 15 * _MINUTE_SECONDS, 2 * _MINUTE_SECONDS),
    Kind(Priority.NORMAL, 0.50, 300, 2 * _HOUR_SECONDS, 30 * _MINUTE_SECONDS),
    Kind(Priority.LOW, 0.35, 120, 12 * _HOUR_SECONDS, 2 * _HOUR_SECONDS),
)
BURSTS = (
    Burst("ready for pickup", 9 * _HOUR_SECONDS, 600.0, 12_000, Priority.NORMAL, 0, 150),
    Burst("bonuses accrued", 10 * _HOUR_SECONDS, 300.0, 80_000, Priority.LOW, 0, 60),
    Burst("bonuses expire", 18 * _HOUR_SECONDS, 300.0, 60_000, Priority.LOW, 60, 30),
)
STEADY_MESSAGES = 160_000
DAY_MESSAGES = STEADY_MESSAGES + sum(burst.messages for burst in BURSTS)


@dataclass(frozen=True, slots=True)
class Traffic:
    """A day of messages. `scale` multiplies their number and `texts_scale` that of the texts; `unique` is the share
    of messages with a text of their own. The same seed gives the same day."""

    seed: int = 1
    scale: float = 1.0
    texts_scale: float = 1.0
    unique: float = 0.0
    kinds: tuple[Kind, ...] = KINDS
    bursts: tuple[Burst, ...] = BURSTS
    steady_messages: float = STEADY_MESSAGES
    until_seconds: float = DAY_SECONDS

    def arrivals(self) -> Iterator[Arrival]:
        """The day in the order of arrival, made as it is asked for."""
        streams = [self._steady(), *(self._burst(burst) for burst in self.bursts)]
        numbers = count()
        library = _Library(self.kinds, Random(f"{self.seed}/unique"), self.unique)  # noqa: S311 - a die, no secret
        for seen in merge(*streams, key=attrgetter("at")):
            yield Arrival(seen.at, library.command(seen, next(numbers)))

    def _steady(self) -> "Iterator[_Seen]":
        """Poisson, minute by minute: within one, the gaps between messages are exponential."""
        dice = Random(f"{self.seed}/steady")  # noqa: S311
        choices = [_Zipf(self._texts(kind.texts)) for kind in self.kinds]
        shares = list(accumulate(kind.share for kind in self.kinds))
        total = sum(day_shape(minute / 60) for minute in range(1440))
        for minute in range(floor(self.until_seconds / _MINUTE_SECONDS)):
            start = minute * _MINUTE_SECONDS
            a_second = self.steady_messages * self.scale * day_shape(minute / 60) / total / _MINUTE_SECONDS
            at = start + dice.expovariate(a_second)
            while at < start + _MINUTE_SECONDS:
                kind = bisect(shares, dice.random() * shares[-1])
                yield _Seen(at, kind, choices[kind].draw(dice))
                at += dice.expovariate(a_second)

    def _burst(self, burst: Burst) -> "Iterator[_Seen]":
        """So many messages, evenly thrown into its time."""
        dice = Random(f"{self.seed}/{burst.name}")  # noqa: S311
        kind = next(number for number, kind in enumerate(self.kinds) if kind.priority is burst.priority)
        texts, first = _Zipf(self._texts(burst.texts)), round(burst.first * self.texts_scale)
        left, at, end = round(burst.messages * self.scale), burst.start_seconds, burst.start_seconds + burst.seconds
        while left and at < self.until_seconds:
            # The earliest of so many moments that are left, so that they need not be kept and sorted.
            at += (end - at) * (1.0 - dice.random() ** (1.0 / left))
            left -= 1
            if at < self.until_seconds:
                yield _Seen(at, kind, first + texts.draw(dice))

    def _texts(self, texts: int) -> int:
        return max(1, round(texts * self.texts_scale))


def day_shape(hour: float) -> float:
    """How busy the shop is at an hour of its day, up to a factor."""
    return 0.15 + 1.55 * exp(-(((hour - 13) / 4.2) ** 2)) + 1.25 * exp(-(((hour - 19.5) / 2.4) ** 2))


class _Seen(NamedTuple):
    at: float
    kind: int
    text: int


class _Zipf:
    """Numbers from 0 on, the k-th in proportion to 1 / k^1.1."""

    def __init__(self, texts: int) -> None:
        self._sums = list(accumulate(1.0 / rank**_ZIPF for rank in range(1, texts + 1)))

    def draw(self, dice: Random) -> int:
        return bisect(self._sums, dice.random() * self._sums[-1])


class _Library:
    """What the messages say: texts of each class with one coarser wording, which is one of four generic ones."""

    def __init__(self, kinds: Sequence[Kind], dice: Random, unique: float) -> None:
        self._kinds = kinds
        self._dice = dice
        self._unique = unique
        self._shared = [_terms(kind, unique=False) for kind in kinds]
        self._own = [_terms(kind, unique=True) for kind in kinds]
        self._generic = [
            [Message(f"{kind.priority} news {number}", "More in the app.") for number in range(_GENERIC_WORDINGS)]
            for kind in kinds
        ]
        self._ladders: dict[tuple[int, int], tuple[Message, ...]] = {}

    def command(self, seen: _Seen, number: int) -> Command:
        kind = self._kinds[seen.kind]
        own = self._unique > 0 and self._dice.random() < self._unique
        return Command(
            id=number.to_bytes(12, "big"),
            digest=_DIGEST,
            terms=self._own[seen.kind] if own else self._shared[seen.kind],
            recipient=f"customer-{number}",
            wordings=self._own_ladder(seen, number) if own else self._ladder(seen),
            thread=None,
            rank=0,
            arrived=seen.at,
            deadline=seen.at + kind.ttl_seconds,
        )

    def _ladder(self, seen: _Seen) -> tuple[Message, ...]:
        known = self._ladders.get(seen[1:])
        if known is None:
            text = f"{self._kinds[seen.kind].priority} text {seen.text}"
            known = self._ladders[seen[1:]] = (Message(text, "Details."), self._coarser(seen))
        return known

    def _own_ladder(self, seen: _Seen, number: int) -> tuple[Message, ...]:
        return (
            Message(f"{self._kinds[seen.kind].priority} text for customer {number}", "Details."),
            self._coarser(seen),
        )

    def _coarser(self, seen: _Seen) -> Message:
        return self._generic[seen.kind][seen.text % _GENERIC_WORDINGS]


def _terms(kind: Kind, *, unique: bool) -> Terms:
    route = f"{kind.priority}-unique" if unique else str(kind.priority)
    return Terms(route, kind.priority, kind.deliver_within_seconds, unique=(unique, False))
