"""Tells a flood of poison from a few bad records: how many of a source's last records were fit for the dead letters."""

from collections import Counter, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FloodRule:
    """A source is flooded when `rejected` of its last `of` records became nothing but dead letters, and no longer when
    fewer than half as many are. While it is, one record is tried every `probe_seconds`. With `stop` False everything
    is let into the dead letters, at most `letters_per_second`."""

    rejected: int = 50
    of: int = 100
    probe_seconds: float = 10.0
    letters_per_second: float = 100.0
    stop: bool = True


@dataclass(frozen=True, slots=True)
class Flood:
    """A source whose records are mostly poison. `reason` is the commonest one of its dead letters, `alike` how many of
    the `rejected` have it."""

    source: str
    rejected: int
    of: int
    reason: str
    alike: int

    @property
    def words(self) -> str:
        """For people, in one line."""
        return (
            f"{self.rejected} of the last {self.of} records of {self.source} are dead letters, "
            f"mostly {self.reason} ({self.alike})"
        )


class Floods:
    """What became of the last records of each source. Pure: it is told, and asked."""

    def __init__(self, rule: FloodRule) -> None:
        self._rule = rule
        self._recent: dict[str, _Recent] = {}

    def see(self, source: str, reason: str | None) -> bool:
        """A record of the source was planned; `reason` is that of its dead letter, None where it was good. Returned is
        whether the source is flooded."""
        recent = self._recent.get(source)
        if recent is None:
            recent = self._recent[source] = _Recent(self._rule.of)
        recent.see(reason)
        if recent.rejected >= self._rule.rejected:
            recent.flooded = self._rule.stop
        elif 2 * recent.rejected < self._rule.rejected:
            recent.flooded = False
        return recent.flooded

    def flood(self, source: str) -> Flood | None:
        """What is wrong with a source; None while nothing is."""
        recent = self._recent.get(source)
        if recent is None or not recent.flooded:
            return None
        reason, alike = recent.reasons.most_common(1)[0]
        return Flood(source, recent.rejected, len(recent.last), reason, alike)

    @property
    def sources(self) -> tuple[str, ...]:
        """Those that are flooded."""
        return tuple(source for source, recent in self._recent.items() if recent.flooded)

    def lift(self, source: str) -> None:
        """Read on, whatever came before: somebody said so, or there is nothing left to hold back."""
        self._recent.pop(source, None)


class _Recent:
    """The last records of one source, None for a good one, counted as they come and go."""

    __slots__ = ("flooded", "last", "reasons", "rejected")

    def __init__(self, of: int) -> None:
        self.last: deque[str | None] = deque(maxlen=of)
        self.reasons: Counter[str] = Counter()
        self.rejected = 0
        self.flooded = False

    def see(self, reason: str | None) -> None:
        if self.rejected and len(self.last) == self.last.maxlen:
            self._count(self.last[0], -1)
        self.last.append(reason)
        self._count(reason, 1)

    def _count(self, reason: str | None, by: int) -> None:
        if reason is not None:
            self.reasons[reason] += by
            self.rejected += by
