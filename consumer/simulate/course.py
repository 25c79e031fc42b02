"""How a simulated day went, hour by hour: waits, requests and steps of the ladder in equal pieces of time."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, nan

from consumer.core.model import Priority
from consumer.simulate.figures import Figures, Tally

_DAY_SECONDS = 86_400.0
_PIECES = 96
_LEAST_PIECE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Axis:
    """Time in pieces of `seconds` from `start` on (broker seconds, a midnight in UTC); a piece is its number."""

    start: float
    seconds: float

    def piece(self, at: float) -> int:
        return floor((at - self.start) / self.seconds)

    def hour(self, piece: float) -> float:
        """Hours from the start to the middle of a piece."""
        return (piece + 0.5) * self.seconds / 3600.0


def axis_of(days: Iterable[Figures]) -> Axis:
    """One that all of them fit on: from the midnight before the first message told, in about a hundred pieces."""
    edges = [edge for day in days for edge in _edges(day)]
    first, last = min(edges, default=0.0), max(edges, default=0.0)
    start = floor(first / _DAY_SECONDS) * _DAY_SECONDS
    return Axis(start, max(1, ceil((last - start) / _PIECES / _LEAST_PIECE_SECONDS)) * _LEAST_PIECE_SECONDS)


def _edges(day: Figures) -> Iterator[float]:
    for tally in day.classes.values():
        if tally.told_at:
            yield min(at for at, _ in _arrived(tally))
    if day.answered_at:
        yield max(day.answered_at)


def _arrived(tally: Tally) -> Iterator[tuple[float, float]]:
    return ((told - wait, wait) for told, wait in zip(tally.told_at, tally.waits, strict=True))


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that people had to wait who came in each of `pieces`: the median, and the 95th of a hundred; not a number
    where nobody came who was told."""

    pieces: range
    p50: tuple[float, ...]
    p95: tuple[float, ...]


def waits_of(tally: Tally, axis: Axis) -> Waits:
    """By the time of arrival, from the first piece with somebody to the last."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for arrived, wait in _arrived(tally):
        found[axis.piece(arrived)].append(wait)
    pieces = _span(found)
    ordered = [sorted(found.get(piece, ())) for piece in pieces]
    p50, p95 = (tuple(_quantile(waits, share) for waits in ordered) for share in (0.50, 0.95))
    return Waits(pieces, p50, p95)


def _span(found: Collection[int]) -> range:
    return range(min(found), max(found) + 1) if found else range(0)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[ceil(share * len(ordered)) - 1] if ordered else nan


def requests_a_minute(figures: Figures, axis: Axis) -> Mapping[int, float]:
    """By the time of the answer; each piece from the first to the last has its number."""
    counts = Counter(axis.piece(at) for at in figures.answered_at)
    return {piece: counts[piece] * 60.0 / axis.seconds for piece in _span(counts)}


@dataclass(frozen=True, slots=True)
class Levels:
    """Of the messages told in each of `pieces`, the share of each step of the ladder, the most personal first; 0 where
    nobody was told."""

    pieces: range
    shares: tuple[tuple[float, ...], ...]


def levels_of(figures: Figures, axis: Axis) -> Levels:
    """By the time of the answer, from the first piece with somebody to the last."""
    counts: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for priority in Priority:
        tally = figures.classes[priority]
        for at, level in zip(tally.told_at, tally.levels, strict=True):
            counts[axis.piece(at)][level] += 1
    coarsest = max((level for count in counts.values() for level in count), default=-1)
    shares = (tuple(_share(counts.get(piece), level) for piece in _span(counts)) for level in range(coarsest + 1))
    return Levels(_span(counts), tuple(shares))


def _share(count: Counter[int] | None, level: int) -> float:
    return count[level] / count.total() if count else 0.0
